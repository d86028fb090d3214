"""What the parts of the statement compiler share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Boolean
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import (
    BinaryExpression,
    BindParameter,
    BooleanClauseList,
    ColumnClause,
    ColumnElement,
)
from sqlalchemy.sql.operators import eq, ge, gt, le, lt, ne
from sqlalchemy.sql.selectable import FromClause, TableClause

from ...context import current_scope
from ...errors import HiddenColumnError, StatementRefusedError
from ..hidden import HiddenColumn, belongs, folded
from ..rawsql.words import ROW_ADDRESSES
from .plan import Plan, plan, table_below

if TYPE_CHECKING:
    from ..wall import Wall

_COMPARISONS = frozenset({eq, ge, gt, le, lt, ne})


class Base(SQLCompiler):
    """Looks tables up, plans predicates, refuses. The dialect carries the wall."""

    ft_refusal: StatementRefusedError | None = None
    """Why the statement may be looked at, but not executed."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        self.ft_tables: set[tuple[str | None, str]] = set()
        """Tenant tables that the statement names, as (schema, name)."""
        self.ft_reads: set[str] = set()
        """The names of those of them that it reads; what is only inserted into is not read."""
        self.ft_private: set[str] = set()
        """Directory and catalogue tables that the statement names."""
        self.ft_named: set[str] = set()
        """The names of tables in fragments of text."""
        self._ft_known: dict[TableClause, bool] = {}
        super().__init__(*args, **kw)  # compiles
        if self.ft_named and self.ctes:
            self._ft_check_ctes()

    def _ft_check_ctes(self) -> None:
        """Refuse a text that names a table where a common table expression of the statement bears the same name.

        The database would take the name for the expression, and we have taken it for the table.
        """
        for _, name in self.ctes_by_level_name:
            if name in self.ft_named:
                self._ft_refused(
                    StatementRefusedError(
                        f"A text names table {name!r}, and a common table expression bears the same name",
                        value=name,
                        hint="Give the common table expression a name of its own",
                    )
                )

    @property
    def wall(self) -> Wall:
        wall: Wall = self.dialect.ft_wall  # type: ignore[attr-defined]
        return wall

    def _ft_is_tenant(self, table: TableClause) -> bool:
        """Whether the table is a tenant's; notes every table that the statement touches."""
        known = self._ft_known.get(table)
        if known is None:
            known = self._ft_known[table] = self._ft_look_up(table)
        return known

    def _ft_look_up(self, table: TableClause) -> bool:
        schema = cast("str | None", self.preparer.schema_for_object(table))  # type: ignore[arg-type]
        name = table.name
        config = self.wall.config
        if config.is_tenant(name, schema):
            self.ft_tables.add((schema, name))
            return True
        if config.is_ours(name, schema) or config.is_system(name, schema):
            self.ft_private.add(name)
        return False

    def _ft_belongs(self, element: FromClause) -> ColumnElement[bool]:
        return belongs(self.wall.config.column, element)

    def _ft_plan(self, froms: Sequence[FromClause], target: FromClause | None = None) -> Plan:
        """Place the predicates of what a statement reads, and of the table that it writes."""
        if target is not None:
            froms = (target, *froms)
        return plan(froms, self._ft_is_tenant, self._ft_belongs)

    def _ft_current_plan(self) -> Plan | None:
        if not self.stack:
            return None
        entry = cast("dict[str, Any]", self.stack[-1])
        found = entry.get("ft_plan") or getattr(entry["selectable"], "ft_plan", None)
        return cast("Plan | None", found)

    def _ft_note_read(self, table: Any) -> None:
        """Note that a statement reads a table, by the name that the table has: SQLite finds it by others, too."""
        view = self.wall.views.find(table.name, cast("str | None", self.preparer.schema_for_object(table)))
        self.ft_reads.add(view.name if view is not None else table.name)

    def _ft_check_name(self, column: ColumnClause[Any]) -> None:
        if type(column) is HiddenColumn:
            return
        name = folded(column.name)
        if name == self.wall.config.column.lower():
            raise hidden_column(column.name)
        if name in ROW_ADDRESSES[self.dialect.name]:
            self._ft_check_address(name, column.table)

    def _ft_check_address(self, name: str, source: Any) -> None:
        """Refuse the address of a physical row, unless the table has a column of that name.

        :param source: where the column comes from, ``None`` if it does not say
        """
        table = table_below(source)
        if source is not None and (table is None or not self._ft_is_tenant(table)):
            return  # a subquery's own column, or a shared table's
        view = self.wall.views.find(table.name, table.schema) if table is not None else None  # type: ignore[attr-defined]
        if view is None or name not in set(map(folded, view.columns)):
            self._ft_refused(
                StatementRefusedError(
                    f"{name!r} is the address of a row in a table that all tenants share",
                    value=name,
                    hint="Use the table's primary key",
                )
            )

    def _ft_own_work(self, what: str) -> bool:
        """Whether flask_tenant itself, or SQLAlchemy on its own behalf, compiles this.

        What it compiles may be kept in SQLAlchemy's cache, so it is marked: nobody else may execute it.
        """
        if self.statement is None:
            return True  # renders a CHECK, a default or an index expression for the DDL compiler
        scope = current_scope()
        if scope is None or not scope.internal:
            return False
        self.ft_private.add(what)
        return True

    def _ft_refused(self, refusal: StatementRefusedError) -> None:
        """Refuse what is being compiled: at once, or in report-only mode when it is executed (``Wall.admit``)."""
        if not self.wall.report.active():
            raise refusal
        self.ft_refusal = self.ft_refusal or refusal


def hidden_column(name: str) -> HiddenColumnError:
    """Return the error for naming the tenant column."""
    return HiddenColumnError(
        f"The statement names {name!r}, the tenant column",
        value=name,
        hint="It is set and filtered by flask_tenant; leave it out, or rename it with TENANT_COLUMN if the "
        "application has a column of this name",
    )


class Fenced(ColumnElement[bool]):
    """A condition in parentheses. SQLAlchemy's own ``Grouping`` looks like what it holds, so that ``and_()`` takes
    the parentheses of an inner AND away."""

    __visit_name__ = "grouping"

    def __init__(self, element: Any) -> None:
        self.element = element
        self.type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        return self


def guarded(criteria: Sequence[Any]) -> tuple[Any, ...]:
    """Put the application's conditions, all together, into parentheses before ours is joined to them.

    ``text("a OR b")``, a literal column or a custom operator may hold an OR of their own at any depth, which
    SQLAlchemy joins to the other conditions without parentheses: what they mean together must stay. Plain
    comparisons need none.
    """
    if all(map(_is_plain, criteria)):
        return tuple(criteria)
    whole = BooleanClauseList._construct_for_whereclause(criteria)
    return () if whole is None else (Fenced(whole),)


def _is_plain(criterion: Any) -> bool:
    return (
        type(criterion) is BinaryExpression
        and criterion.operator in _COMPARISONS
        and all(_is_value(side) for side in (criterion.left, criterion.right))
    )


def _is_value(element: Any) -> bool:
    return isinstance(element, BindParameter) or (
        isinstance(element, ColumnClause) and not element.is_literal
    )
