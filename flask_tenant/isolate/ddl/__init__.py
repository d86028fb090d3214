"""DDL that makes the tenant-ready schema where the application asks for its own."""

from __future__ import annotations

import functools

from sqlalchemy.sql.compiler import DDLCompiler

from ...errors import ConfigurationError
from ..config import IsolateConfig
from .common import TenantDDL, running
from .postgresql import PostgresqlTenantDDL
from .settle import changes_tables, sequence_table, settle
from .sqlite import SqliteTenantDDL
from .text import instead_of, is_ddl, split_statements, translate_ddl

__all__ = [
    "FOREIGN_KEYS_OFF",
    "changes_tables",
    "ddl_compiler_for",
    "instead_of",
    "is_ddl",
    "running",
    "sequence_table",
    "settle",
    "split_statements",
    "translate_ddl",
]

FOREIGN_KEYS_OFF = "flask_tenant_foreign_keys_off"
"""Marks, in a connection's ``info``, that a migration has switched SQLite's foreign keys off."""

_MIXINS: dict[str, type[TenantDDL]] = {
    "SQLiteDDLCompiler": SqliteTenantDDL,
    "PGDDLCompiler": PostgresqlTenantDDL,
}


@functools.cache
def ddl_compiler_for(base: type[DDLCompiler], config: IsolateConfig) -> type[DDLCompiler]:
    """Return the DDL compiler of a dialect with tenancy added.

    :param base: the dialect's own ``ddl_compiler``
    :raises ConfigurationError: for a dialect without tenancy
    """
    if issubclass(base, TenantDDL):
        return base
    for ancestor in base.__mro__:
        mixin = _MIXINS.get(ancestor.__name__)
        if mixin is not None:
            return type(f"Tenant{base.__name__}", (mixin, base), {"ft_config": config})
    raise ConfigurationError(
        f"Shared tables are not supported with {base.__name__}", value=base, hint="Use SQLite or PostgreSQL"
    )
