"""Which kinds of values each function takes, and what it gives."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from ..expressions import Kind

_LISTS = {Kind.TEXTS: Kind.TEXT, Kind.INTS: Kind.INT}
_NUMBERS = frozenset({Kind.INT, Kind.NUMBER})
_DAYS = frozenset({Kind.DATE, Kind.TIME})
_EQUALITIES = frozenset({"==", "!="})
_COMPARISONS = _EQUALITIES | {"<", "<=", ">", ">="}


def fits(function: str, kinds: tuple[Kind, ...], result: Kind) -> bool:
    """Whether a function takes arguments of these kinds and gives a value of that one."""
    if function in {"&&", "||"}:
        return bool(kinds) and _all(kinds, Kind.BOOL) and result is Kind.BOOL
    if function in {"!", "is_true", "not_false"}:
        return kinds == (Kind.BOOL,) and result is Kind.BOOL
    if function == "is_known":
        return len(kinds) == 1 and result is Kind.BOOL
    if function == "if":
        return len(kinds) == 3 and kinds[0] is Kind.BOOL and _become(kinds[1:], result)
    if function == "coalesce":
        return bool(kinds) and _become(kinds, result)
    if function == "size":
        return len(kinds) == 1 and (kinds[0] is Kind.TEXT or kinds[0] in _LISTS) and result is Kind.INT
    if function in {"lower", "upper"}:
        return kinds == (Kind.TEXT,) and result is Kind.TEXT
    if function in {"month_start", "month_end"}:
        return kinds == (Kind.DATE,) and result is Kind.DATE
    if function == "date":
        return kinds in {(Kind.DATE,), (Kind.TIME, Kind.TEXT)} and result is Kind.DATE
    if function in {"day_start", "day_end"}:
        return kinds == (Kind.DATE, Kind.TEXT) and result is Kind.TIME
    if len(kinds) != 2:
        return False
    if function in _COMPARISONS:
        orderly = function in _EQUALITIES or not ({Kind.BOOL, *_LISTS} & set(kinds))
        return orderly and result is Kind.BOOL and _alike(*kinds)
    if function == "in":
        return kinds[1] in _LISTS and _alike(kinds[0], _LISTS[kinds[1]]) and result is Kind.BOOL
    if function in {"startsWith", "endsWith", "contains"}:
        return _all(kinds, Kind.TEXT) and result is Kind.BOOL
    return _arithmetic(function, kinds, result)


def _arithmetic(function: str, kinds: tuple[Kind, ...], result: Kind) -> bool:
    if _NUMBERS.issuperset(kinds):
        return result is Kind.NUMBER or (result is Kind.INT and _all(kinds, Kind.INT))
    if function == "+" and _all(kinds, Kind.TEXT):
        return result is Kind.TEXT
    if function == "+" and kinds[0] is Kind.DURATION:
        kinds = (kinds[1], kinds[0])
    return function in {"+", "-"} and kinds[0] in _DAYS and kinds[1] is Kind.DURATION and result is kinds[0]


def _all(kinds: Iterable[Kind], kind: Kind) -> bool:
    return all(one is kind for one in kinds)


def _alike(a: Kind, b: Kind) -> bool:
    return a is b or (a in _NUMBERS and b in _NUMBERS)


def _become(kinds: tuple[Kind, ...], result: Kind) -> bool:
    return all(_alike(a, b) for a, b in pairwise(kinds)) and _alike(kinds[0], result)
