"""Rows as rules see them: raw columns, with values of the types that the database declares."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import RuleEngineError
from ...expressions import Column, Expression, Kind, walk
from ..hidden import folded

if TYPE_CHECKING:
    from ..live import LiveSchema, LiveTable

Row = Mapping[str, Any]


@lru_cache(4096)
def kinds_of(expression: Expression) -> tuple[tuple[str, Kind, str], ...]:
    """Return (name, kind, image) of each column that an expression reads."""
    return tuple({(e.name, e.kind, e.image) for e in walk(expression) if isinstance(e, Column)})


def typed(value: Any, kind: Kind, column: str) -> Any:
    """Return a driver's value as its column's kind wants it. SQLite keeps dates as texts, and truth as a number.

    :raises RuleEngineError: for what cannot be read as that kind
    """
    if value is None:
        return None
    try:
        if kind is Kind.DATE and isinstance(value, str):
            return date.fromisoformat(value)
        if kind is Kind.DATE and isinstance(value, datetime):
            return value.date()
        if kind is Kind.TIME and isinstance(value, str):
            value = datetime.fromisoformat(value)
        if kind is Kind.TIME and isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if kind is Kind.BOOL and type(value) is int and value in (0, 1):
            return bool(value)
        if kind is Kind.NUMBER and isinstance(value, str):
            return Decimal(value)
        if kind is Kind.TEXT and not isinstance(value, str | bytes):
            return str(value)
    except (ValueError, ArithmeticError) as error:
        raise RuleEngineError(
            f"The value {value!r} of column {column!r} is no {kind.value}", value=value
        ) from error
    return value


def told(value: Any, kind: Kind | None) -> Any:
    """Return a driver's value as a hook gets it: dates, times in UTC, decimals, truth values, on every database alike.

    :param kind: as the column is declared; ``None`` for those whose values every driver gives alike. What cannot be
        read as that kind, as SQLite keeps anything in any column, stays as it is.
    """
    if value is None or kind is None:
        return value
    if kind is Kind.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value))
    try:
        return typed(value, kind, "")
    except RuleEngineError:
        return value


def stored(value: Any, kind: Kind, *, sqlite: bool, zoned: bool) -> Any:
    """Return a rule's value as the driver keeps it in a column.

    :param zoned: whether the column keeps time zones
    """
    if isinstance(value, datetime):
        value = value.astimezone(UTC)
        if sqlite:
            return value.replace(tzinfo=None).isoformat(" ", "microseconds")
        return value if zoned else value.replace(tzinfo=None)
    if not sqlite:
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and kind is Kind.INT else float(value)
    return value


_DECLARED = (
    ("timestamp", Kind.TIME), ("datetime", Kind.TIME), ("date", Kind.DATE), ("bool", Kind.BOOL),
    ("numeric", Kind.NUMBER), ("decimal", Kind.NUMBER),
)  # fmt: skip


def declared(table: LiveTable | None) -> dict[str, Kind]:
    """Return the kinds of columns whose values SQLite gives back as something else."""
    found = {}
    for column in table.columns if table is not None else ():
        kind = next((kind for word, kind in _DECLARED if column.type.startswith(word)), None)
        if kind is not None:
            found[column.name] = kind
    return found


def padded(table: LiveTable | None) -> frozenset[str]:
    """Return the columns whose values PostgreSQL fills up with blanks (``char(n)``), which mean nothing to it."""
    columns = table.columns if table is not None else ()
    return frozenset(c.name for c in columns if c.type.startswith("character") and "varying" not in c.type)


def live_table(live: LiveSchema, name: str, schema: str | None) -> LiveTable | None:
    """Return a table as it stands in the database."""
    places = live.search if schema is None else (live.relative(schema),)
    for table in live.tables:
        same = folded(table.name) == folded(name) if live.dialect == "sqlite" else table.name == name
        if same and table.schema in places:
            return table
    return None
