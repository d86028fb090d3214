"""Renders a tenant's view with what rules add to it, in statements that SQLAlchemy compiles.

A table that is only filtered keeps its place in the statement, with the filter beside the tenant's predicate. A table
with masks is always a derived table, so that WHERE, JOIN, GROUP BY and ORDER BY see the masked value. The target of
an UPDATE or DELETE cannot be one: there each mention of a masked column is what the column shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Boolean, and_, true
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, BooleanClauseList, ColumnClause, ColumnElement
from sqlalchemy.sql.selectable import FromClause, TableClause

from ...errors import StatementRefusedError
from ...expressions import Slot
from ..compiler.base import Base, guarded
from ..compiler.insert import StampedTable
from ..compiler.plan import Plan, plan, table_below
from ..compiler.select import inner_options
from ..hidden import HiddenColumn, belongs
from ..rawsql.cursor import raises
from ..rawsql.writes import replaced
from .fence import conditions, may_tell
from .tables import TableOverlay
from .values import bound, driver_value, in_force

_NAME_THEM = "Name the columns with SQLAlchemy's constructs"


class RawColumn(ColumnClause[Any]):
    """A column as it is stored, in a condition of ours."""

    inherit_cache = True


class Kept(ColumnElement[bool]):
    """The conditions of a table's view: the tenant's, and those of its rules.

    :param then: what else has to hold, and is worked out for no other rows
    :param met: whether a row is met by its key, so that one which rules take away has to be refused
    """

    __visit_name__ = "ft_kept"

    def __init__(
        self,
        source: FromClause,
        overlay: TableOverlay,
        then: ColumnElement[bool] | None = None,
        *,
        met: bool = False,
    ) -> None:
        self.source, self.overlay, self.then, self.met = source, overlay, then, met
        self.type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        return self


class OverlayMixin(Base):
    """On top of the tenant's compiler, for one shape."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        self.ft_slots: dict[str, Slot] = {}
        self._ft_binds: list[BindParameter[Any]] = []
        self._ft_overlays: dict[TableClause, TableOverlay | None] = {}
        self._ft_written: list[tuple[FromClause, TableOverlay]] = []
        super().__init__(*args, **kw)  # compiles
        for bind in self._ft_binds:
            self.bind_names.pop(bind, None)

    # ---- values
    def _ft_slot(self, slot: Slot) -> BindParameter[Any]:
        bind = bound(slot)
        if bind.key not in self.ft_slots:
            self.ft_slots[bind.key] = slot
            self._ft_binds.append(bind)
        return bind

    def ft_fill(self, values: Any) -> None:
        ruling, dialect = in_force.get(), cast(Any, self.dialect.name)
        for key, slot in self.ft_slots.items():
            values[key] = driver_value(slot, ruling, dialect)

    # ---- which tables
    def _ft_overlay(self, table: TableClause | None) -> TableOverlay | None:
        if table is None or not self._ft_is_tenant(table):
            return None
        if table not in self._ft_overlays:
            schema = cast("str | None", self.preparer.schema_for_object(cast(Any, table)))
            self._ft_overlays[table] = self.wall.overlay(self.wall.views.find(table.name, schema))
        return self._ft_overlays[table]

    def _ft_claimable(self, table: TableClause) -> bool:
        overlay = self._ft_overlay(table)
        if overlay is None:
            return self._ft_is_tenant(table)
        return not overlay.covered and not (overlay.filtered and self._ft_fenced())

    def _ft_belongs(self, element: FromClause) -> ColumnElement[bool]:
        overlay = self._ft_overlay(table_below(element))
        if overlay is None or not overlay.filtered:
            return super()._ft_belongs(element)
        return Kept(element, overlay)

    def _ft_plan(self, froms: Sequence[FromClause], target: FromClause | None = None) -> Plan:
        found = plan(froms, self._ft_claimable, self._ft_belongs)
        if target is not None:
            own = plan([target], self._ft_is_tenant, self._ft_belongs)
            found.where[:0] = own.where
            found.required[:0] = own.required
            found.claimed |= own.claimed
        return found

    # ---- fences
    ft_telling: bool | None = None

    def _ft_fenced(self) -> bool:
        if self.ft_telling is None:
            self.ft_telling = any(map(may_tell, conditions(self.statement)))
        return self.ft_telling

    def _compose_select_body(
        self, text: str, select: Any, compile_state: Any, inner: Any, froms: Any, *args: Any
    ) -> str:
        # What the ORM adds by itself, such as loader criteria, is in none but the statement that it makes.
        if not self._ft_fenced() and any(may_tell(c) for part in (select, *froms) for c in conditions(part)):
            self.ft_telling = True
        return cast(
            str, cast(Any, super())._compose_select_body(text, select, compile_state, inner, froms, *args)
        )

    # ---- rendering
    def _ft_parts(self, source: FromClause, kw: dict[str, Any]) -> tuple[Any, Any]:
        def column(name: str) -> str:
            return self.process(RawColumn(name, _selectable=source), **kw)

        def value(slot: Slot) -> str:
            return self.process(self._ft_slot(slot), **kw)

        return column, value

    def visit_ft_kept(self, element: Kept, **kw: Any) -> str:
        linter = {"from_linter": kw["from_linter"]} if "from_linter" in kw else {}
        kw = {**inner_options(kw), **{k: kw[k] for k in ("include_table", "use_schema") if k in kw}}
        column, value = self._ft_parts(element.source, kw)
        keeps = element.overlay.keeps(column, value)
        if element.then is not None:
            otherwise = "false"
            if element.met:
                tenant = self.process(HiddenColumn(self.wall.config.column, element.source), **kw)
                otherwise = raises(cast(Any, self.dialect.name), tenant)
            return (
                f"CASE WHEN {keeps} THEN ({self.process(element.then, **kw, **linter)}) ELSE {otherwise} END"
            )
        tenant = self.process(super()._ft_belongs(element.source), **kw)
        return f"{tenant} AND {keeps}"

    def _ft_derived(self, table: TableClause, kw: dict[str, Any]) -> str:
        overlay = self._ft_overlay(table)
        if overlay is None:
            return cast(str, super()._ft_derived(table, kw))  # type: ignore[misc]
        quote = self.preparer.quote
        source = TableClause(table.name)
        options = inner_options(kw)
        parts = self._ft_parts(source, options)
        shown = []
        for name in self._ft_columns(table):  # type: ignore[attr-defined]
            instead = overlay.shows(name, *parts)
            shown.append(quote(name) if instead is None else f"{instead} AS {quote(name)}")
        where = self.process(belongs(self.wall.config.column, source), **options)
        if overlay.filtered:
            where = f"{where} AND {overlay.keeps(*parts)}"
        text = f"SELECT {', '.join(shown)} FROM {self.preparer.format_table(table)} WHERE {where}"
        return text + self.wall.fence if overlay.filtered and self._ft_fenced() else text

    # ---- what is written
    def _ft_scoped(self, statement: Any, state: Any) -> Any:
        overlay = self._ft_overlay(table_below(statement.table))
        if overlay is not None:
            self._ft_keeps_rows(statement, overlay)
            if overlay.covered:
                self._ft_written.append((statement.table, overlay))
            if overlay.filtered and statement._where_criteria and self._ft_fenced():
                whole = BooleanClauseList._construct_for_whereclause(statement._where_criteria)
                if whole is not None:
                    statement = statement._generate()
                    statement._where_criteria = (Kept(statement.table, overlay, whole),)
        return super()._ft_scoped(statement, state)  # type: ignore[misc]

    def _ft_stamped(self, statement: Any, state: Any) -> Any:
        overlay = self._ft_overlay(statement.table)
        if overlay is not None:
            self._ft_keeps_rows(statement, overlay)
            if overlay.covered:
                self._ft_written.append((statement.table, overlay))
        return super()._ft_stamped(statement, state)  # type: ignore[misc]

    def _ft_keeps_rows(self, statement: Any, overlay: TableOverlay) -> None:
        """Refuse to delete, by the way, rows that a filter takes away."""
        words = " ".join(str(prefix) for prefix, _ in statement._prefixes).upper()
        if overlay.filtered and "REPLACE" in words:
            raise replaced(overlay.table)

    def _ft_met(self, table: TableClause, where: ColumnElement[bool] | None) -> ColumnElement[bool]:
        overlay = self._ft_overlay(table)
        if overlay is None or not overlay.filtered:
            return cast("ColumnElement[bool]", super()._ft_met(table, where))  # type: ignore[misc]
        kept = Kept(table, overlay, true() if where is None else guarded([where])[0], met=True)
        return and_(super()._ft_belongs(table), kept)

    def visit_column(self, column: ColumnClause[Any], *args: Any, **kw: Any) -> str:
        text = cast(str, super().visit_column(column, *args, **kw))
        if self._ft_written and type(column) is not RawColumn and not column.is_literal:
            return self._ft_seen(column, text, kw)
        return text

    def _ft_seen(self, column: ColumnClause[Any], text: str, kw: dict[str, Any]) -> str:
        """Return what a column of the statement's target shows."""
        source = column.table
        for target, overlay in self._ft_written:
            name = overlay.covers(column.name)
            if name is None:
                continue
            if source is not None and _bare(source) is not _bare(target):
                continue
            for depth, entry in enumerate(reversed(cast("list[dict[str, Any]]", self.stack))):
                written = getattr(entry["selectable"], "table", None)
                written = written.ft_table if isinstance(written, StampedTable) else written
                if written is not None and _bare(written) is _bare(target):
                    if source is None and depth:
                        self._ft_refuse_mention(column.name)
                    options = inner_options(kw)
                    options |= {k: kw[k] for k in ("include_table", "use_schema") if k in kw}
                    return overlay.shows(name, *self._ft_parts(target, options)) or text
                if any(_bare(f) is _bare(target) for f in entry.get("asfrom_froms", ())):
                    break  # it is the view of the table that a SELECT within shows
        return text

    def _ft_fragment(self, text: str, kw: dict[str, Any], columns: Any, placeholders: Any = "text") -> Any:
        found = super()._ft_fragment(text, kw, columns, placeholders)  # type: ignore[misc]
        for _, overlay in self._ft_written:
            for name in sorted(overlay.folded & found.columns):
                self._ft_refuse_mention(name)
        return found

    def _ft_returned(self, text: str) -> str | None:
        if self._ft_written:
            self._ft_refuse_mention("*")
        return cast("str | None", super()._ft_returned(text))  # type: ignore[misc]

    def _ft_refuse_mention(self, name: str) -> None:
        raise StatementRefusedError(
            f"A part of a statement as text names {name!r} of the table that is written, and rules mask it",
            value=name,
            hint=_NAME_THEM,
        )

    def _on_conflict_target(self, clause: Any, **kw: Any) -> str:
        for _, overlay in self._ft_written:
            for element in clause.inferred_target_elements or ():
                name = getattr(element, "name", element)
                if isinstance(name, str) and overlay.covers(name) is not None:
                    raise StatementRefusedError(
                        f"ON CONFLICT on {name!r}, which rules mask", value=name, hint="Use the table's key"
                    )
        return cast(str, super()._on_conflict_target(clause, **kw))  # type: ignore[misc]


def _bare(element: Any) -> Any:
    """An element as it is without the ORM's annotations."""
    return element._deannotate() if hasattr(element, "_deannotate") else element


@cache
def overlay_compiler_for(tenants: type[SQLCompiler]) -> type[SQLCompiler]:
    """Return the compiler of a shape on top of the tenant's."""
    return type(f"Ruled{tenants.__name__}", (OverlayMixin, tenants), {})
