"""A new tenant begins with a copy of the template's rows.

The statements are made once for each state of the schema, which another process may change at any time: it is asked
for first. Which tables hold seeded rows is asked each time, since a migration may have seeded another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ..model import TEMPLATE_ID, TableView
from .live import fingerprint
from .plain import plainly

TENANT = "ft_tenant"
"""The parameter of :func:`copy_statement`."""


def physical(view: TableView, hidden: str) -> sa.Table:
    """Return a table as it stands in the database, its hidden column included."""
    columns: list[sa.Column[Any]] = [sa.Column(hidden, sa.BigInteger)]
    columns += [sa.Column(name, sa.types.NullType) for name in view.columns]
    return sa.Table(view.name, sa.MetaData(), *columns, schema=view.schema)


def copy_statement(view: TableView, table: sa.Table, hidden: str, dialect: str, wanted: Any = None) -> Any:
    """Return ``INSERT INTO t (tenant_id, …) SELECT :tenant, … FROM t WHERE tenant_id = 0``.

    :param table: the view's :func:`physical` table
    :param wanted: copies these rows only, and those of them that the tenant has not
    """
    columns = [table.c[c] for c in view.columns]
    source = sa.select(sa.bindparam(TENANT, type_=sa.BigInteger), *columns).where(
        table.c[hidden] == TEMPLATE_ID
    )
    if wanted is not None:
        source = source.where(wanted)
    insert: Any = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    insert = insert.from_select([hidden, *(c.name for c in columns)], source, include_defaults=False)
    return insert.on_conflict_do_nothing() if wanted is not None else insert


@dataclass(frozen=True)
class _Copies:
    """The statements for one state of the schema.

    :param seeded: asks which tables hold seeded rows; ``None`` when there are no tenant tables
    :param copies: by number in that answer
    """

    schema: Hashable
    seeded: Any
    copies: tuple[Any, ...]


class Seeding:
    """Copies the template's rows.

    :param hidden: the tenant column
    :param tables: every tenant table as it is now, parents before children
    """

    def __init__(self, hidden: str, tables: Callable[[Connection], Iterable[TableView]]) -> None:
        self._hidden = hidden
        self._tables = tables
        self._made: _Copies | None = None

    def copy(self, connection: Connection, tenant_ids: Sequence[int]) -> None:
        """Give new tenants the seeded rows: each table's for all of them at once.

        :param connection: in the transaction in which they are created
        """
        with plainly(connection):
            schema = fingerprint(connection)
            made = self._made
            if made is None or made.schema != schema:
                made = self._made = self._prepare(connection, schema)
            seeded = sorted(connection.scalars(made.seeded)) if made.seeded is not None else []
            if seeded and connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            given = [{TENANT: tenant_id} for tenant_id in tenant_ids]
            for number in seeded:
                connection.execute(made.copies[number], given)

    def _prepare(self, connection: Connection, schema: Hashable) -> _Copies:
        copies, questions = [], []
        for number, view in enumerate(self._tables(connection)):
            table = physical(view, self._hidden)
            copies.append(copy_statement(view, table, self._hidden, connection.dialect.name))
            held = sa.exists().where(table.c[self._hidden] == TEMPLATE_ID)
            questions.append(sa.select(sa.literal(number, sa.Integer)).where(held))
        return _Copies(schema, sa.union_all(*questions) if questions else None, tuple(copies))
