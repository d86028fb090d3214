"""Which function takes what: the types of conditions. Nothing is converted by guessing."""

from __future__ import annotations

from ...expressions import Kind

NUMBERS = frozenset({Kind.INT, Kind.NUMBER})
DAYS = frozenset({Kind.DATE, Kind.TIME})
ITEMS = {Kind.TEXTS: Kind.TEXT, Kind.INTS: Kind.INT}
LOGIC = frozenset({"&&", "||", "!", "is_true", "not_false", "is_known"})
EQUALITIES = frozenset({"==", "!="})
ORDERINGS = frozenset({"<", "<=", ">", ">="})
NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_ORDERED = NUMBERS | DAYS | {Kind.DURATION}


def alike(one: Kind, other: Kind) -> bool:
    """Whether two values can be compared: one type, or numbers of either."""
    return one is other or {one, other} <= NUMBERS


def result(function: str, kinds: tuple[Kind, ...]) -> Kind | None:
    """Return the kind of what a function gives, ``None`` when it does not take arguments of these kinds."""
    one = kinds[0] if kinds else None
    if function in {"&&", "||"}:
        return Kind.BOOL if kinds and set(kinds) == {Kind.BOOL} else None
    if len(kinds) == 1 and one is not None:
        return _of_one(function, one)
    if len(kinds) == 3 and function == "if" and one is Kind.BOOL:
        return _together(kinds[1:])
    if function == "coalesce" and kinds:
        return _together(kinds)
    return _of_two(function, *kinds) if len(kinds) == 2 else None


def _together(kinds: tuple[Kind, ...]) -> Kind | None:
    if len(set(kinds)) == 1:
        return kinds[0]
    return Kind.NUMBER if set(kinds) == NUMBERS else None


def _of_one(function: str, kind: Kind) -> Kind | None:
    if function in {"!", "is_true", "not_false"}:
        return Kind.BOOL if kind is Kind.BOOL else None
    if function == "is_known":
        return Kind.BOOL
    if function == "coalesce":
        return kind
    if function == "size":
        return Kind.INT if kind is Kind.TEXT or kind in ITEMS else None
    if function in {"lower", "upper"}:
        return Kind.TEXT if kind is Kind.TEXT else None
    if function in {"month_start", "month_end", "date"}:
        return Kind.DATE if kind is Kind.DATE else None
    return None


def _of_two(function: str, one: Kind, other: Kind) -> Kind | None:
    if function in EQUALITIES:
        return Kind.BOOL if alike(one, other) and one not in ITEMS else None
    if function in ORDERINGS:
        # No two databases put texts into the same order.
        return Kind.BOOL if alike(one, other) and one in _ORDERED else None
    if function == "in":
        return Kind.BOOL if ITEMS.get(other) is one else None
    if function == "date":
        return Kind.DATE if one is Kind.TIME and other is Kind.TEXT else None
    if function in {"day_start", "day_end"}:
        return Kind.TIME if one is Kind.DATE and other is Kind.TEXT else None
    if function in {"startsWith", "endsWith", "contains"}:
        return Kind.BOOL if one is other is Kind.TEXT else None
    if function == "+":
        if one in DAYS and other is Kind.DURATION:
            return one
        if one is other is Kind.TEXT:
            return Kind.TEXT
        return _sum(one, other)
    if function == "-":
        return one if one in DAYS and other is Kind.DURATION else _sum(one, other)
    return _sum(one, other) if function == "*" else None


def _sum(one: Kind, other: Kind) -> Kind | None:
    if {one, other} <= NUMBERS:
        return Kind.INT if one is other is Kind.INT else Kind.NUMBER
    return None
