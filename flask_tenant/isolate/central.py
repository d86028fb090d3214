"""Central work: reads rows of all tenants, each labelled with whose it is, and writes none of them.

Core SELECTs of one tenant table get the tenant column as one more column of the result. ORM entities are refused:
an identity map would take two tenants' rows of one id for one object. So are joins, which would mix tenants. Raw SQL
sees the physical tables, for operators who write their own predicates.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import FromClause, Select, TableClause

from .compiler.base import Base
from .compiler.custom import CustomMixin
from .compiler.plan import table_below
from .compiler.text import TextMixin
from .compiler.values import ValuesMixin
from .hidden import HiddenColumn


class CentralMixin(Base):
    """Renders tables as they are, one tenant table to a statement."""

    def visit_table(self, table: TableClause, asfrom: bool = False, iscrud: bool = False, **kw: Any) -> str:
        if asfrom and self._ft_is_tenant(table):
            if iscrud:
                raise self.wall.refuse_central(f"Central work was about to write table {table.name!r}")
            self.ft_rendered += 1
            if self.ft_rendered > 1:
                raise self.wall.refuse_central(
                    "Central work joins tenant tables, which would mix tenants' rows"
                )
        return cast(str, super().visit_table(table, asfrom=asfrom, iscrud=iscrud, **kw))  # type: ignore[misc]

    ft_rendered = 0

    def visit_insert(self, insert_stmt: Any, **kw: Any) -> str:
        if self._ft_is_tenant(insert_stmt.table):
            raise self.wall.refuse_central(
                f"Central work was about to write table {insert_stmt.table.name!r}"
            )
        return cast(str, super().visit_insert(insert_stmt, **kw))  # type: ignore[misc]


class CentralValuesMixin(ValuesMixin):
    """Nothing to bind: only SQL text within another statement is rendered for a tenant."""

    def construct_params(self, *args: Any, **kw: Any) -> Any:
        if self.ft_keys:
            raise self.wall.refuse_central(
                "Central work names a tenant table in a part of a statement as text"
            )
        return super().construct_params(*args, **kw)


@cache
def central_compiler_for(base: type[SQLCompiler]) -> type[SQLCompiler]:
    """Return the compiler of central work on top of a dialect's own."""
    return type(
        f"Central{base.__name__}", (CentralValuesMixin, CustomMixin, CentralMixin, TextMixin, base), {}
    )


def watch_central(connection: Connection) -> None:
    """Label what central work reads on this connection."""
    wall = cast(Any, connection.dialect).ft_wall

    def label(conn: Connection, element: Any, multiparams: Any, params: Any, options: Any) -> Any:
        if isinstance(element, Select):
            tables = [f for f in element.get_final_froms() if _is_tenant(wall, f)]
            if tables and element._propagate_attrs.get("compile_state_plugin") == "orm":
                raise wall.refuse_central("Central work was about to load ORM entities over several tenants")
            if tables and not _aggregates(element):
                element = element.add_columns(HiddenColumn(wall.config.column, tables[0]))
        return element, multiparams, params

    event.listen(connection, "before_execute", label, retval=True)


def _is_tenant(wall: Any, element: FromClause) -> bool:
    table = table_below(element)
    return table is not None and wall.config.is_tenant(
        table.name, table.schema if hasattr(table, "schema") else None
    )


def _aggregates(select: Select[Any]) -> bool:
    return bool(
        select._group_by_clauses
        or select._distinct
        or any(isinstance(c, FunctionElement) or c is None for c in select.selected_columns)
    )


def tenant_column(table: FromClause, column: str = "tenant_id") -> HiddenColumn:
    """Return the tenant column of a table, for GROUP BY and WHERE in central work.

    :param table: a table or alias
    :param column: its name, if it was configured
    """
    return HiddenColumn(column, table)
