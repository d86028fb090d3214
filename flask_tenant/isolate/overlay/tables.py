"""What rules add to each table's view, ready to be rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...decision import Overlay
from ...errors import RuleEngineError
from ...expressions import Slot
from ...model import TableView
from ..hidden import folded
from ..live import LiveColumn, LiveSchema
from ..rawsql.lexer import Token
from .fence import tokens_may_tell
from .masks import masked, nothing
from .render import Dialect, Place, truth

Column = Callable[[str], str]
Value = Callable[[Slot], str]


class TableOverlay:
    """One table's overlay, with the types of its columns.

    :param columns: the table's columns as they stand, by name
    """

    def __init__(
        self, overlay: Overlay, dialect: Dialect, columns: dict[str, LiveColumn], table: str
    ) -> None:
        self.overlay = overlay
        self.dialect = dialect
        self.table = table
        self._columns = columns
        self._masks = {self._real(name): mask for name, mask in overlay.masks}
        self._hidden = frozenset(map(self._real, overlay.hidden))
        self.covered = frozenset(self._masks) | self._hidden
        """The columns that do not show what they hold."""
        self._spelt = {self.fold(name): name for name in self.covered}
        self.folded = frozenset(self._spelt)
        self.filtered = bool(overlay.filters)

    def fold(self, name: str) -> str:
        """Return a name as the database compares it."""
        return folded(name) if self.dialect == "sqlite" else name

    def covers(self, name: str) -> str | None:
        """Return a column's name as the table has it, ``None`` for one that shows what it holds."""
        return self._spelt.get(self.fold(name))

    def _real(self, name: str) -> str:
        """Return a column's name as the database has it.

        :raises RuleEngineError: when there is no such column: what the rule meant to hide might stand open
        """
        if name in self._columns:
            return name
        raise RuleEngineError(
            f"The rules name the column {name!r} of table {self.table!r}, which it does not have",
            value=name,
            hint="Run 'flask tenant rules check' against the present schema",
        )

    def _place(self, column: Column, value: Value) -> Place:
        return Place(self.dialect, column, value, lambda name: self._columns[self._real(name)].type)

    def keeps(self, column: Column, value: Value) -> str:
        """Return the conditions that a row has to meet, ``""`` when there are none.

        :param column: renders a column, qualified
        :param value: renders the place of a slot's value
        """
        place = self._place(column, value)
        return " AND ".join(truth(condition, place) for condition in self.overlay.filters)

    def shows(self, name: str, column: Column, value: Value) -> str | None:
        """Return what a column shows, ``None`` for its own value."""
        if name not in self.covered:
            return None
        live = self._columns[name]
        if name in self._hidden:
            return nothing(live, self.dialect)
        return masked(self._masks[name], live, column(name), self._place(column, value))


class Overlays:
    """The overlays of one shape, by table.

    :param shape: (table, overlay) pairs; tables as the database stores them, without schema
    :param live: returns the schema as it stands
    """

    def __init__(
        self, shape: Iterable[tuple[str, Overlay]], dialect: Dialect, live: Callable[[], LiveSchema]
    ) -> None:
        self._overlays = {self._key(name, dialect): overlay for name, overlay in shape}
        self._dialect: Dialect = dialect
        self._live = live
        self._found: dict[tuple[str | None, str], TableOverlay | None] = {}
        self._of_schema: object = None

    @staticmethod
    def _key(name: str, dialect: Dialect) -> str:
        return folded(name) if dialect == "sqlite" else name

    def of(self, view: TableView | None) -> TableOverlay | None:
        """Return what is added to a table, ``None`` for nothing.

        :raises RuleEngineError: when the rules name a column that the table does not have
        """
        if view is None or view.shared:
            return None
        live = self._live()
        if live is not self._of_schema:
            self._found, self._of_schema = {}, live
        key = (view.schema, view.name)
        if key not in self._found:
            self._found[key] = self._resolved(view, live)
        return self._found[key]

    def tells(self, tokens: list[Token]) -> bool:
        """Whether SQL text may raise an error for a row, or tell of it otherwise."""
        return tokens_may_tell(tokens)

    def _resolved(self, view: TableView, live: LiveSchema) -> TableOverlay | None:
        overlay = self._overlays.get(self._key(view.name, self._dialect))
        if overlay is None:
            return None
        table = next((t for t in live.tables if t.name == view.name and t.schema == view.schema), None)
        columns = {c.name: c for c in table.columns} if table is not None else {}
        return TableOverlay(overlay, self._dialect, columns, view.name)
