"""Puts the schema side alone into an engine, so that these tests see nothing of the statement compiler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector

from flask_tenant.isolate import alembic
from flask_tenant.isolate.config import IsolateConfig
from flask_tenant.isolate.ddl import ddl_compiler_for, follow_ddl
from flask_tenant.isolate.live import LiveSchema, LiveTable, read_schema
from flask_tenant.isolate.reflection import inspector_for

CONFIG = IsolateConfig(shared=frozenset({"country", "Währung"}))


def install(engine: sa.Engine, config: IsolateConfig = CONFIG) -> sa.Engine:
    """Give the engine our DDL compiler and Inspector, and let it follow schema changes."""
    dialect: Any = engine.dialect
    dialect.ddl_compiler = ddl_compiler_for(dialect.ddl_compiler, config)
    dialect.inspector = inspector_for(getattr(dialect, "inspector", None) or Inspector, config)
    follow_ddl(engine, config)
    alembic.register()
    if dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def enforce(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA foreign_keys = ON")

    return engine


@contextlib.contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    """An engine without anything of ours, closed at the end."""
    engine = sa.create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def live(engine: sa.Engine) -> LiveSchema:
    """The schema as it stands."""
    with engine.connect() as connection:
        return read_schema(connection)


def live_table(engine: sa.Engine, name: str) -> LiveTable:
    """One table as it stands."""
    return next(table for table in live(engine).tables if table.name == name)


def run(engine: sa.Engine, *statements: str) -> None:
    """Execute statements as they are, each in a transaction of its own."""
    for statement in statements:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
