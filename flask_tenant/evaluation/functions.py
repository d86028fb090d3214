"""What each function does with values that are known."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .zones import day_end, day_of, day_start

_EXACT = decimal.Context(prec=100, traps=[decimal.InvalidOperation, decimal.Overflow, decimal.Inexact])


def _date(value: date, zone: str = "") -> date:
    return day_of(value, zone) if isinstance(value, datetime) else value


def _month_start(value: date) -> date:
    return value.replace(day=1)


def _month_end(value: date) -> date:
    # From the 28th, four days on are always in the next month: that one's first day less one.
    first = _month_start(value)
    if (first.year, first.month) == (9999, 12):
        return first.replace(day=31)
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, timedelta):
        a, b = b, a
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return _EXACT.add(a, b)
    return a + b


def _subtract(a: Any, b: Any) -> Any:
    return _EXACT.subtract(a, b) if isinstance(a, Decimal) or isinstance(b, Decimal) else a - b


def _multiply(a: Any, b: Any) -> Any:
    return _EXACT.multiply(a, b) if isinstance(a, Decimal) or isinstance(b, Decimal) else a * b


_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_CAPITAL = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}

WORK: dict[str, Callable[..., Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "startsWith": lambda a, b: a.startswith(b),
    "endsWith": lambda a, b: a.endswith(b),
    "contains": lambda a, b: b in a,
    "size": len,
    "lower": lambda a: a.translate(_SMALL),
    "upper": lambda a: a.translate(_CAPITAL),
    "month_start": _month_start,
    "month_end": _month_end,
    "date": _date,
    "day_start": day_start,
    "day_end": day_end,
}
