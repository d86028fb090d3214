"""Places typed values among the constants that rules compare them with: a value becomes a small number, its *rank*.

Whether a comparison holds is then a question about ranks: is the rank within these bounds? So an engine that compares
loosely gets nothing but numbers of ours, and the constants are part of the question, not of the engine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, TypeAlias

from ...evaluation import NOTHING, coerce, compiled
from ...expressions import Call, Constant, Expression, Kind
from ..model import Facts

Range: TypeAlias = tuple[int, int]
"""The lowest and the highest rank, both included. An empty one is ``NEVER``."""

NEVER: Range = (1, 0)
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMBERS = {Kind.INT, Kind.NUMBER}
_LISTS = {Kind.TEXTS, Kind.INTS}


class Scale:
    """The constants that one expression over facts is compared with.

    :param expression: what is placed on it
    """

    def __init__(self, expression: Expression) -> None:
        self._program = compiled(expression)
        self._constants: set[Any] = set()
        self._ordered = False
        self._sorted: list[Any] = []
        self._places: dict[Any, int] = {}

    def add(self, function: str, values: Sequence[Any]) -> None:
        """Take in the constants of a comparison; before any rank is asked for."""
        self._constants.update(values)
        self._ordered = self._ordered or function in {"<", "<=", ">", ">="}

    def settle(self) -> None:
        """Number the constants: from 1 on, and by twos where the values between them matter too."""
        step = 2 if self._ordered else 1
        self._sorted = sorted(self._constants)
        self._places = {value: place * step + 1 for place, value in enumerate(self._sorted)}

    @property
    def highest(self) -> int:
        """The highest rank there is; the lowest is 0."""
        return len(self._sorted) * (2 if self._ordered else 1)

    def rank(self, facts: Facts) -> int | None:
        """Return where the value stands, ``None`` when it is unknown."""
        value = self._program(NOTHING, NOTHING, facts, ())
        if value is None:
            return None
        found = self._places.get(value)
        if found is None:
            return 2 * bisect_left(self._sorted, value) if self._ordered else 0
        return found

    def ranges(self, function: str, values: Sequence[Any], negated: bool) -> list[Range]:
        """Return the ranks for which a comparison is true, or false if ``negated``."""
        if function in {"==", "!=", "in"}:
            found = _joined((self._places[value], self._places[value]) for value in set(values))
            negated ^= function == "!="
        else:
            place = self._places[values[0]]
            found = [
                {
                    "<": (0, place - 1),
                    "<=": (0, place),
                    ">": (place + 1, self.highest),
                    ">=": (place, self.highest),
                }[function]
            ]
        return _outside(found, self.highest) if negated else found


def _joined(ranges: Any) -> list[Range]:
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and found[-1][1] == low - 1:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


def _outside(ranges: list[Range], highest: int) -> list[Range]:
    found, at = [], 0
    for low, high in ranges:
        if at < low:
            found.append((at, low - 1))
        at = high + 1
    if at <= highest:
        found.append((at, highest))
    return found


def comparison(expression: Expression) -> tuple[Expression, str, tuple[Any, ...]]:
    """Return what is compared, how, and with which constants; any other condition is compared with true."""
    if isinstance(expression, Call) and len(expression.arguments) == 2:
        (left, right), function = expression.arguments, expression.function
        if isinstance(left, Constant) and function in _TURNED:
            left, right, function = right, left, _TURNED[function]
        if isinstance(right, Constant) and not isinstance(left, Constant) and right.value is not None:
            value = coerce(right.kind, right.value)
            if function in _TURNED and _alike(left.kind, right.kind):
                return left, function, (value,)
            if function == "in" and right.kind in _LISTS:
                return left, function, value
    return expression, "==", (True,)


def _alike(a: Kind, b: Kind) -> bool:
    return (a is b and a not in _LISTS) or (a in _NUMBERS and b in _NUMBERS)
