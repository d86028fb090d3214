"""The schema side of the wall: DDL that makes the tenant-ready schema where the application asks for its own."""

from __future__ import annotations

import functools
import weakref
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from ...context import internal
from ...errors import ConfigurationError
from ..config import IsolateConfig
from .common import TenantDDL, running
from .postgresql import PostgresqlTenantDDL
from .settle import changes_tables, settle
from .sqlite import SqliteTenantDDL
from .text import is_ddl, split_statements, translate_ddl

__all__ = ["ddl_compiler_for", "follow_ddl", "is_ddl", "settle", "split_statements", "translate_ddl"]

FOREIGN_KEYS_OFF = "flask_tenant_foreign_keys_off"
"""Marks, in a connection's ``info``, that a migration has switched SQLite's foreign keys off."""

_MIXINS: dict[str, type[TenantDDL]] = {"sqlite": SqliteTenantDDL, "postgresql": PostgresqlTenantDDL}


@functools.cache
def ddl_compiler_for(base: type[DDLCompiler], config: IsolateConfig) -> type[DDLCompiler]:
    """Return the DDL compiler of a dialect with tenancy added.

    :param base: the dialect's own ``ddl_compiler``
    :raises ConfigurationError: for a dialect without tenancy
    """
    if issubclass(base, TenantDDL):
        return base
    for ancestor in base.__mro__:
        mixin = _MIXINS.get({"SQLiteDDLCompiler": "sqlite", "PGDDLCompiler": "postgresql"}.get(ancestor.__name__, ""))
        if mixin is not None:
            return type(f"Tenant{base.__name__}", (mixin, base), {"ft_config": config})
    raise ConfigurationError(
        f"Shared tables are not supported with {base.__name__}", value=base, hint="Use SQLite or PostgreSQL"
    )


def follow_ddl(engine: sa.Engine, config: IsolateConfig, changed: Any = None) -> None:
    """Keep up with schema changes on an engine: what they leave to be done is done after each.

    :param changed: called, without arguments, after a statement that changed tables (such as ``Catalog.invalidate``)
    """

    @event.listens_for(engine, "before_execute")
    def compiling(connection: sa.Connection, element: Any, *_: Any) -> None:
        if isinstance(element, ExecutableDDLElement):
            running.set(weakref.ref(connection))

    @event.listens_for(engine, "after_cursor_execute")
    def changed_tables(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if changes_tables(statement):
            settle(connection, config)
            if changed is not None:
                changed()

    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "checkout")
        def enforce_again(dbapi_connection: Any, record: Any, _: Any) -> None:
            if record.info.pop(FOREIGN_KEYS_OFF, False):
                with internal():
                    cursor = dbapi_connection.cursor()
                    cursor.execute("PRAGMA foreign_keys = ON")
                    cursor.close()
