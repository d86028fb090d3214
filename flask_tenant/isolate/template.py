"""The template: the rows that start-up and migrations seed outside any tenant.

They are stored once under the tenant id 0. What is inserted there is copied to every tenant that exists; updates and
deletes are run again for each of them; and a new tenant begins with a copy (``seeding``). A tenant that already has a
row under the same key keeps its own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Insert, UpdateBase
from sqlalchemy.sql.elements import ClauseElement, TextClause
from sqlalchemy.sql.selectable import TableClause

from ..context import Scope, current_scope, entered
from ..errors import StatementRefusedError
from ..model import TEMPLATE_ID, TableView, Tenant
from ..protocols import Views
from .config import TMP, IsolateConfig
from .guard import OWNER, notes
from .plain import plainly
from .seeding import TENANT, copy_statement, physical

log = logging.getLogger("flask_tenant")

TEMPLATE = Tenant(TEMPLATE_ID, "(template)", "Template")


def _ours() -> bool:
    """Whether flask_tenant itself is asking."""
    scope = current_scope()
    return scope is not None and scope.internal


def _entered() -> Tenant | None:
    """The tenant that a migration or start-up code has entered by itself, as for_each_tenant() does."""
    scope = current_scope()
    return scope.tenant if scope is not None and scope.tenant_id not in (None, TEMPLATE_ID) else None


@cache
def _watched(base: type[Connection]) -> type[Connection]:
    """The template's connection serves tenants in turn: it holds the lock on what the migration has changed."""

    class TemplateConnection(base):  # type: ignore[misc,valid-type]
        def _execute_clauseelement(self, *args: Any, **kw: Any) -> Any:
            tenant = _entered()
            if tenant is None:
                return super()._execute_clauseelement(*args, **kw)
            with _as_tenant(self, tenant):
                return super()._execute_clauseelement(*args, **kw)

    return TemplateConnection


_CHANGES_ROWS = re.compile(r"\bDO\s+UPDATE\b|\bOR\s+REPLACE\b|^\s*REPLACE\b", re.IGNORECASE)
"""An INSERT that may change rows instead: it runs again for each tenant, as an UPDATE does."""


def _is_upsert(insert: Any) -> bool:
    return insert._post_values_clause is not None or any(
        "REPLACE" in str(getattr(prefix, "text", "")).upper() for prefix, _ in insert._prefixes
    )


def _tables_in(element: Any) -> Iterator[TableClause]:
    return (found for found in visitors.iterate(element) if isinstance(found, TableClause))


def _read_by(insert: Any) -> Iterator[TableClause]:
    """The tables that an INSERT takes values from: what it inserts is each tenant's own."""
    for source in (insert.select, *(insert._values or {}).values()):
        if isinstance(source, ClauseElement):
            yield from _tables_in(source)


