"""What is kept with a text from one execution to the next is never another's."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import Tenancy, central_context, tenant_context
from flask_tenant.registry import _apps, state_of
from tests.services.databases import MakeDatabase

COUNTRIES = "SELECT * FROM {} ORDER BY code"
SHARED = ("country", "land")
NAMES = "SELECT name AS {} FROM customer"


@pytest.fixture(scope="module")
def standing(back_end: str, make_database: MakeDatabase) -> Iterator[Flask]:
    """An application with shared tables, and two tenants of a customer each."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        made = made_on(engine)
        yield made
        engine.dispose()
        _apps.discard(state_of(made))


def made_on(engine: sa.Engine) -> Flask:
    metadata = sa.MetaData()
    sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    for name in SHARED:
        sa.Table(name, metadata, sa.Column("code", sa.Text, primary_key=True))
    made = Flask("texts")
    made.config["TENANT_SHARED_TABLES"] = list(SHARED)
    made.extensions["engine"] = engine
    Tenancy(made, engines=[engine])
    with central_context(reason="set-up", app=made), engine.begin() as connection:
        metadata.create_all(connection)
        for name in SHARED:
            connection.execute(metadata.tables[name].insert(), [{"code": "at"}, {"code": "de"}])
    for slug in ("acme", "bella"):
        state_of(made).create(slug, slug.title())
        with tenant_context(slug, made), engine.begin() as connection:
            connection.execute(metadata.tables["customer"].insert().values(name=slug))
    return made


@pytest.fixture
def app(standing: Flask) -> Flask:
    """The application, which tests of other folders have forgotten."""
    _apps.add(state_of(standing))
    return standing


def connected(app: Flask) -> sa.Connection:
    engine: sa.Engine = app.extensions["engine"]
    return engine.connect()


@pytest.mark.parametrize("driver", [False, True], ids=["text", "driver's"])
def test_a_text_whose_columns_change(app: Flask, driver: bool) -> None:
    """Columns are kept with the text for as long as the driver describes them alike."""
    table = SHARED[driver]
    text = COUNTRIES.format(table)

    def rows() -> list[dict[str, object]]:
        with tenant_context("acme", app), connected(app) as connection:
            result = connection.exec_driver_sql(text) if driver else connection.execute(sa.text(text))
            return [dict(row) for row in result.mappings()]

    for _ in range(3):
        assert rows() == [{"code": "at"}, {"code": "de"}]
    with central_context(reason="a column more", app=app), connected(app) as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN tax INTEGER DEFAULT 20")
        connection.commit()
    for _ in range(3):
        assert rows() == [{"code": "at", "tax": 20}, {"code": "de", "tax": 20}]


@pytest.mark.parametrize("driver", [False, True], ids=["text", "driver's"])
def test_each_tenant_has_its_own(app: Flask, driver: bool) -> None:
    for turn in range(4):
        slug = ("acme", "bella")[turn % 2]
        for label in ("a", "b"):
            with tenant_context(slug, app), connected(app) as connection:
                text = NAMES.format(label)
                result = connection.exec_driver_sql(text) if driver else connection.execute(sa.text(text))
                assert [dict(row) for row in result.mappings()] == [{label: slug}]


def test_what_a_debugging_log_shows_of_known_columns(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """The driver is not asked again what columns are called; the log tells it all the same."""
    table = sa.table("customer", sa.column("id"), sa.column("name"))
    statements = (sa.select(table), sa.text("SELECT id, name FROM customer"))
    with tenant_context("acme", app), connected(app) as connection:
        connection._echo, connection.engine.logger = True, logging.getLogger("texts")
        with caplog.at_level(logging.DEBUG, "texts"):
            for statement in statements * 3:
                caplog.clear()
                assert connection.execute(statement).mappings().all() == [{"id": 1, "name": "acme"}]
                assert any("Col ('id', 'name')" in line for line in caplog.messages)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="about CPython's layout of objects")
def test_execution_contexts_are_compact(app: Flask) -> None:
    """Their attributes fit the layout that their class has: no dictionary is made, and resized, for each statement."""
    with tenant_context("acme", app), connected(app) as connection:
        table = sa.table("customer", sa.column("name"))
        for statement in (
            sa.text("SELECT name FROM customer"),
            sa.select(table),
            sa.insert(table).values(name="x"),
        ):
            for _ in range(3):
                context = connection.execute(statement).context
            # A layout that a class's instances share takes eight bytes for each attribute, a dictionary's own 24.
            assert sys.getsizeof(vars(context)) < 24 * len(vars(context)), statement
