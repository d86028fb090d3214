"""A result on its way to the application, row by row."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import signals
from ...context import current_scope
from ...errors import RuleEngineError, StatementRefusedError
from .plan import AHEAD, Plan

if TYPE_CHECKING:
    from ..wall import Wall

_CHUNK = 1000


class Stream:
    """What a cursor gives under result rules.

    :param cursor: a guarded cursor that has executed its statement
    """

    def __init__(self, wall: Wall, plan: Plan, cursor: Any) -> None:
        self.wall, self.plan = wall, plan
        self._cursor, self._driver = cursor, type(cursor)
        self._ahead: deque[Any] = deque()
        self._ended = self._told = False
        self._given = 0
        self._hidden: frozenset[int] | None = None
        self._changes: list[tuple[str, list[tuple[int, str]]]] = []

    @property
    def description(self) -> Any:
        return self._of_driver("description")

    @property
    def rowcount(self) -> int:
        """What the driver says of it: psycopg counts before the cap."""
        found: int = self._of_driver("rowcount")
        return found if self.plan.cap is None or found < 0 else min(found, self.plan.cap[0])

    def fetch(self, size: int | None) -> list[Any]:
        """Return up to ``size`` more rows, all of them for ``None``."""
        if self._hidden is None:
            self._look_ahead()
        found: list[Any] = []
        while not self._told and (size is None or len(found) < size):
            want = _CHUNK if size is None else min(size - len(found), _CHUNK)
            rows = self._next(want)
            found += [self._changed(row) for row in rows]
            if len(rows) < want:
                self._tell()
        return found

    def close(self) -> None:
        """Nobody wants more of it."""
        self._tell()

    # ---- from the driver
    def _of_driver(self, name: str) -> Any:
        """What the cursor's own class says, in front of which ours stands."""
        own: Any = getattr(self._driver, name, None)
        return own.__get__(self._cursor) if own is not None else getattr(self._cursor._cursor, name)

    def _pull(self, want: int) -> list[Any]:
        rows = [self._ahead.popleft() for _ in range(min(want, len(self._ahead)))]
        if len(rows) < want and not self._ended:
            more = list(self._driver.fetchmany(self._cursor, want - len(rows)))
            self._ended = len(more) < want - len(rows)
            rows += more
        return rows

    def _next(self, want: int) -> list[Any]:
        """Up to ``want`` rows that the cap leaves; fewer when there are no more."""
        cap = self.plan.cap
        if cap is None:
            rows = self._pull(want)
            self._given += len(rows)
            return rows
        left = cap[0] - self._given
        rows = self._pull(min(want, left))
        self._given += len(rows)
        if self._given == cap[0] and self._pull(1):
            self._ahead.clear()
            self._ended = True
            _cut(self.wall, *cap)
        return rows

    def _look_ahead(self) -> None:
        """See how many rows there are, as far as rules ask, and decide what holds for them."""
        plan = self.plan
        want = plan.ahead()
        if plan.cap is not None:
            want = min(want, plan.cap[0] + 1)
        rows: list[Any] = self._pull(want) if want else []
        limit = plan.cap[0] if plan.cap is not None else len(rows)
        exact = self._ended or len(rows) > limit or plan.ahead() < AHEAD
        count = min(len(rows), limit) if exact else None
        self._ahead.extendleft(reversed(rows))
        names = [column[0] for column in self.description or ()]
        hidden = set()
        for table, rules in plan.rules:
            places = plan.places(table, names)
            for column, condition in rules.redact:
                if plan.applies(condition, count):
                    hidden |= {at for at, name in places if name.lower() == column.lower()}
            self._changes += [
                (hook, places) for hook, condition in rules.transform if plan.applies(condition, count)
            ]
        self._hidden = frozenset(hidden)

    # ---- to the application
    def _changed(self, row: Any) -> Any:
        if not self._hidden and not self._changes:
            return row
        if type(row) is not tuple:
            raise StatementRefusedError(
                "Rules redact or transform a result whose cursor makes other rows than tuples",
                value=type(row).__name__,
                hint="Use text(), or a cursor without a row factory",
            )
        values = [None if at in self._hidden else value for at, value in enumerate(row)]  # type: ignore[operator]
        for hook, places in self._changes:
            given = {name: values[at] for at, name in places}
            made = self.wall.hooks[hook](dict(given))
            if not isinstance(made, Mapping) or not set(given) <= set(made):
                raise RuleEngineError(
                    f"The hook {hook!r} did not return the columns that it was given",
                    value=hook,
                    hint="Return a mapping with the same keys",
                )
            for at, name in places:
                values[at] = made[name]
        return tuple(values)

    def _tell(self) -> None:
        """Say that it has ended, once."""
        if self._told:
            return
        self._told = True
        for table, rules in self.plan.rules:
            for rule, event, condition in rules.emit:
                if self.plan.applies(condition, self._given):
                    _emit(self.wall.law.tenancy(), event, rule, table, self._given)
            for hook, condition in rules.hooks:
                if self.plan.applies(condition, self._given):
                    self.wall.hooks[hook](table, self._given)


def _emit(tenancy: Any, event: str, rule: str, table: str, rows: int) -> None:
    """Let observers know of an event that a rule emits, and the tenant's event rules."""
    signals.rule_emitted.send(tenancy, rule=rule, event=event, table=table, rows=rows)
    scope = current_scope()
    if tenancy is not None and scope is not None and scope.tenant is not None:
        tenancy.events.send(event, {"table": table, "rows": rows})


def _cut(wall: Wall, rows: int, table: str, rule: str) -> None:
    """Tell that a result was cut: whoever listens, and the scope, for the response's header."""
    scope = current_scope()
    if scope is not None:
        scope.capped = (*scope.capped, (table, rows, rule))
    signals.rows_capped.send(wall.law.tenancy(), table=table, rows=rows, rule=rule)
