"""Alembic and Flask-Migrate: the application's own migrations, unmodified, make the tenant-ready schema.

Most of it happens in the DDL compiler and the Inspector, which Alembic uses like everybody. What is left
for Alembic's ``impl`` classes: SQLite's batch mode must not delete rows on the way, keys written inside
columns, autogenerate's look at the catalogue, and offline mode (``--sql``), which makes a dialect of its
own and would pass us by.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import DDLElement, ForeignKeyConstraint, PrimaryKeyConstraint

from ..errors import ConfigurationError, DdlRefusedError
from .config import IsolateConfig
from .ddl import FOREIGN_KEYS_OFF, changes_tables
from .hidden import folded
from .plain import plainly

_registered: set[str] = set()


def _proxies() -> list[Any]:
    modules = (sys.modules.get("alembic.op"), sys.modules.get("alembic.context"))
    return [proxy for module in modules if (proxy := getattr(module, "_proxy", None)) is not None]


def migrating() -> bool:
    """Whether an Alembic migration runs in this process, and, as far as can be told, in this thread."""
    found = False
    for proxy in _proxies():
        context = getattr(proxy, "migration_context", None) or getattr(proxy, "_migration_context", None)
        thread = getattr(getattr(context, "impl", None), "ft_thread", None)
        if thread is None or thread == threading.get_ident():
            found = True
    return found


def without_foreign_keys(connection: sa.Connection) -> None:
    """Switch SQLite's foreign keys off until the connection goes back to its pool.

    Batch mode drops the table that it has copied, and SQLite would delete every row that refers to it.

    :raises DdlRefusedError: inside a transaction, where SQLite does not listen
    """
    with plainly(connection):
        if not connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
            return
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        if connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
            raise DdlRefusedError(
                "A batch migration was to begin inside a transaction that enforces foreign keys: dropping "
                "the old table would delete the rows that refer to it",
                hint="Commit before batch_alter_table, or run the migration through 'flask db upgrade'",
            )
    connection.info[FOREIGN_KEYS_OFF] = True


def _look_at(construct: Any, config: IsolateConfig) -> None:
    """Refuse what Alembic's own elements must not do, which are compiled by Alembic's functions.

    :raises DdlRefusedError: for the hidden column, and for a table that would change sides
    """
    table, schema = getattr(construct, "table_name", None), getattr(construct, "schema", None)
    if table is None:
        return
    columns = {getattr(construct, "column_name", None), getattr(construct, "newname", None)}
    columns.add(getattr(getattr(construct, "column", None), "name", None))
    if config.column.lower() in {folded(name) for name in columns if name}:
        raise DdlRefusedError(
            f"The column {config.column!r} of table {table!r} is the hidden tenant column",
            value=table,
            hint="Leave it alone. An application's own column needs another name",
        )
    new = getattr(construct, "new_table_name", None)
    if new is not None and config.is_tenant(new, schema) != config.is_tenant(table, schema):
        raise DdlRefusedError(
            f"{table!r} and {new!r} are not both shared or both the tenants' own",
            value=new,
            hint="Name both or neither in the list of shared tables",
        )


class _TenantImpl:
    """Mixed in before an ``impl`` of Alembic's; on engines that are not tenanted it changes nothing."""

    def __init__(self, dialect: Any, connection: Any, as_sql: bool, *args: Any, **kw: Any) -> None:
        if as_sql:
            raise DdlRefusedError(
                "Alembic's offline mode (--sql) makes a dialect of its own, which knows nothing of tenants",
                hint="Run the migration online, against a copy of the database if need be",
            )
        self.ft_thread = threading.get_ident()
        self.ft_config: IsolateConfig | None = getattr(dialect.ddl_compiler, "ft_config", None)
        # It is to render defaults and expressions with. What is executed, the connection compiles.
        plain = getattr(dialect, "ft_plain", dialect)
        super().__init__(plain, connection, as_sql, *args, **kw)  # type: ignore[call-arg]

    def version_table_impl(
        self: Any, *, version_table: str, version_table_schema: str | None, **kw: Any
    ) -> Any:
        """Refuse to keep Alembic's own book in a table that would be the tenants'.

        :raises ConfigurationError: for a version table that is not shared
        """
        if self.ft_config is not None and self.ft_config.is_tenant(version_table, version_table_schema):
            name = f"{version_table_schema}.{version_table}" if version_table_schema else version_table
            raise ConfigurationError(
                f"Alembic's version table {name!r} is not among the shared tables",
                value=name,
                hint=f"Add {name!r} to TENANT_SHARED_TABLES",
            )
        names = {"version_table": version_table, "version_table_schema": version_table_schema}
        return super().version_table_impl(**names, **kw)  # type: ignore[misc]

    def _exec(self: Any, construct: Any, *args: Any, **kw: Any) -> Any:
        if self.ft_config is not None:
            _look_at(construct, self.ft_config)
        return super()._exec(construct, *args, **kw)  # type: ignore[misc]

    def start_migrations(self: Any) -> None:
        """Let a connection that was opened earlier serve the migration, as those of other runners than Alembic's do."""
        if self.ft_config is not None and self.connection is not None:
            self.connection.ft_migrates()
        super().start_migrations()  # type: ignore[misc]

    def add_column(self: Any, table_name: str, column: Any, **kw: Any) -> None:
        """Write a column's own keys as constraints of the table, where the hidden column can join them."""
        table = column.table
        if self.ft_config is None or not self.ft_config.is_tenant(table_name, kw.get("schema")):
            super().add_column(table_name, column, **kw)  # type: ignore[misc]
            return
        references, primary = kw.pop("inline_references", None), kw.pop("inline_primary_key", None)
        super().add_column(table_name, column, **kw)  # type: ignore[misc]
        if primary and column.primary_key:
            self.add_constraint(next(c for c in table.constraints if isinstance(c, PrimaryKeyConstraint)))
        if references:
            keys = [c for c in table.constraints if isinstance(c, ForeignKeyConstraint)]
            if len(keys) == len(column.foreign_keys) == 1 and len(keys[0].columns) == 1:
                self.add_constraint(keys[0])

    def autogen_column_reflect(self: Any, *args: Any, **kw: Any) -> Any:
        """Look at the catalogue as flask_tenant itself."""
        with plainly(self.connection):
            return super().autogen_column_reflect(*args, **kw)  # type: ignore[misc]

    def compare_server_default(self: Any, *args: Any, **kw: Any) -> Any:
        """Let the server compare two defaults as flask_tenant itself."""
        with plainly(self.connection):
            return super().compare_server_default(*args, **kw)  # type: ignore[misc]


