"""Expressions as JSON: numbered, and back, where equal ones of all rule sets are one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import Any

from ...expressions import FUNCTIONS, Call, Column, Constant, Expression, Fact, Kind, Slot
from . import kinds
from .json_values import int_of, list_of, one_of, refuse, text_of, texts_of


class Pool:
    """Numbers expressions: each once, after those that it is made of.

    :ivar entries: what stands in JSON, by number
    """

    def __init__(self) -> None:
        self.entries: list[list[Any]] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def add(self, expression: Expression) -> int:
        """Return an expression's number."""
        if isinstance(expression, Constant):
            entry = ["c", expression.kind.value, _plain(expression)]
        elif isinstance(expression, Fact):
            entry = ["f", expression.kind.value, expression.name]
        elif isinstance(expression, Column):
            entry = ["r", expression.kind.value, expression.name, expression.image]
        elif isinstance(expression, Slot):
            entry = ["s", expression.kind.value, expression.index]
        else:
            entry = ["x", expression.function, *map(self.add, expression.arguments)]
        key = tuple(tuple(each) if isinstance(each, list) else each for each in entry)
        if key not in self._known:
            self._known[key] = len(self.entries)
            self.entries.append(entry)
        return self._known[key]


def _plain(constant: Constant) -> Any:
    value = constant.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    return list(value) if isinstance(value, tuple) else value


# ---- and back
@lru_cache(maxsize=65_536)
def shared_call(function: str, arguments: tuple[Expression, ...]) -> Call:
    kind = (
        kinds.result(function, tuple(argument.kind for argument in arguments))
        if function in FUNCTIONS
        else None
    )
    if kind is None:
        raise ValueError(f"the function {function!r} does not take such arguments")
    return Call(kind, intern(function), arguments)


@lru_cache(maxsize=16_384)
def _shared_constant(kind: Kind, value: object) -> Constant:
    return Constant(kind, value)


@lru_cache(maxsize=16_384)
def _fact(kind: Kind, name: str) -> Fact:
    return Fact(kind, text_of(name))


@lru_cache(maxsize=16_384)
def _column(kind: Kind, name: str, image: str) -> Column:
    return Column(kind, text_of(name), one_of(text_of(image), {"", "old", "new"}))


@lru_cache(maxsize=4_096)
def _slot(kind: Kind, index: int) -> Slot:
    return Slot(kind, int_of(index))


@lru_cache(maxsize=4_096)
def shared_facts(facts: tuple[tuple[str, Kind], ...]) -> Mapping[str, Kind]:
    return MappingProxyType(dict(facts))


def _constant(kind: Kind, value: Any) -> Constant:
    return _shared_constant(kind, None if value is None else _VALUES[kind](value))


def _decimal(value: Any) -> Decimal:
    found = Decimal(text_of(value))
    if not found.is_finite():
        raise ValueError(f"{value} is no number")
    return found


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(text_of(value))
    if found.tzinfo is None:
        raise ValueError(f"{value} has no zone")
    return found.astimezone(UTC)


_VALUES: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.BOOL: lambda value: value if isinstance(value, bool) else refuse(value),
    Kind.INT: lambda value: int_of(value),
    Kind.NUMBER: _decimal,
    Kind.TEXT: lambda value: text_of(value),
    Kind.DATE: lambda value: date.fromisoformat(text_of(value)),
    Kind.TIME: _moment,
    Kind.DURATION: lambda value: timedelta(microseconds=int_of(value)),
    Kind.TEXTS: lambda value: texts_of(value),
    Kind.INTS: lambda value: tuple(map(int_of, list_of(value))),
}
LEAVES: Mapping[str, Callable[..., Expression]] = {"c": _constant, "f": _fact, "r": _column, "s": _slot}