class Template:
    """Records what is seeded, and applies it to every tenant.

    :param views: the live catalogue
    :param tenants: lists the tenants that exist, on the given connection where it can
    :param migrating: whether a migration runs, whose reads must not miss tenants' rows
    """

    def __init__(
        self,
        config: IsolateConfig,
        views: Views,
        tenants: Callable[[Connection], Iterable[Tenant]],
        migrating: Callable[[], bool],
    ) -> None:
        self._config = config
        self._views = views
        self._tenants = tenants
        self._migrating = migrating

    # ---- recording
    def watch(self, connection: Connection) -> bool:
        """Apply every data statement on this connection to all tenants as well.

        :returns: whether there are any
        """
        tenants = list(self._tenants(connection))
        if not tenants:
            return False
        connection.__class__ = _watched(cast(Any, type(connection)))
        busy = False
        before: dict[str, set[Any]] = {}

        def look(conn: Connection, element: Any, multiparams: Any, params: Any, options: Any) -> None:
            if busy or _ours() or _entered():
                return
            kind, tables = self._touched(conn, element)
            if kind == "select" and self._migrating():
                self._refuse_read(conn, tables)
            if kind == "insert":
                before.clear()
                before.update({t.name: self._keys(conn, t) for t in tables})

        def apply(
            conn: Connection, element: Any, multiparams: Any, params: Any, options: Any, result: Any
        ) -> None:
            nonlocal busy
            if busy or _ours() or _entered():
                return
            kind, tables = self._touched(conn, element)
            if kind not in ("insert", "update", "delete") or not tables:
                return
            busy = True
            try:
                for tenant in tenants:
                    if kind == "insert":
                        for table in tables:
                            self._copy(conn, table, tenant.id, self._keys(conn, table) - before[table.name])
                    else:
                        with entered(Scope(tenant)):
                            conn.execute(element, multiparams or params or None, execution_options=options)
            finally:
                busy = False

        event.listen(connection, "before_execute", look)
        event.listen(connection, "after_execute", apply)
        return True

    def _touched(self, connection: Connection, element: Any) -> tuple[str, list[TableView]]:
        """What a statement does to which tenant tables."""
        if isinstance(element, TextClause):
            wall = cast(Any, connection.dialect).ft_wall
            if wall.raw.classify(element.text, "text") == "ddl":
                return "ddl", []
            found = wall.raw.statement(element.text, "text")
            names = found.writes or found.reads
            again = bool(found.writes) and (
                found.kind == "select"
                or any(not v.shared for v in found.reads)
                or _CHANGES_ROWS.search(element.text)
            )
            return "update" if again else found.kind, [v for v in names if not v.shared]
        if isinstance(element, UpdateBase):
            table = cast(Any, element).table
            if table.name.startswith(TMP):  # a batch copy moves every tenant's rows at once
                return "", []
            again = (
                not isinstance(element, Insert)
                or _is_upsert(element)
                or any(map(self._is_tenant, _read_by(element)))
            )
            kind = "update" if again else "insert"
            tables = [table]
        elif isinstance(element, sa.sql.expression.Executable) and getattr(element, "is_select", False):
            kind = "select"
            tables = list(_tables_in(element))
        else:
            return "", []
        views = []
        for table in tables:
            if self._is_tenant(table):
                view = self._views.find(table.name, getattr(table, "schema", None))
                views.append(view or TableView(table.name, getattr(table, "schema", None)))
        return kind, views

    def _is_tenant(self, table: Any) -> bool:
        return self._config.is_tenant(table.name, getattr(table, "schema", None))

    def _refuse_read(self, connection: Connection, tables: list[TableView]) -> None:
        hidden = self._config.column
        for view in tables:
            with plainly(connection):
                table = physical(view, hidden)
                held = connection.scalar(
                    sa.select(sa.func.count()).select_from(table).where(table.c[hidden] != TEMPLATE_ID)
                )
            if held:
                raise StatementRefusedError(
                    f"A migration reads table {view.name!r}, of which tenants hold {held} rows that it would not see",
                    value=view.name,
                    hint="Write the change as one SQL statement, which runs for every tenant, "
                    "or loop with for_each_tenant()",
                )

    def _keys(self, connection: Connection, view: TableView) -> set[Any]:
        if not view.primary_key:
            raise StatementRefusedError(
                f"Rows for table {view.name!r}, which has no primary key, outside any tenant",
                value=view.name,
                hint="Insert them inside each tenant with for_each_tenant()",
            )
        with plainly(connection):
            table = physical(view, self._config.column)
            query = sa.select(*(table.c[k] for k in view.primary_key)).where(
                table.c[self._config.column] == TEMPLATE_ID
            )
            return {tuple(row) for row in connection.execute(query)}

    def _copy(self, connection: Connection, view: TableView, tenant_id: int, keys: set[Any]) -> None:
        if not keys:
            return
        with plainly(connection):
            table = physical(view, self._config.column)
            wanted = sa.tuple_(*(table.c[k] for k in view.primary_key)).in_(sorted(keys, key=repr))
            try:
                with connection.begin_nested():
                    copying = copy_statement(
                        view, table, self._config.column, connection.dialect.name, wanted
                    )
                    done = connection.execute(copying, {TENANT: tenant_id})
            except IntegrityError as error:
                log.warning("Tenant %s keeps its rows of %s: %s", tenant_id, view.name, error.orig)
                return
            if done.rowcount != len(keys):
                log.warning(
                    "Tenant %s has rows of its own under %s of %s new keys of table %s, and keeps them",
                    tenant_id, len(keys) - done.rowcount, len(keys), view.name,
                )  # fmt: skip


@contextmanager
def _as_tenant(connection: Connection, tenant: Tenant) -> Iterator[None]:
    """Use a template's connection for one tenant."""
    shape: Any = connection.dialect
    held = notes(connection).pop(OWNER, None)
    connection.dialect = connection.engine.dialect
    try:
        with entered(Scope(tenant)):
            yield
    finally:
        connection.dialect = shape
        notes(connection).pop(OWNER, None)
        if held is not None:
            notes(connection)[OWNER] = held
