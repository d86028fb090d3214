"""Partial evaluation: splits a condition into what asks about the request and what asks about the row.

A condition becomes ``OR(guard AND residual)``. Logic is Kleene's, and a condition is wanted in one of two senses: where
it *restricts*, it holds when it is true or unknown ("possible"); where it *keeps* or exempts, when it is true only
("certain"). Both senses go through ``&&`` and ``||`` unchanged, and ``!`` turns one into the other; so negation is
pushed down to the comparisons, and each part alone is asked in the wanted sense.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from ...expressions import FALSE, TRUE, Call, Column, Constant, Expression, Fact, Kind, Slot, walk
from ..model import ALWAYS, Condition, Guard
from .findings import ConditionError
from .kinds import ITEMS, NEGATED

MOST_BRANCHES = 16
LONGEST_CHOICE = 16
"""Constants in a list that are spelt out; a longer list is bound as a list."""
ALL = Condition(((ALWAYS, None),))
"""Always holds."""
ROWS = "rows"
"""A fact that is known only while a result is read: what asks for it goes with the row."""


@dataclass(slots=True)
class Collected:
    """The guards and slots of a rule set, each once."""

    guards: dict[Guard, int] = field(default_factory=dict)
    slots: dict[Expression, int] = field(default_factory=dict)

    def guard(self, test: Expression, possible: bool) -> int:
        return self.guards.setdefault(Guard(test, possible), len(self.guards))

    def slot(self, expression: Expression) -> Slot:
        return Slot(expression.kind, self.slots.setdefault(expression, len(self.slots)))


def negated(expression: Expression) -> Expression:
    """Return the opposite, with the negation pushed down as far as it goes."""
    if isinstance(expression, Constant):
        return FALSE if expression.value else TRUE
    if isinstance(expression, Call):
        if expression.function == "!":
            return straight(expression.arguments[0])
        if expression.function in {"&&", "||"}:
            other = "||" if expression.function == "&&" else "&&"
            return _joined(other, map(negated, expression.arguments))
        if expression.function in NEGATED:
            return Call(Kind.BOOL, NEGATED[expression.function], expression.arguments)
    return Call(Kind.BOOL, "!", (expression,))


def straight(expression: Expression) -> Expression:
    """Return the same condition with negation at its comparisons only, and without what is always true or false."""
    if isinstance(expression, Call):
        if expression.function == "!":
            return negated(expression.arguments[0])
        if expression.function in {"&&", "||"}:
            return _joined(expression.function, map(straight, expression.arguments))
    return expression


def about_row(expression: Expression) -> bool:
    """Whether an expression reads the row, or the number of rows."""
    return any(
        isinstance(part, Column) or (isinstance(part, Fact) and part.name == ROWS)
        for part in walk(expression)
    )


def condition(expression: Expression, *, possible: bool, collected: Collected) -> Condition:
    """Normalise a condition.

    :param possible: whether it also holds when it is unknown
    :param collected: takes up guards and slots
    :raises ConditionError: when that takes too many branches
    """
    by_request: dict[Expression, list[Expression]] = {}
    for request, row in _split(straight(expression)):
        if FALSE not in (request, row):
            by_request.setdefault(request, []).append(row)
    by_row: dict[Expression, list[Expression]] = {}
    for request, rows in by_request.items():
        by_row.setdefault(_joined("||", rows), []).append(request)
    found: list[tuple[int, Expression | None]] = []
    for row, requests in by_row.items():
        guard = _joined("||", requests)
        if guard == row == TRUE:
            return ALL
        number = ALWAYS if guard == TRUE else collected.guard(guard, possible)
        found.append((number, None if row == TRUE else _residual(row, possible, collected)))
    return Condition(tuple(found))


def _residual(row: Expression, possible: bool, collected: Collected) -> Expression:
    return Call(Kind.BOOL, "not_false" if possible else "is_true", (slotted(row, collected),))


def slotted(expression: Expression, collected: Collected) -> Expression:
    """Return an expression over the row in which whatever is the same for all rows is a slot, and thus bound.

    Constants too: two tenants whose rules differ in numbers only share their SQL, and a reload with other numbers does
    not add to what is kept. Beside ``rows`` they stay, for that never becomes SQL, and how many rows have to be seen to
    know is read off them.
    """
    if not about_row(expression):
        return collected.slot(expression)
    if isinstance(expression, Call):
        expression = _by_instant(_spelt_out(expression))
        counting = any(isinstance(part, Fact) and part.name == ROWS for part in walk(expression))
        return Call(
            expression.kind,
            expression.function,
            tuple(
                each if counting and isinstance(each, Constant) else slotted(each, collected)
                for each in expression.arguments
            ),
        )
    return expression


def _spelt_out(call: Call) -> Call:
    """Return ``x in [a, b]`` as ``x == a || x == b``: databases find that by an index, a bound list less so."""
    listed = call.arguments[-1]
    if call.function != "in" or not isinstance(listed, Constant) or not isinstance(listed.value, tuple):
        return call
    if len(listed.value) > LONGEST_CHOICE:
        return call
    value, kind = call.arguments[0], ITEMS[listed.kind]
    parts = tuple(Call(Kind.BOOL, "==", (value, Constant(kind, each))) for each in listed.value)
    return parts[0] if len(parts) == 1 else Call(Kind.BOOL, "||", parts)


_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _by_instant(call: Call) -> Call:
    """Return ``date(row.at) >= day`` as ``row.at >= that day's first instant``, and the like.

    Databases find instants by an index, and then need not know time zones. Both ask the same but for a few minutes in
    which clocks have been put back over midnight, last in Newfoundland in 2010.
    """
    if call.function not in _TURNED:
        return call
    (left, right), function = call.arguments, call.function
    if _is_date_of_row(right):
        left, right, function = right, left, _TURNED[function]
    if not isinstance(left, Call) or not _is_date_of_row(left) or about_row(right):
        return call
    at, zone = left.arguments
    start, end = (Call(Kind.TIME, name, (right, zone)) for name in ("day_start", "day_end"))

    def asks(how: str, instant: Call) -> Call:
        return Call(Kind.BOOL, how, (at, instant))

    return {
        "<": asks("<", start),
        "<=": asks("<", end),
        ">": asks(">=", end),
        ">=": asks(">=", start),
        "==": Call(Kind.BOOL, "&&", (asks(">=", start), asks("<", end))),
        "!=": Call(Kind.BOOL, "||", (asks("<", start), asks(">=", end))),
    }[function]


def _is_date_of_row(expression: Expression) -> bool:
    return (
        isinstance(expression, Call)
        and expression.function == "date"
        and len(expression.arguments) == 2
        and about_row(expression)
    )


def _split(expression: Expression) -> list[tuple[Expression, Expression]]:
    """Return the branches as (asks about the request, asks about the row)."""
    if not about_row(expression):
        return [(expression, TRUE)]
    if not isinstance(expression, Call) or not _mixed(expression):
        return [(TRUE, expression)]
    parts = list(_grouped(expression))
    if expression.function == "||":
        branches = [branch for part in parts for branch in _split(part)]
    else:
        branches = [_both(chosen) for chosen in _products(list(map(_split, parts)))]
    if len(branches) > MOST_BRANCHES:
        raise ConditionError(_too_many(len(branches)))
    return branches


def _mixed(expression: Expression) -> bool:
    """Whether ``&&`` and ``||`` tie something about the request alone to something about the row."""
    if not isinstance(expression, Call) or expression.function not in {"&&", "||"}:
        return False
    return about_row(expression) and any(not about_row(part) or _mixed(part) for part in expression.arguments)


def _products(
    choices: list[list[tuple[Expression, Expression]]],
) -> Iterator[tuple[tuple[Expression, Expression], ...]]:
    count = 1
    for each in choices:
        count *= len(each)
    if count > MOST_BRANCHES:
        raise ConditionError(_too_many(count))
    return product(*choices)


def _too_many(count: int) -> str:
    return (
        f"the condition falls into {count} branches when what it asks of the request is told apart from what it asks of"
        f" the row; at most {MOST_BRANCHES} are taken: make it several rules"
    )


def _grouped(expression: Call) -> Iterator[Expression]:
    """Yield the parts of ``&&`` or ``||``: as one those about the request alone, as one those about the row."""
    request, row, mixed = [], [], []
    for part in expression.arguments:
        if not about_row(part):
            request.append(part)
        elif _mixed(part):
            mixed.append(part)
        else:
            row.append(part)
    if request:
        yield _joined(expression.function, request)
    if row:
        yield _joined(expression.function, row)
    yield from mixed


def _both(chosen: tuple[tuple[Expression, Expression], ...]) -> tuple[Expression, Expression]:
    return _joined("&&", (one for one, _ in chosen)), _joined("&&", (row for _, row in chosen))


def _joined(function: str, parts: Iterable[Expression]) -> Expression:
    """Join conditions, flat, each once, leaving out what changes nothing."""
    neutral, final = (TRUE, FALSE) if function == "&&" else (FALSE, TRUE)
    found: dict[Expression, None] = {}
    for part in parts:
        if part == final:
            return final
        if isinstance(part, Call) and part.function == function:
            found.update(dict.fromkeys(part.arguments))
        elif part != neutral:
            found[part] = None
    if not found:
        return neutral
    return next(iter(found)) if len(found) == 1 else Call(Kind.BOOL, function, tuple(found))


def all_of(parts: Iterable[Expression]) -> Expression:
    """Return the condition that all hold."""
    return _joined("&&", parts)
