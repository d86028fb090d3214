"""Flask-SQLAlchemy-Lite: its sessions, synchronous and asynchronous, follow the tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_tenant import Tenancy, for_each_tenant, tenant_context
from flask_tenant.errors import NoTenantError, TenantChangedError
from tests.integrations.helpers import at, table, with_tenants

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(50), unique=True)


def create_app(url: str, *kinds: str) -> tuple[Flask, SQLAlchemy]:
    """The application as its authors wrote it, but for one line.

    :param kinds: which engines it has: ``sync``, ``async``
    """
    app = Flask("lite")
    asynchronous = url.replace("sqlite:", "sqlite+aiosqlite:")
    app.config["SQLALCHEMY_ENGINES"] = {"default": url} if "sync" in kinds else {}
    # each asyncio.run() is a loop of its own, which a pool would outlive
    engine = {"url": asynchronous, "poolclass": sa.NullPool}
    app.config["SQLALCHEMY_ASYNC_ENGINES"] = {"default": engine} if "async" in kinds else {}
    db = SQLAlchemy(app)
    Tenancy(app)

    @app.post("/<title>")
    def add(title: str) -> dict[str, Any]:
        note = Note(title=title)
        db.session.add(note)
        db.session.commit()
        return {"id": note.id}

    @app.get("/")
    def titles() -> list[str]:
        return list(db.session.scalars(sa.select(Note.title).order_by(Note.id)))

    @app.post("/async/<title>")
    async def add_async(title: str) -> dict[str, Any]:
        note = Note(title=title)
        db.async_session.add(note)
        await db.async_session.flush()
        key = note.id
        await db.async_session.commit()
        return {"id": (await db.async_session.get_one(Note, key)).id}

    @app.get("/async/")
    async def titles_async() -> list[str]:
        return list(await db.async_session.scalars(sa.select(Note.title).order_by(Note.id)))

    with app.app_context():
        if "sync" in kinds:
            Base.metadata.create_all(db.engine)
        else:
            asyncio.run(_create_all(db))
    return app, db


async def _create_all(db: SQLAlchemy) -> None:
    async with db.async_engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@pytest.fixture
def lite(request: pytest.FixtureRequest, database_url: str) -> Iterator[tuple[Flask, SQLAlchemy]]:
    app, db = create_app(database_url, *request.param)
    yield with_tenants(app), db
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.mark.parametrize("lite", [("sync",)], indirect=True)
def test_the_sessions_of_nested_scopes(lite: tuple[Flask, SQLAlchemy], database_url: str) -> None:
    app, db = lite
    with app.app_context():
        with pytest.raises(NoTenantError):
            db.session.scalars(sa.select(Note)).all()
        outside = db.session
        with tenant_context("acme"):
            acme = db.session
            db.session.add(Note(title="anvil"))  # waits for its flush
            with tenant_context("bella"):
                assert db.session is not acme
                assert db.get_session("second") is not db.session
                db.session.add(Note(title="bouquet"))
                db.session.commit()
                with pytest.raises(TenantChangedError):
                    acme.connection()
            assert db.session is acme
            db.session.commit()
            assert db.session.scalars(sa.select(Note.title)).all() == ["anvil"]
        assert db.session is outside
        for tenant in for_each_tenant(reason="test"):
            expected = {"acme": ["anvil"], "bella": ["bouquet"]}[tenant.slug]
            assert [note.title for note in db.session.scalars(sa.select(Note))] == expected
    assert len(table(database_url, "note")) == 2


@pytest.mark.parametrize("lite", [("sync",), ("sync", "async"), ("async",)], indirect=True, ids=repr)
def test_views(lite: tuple[Flask, SQLAlchemy], database_url: str, request: pytest.FixtureRequest) -> None:
    app, _ = lite
    kinds = request.node.callspec.params["lite"]
    client = app.test_client()
    paths = [path for path, kind in (("/", "sync"), ("/async/", "async")) if kind in kinds]
    for path in paths:
        for slug in ("acme", "bella"):
            assert client.post(at(slug, f"{path}{slug}{len(path)}")).status_code == 200
    for path in paths:
        for slug in ("acme", "bella"):
            assert client.get(at(slug, path)).json == [f"{slug}{len(p)}" for p in paths]
    assert len(table(database_url, "note")) == 2 * len(paths)


@pytest.mark.parametrize("lite", [("async",)], indirect=True)
def test_asynchronous_sessions_of_scopes(lite: tuple[Flask, SQLAlchemy], database_url: str) -> None:
    app, db = lite

    async def work() -> None:
        async def stay(slug: str) -> None:
            with tenant_context(slug):
                for number in range(3):
                    db.async_session.add(Note(title=f"{number}"))
                    await db.async_session.flush()
                    await asyncio.sleep(0)
                found = await db.async_session.scalars(sa.select(Note.title).order_by(Note.title))
                assert found.all() == ["0", "1", "2"]
                await db.async_session.commit()
                await db.async_session.close()

        await stay("acme")
        await stay("bella")
        with tenant_context("acme"):
            acme = db.async_session
            with tenant_context("bella"):
                assert db.async_session is not acme
            assert db.async_session is acme
            await acme.close()

    with app.app_context():
        asyncio.run(work())
    assert len(table(database_url, "note")) == 6
