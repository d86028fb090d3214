"""Gives a condition its types: names become facts and columns, operators become calls, or an error says why not."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ...expressions import ZONE, Call, Column, Constant, Expression, Fact, Kind
from . import kinds
from .findings import ConditionError, nearest
from .syntax import Node, parse

METHODS = {"startsWith": 1, "endsWith": 1, "contains": 1, "size": 0}
FUNCTIONS = {"lower": 1, "upper": 1, "size": 1, "month_start": 1, "month_end": 1, "date": 1}
DURATIONS = {"days": timedelta(days=1), "hours": timedelta(hours=1), "minutes": timedelta(minutes=1)}
WORDS = (*FUNCTIONS, *DURATIONS, "timestamp")
LONGEST_DURATION = timedelta(days=36_600)
IMAGES = ("row", "old", "new")
HINTS = {
    "matches": "regular expressions are not read: use startsWith, endsWith or contains",
    "now": "now is a fact, not a function: write it without parentheses",
    "today": "today is a fact, not a function: write it without parentheses",
    "has": "write name != null",
    "duration": "use days(n), hours(n) or minutes(n)",
    "last": "last(n) says how to mask a column; a condition has no use for it",
    "first": "first(n) says how to mask a column; a condition has no use for it",
    "int": "nothing is converted",
    "string": "nothing is converted",
    "double": "nothing is converted",
    **dict.fromkeys(("all", "exists", "exists_one", "map", "filter"), "there are no macros: use in"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a condition may name at its place.

    :param facts: name -> kind
    :param tables: the tables that the rule is about, with their columns: what is named has to be in each of them;
        ``None`` where a rule is about no row
    :param images: whether ``old`` and ``new`` can be named
    :param rows: whether ``rows``, the number of rows of a result, can be named
    :param no_row: why no row can be named, for the message
    """

    facts: Mapping[str, Kind]
    tables: Mapping[str, Mapping[str, Kind | None]] | None = None
    images: bool = False
    rows: bool = False
    no_row: str = "this rule is about no row"

    def column(self, name: str, at: int = 0) -> Kind | None:
        """Return the kind of a column, which is the same in all tables; ``None`` for one of no known type.

        :raises ConditionError: when a table lacks it, or tables differ
        """
        found: dict[Kind | None, str] = {}
        for table, columns in (self.tables or {}).items():
            if name not in columns:
                raise ConditionError(
                    f'the table "{table}" has no column "{name}"{nearest(name, columns)}', at
                )
            found.setdefault(columns[name], table)
        if len(found) > 1:
            (one, first), (other, second) = list(found.items())[:2]
            raise ConditionError(
                f'the column "{name}" is {one or "of no known type"} in "{first}" and {other or "of no known type"} in'
                f' "{second}": make it two rules',
                at,
            )
        return next(iter(found), None)


def condition(text: str, names: Names) -> Expression:
    """Read a condition: something that is true, false or unknown.

    :raises ConditionError: with what was expected, and where
    """
    node = parse(text)
    found = typed(node, names)
    if found.kind is not Kind.BOOL:
        raise ConditionError(
            f"expected a condition, something true or false; this is a value of type {found.kind.value}",
            node.at,
        )
    return found


def value(text: str, names: Names) -> Expression:
    """Read an expression of any type.

    :raises ConditionError: with what was expected, and where
    """
    return typed(parse(text), names)


def typed(node: Node, names: Names) -> Expression:
    """Return a tree's typed expression.

    :raises ConditionError: with what was expected, and where
    """
    if node.what == "constant":
        found: Constant = node.value
        return found
    if node.what == "name":
        return _name(node, names)
    if node.what == "column":
        image, column = node.value
        if image not in IMAGES:
            raise ConditionError(f"only row, old and new have columns; {image} is none of them", node.at)
        return _column(node, image, column, names)
    if node.what == "list":
        return _list(node)
    if node.what == "call":
        return _function(node, names)
    if node.what == "method":
        return _method(node, names)
    if node.what == "null":
        raise ConditionError("null can be compared only: name == null, name != null", node.at)
    return _operator(node, names)


def _name(node: Node, names: Names) -> Expression:
    name: str = node.value
    first, _, rest = name.partition(".")
    if name == "rows":
        if not names.rows:
            raise ConditionError(
                "rows, the number of rows of a result, is known to result rules only", node.at
            )
        return Fact(Kind.INT, "rows")
    if first in IMAGES:
        if names.tables is not None and (not rest or "." in rest):
            raise ConditionError(f"expected a column, such as {first}.name, found {name}", node.at)
        return _column(node, first, rest, names)
    kind = names.facts.get(name)
    if kind is not None:
        return Fact(kind, name)
    if any(name in columns for columns in (names.tables or {}).values()):
        raise ConditionError(
            f'there is no fact "{name}"; the column is written {column_said("row", name)}', node.at
        )
    if name in WORDS:
        raise ConditionError(f'"{name}" is a function: it takes something in parentheses', node.at)
    hint = nearest(name, names.facts)
    if not hint and "." not in name:
        hint = f"""; the application tells facts (tenancy.facts), and a text stands in quotes: "'{name}'\""""
    raise ConditionError(f'there is no fact "{name}"{hint}', node.at)


