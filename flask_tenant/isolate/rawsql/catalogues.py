"""The database's own catalogues, which start-up code and migrations ask whether something is there already.

They show all tenants' schema, no tenant's rows, and are open to nobody who works for a tenant.
"""

from __future__ import annotations

from ...model import TableView
from .lexer import Dialect
from .words import words

_POSTGRESQL = words(
    """pg_attribute pg_class pg_collation pg_constraint pg_database pg_description pg_enum pg_extension pg_index
    pg_indexes pg_matviews pg_namespace pg_proc pg_roles pg_sequence pg_sequences pg_tables pg_trigger pg_type
    pg_user pg_views"""
)
_INFORMATION_SCHEMA = words(
    """check_constraints columns constraint_column_usage domains key_column_usage parameters
    referential_constraints routines schemata sequences table_constraints tables triggers views"""
)
_SQLITE = words("sqlite_master sqlite_schema sqlite_temp_master sqlite_temp_schema")


def catalogue(dialect: Dialect, name: str, schema: str | None) -> TableView | None:
    """Return a catalogue that holds names and definitions only, ``None`` for any other table."""
    known: frozenset[str] = frozenset()
    if dialect == "sqlite":
        known = _SQLITE if schema in (None, "main") else known
        name = name.lower()
    elif schema == "information_schema":
        known = _INFORMATION_SCHEMA
    elif schema in (None, "pg_catalog"):
        known = _POSTGRESQL
    return TableView(name, schema, shared=True) if name in known else None
