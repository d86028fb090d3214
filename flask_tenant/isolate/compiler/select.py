"""SELECT: predicates into WHERE and ON, derived tables where a predicate would not be equal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from sqlalchemy.sql.elements import ColumnClause, TextClause
from sqlalchemy.sql.expression import and_
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import FromClause, Join, Select, TableClause

from ...errors import StatementRefusedError
from ..hidden import HiddenColumn, belongs
from .base import Base, guarded
from .plan import Plan, table_below


class SelectMixin(Base):
    """Renders every table that a SELECT displays as its tenant's view."""

    def _compose_select_body(
        self,
        text: str,
        select: Select[Any],
        compile_state: Any,
        inner_columns: list[str],
        froms: list[FromClause],
        byfrom: Any,
        toplevel: bool,
        kwargs: dict[str, Any],
    ) -> str:
        entry = cast("dict[str, Any]", self.stack[-1])
        rows = frozenset(self._ft_row_names(froms))
        if entry.get("ft_star") or rows & entry.get("ft_names", frozenset()):
            # '*' (or a whole row) written as text shows what the table physically has: let each table hide its
            # column by itself.
            entry["ft_plan"] = Plan()
        else:
            entry["ft_plan"] = found = self._ft_plan(froms)
            entry["ft_rows"] = rows
            if found.where or found.on:
                changed = select._generate()
                changed._where_criteria = (*guarded(select._where_criteria), *found.where)
                if self.dialect.name == "postgresql" and select._group_by_clauses:
                    changed._group_by_clauses = (
                        *select._group_by_clauses,
                        *self._ft_group_by(select, froms, found),
                    )
                select = changed
        return cast(
            str,
            super()._compose_select_body(  # type: ignore[misc]
                text, select, compile_state, inner_columns, froms, byfrom, toplevel, kwargs
            ),
        )

    def _ft_row_names(self, froms: Iterable[FromClause]) -> Iterator[str]:
        """The names by which a fragment could mean a whole row: of FROM elements, unless a column has that name."""
        for element in froms:
            if isinstance(element, Join):
                yield from self._ft_row_names((element.left, element.right))
                continue
            name = getattr(element, "name", None)
            if isinstance(name, str) and table_below(element) is not None and name not in element.c:
                yield name

    def _ft_group_by(self, select: Select[Any], froms: list[FromClause], found: Plan) -> list[HiddenColumn]:
        """The hidden half of each primary key that GROUP BY names.

        PostgreSQL lets ``GROUP BY id`` stand for all columns of the table, but our key is ``(tenant_id, id)``. Within
        a tenant the added column is constant wherever the id is not null, so the groups stay the same.
        """
        clauses = select._group_by_clauses
        if any(isinstance(c, FunctionElement) for c in clauses):
            return []  # ROLLUP, CUBE and GROUPING SETS would multiply with it
        column = self.wall.config.column
        textual = any(isinstance(c, TextClause) for c in clauses)
        if textual:
            return [HiddenColumn(column, f) for f in found.required]
        named = {id(c._deannotate()) for c in clauses if isinstance(c, ColumnClause)}
        added: list[HiddenColumn] = []
        for clause in clauses:
            source = getattr(clause, "table", None)
            if source is None or table_below(source) is None:
                continue
            source = source._deannotate() if hasattr(source, "_deannotate") else source
            key = list(source.primary_key)
            if (
                key
                and all(id(k._deannotate()) in named for k in key)
                and not any(a.table is source for a in added)
            ):
                below = table_below(source)
                if below is not None and self._ft_is_tenant(below) and self._ft_claims(found, source, froms):
                    added.append(HiddenColumn(column, source))
        return added

    @staticmethod
    def _ft_claims(found: Plan, source: FromClause, froms: list[FromClause]) -> bool:
        def names(element: FromClause) -> bool:
            if isinstance(element, Join):
                return names(element.left) or names(element.right)
            return id(element) in found.claimed and (element is source or element._deannotate() is source)  # type: ignore[attr-defined]

        return any(names(f) for f in froms)

    def visit_join(self, join: Join, asfrom: bool = False, from_linter: Any = None, **kw: Any) -> str:
        found = self._ft_current_plan()
        extra = found.on.get(id(join)) if found is not None else None
        if extra:
            join_with = cast(Join, join._clone())
            on = join.onclause
            join_with.onclause = and_(*guarded([on]), *extra)
            join = join_with
        return cast(str, super().visit_join(join, asfrom=asfrom, from_linter=from_linter, **kw))  # type: ignore[misc]

    def visit_alias(self, alias: Any, asfrom: bool = False, **kw: Any) -> str:
        found = self._ft_current_plan()
        if asfrom and found is not None:
            # The table below is claimed when the alias is, whatever holds for the same table without alias beside it.
            below = {id(alias.element)}
            was = found.claimed
            found.claimed = was | below if id(alias) in was else was - below
            try:
                return cast(str, super().visit_alias(alias, asfrom=asfrom, **kw))  # type: ignore[misc]
            finally:
                found.claimed = was
        return cast(str, super().visit_alias(alias, asfrom=asfrom, **kw))  # type: ignore[misc]

    def visit_table(
        self,
        table: TableClause,
        asfrom: bool = False,
        iscrud: bool = False,
        enclosing_alias: Any = None,
        **kw: Any,
    ) -> str:
        text = cast(
            str,
            super().visit_table(  # type: ignore[misc]
                table, asfrom=asfrom, iscrud=iscrud, enclosing_alias=enclosing_alias, **kw
            ),
        )
        if not asfrom or not self._ft_is_tenant(table):
            return text
        found = self._ft_current_plan()
        if found is not None and id(table) in found.claimed:
            return text
        if iscrud:
            raise StatementRefusedError(
                f"Table {table.name!r} is written in a place that flask_tenant does not know",
                value=table.name,
            )
        inner = f"({self._ft_derived(table, kw)})"
        if enclosing_alias is not None and enclosing_alias.element is table:
            return inner
        return f"{inner} AS {self.preparer.quote(table.name)}"

    def _ft_derived(self, table: TableClause, kw: dict[str, Any]) -> str:
        quote = self.preparer.quote
        name = self.preparer.format_table(table)
        names = [c.name for c in table.c]
        view = self.wall.views.find(table.name, self.preparer.schema_for_object(table))  # type: ignore[arg-type]
        if view is not None and view.columns:
            names = list(view.columns)
        if not names:
            raise StatementRefusedError(
                f"The columns of table {table.name!r} are not known",
                value=table.name,
                hint="Give table(...) its columns, or create the table before it is used",
            )
        where = self.process(belongs(self.wall.config.column, TableClause(table.name)), **_inner(kw))
        return f"SELECT {', '.join(quote(n) for n in names)} FROM {name} WHERE {where}"


def _inner(kw: dict[str, Any]) -> dict[str, Any]:
    keep = ("accumulate_bind_names", "visited_bindparam", "literal_binds")
    return {k: v for k, v in kw.items() if k in keep}