def column_said(image: str, name: str) -> str:
    """Return a column as it is written in a condition; ``""`` as a name for the row itself."""
    if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        return f"{image}.{name}"
    return f"{image}[{json.dumps(name, ensure_ascii=False)}]" if name else image


def _column(node: Node, image: str, name: str, names: Names) -> Expression:
    if names.tables is None:
        raise ConditionError(f"{names.no_row}, so {column_said(image, name)} cannot be named", node.at)
    if image != "row" and not names.images:
        here = column_said("row", name)
        raise ConditionError(
            f"{column_said(image, name)} can be named in update rules only; here it is {here}", node.at
        )
    kind = names.column(name, node.at)
    if kind is None:
        raise ConditionError(f'the column "{name}" is of a type that conditions cannot compare', node.at)
    return Column(kind, name, "" if image == "row" else image)


def _list(node: Node) -> Constant:
    found: list[object] = []
    kind: Kind | None = None
    for child in node.children:
        item = child.value
        if child.what != "constant" or item.kind not in {Kind.TEXT, Kind.INT}:
            raise ConditionError(
                "expected a text or a whole number: other things do not stand in lists", child.at
            )
        if kind not in {None, item.kind}:
            raise ConditionError("expected items of one type: all texts, or all whole numbers", child.at)
        kind = item.kind
        found.append(item.value)
    return Constant(Kind.TEXTS if kind is Kind.TEXT else Kind.INTS, tuple(found))


# ---- functions and methods
def _function(node: Node, names: Names) -> Expression:
    name: str = node.value
    if name in DURATIONS:
        return _duration(node)
    if name in {"date", "timestamp"} and len(node.children) == 1:
        text = node.children[0].value
        if isinstance(text, Constant) and text.kind is Kind.TEXT:
            return _moment(name, str(text.value), node.children[0].at)
        if name == "timestamp":
            raise ConditionError(
                'expected a text in quotes, such as timestamp("2026-01-31T12:00:00Z")', node.at
            )
    if name not in FUNCTIONS:
        if name in METHODS:
            raise ConditionError(f"{name} is written after a value: name.{name}(…)", node.at)
        raise ConditionError(_unknown(name, "function", WORDS), node.at)
    return _call(name, FUNCTIONS[name], node, names)


def _method(node: Node, names: Names) -> Expression:
    name: str = node.value
    if name not in METHODS:
        if name in FUNCTIONS:
            raise ConditionError(f"{name} is written before a value: {name}(…)", node.at)
        raise ConditionError(_unknown(name, "method", METHODS), node.at)
    return _call(name, METHODS[name] + 1, node, names)


def _unknown(name: str, what: str, known: Collection[str]) -> str:
    hint = f"; {HINTS[name]}" if name in HINTS else nearest(name, known)
    return f'there is no {what} "{name}"{hint}'


def _call(name: str, count: int, node: Node, names: Names) -> Expression:
    if len(node.children) != count:
        given = len(node.children) - (node.what == "method")
        wanted = count - (node.what == "method")
        raise ConditionError(
            f"{name} takes {wanted or 'no'} argument{'s' * (wanted != 1)}, not {given}", node.at
        )
    arguments = tuple(typed(child, names) for child in node.children)
    if name == "date" and arguments[0].kind is Kind.TIME:
        return _day(arguments[0])
    if name in {"month_start", "month_end"}:
        arguments = tuple(map(_day, arguments))
    return _fitting(name, arguments, node)


def _day(expression: Expression) -> Expression:
    """Return a timestamp's date in the tenant's time zone; everything else as it is."""
    return Call(Kind.DATE, "date", (expression, ZONE)) if expression.kind is Kind.TIME else expression


def _duration(node: Node) -> Constant:
    count = node.children[0].value if len(node.children) == 1 else None
    if not isinstance(count, Constant) or count.kind is not Kind.INT:
        raise ConditionError(f"{node.value} takes one whole number, such as {node.value}(90)", node.at)
    number = int(str(count.value))
    if abs(number) > LONGEST_DURATION / DURATIONS[node.value]:
        raise ConditionError(f"expected at most 100 years, found {node.value}({number})", node.at)
    return Constant(Kind.DURATION, DURATIONS[node.value] * number)


