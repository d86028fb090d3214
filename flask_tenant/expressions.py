"""What rules say, as a value: the typed tree to which every condition, filter and mask of a rule file is compiled.

It executes nothing. ``isolate`` renders it to SQL, and ``rules`` works it out in Python; both know each function of
:data:`FUNCTIONS` and no other. A value that is not known is ``None`` here and NULL there, and logic is three-valued
(Kleene's) in both.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias


class Kind(enum.StrEnum):
    """The type of an expression's value."""

    BOOL = "bool"
    INT = "int"
    NUMBER = "number"  # decimal.Decimal
    TEXT = "text"
    DATE = "date"
    TIME = "timestamp"  # datetime in UTC, with its zone
    DURATION = "duration"  # datetime.timedelta
    TEXTS = "list(text)"
    INTS = "list(int)"


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the rule file. ``value`` is hashable; a list is a tuple."""

    kind: Kind
    value: object


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the request, such as ``user.id``: it is the same for all rows."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row in question.

    :param image: for rules about UPDATE: ``new`` or ``old``; ``""`` where there is only one
    """

    kind: Kind
    name: str
    image: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value that is worked out for each statement, and bound.

    :param index: into the values that come with the decision
    """

    kind: Kind
    index: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator of :data:`FUNCTIONS` with its arguments."""

    kind: Kind
    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Constant | Fact | Column | Slot | Call

ZONE = Fact(Kind.TEXT, "tenant.timezone")
"""In which time zone days begin and end."""
TRUE = Constant(Kind.BOOL, True)
FALSE = Constant(Kind.BOOL, False)

FUNCTIONS: MappingProxyType[str, str] = MappingProxyType(
    {
        "&&": "both; false as soon as one side is false, else unknown as soon as one is unknown",
        "||": "either; true as soon as one side is true, else unknown as soon as one is unknown",
        "!": "not; of unknown: unknown",
        "==": "equal, for two values of one type (numbers of either)",
        "!=": "not equal; unknown when a side is unknown",
        "<": "less",
        "<=": "less or equal",
        ">": "greater",
        ">=": "greater or equal",
        "in": "a value in a list: true if found; unknown when the value is",
        "+": "sum of numbers; a date or timestamp plus a duration; two texts joined",
        "-": "difference of numbers; a date or timestamp minus a duration",
        "*": "product of numbers",
        "startsWith": "whether a text begins with another, letter by letter",
        "endsWith": "whether a text ends with another",
        "contains": "whether a text holds another",
        "size": "how many characters a text has, or items a list",
        "lower": "a text in small letters (ASCII only, as every database does it alike)",
        "upper": "a text in capital letters (ASCII only)",
        "month_start": "the first day of a date's month",
        "month_end": "the last day of a date's month",
        "date": "a date as it is; the date of a timestamp in a time zone",
        "day_start": "the first instant of a date in a time zone; never asked of a row",
        "day_end": "the first instant of the next date in a time zone; never asked of a row",
        "if": "the second argument where the first is true, else the third",
        "coalesce": "the first argument that is known",
        "is_true": "true where the argument is true, false where it is false or unknown",
        "not_false": "true where the argument is true or unknown, false where it is false",
        "is_known": "whether the argument is known",
    }
)
"""Every function, and what it means. Those not said otherwise are unknown when an argument is."""


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all within it."""
    yield expression
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from walk(argument)
