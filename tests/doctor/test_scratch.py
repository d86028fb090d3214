"""The scratch copy: what it holds, and when none is made."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from flask_tenant import tenant_context
from flask_tenant.doctor.scratch import Copies, ScratchError, copies
from flask_tenant.engines import exempt_engine
from flask_tenant.registry import state_of
from tests.extension.notes import Notes
from tests.services.databases import MakeDatabase
from tests.services.postgres import PostgresServer

pytestmark = pytest.mark.once
Opened = Callable[..., contextlib.AbstractContextManager[Copies]]


@pytest.fixture
def opened(database_url: str) -> Iterator[Opened]:
    """Makes the copies of an application with two tenants, each with a note."""
    notes = Notes(database_url)
    app = notes.create_app()
    state = state_of(app)
    for slug in ("acme", "bella"):
        state.create(slug, slug.title())
        with app.app_context(), tenant_context(slug):
            notes.db.session.add(notes.Note(title=f"secret of {slug}"))
            notes.db.session.commit()

    @contextlib.contextmanager
    def opened(scratch: str | None = None) -> Iterator[Copies]:
        with app.app_context(), copies(dict(state.databases.isolations.items()), [], scratch) as found:
            yield found

    yield opened
    notes.dispose()


def contents(engine: sa.Engine) -> dict[str, list[Any]]:
    """Every table's rows, past every wall."""
    exempt_engine(engine)
    try:
        with engine.connect() as connection:
            metadata = sa.MetaData()
            metadata.reflect(connection)
            return {
                t.name: [tuple(r) for r in connection.execute(t.select())] for t in metadata.tables.values()
            }
    finally:
        engine.dispose()


def is_right(found: dict[str, list[Any]]) -> None:
    """The schema, shared rows and seeds; no tenant, and no tenant's rows."""
    assert found.keys() == {"note", "setting", "country"}
    assert found["note"] == []
    assert found["country"] == [("DE",)]
    assert [set(row) for row in found["setting"]] == [{0, "theme", "light"}]


@pytest.mark.databases("sqlite")
def test_sqlite(opened: Opened, database_url: str) -> None:
    live = Path(database_url.removeprefix("sqlite:///"))
    before = live.read_bytes()
    with opened() as found:
        copy = found.files[str(live.resolve())]
        is_right(contents(sa.create_engine(f"sqlite:///{copy}")))
        with sqlite3.connect(copy) as scratch, sqlite3.connect(live) as original:
            query = (
                "SELECT sql FROM sqlite_master WHERE tbl_name NOT LIKE 'tenancy%' "
                "AND name NOT LIKE 'sqlite%' ORDER BY 1"
            )
            assert scratch.execute(query).fetchall() == original.execute(query).fetchall()
        assert found.notes == []
    assert live.read_bytes() == before
    assert not Path(copy).parent.exists()


@pytest.mark.databases("postgresql+psycopg", "postgresql+psycopg2")
def test_a_named_database(opened: Opened, make_database: MakeDatabase, back_end: str) -> None:
    """It is filled, and given back empty."""
    with make_database(back_end) as scratch:
        with opened(scratch) as found:
            assert found.notes == []
            assert [copy.database for _, copy in found.servers] == [sa.make_url(scratch).database]
            is_right(contents(sa.create_engine(scratch)))
        assert contents(sa.create_engine(scratch)) == {}


@pytest.mark.databases("postgresql+psycopg")
def test_a_database_of_its_own(opened: Opened, postgres_server: PostgresServer, database_url: str) -> None:
    """It is created beside the live one where the role may do that, and dropped."""
    with psycopg.connect(postgres_server.dsn("postgres", admin=True), autocommit=True) as admin:
        admin.execute("ALTER ROLE app CREATEDB")
        try:
            with opened() as found:
                name = found.servers[0][1].database
                is_right(contents(sa.create_engine(sa.make_url(database_url).set(database=name))))
        finally:
            admin.execute("ALTER ROLE app NOCREATEDB")
        left = admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'tenancy_doctor%'"
        ).fetchall()
    assert name.startswith("tenancy_doctor_")
    assert left == []


@pytest.mark.databases("postgresql+psycopg")
def test_refusals(opened: Opened, make_database: MakeDatabase, back_end: str, database_url: str) -> None:
    with pytest.raises(ScratchError, match=r"permission denied to create database.*--scratch URL"), opened():
        pass
    with pytest.raises(ScratchError, match="names the live database"), opened(database_url):
        pass
    with pytest.raises(ScratchError, match="no PostgreSQL database"), opened("sqlite:///x.db"):
        pass
    with make_database(back_end) as other:
        engine = sa.create_engine(other)
        exempt_engine(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE precious (x integer)")
        with pytest.raises(ScratchError, match="is not empty: it holds precious"), opened(other):
            pass
        assert contents(engine) == {"precious": []}


@pytest.mark.databases("sqlite")
def test_an_engine_that_cannot_be_kept_away(opened: Opened) -> None:
    engine = sa.create_mock_engine("mysql+pymysql://nobody@127.0.0.1/x", lambda *_: None)
    with pytest.raises(ScratchError, match="an engine on 'mysql'"), copies({}, [_Named(engine)], None):  # type: ignore[list-item]
        pass


class _Named:
    """An engine of another database, as far as the doctor asks."""

    def __init__(self, engine: Any) -> None:
        self.dialect = engine.dialect
        self.url = sa.make_url("mysql+pymysql://nobody@127.0.0.1/x")
