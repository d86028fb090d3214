"""What isolation has to know of the application, before it sees the database: names only."""

from __future__ import annotations

from dataclasses import dataclass

from .hidden import folded

TMP = "_alembic_tmp_"
"""How Alembic names the copy of a table that its batch mode works on; the copy is what its original is."""

TMP_LENGTH = 50
"""To how many characters Alembic cuts such a name off."""

ALWAYS_SHARED = frozenset({"alembic_version"})
"""Book-keeping of the schema itself, which no tenant owns."""

SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog", "pg_toast"})
"""PostgreSQL's own schemas. An unqualified ``pg_x`` is none of them: an application may own such a table."""

SQLITE_TABLES = frozenset(
    {"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema", "sqlite_sequence"}
    | {f"sqlite_stat{n}" for n in (1, 2, 3, 4)}
)
"""SQLite's own tables; it lets nobody else create names of this kind."""

DEFAULT_SCHEMAS = frozenset({None, "main", "public"})
"""What an unqualified name in ``shared`` may stand in."""


def real_name(table_name: str) -> str:
    """Return the name of the table that ``table_name`` is, or is Alembic's batch copy of."""
    return table_name.removeprefix(TMP)


@dataclass(frozen=True)
class IsolateConfig:
    """What isolation has to know of the application.

    :param column: name of the hidden column
    :param shared: tables that belong to no tenant, as ``table`` or ``schema.table``
    :param directory_prefix: what the names of our own tables start with
    :param safe_functions: functions beyond the built-in list that raw SQL may call
    :param safe_objects: triggers, views, rules and functions of the database that the operator vouches for
    :param unruled_objects: triggers, rules and tables of the database whose own writes rule files need not look at,
        and views that may show what rules keep from people
    """

    column: str = "tenant_id"
    shared: frozenset[str] = frozenset()
    directory_prefix: str = "tenancy_"
    safe_functions: frozenset[str] = frozenset()
    safe_objects: frozenset[str] = frozenset()
    unruled_objects: frozenset[str] = frozenset()

    def is_ours(self, table_name: str, schema: str | None = None) -> bool:
        """Whether the table is one of the directory's."""
        return folded(table_name).startswith(folded(self.directory_prefix))  # SQLite knows no case

    def is_system(self, table_name: str, schema: str | None = None) -> bool:
        """Whether the table is the database's own catalogue."""
        return schema in SYSTEM_SCHEMAS or folded(table_name) in SQLITE_TABLES

    def is_shared(self, table_name: str, schema: str | None = None) -> bool:
        """Whether the table belongs to no tenant because the configuration (or Alembic) says so."""
        name = real_name(table_name)
        if name != table_name and len(table_name) == TMP_LENGTH:  # cut off: what does it begin?
            whole = {shared.rpartition(".")[2] for shared in self.shared}
            name = next((shared for shared in sorted(whole) if shared.startswith(name)), name)
        if schema is not None and f"{schema}.{name}" in self.shared:
            return True
        return schema in DEFAULT_SCHEMAS and (name in self.shared or name in ALWAYS_SHARED)

    def is_tenant(self, table_name: str, schema: str | None = None) -> bool:
        """Whether the rows of the table belong to tenants: everything that is nothing else.

        :param table_name: as the database stores it
        :param schema: ``None`` for the default schema
        """
        return not (
            self.is_system(table_name, schema)
            or self.is_ours(table_name, schema)
            or self.is_shared(table_name, schema)
        )
