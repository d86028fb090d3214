"""Puts the schema side alone into an engine, so that these tests see nothing of the statement compiler."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector

from flask_tenant.context import current_scope
from flask_tenant.engines import exempt_engine
from flask_tenant.isolate import alembic
from flask_tenant.isolate.config import IsolateConfig
from flask_tenant.isolate.ddl import FOREIGN_KEYS_OFF, changes_tables, ddl_compiler_for, running, settle
from flask_tenant.isolate.live import LiveSchema, LiveTable, read_schema
from flask_tenant.isolate.reflection import inspector_for

CONFIG = IsolateConfig(shared=frozenset({"country", "Währung"}))


def install(engine: sa.Engine, config: IsolateConfig = CONFIG) -> sa.Engine:
    """Give the engine our DDL compiler and Inspector, and let it follow schema changes."""
    dialect: Any = engine.dialect
    dialect.ddl_compiler = ddl_compiler_for(dialect.ddl_compiler, config)
    dialect.inspector = inspector_for(getattr(dialect, "inspector", None) or Inspector, config)
    _follow(engine, config)
    alembic.register()
    if dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def enforce(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA foreign_keys = ON")

    return engine


def _follow(engine: sa.Engine, config: IsolateConfig) -> None:
    """Do what the wall's connections do around DDL."""

    @sa.event.listens_for(engine, "before_execute")
    def compiling(connection: sa.Connection, *_: Any) -> None:
        running.set(weakref.ref(connection))

    @sa.event.listens_for(engine, "after_cursor_execute")
    def changed(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        scope = current_scope()
        if changes_tables(statement) and (scope is None or not scope.internal):
            settle(connection, config)

    @sa.event.listens_for(engine, "checkout")
    def enforce_again(connection: Any, record: Any, _: Any) -> None:
        if record.info.pop(FOREIGN_KEYS_OFF, False):
            connection.execute("PRAGMA foreign_keys = ON")


@contextlib.contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    """An engine without anything of ours, closed at the end."""
    engine = sa.create_engine(url)
    exempt_engine(engine)  # an application of another test may still be alive
    try:
        yield engine
    finally:
        engine.dispose()


def live(engine: sa.Engine) -> LiveSchema:
    """The schema as it stands, the hidden column included, without tables of our own."""
    with engine.connect() as connection:
        found = read_schema(connection)
    return replace(found, tables=tuple(t for t in found.tables if not CONFIG.is_ours(t.name, t.schema)))


def live_table(engine: sa.Engine, name: str) -> LiveTable:
    """One table as it stands."""
    return next(table for table in live(engine).tables if table.name == name)


def run(engine: sa.Engine, *statements: str) -> None:
    """Execute statements as they are, each in a transaction of its own."""
    for statement in statements:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
