"""Values as expressions work with them: nothing is converted by guessing, and nothing is rounded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ..errors import RuleEngineError
from ..expressions import Kind


def coerce(kind: Kind, value: Any, *, zone: str = "") -> Any:
    """Return a value as its kind wants it: numbers as Decimal, timestamps in UTC, lists as tuples, None as it is.

    :param zone: ``UTC`` for timestamps from a database, which come without a zone
    :raises RuleEngineError: when it is of another type, is NaN or infinite, or is a timestamp without a zone
    """
    if value is None:
        return None
    found = _COERCE[kind](value)
    if found is None and kind is Kind.TIME and zone == "UTC" and isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if found is None:
        why = " without a zone" if kind is Kind.TIME and isinstance(value, datetime) else ""
        raise RuleEngineError(
            f"A value of type {type(value).__name__}{why} is no {kind.value}",
            value=value,
            hint="Give it the type that is declared for it: nothing is converted by guessing",
        )
    return found


def _decimal(value: Any) -> Decimal | None:
    if type(value) is bool:
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        found = Decimal(repr(float(value)))
        return found if found.is_finite() else None
    return None


def _utc(value: Any) -> datetime | None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def _list_of(item: Callable[[Any], Any], exact: type) -> Callable[[Any], tuple[Any, ...] | None]:
    only = {exact}

    def coerced(value: Any) -> tuple[Any, ...] | None:
        if value.__class__ is tuple and set(map(type, value)) == only:
            return value
        if isinstance(value, set | frozenset):
            try:
                value = sorted(value)
            except TypeError:
                return None
        if not isinstance(value, list | tuple):
            return None
        found = tuple(map(item, value))
        return found if None not in found else None

    return coerced


def _text(value: Any) -> str | None:
    return str.__str__(value) if isinstance(value, str) else None


def _int(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and type(value) is not bool else None


def _date(value: Any) -> date | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


_COERCE: dict[Kind, Callable[[Any], Any]] = {
    Kind.BOOL: lambda value: value if type(value) is bool else None,
    Kind.INT: _int,
    Kind.NUMBER: _decimal,
    Kind.TEXT: _text,
    Kind.DATE: _date,
    Kind.TIME: _utc,
    Kind.DURATION: lambda value: value if isinstance(value, timedelta) else None,
    Kind.TEXTS: _list_of(_text, str),
    Kind.INTS: _list_of(_int, int),
}
EXACT = {Kind.BOOL: bool, Kind.INT: int, Kind.TEXT: str, Kind.DATE: date, Kind.DURATION: timedelta}
"""Kinds of which every value of exactly this type is good."""