class _TenantSqliteImpl(_TenantImpl):
    def _exec(self: Any, construct: Any, *args: Any, **kw: Any) -> Any:
        # Python's driver commits DDL at once, and a migration that fails would stay half done.
        changes = isinstance(construct, DDLElement) or changes_tables(str(construct))
        if changes and self.ft_config is not None and not self.connection._is_autocommit_isolation():
            with plainly(self.connection):
                if not self.connection.connection.dbapi_connection.in_transaction:
                    self.connection.exec_driver_sql("BEGIN")
        return super()._exec(construct, *args, **kw)

    def start_migrations(self: Any) -> None:
        super().start_migrations()
        if self.ft_config is not None and self.connection is not None:
            without_foreign_keys(self.connection)

    def prep_table_for_batch(self: Any, batch_impl: Any, table: Any) -> None:
        super().prep_table_for_batch(batch_impl, table)  # type: ignore[misc]
        if self.ft_config is not None:
            without_foreign_keys(self.connection)


def register() -> None:
    """Put ourselves before Alembic's own classes, if Alembic is installed. Safe to call again."""
    try:
        from alembic.ddl import impl
    except ImportError:
        return
    for name, mixin in (("sqlite", _TenantSqliteImpl), ("postgresql", _TenantImpl)):
        base = impl._impls.get(name)
        if base is not None and not issubclass(base, _TenantImpl):
            type(f"Tenant{base.__name__}", (mixin, base), {"__dialect__": name})
            _registered.add(name)
