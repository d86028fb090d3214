"""SELECT: predicates into WHERE and ON, derived tables where a predicate would not be equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import JSON
from sqlalchemy.sql.elements import BooleanClauseList, ColumnClause, ColumnElement, TextClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import and_
from sqlalchemy.sql.selectable import FromClause, Join, Select, TableClause

from ...errors import StatementRefusedError
from ..hidden import HiddenColumn, belongs
from .base import guarded
from .plan import Plan, table_below
from .text import TextMixin


class SelectMixin(TextMixin):
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
        entry["ft_froms"] = froms
        entry["ft_plan"] = found = Plan() if self._ft_shows_rows(entry) else self._ft_plan(froms)
        if found.where or found.on:
            select = select._generate()
            select._where_criteria = (*found.where, *guarded(select._where_criteria))
        if self.dialect.name == "postgresql" and select._group_by_clauses:
            added = self._ft_group_by(select, froms, found)
            if added:
                select = select._generate()
                select._group_by_clauses = (*select._group_by_clauses, *added)
        text = super()._compose_select_body(  # type: ignore[misc]
            text, select, compile_state, inner_columns, froms, byfrom, toplevel, kwargs
        )
        return self._ft_qualified(text, froms, found) if self.ft_marks else text

    def _ft_shows_rows(self, entry: dict[str, Any]) -> bool:
        """Whether the SELECT list shows whole rows, so that each table has to hide its column by itself."""
        if entry.get("ft_star"):
            return True
        names = entry.get("ft_names")
        return names is not None and not names.isdisjoint(self._ft_rows(entry))

    def _ft_group_by(
        self, select: Select[Any], froms: list[FromClause], found: Plan
    ) -> list[ColumnElement[Any]]:
        """What has to join the primary keys that GROUP BY names.

        PostgreSQL lets ``GROUP BY id`` stand for all columns of the table, but our key is ``(tenant_id, id)``. Within
        a tenant the added column is constant wherever the id is not null, so the groups stay the same. A derived
        table has no key, so that its other columns are added.
        """
        clauses = select._group_by_clauses
        if any(isinstance(c, FunctionElement) for c in clauses):
            return []  # ROLLUP, CUBE and GROUPING SETS would multiply with it
        column = self.wall.config.column
        if any(isinstance(c, TextClause) for c in clauses):
            return [HiddenColumn(column, f) for f in found.required]
        named = {id(c._deannotate()) for c in clauses if isinstance(c, ColumnClause)}
        displayed = {
            id(e): shown for f in froms for shown in _elements(f) for e in (shown, shown._deannotate())
        }
        added: list[ColumnElement[Any]] = []
        seen: set[int] = set()
        for clause in clauses:
            source = getattr(clause, "table", None)
            if source is None or table_below(source) is None:
                continue
            source = source._deannotate() if hasattr(source, "_deannotate") else source
            shown = displayed.get(id(source))
            below = table_below(source)
            key = list(source.primary_key)
            if shown is None or id(source) in seen or below is None or not self._ft_is_tenant(below):
                continue
            if not key or any(id(k._deannotate()) not in named for k in key):
                continue
            seen.add(id(source))
            if id(shown) in found.claimed:
                added.append(HiddenColumn(column, source))
            else:
                added += [c for c in source.c if id(c) not in named and not isinstance(c.type, JSON)]
        return added

    # ---- names with a schema
    ft_marks: Mapping[tuple[str, str], str] = MappingProxyType({})
    """By prefix and table, what stands for ``schema.`` before a column until it is known whether its table is
    derived: then it has none."""

    def _ft_unqualified(self, text: str, table: Any) -> str:
        """Put a mark in the place of the schema before a tenant table's column, within a SELECT."""
        if not isinstance(table, TableClause) or not any(
            isinstance(e["selectable"], Select) for e in self.stack
        ):
            return text
        prefix = f"{self.preparer.quote_schema(cast(str, table.schema))}."  # type: ignore[attr-defined]
        if not text.startswith(prefix) or not self._ft_is_tenant(table):
            return text
        marks = cast("dict[tuple[str, str], str]", self.__dict__.setdefault("ft_marks", {}))
        return marks.setdefault((prefix, table.name), f"\x02{len(marks)}\x03") + text[len(prefix) :]

    def _ft_qualified(self, text: str, froms: list[FromClause], found: Plan) -> str:
        """Put schemas before the columns of this statement's tables, and of all when it is the outermost."""
        outermost = not any(isinstance(e["selectable"], Select) for e in self.stack[:-1])
        shown: dict[str, bool] = {}  # by name with schema: whether it is derived
        for element in (e for f in froms for e in _elements(f)):
            if isinstance(element, TableClause):
                shown[self.preparer.format_table(element)] = id(element) not in found.claimed  # type: ignore[arg-type]
        for (prefix, name), mark in self.ft_marks.items():
            derived = shown.get(prefix + self.preparer.quote(name))
            if derived is not None or outermost:
                text = text.replace(mark, "" if derived else prefix)
        return text

    def visit_join(self, join: Join, asfrom: bool = False, from_linter: Any = None, **kw: Any) -> str:
        found = self._ft_current_plan()
        extra = found.on.get(id(join)) if found is not None else None
        if extra:
            join_with = cast(Join, join._clone())
            on = join.onclause
            join_with.onclause = BooleanClauseList._construct_raw(and_, (*extra, *guarded([on])))
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
        if not iscrud:
            self._ft_note_read(table)
        found = self._ft_current_plan()
        if found is not None and id(table) in found.claimed:
            return text
        inner = f"({self._ft_derived(table, kw)})"
        if enclosing_alias is not None and enclosing_alias.element is table:
            return inner
        name = table.name
        other = (kw.get("ambiguous_table_name_map") or {}).get(name)
        if other is not None and not self.preparer.schema_for_object(table):  # type: ignore[arg-type]
            name = self._truncated_identifier("alias", other)  # there is one of the name in another schema
        return f"{inner} AS {self.preparer.quote(name)}"

    def _ft_derived(self, table: TableClause, kw: dict[str, Any]) -> str:
        quote = self.preparer.quote
        name = self.preparer.format_table(table)
        names = self._ft_columns(table)
        if not names:
            raise StatementRefusedError(
                f"The columns of table {table.name!r} are not known",
                value=table.name,
                hint="Give table(...) its columns, or create the table before it is used",
            )
        where = self.process(belongs(self.wall.config.column, TableClause(table.name)), **inner_options(kw))
        return f"SELECT {', '.join(quote(n) for n in names)} FROM {name} WHERE {where}"


def inner_options(kw: dict[str, Any]) -> dict[str, Any]:
    """Return the options that hold within what is rendered as well."""
    keep = ("accumulate_bind_names", "visited_bindparam", "literal_binds")
    return {k: v for k, v in kw.items() if k in keep}


def _elements(element: FromClause) -> Iterator[FromClause]:
    """The leaves of a join."""
    if isinstance(element, Join):
        yield from _elements(element.left)
        yield from _elements(element.right)
    else:
        yield element