def _moment(name: str, text: str, at: int) -> Constant:
    try:
        if name == "date":
            return Constant(Kind.DATE, date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return Constant(Kind.TIME, moment.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    wanted = (
        'a date such as "2026-01-31"'
        if name == "date"
        else 'a time and its zone such as "2026-01-31T12:00:00Z"'
    )
    raise ConditionError(f'expected {wanted}, found "{text}"', at)


# ---- operators
def _operator(node: Node, names: Names) -> Expression:
    symbol: str = node.value
    if symbol in {"/", "%"}:
        raise ConditionError(
            f"there is no {symbol}: it may fail on a row; multiply the other side instead", node.at
        )
    if symbol in kinds.EQUALITIES and any(child.what == "null" for child in node.children):
        return _known(symbol, node, names)
    arguments = tuple(typed(child, names) for child in node.children)
    if symbol == "?":
        return _fitting("if", arguments, node)
    if symbol == "-" and len(arguments) == 1:
        return _negative(arguments[0], node)
    if symbol in {"&&", "||", "!"}:
        for child, argument in zip(node.children, arguments, strict=True):
            if argument.kind is not Kind.BOOL:
                raise ConditionError(
                    f"{symbol} takes conditions; this is a value of type {argument.kind.value}", child.at
                )
    return _fitting(symbol, arguments, node)


def _known(symbol: str, node: Node, names: Names) -> Expression:
    others = [child for child in node.children if child.what != "null"]
    if len(others) != 1:
        raise ConditionError("expected a name beside null", node.at)
    known = Call(Kind.BOOL, "is_known", (typed(others[0], names),))
    return known if symbol == "!=" else Call(Kind.BOOL, "!", (known,))


def _negative(argument: Expression, node: Node) -> Expression:
    if argument.kind not in kinds.NUMBERS:
        raise ConditionError(
            f"expected a number after -, found a value of type {argument.kind.value}", node.at
        )
    if isinstance(argument, Constant) and isinstance(argument.value, int | Decimal):
        return Constant(argument.kind, -argument.value)
    return Call(argument.kind, "-", (Constant(Kind.INT, 0), argument))


def _fitting(function: str, arguments: tuple[Expression, ...], node: Node) -> Call:
    if (
        function in kinds.EQUALITIES | kinds.ORDERINGS
        and {argument.kind for argument in arguments} == kinds.DAYS
    ):
        arguments = tuple(
            map(_day, arguments)
        )  # said out loud, so that everyone who renders it means the same
    given = tuple(argument.kind for argument in arguments)
    if function in {"+", "-"} and Kind.DATE in given:
        span = next((each for each in arguments if each.kind is Kind.DURATION), None)
        if span is not None and (
            not isinstance(span, Constant)
            or not isinstance(span.value, timedelta)
            or span.value % timedelta(days=1)
        ):
            raise ConditionError(
                "a date takes whole days: days(n); hours and minutes go with a timestamp", node.at
            )
    kind = kinds.result(function, given)
    if kind is None:
        raise ConditionError(_misfit(function, given), node.at)
    return Call(kind, function, arguments)


_HINTS = {
    frozenset({Kind.NUMBER, Kind.TEXT}): ": a number stands without quotes, with a point: 1000.50",
    frozenset({Kind.INT, Kind.TEXT}): ": a number stands without quotes, a text within them",
    frozenset({Kind.BOOL, Kind.TEXT}): ": true and false stand without quotes",
    frozenset({Kind.DATE, Kind.INT}): ': a date is written date("2026-01-31")',
    frozenset({Kind.TIME, Kind.INT}): ': a time is written timestamp("2026-01-31T12:00:00Z")',
}
"""What operators mean when they compare values of these kinds."""


def _misfit(function: str, given: tuple[Kind, ...]) -> str:
    types = " and ".join(kind.value for kind in given)
    if function in kinds.ORDERINGS and set(given) == {Kind.TEXT}:
        return (
            f"texts have no order that every database shares: {function} takes numbers, dates and timestamps"
        )
    if function in kinds.EQUALITIES | kinds.ORDERINGS:
        if set(given) & kinds.DAYS and Kind.TEXT in given:
            return f'{function} cannot compare {types}: write date("2026-01-31") or timestamp("2026-01-31T12:00:00Z")'
        return f"{function} cannot compare {types}{_HINTS.get(frozenset(given), '')}"
    if function == "in":
        return f"in takes a text in a list of texts, or a whole number in a list of those, not {types}"
    if function == "if":
        return f"? : takes a condition and two values of one type, not {types}"
    if set(given) & kinds.DAYS and Kind.INT in given:
        return f"{function} does not take {types}: write a number of days as days(90)"
    return f"{function} does not take {types}"
