"""What the pages promise without showing it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.ext.asyncio import create_async_engine
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_tenant import Tenancy, TenancyError, central_context, tenant_context
from flask_tenant.errors import NoTenantError, SchemaNotReadyError, UnsafeObjectError
from tests.docs.pages import ROOT


def test_the_tutorial_shows_what_makes_the_demo_multi_tenant() -> None:
    shown = (ROOT / "docs" / "tutorial" / "two-tenants.md").read_text()
    assert f"```text\n{(ROOT / 'demo_app' / 'saas.py').read_text()}```" in shown


def _app(path: Path, **config: Any) -> Flask:
    """An application with the tables `note` and `country`, and the tenants acme and bella."""
    app = Flask("claims")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{path}"
    app.config.update(config, TENANT_SHARED_TABLES=["country"])
    db = SQLAlchemy(app)
    sa.Table("note", db.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text))
    sa.Table("country", db.metadata, sa.Column("code", sa.String(2), primary_key=True))
    Tenancy(app).central("index", reason="countries are everybody's")
    with app.app_context():
        db.create_all()
    state = app.extensions["tenancy"]
    for slug in ("acme", "bella"):
        if state.directory.find(slug) is None:
            state.create(slug, slug.title())

    @app.get("/")
    def index() -> str:
        with db.engine.connect() as connection:
            return str(connection.execute(sa.text("SELECT count(*) FROM country")).scalar())

    return app


def test_a_refused_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "single.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, what TEXT)")
    connection.execute("INSERT INTO task (what) VALUES ('Buy milk')")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    app = Flask("single")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{path}"
    SQLAlchemy(app)
    with pytest.raises(SchemaNotReadyError):
        Tenancy(app)
    assert path.read_bytes() == before


def test_report_only_mode_lists_nothing_of_its_own(tmp_path: Path) -> None:
    app = Flask("legacy")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'legacy.db'}"
    app.config["TENANT_ENFORCEMENT"] = "report"
    SQLAlchemy(app)
    Tenancy(app)
    state = app.extensions["tenancy"]
    app.test_cli_runner().invoke(args=["tenant", "create", "acme"])
    app.test_client().get("/", base_url="http://acme.localhost")
    assert [tenant.slug for tenant in state.directory.all()] == ["acme"]
    assert state.report.refusals == {}


@pytest.mark.parametrize(
    ("host", "with_base", "without"),
    [
        ("acme.example.com", 200, 200),
        ("ACME.Example.com.:8000", 200, 200),
        ("example.com", 200, 404),
        ("www.example.com", 404, 404),
        ("a.acme.example.com", 404, 404),
        ("elsewhere.org", 404, 404),
        ("localhost", 404, 200),
        ("127.0.0.1", 404, 200),
        ("[::1]", 404, 200),
    ],
)
def test_hosts_are_read_as_the_page_says(tmp_path: Path, host: str, with_base: int, without: int) -> None:
    for base, status in (("example.com", with_base), (None, without)):
        app = _app(tmp_path / f"{base}.db", TENANT_BASE_DOMAIN=base)
        assert app.test_client().get("/", headers={"Host": host}).status_code == status
        app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
        found = app.test_client().get("/", headers={"X-Forwarded-Host": host})
        assert found.status_code == status


def test_headers_of_a_proxy_are_not_read_by_themselves(tmp_path: Path) -> None:
    headers = {"Host": "nobody.example.com", "X-Forwarded-Host": "acme.example.com"}
    assert _app(tmp_path / "a.db").test_client().get("/", headers=headers).status_code == 404


def test_shared_tables_are_everybodys_to_write(tmp_path: Path) -> None:
    app = _app(tmp_path / "a.db")
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
        with tenant_context("acme"), engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO country VALUES ('NL')")
        with tenant_context("bella"), engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT code FROM country").all() == [("NL",)]


def test_a_thread_starts_without_a_tenant(tmp_path: Path) -> None:
    app = _app(tmp_path / "a.db")
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with app.app_context(), app.extensions["sqlalchemy"].engine.connect() as connection:
                connection.exec_driver_sql("SELECT * FROM note")
        except TenancyError as error:
            raised.append(error)

    with tenant_context("acme", app):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [type(error) for error in raised] == [NoTenantError]


def test_operators_change_the_schema_in_central_work(tmp_path: Path) -> None:
    app = _app(tmp_path / "a.db")
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
        with central_context(reason="test"), engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE extra (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        for slug in ("acme", "bella"):
            with tenant_context(slug), engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO extra (name) VALUES ('same')")
                assert connection.exec_driver_sql("SELECT * FROM extra").all() == [(1, "same")]


def test_what_runs_below_the_wall_is_refused_until_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    _app(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW titles AS SELECT title FROM note")
    connection.close()
    with pytest.raises(UnsafeObjectError, match="titles"):
        _app(path)
    _app(path, TENANT_SAFE_OBJECTS=["titles"])


def _with_an_archive(folder: Path) -> Flask:
    app = Flask("binds")
    app.config["SQLALCHEMY_BINDS"] = {
        "archive": f"sqlite:///{folder / 'archive.db'}",
        "metrics": f"sqlite:///{folder / 'metrics.db'}",
    }
    app.config["TENANT_EXEMPT_ENGINES"] = ["metrics"]
    db = SQLAlchemy(app)
    sa.Table("note", db.metadatas["archive"], sa.Column("id", sa.Integer, primary_key=True))
    Tenancy(app, engines=["archive"])
    with app.app_context():
        db.create_all("archive")
    app.extensions["tenancy"].create("acme", "Acme")
    return app


def test_engines_are_named_by_bind_keys_too(tmp_path: Path) -> None:
    app = _with_an_archive(tmp_path)
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engines["archive"]
        with tenant_context("acme"), engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO note DEFAULT VALUES")
            assert connection.exec_driver_sql("SELECT * FROM note").all() == [(1,)]
        with engine.connect() as connection, pytest.raises(NoTenantError):
            connection.exec_driver_sql("SELECT * FROM note")


async def _notes_of_each(app: Flask, path: Path) -> list[Any]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    found = []
    for slug in ("acme", "bella"):
        with tenant_context(slug, app):
            async with engine.begin() as connection:
                await connection.execute(sa.text("INSERT INTO note (title) VALUES (:title)"), {"title": slug})
                found.append((await connection.execute(sa.text("SELECT * FROM note"))).all())
    await engine.dispose()
    return found


def test_an_async_engine_beside_an_engine_is_tenanted(tmp_path: Path) -> None:
    app = _app(tmp_path / "a.db")
    with app.app_context():
        assert asyncio.run(_notes_of_each(app, tmp_path / "a.db")) == [[(1, "acme")], [(1, "bella")]]


def test_an_async_engine_is_passed_like_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    app = Flask("async")
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    Tenancy(app, engines=[engine])
    state = app.extensions["tenancy"]
    note = sa.Table("note", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    note.append_column(sa.Column("title", sa.Text))

    async def create() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(note.metadata.create_all)
        await engine.dispose()

    with app.app_context():
        with central_context(reason="test"):
            asyncio.run(create())
        for slug in ("acme", "bella"):
            state.create(slug, slug)
        assert asyncio.run(_notes_of_each(app, path)) == [[(1, "acme")], [(1, "bella")]]
