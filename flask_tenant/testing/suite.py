"""Lets an application's own test-suite run inside a tenant: the pytest plugin ``flask_tenant.testing``.

Suites call ``drop_all()`` and ``create_all()`` around each test, and many count on the first row having id 1. With
this plugin ``drop_all`` empties the current tenant's tables only and restarts its automatic ids, as the first
``create_all`` does; the neighbours keep their rows. The tenant is made in a database that has none of its name, such
as a new one for each test. When the suite ends, sequences are raised above every tenant's largest id.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.schema import CreateTable, DropTable

from ..application import Application
from ..context import Scope, entered, internal
from ..engines import exempt_engine
from ..isolate import Wall, physical, plainly, sequence_table

_fallback = Application.fallback

_emptied: dict[URL, set[tuple[str | None, str, str, str]]] = {}


def pytest_configure() -> None:
    """Let ``drop_all`` empty a tenant from now on."""
    Wall.ddl_in_tenant = staticmethod(_ddl)
    Application.fallback = _default  # type: ignore[method-assign]
    event.listen(sa.MetaData, "before_create", _begin)


def pytest_unconfigure() -> None:
    """Refuse it again, and raise the sequences that were restarted."""
    Wall.ddl_in_tenant = None
    Application.fallback = _fallback  # type: ignore[method-assign]
    event.remove(sa.MetaData, "before_create", _begin)
    for url, columns in _emptied.items():
        engine = sa.create_engine(url)
        exempt_engine(engine)
        with engine.begin() as connection:
            for schema, table, column, _ in columns:
                _restart(connection, schema, table, column)
        engine.dispose()
    _emptied.clear()


def _default(self: Application, *, asked: bool = True) -> Scope | None:
    """Stand in for ``Application.fallback``: the default tenant is made if it is missing."""
    found = _fallback(self, asked=asked)
    slug, directory = self.settings.default, self.databases.directory
    if found is None and asked and slug is not None and directory is not None:
        with internal():
            missing = directory.find(slug) is None
        if missing:
            self.create(slug, slug.title())
        found = _fallback(self, asked=asked)
    return found


def _begin(metadata: sa.MetaData, connection: Connection, tables: Any = None, **kw: Any) -> None:
    """Let ids begin where this tenant's own end, before the first test: the sequence may stand at a neighbour's."""
    wall: Wall | None = getattr(connection.dialect, "ft_wall", None)
    if wall is None or connection.dialect.name != "postgresql" or not wall.in_tenant():
        return
    tenant_id = wall.tenant_id()
    known = _emptied.setdefault(connection.engine.url, set())
    for table in metadata.tables.values():
        view = wall.views.find(table.name, table.schema)
        if view is None or view.shared or view.auto_id is None:
            continue
        key = (view.schema, view.name, view.auto_id, wall.config.column)
        if key not in known:
            known.add(key)
            tenant = (wall.config.column, tenant_id)
            with plainly(connection):
                _restart(connection, view.schema, view.name, view.auto_id, tenant=tenant)


def _ddl(connection: Connection, ddl: Any, run: Any) -> Any:
    """Stand in for a schema change inside a tenant.

    :param run: does it as it is
    """
    if isinstance(ddl, DropTable):
        _empty(connection, ddl.element)
        return None
    if type(ddl).__name__.startswith("Drop"):
        return None  # goes with its table
    if isinstance(ddl, CreateTable) and _wall(connection).views.find(ddl.element.name, ddl.element.schema):
        return None
    with entered(Scope(None, reason="a test-suite creates a table")):
        return run()


def _wall(connection: Connection) -> Wall:
    dialect: Any = connection.dialect
    wall: Wall = dialect.ft_wall
    return wall


def _empty(connection: Connection, table: sa.Table) -> None:
    wall = _wall(connection)
    view = wall.views.find(table.name, table.schema)
    if view is None or view.shared:
        return
    tenant_id = wall.tenant_id()
    with plainly(connection):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        rows = physical(view, wall.config.column)
        connection.execute(rows.delete().where(rows.c[wall.config.column] == tenant_id))
        if view.never_reused:
            sequence = sequence_table(wall.config)
            connection.exec_driver_sql(
                f"DELETE FROM {sequence} WHERE tenant = ? AND name = ?",
                (tenant_id, view.name),
            )
        if connection.dialect.name == "postgresql" and view.auto_id is not None:
            known = _emptied.setdefault(connection.engine.url, set())
            known.add((view.schema, view.name, view.auto_id, wall.config.column))
            tenant = (wall.config.column, tenant_id)
            _restart(connection, view.schema, view.name, view.auto_id, tenant=tenant)


def _restart(
    connection: Connection,
    schema: str | None,
    table: str,
    column: str,
    *,
    tenant: tuple[str, int] | None = None,
) -> None:
    """Set the sequence behind a column above the largest id that a tenant has, or that any has.

    :param tenant: the hidden column and its value
    """
    quote = connection.dialect.identifier_preparer.quote
    name = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
    where = f" WHERE {quote(tenant[0])} = {tenant[1]:d}" if tenant is not None else ""
    largest = f"(SELECT coalesce(max({quote(column)}), 0) FROM {name}{where})"
    connection.execute(
        sa.text(
            f"SELECT setval(s, {largest} + 1, false) FROM pg_get_serial_sequence(:table, :column) AS s"
        ).bindparams(table=name, column=column)
    )
