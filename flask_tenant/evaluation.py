"""Works an expression out in Python, exactly as :data:`~flask_tenant.expressions.FUNCTIONS` says.

Logic is Kleene's, ``None`` is what is not known, and nothing is compared loosely: a value of another type than the
expression says is an error, never an answer. Decimals know neither NaN nor infinity, and no digit is rounded away.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeAlias

from .errors import RuleEngineError
from .expressions import FUNCTIONS, Call, Column, Constant, Expression, Fact, Kind, Slot

NOTHING: Mapping[str, Any] = MappingProxyType({})

Program: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Sequence[Any]], Any]
"""What :func:`compiled` makes: called with row, old row, facts and values of slots."""

_EXACT = decimal.Context(prec=100, traps=[decimal.InvalidOperation, decimal.Overflow, decimal.Inexact])
_LISTS = {Kind.TEXTS: Kind.TEXT, Kind.INTS: Kind.INT}
_NUMBERS = frozenset({Kind.INT, Kind.NUMBER})
_DAYS = frozenset({Kind.DATE, Kind.TIME})


def evaluate(
    expression: Expression,
    *,
    row: Mapping[str, Any] = NOTHING,
    old: Mapping[str, Any] = NOTHING,
    facts: Mapping[str, Any] = NOTHING,
    values: Sequence[Any] = (),
) -> Any:
    """Return an expression's value, ``None`` when it is unknown.

    :param row: column -> value; a column that is missing is unknown
    :param old: the row as it was, for columns of the image ``old``
    :param facts: name -> value; a fact that is missing is unknown
    :param values: of the slots, by index
    :raises RuleEngineError: for a value of the wrong type, a slot without a value, a sum that has too many digits
    """
    return compiled(expression)(row, old, facts, values)


@lru_cache(maxsize=4096)
def compiled(expression: Expression) -> Program:
    """Turn an expression into a function of row, old row, facts and values of slots.

    :raises RuleEngineError: when the expression's own types do not fit together
    """
    return _build(expression)


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


# ---- leaves
def _build(expression: Expression) -> Program:
    if isinstance(expression, Constant):
        constant = coerce(expression.kind, expression.value)
        return lambda row, old, facts, values: constant
    if isinstance(expression, Fact):
        return _fact(expression)
    if isinstance(expression, Column):
        return _column(expression)
    if isinstance(expression, Slot):
        return _slot(expression)
    return _call(expression)


def _fact(fact: Fact) -> Program:
    name, kind, good = fact.name, fact.kind, EXACT.get(fact.kind)

    def read(row: Any, old: Any, facts: Any, values: Any) -> Any:
        value = facts.get(name)
        if value is None or value.__class__ is good:
            return value
        try:
            return coerce(kind, value)
        except RuleEngineError as error:
            raise RuleEngineError(f"The fact {name}: {error.message}", value=value, hint=error.hint) from None

    return read


def _column(column: Column) -> Program:
    name, kind, good, past = column.name, column.kind, EXACT.get(column.kind), column.image == "old"

    def read(row: Any, old: Any, facts: Any, values: Any) -> Any:
        value = (old if past else row).get(name)
        if value is None or value.__class__ is good:
            return value
        try:
            return coerce(kind, value, zone="UTC")
        except RuleEngineError as error:
            raise RuleEngineError(
                f"The column {name}: {error.message}", value=value, hint=error.hint
            ) from None

    return read


def _slot(slot: Slot) -> Program:
    index, kind = slot.index, slot.kind

    def read(row: Any, old: Any, facts: Any, values: Any) -> Any:
        if not 0 <= index < len(values):
            raise RuleEngineError(f"No value was given for slot {index}", value=index)
        return coerce(kind, values[index])

    return read


# ---- functions
def _call(call: Call) -> Program:
    if call.function not in FUNCTIONS:
        raise RuleEngineError(f"There is no function {call.function!r}", value=call.function)
    kinds = tuple(argument.kind for argument in call.arguments)
    if not _fits(call.function, kinds, call.kind):
        given = ", ".join(kinds)
        raise RuleEngineError(
            f"The function {call.function!r} does not take ({given}) to give {call.kind.value}", value=call
        )
    arguments = tuple(map(_build, call.arguments))
    if call.function in _LAZY:
        return _LAZY[call.function](arguments)
    return _strict(call, kinds, arguments)


def _strict(call: Call, kinds: tuple[Kind, ...], arguments: tuple[Program, ...]) -> Program:
    """A function that is unknown as soon as an argument is."""
    function = call.function
    work = _WORK[function]
    if function in _COMPARISONS and set(kinds) == _DAYS:
        work = _by_day(work)
    number = call.kind is Kind.NUMBER

    def failed(error: Exception) -> RuleEngineError:
        return RuleEngineError(
            f"{function!r} cannot be worked out: {type(error).__name__} {error}", value=call
        )

    if len(arguments) == 1:
        (only,) = arguments

        def of_one(row: Any, old: Any, facts: Any, values: Any) -> Any:
            value = only(row, old, facts, values)
            if value is None:
                return None
            try:
                return work(value)
            except (ArithmeticError, ValueError) as error:
                raise failed(error) from error

        return of_one
    left, right = arguments
    if isinstance(call.arguments[1], Constant) and not number:
        return _with_constant(left, right(NOTHING, NOTHING, NOTHING, ()), work, failed)
    if isinstance(call.arguments[0], Constant) and not number:
        return _with_constant(right, left(NOTHING, NOTHING, NOTHING, ()), lambda a, b: work(b, a), failed)

    def of_two(row: Any, old: Any, facts: Any, values: Any) -> Any:
        first, second = left(row, old, facts, values), right(row, old, facts, values)
        if first is None or second is None:
            return None
        try:
            found = work(first, second)
        except (ArithmeticError, ValueError) as error:
            raise failed(error) from error
        return Decimal(found) if number and found.__class__ is int else found

    return of_two


def _with_constant(
    side: Program,
    constant: Any,
    work: Callable[[Any, Any], Any],
    failed: Callable[[Exception], RuleEngineError],
) -> Program:
    """The usual case of two arguments: one stands in the rule file."""

    def of_one_and_constant(row: Any, old: Any, facts: Any, values: Any) -> Any:
        value = side(row, old, facts, values)
        if value is None or constant is None:
            return None
        try:
            return work(value, constant)
        except (ArithmeticError, ValueError) as error:
            raise failed(error) from error

    return of_one_and_constant


def _by_day(work: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A timestamp and a date are compared by the timestamp's date in UTC."""
    return lambda a, b: work(_day(a), _day(b))


def _day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


def _month_start(value: Any) -> date:
    return _day(value).replace(day=1)


def _month_end(value: Any) -> date:
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

_WORK: dict[str, Callable[..., Any]] = {
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
    "date": _day,
}
_EQUALITIES = frozenset({"==", "!="})
_COMPARISONS = _EQUALITIES | {"<", "<=", ">", ">="}


# ---- logic: each sees what is unknown
def _both(arguments: tuple[Program, ...]) -> Program:
    def run(row: Any, old: Any, facts: Any, values: Any) -> bool | None:
        found: bool | None = True
        for argument in arguments:
            value = argument(row, old, facts, values)
            if value is False:
                return False
            if value is None:
                found = None
        return found

    return run


def _either(arguments: tuple[Program, ...]) -> Program:
    def run(row: Any, old: Any, facts: Any, values: Any) -> bool | None:
        found: bool | None = False
        for argument in arguments:
            value = argument(row, old, facts, values)
            if value is True:
                return True
            if value is None:
                found = None
        return found

    return run


def _choice(arguments: tuple[Program, ...]) -> Program:
    test, then, otherwise = arguments
    return lambda row, old, facts, values: (then if test(row, old, facts, values) is True else otherwise)(
        row, old, facts, values
    )


def _first_known(arguments: tuple[Program, ...]) -> Program:
    def run(row: Any, old: Any, facts: Any, values: Any) -> Any:
        for argument in arguments:
            value = argument(row, old, facts, values)
            if value is not None:
                return value
        return None

    return run


def _of_truth(answers: Mapping[bool | None, bool | None]) -> Callable[[tuple[Program, ...]], Program]:
    def make(arguments: tuple[Program, ...]) -> Program:
        (only,) = arguments
        return lambda row, old, facts, values: answers[only(row, old, facts, values)]

    return make


def _known(arguments: tuple[Program, ...]) -> Program:
    (only,) = arguments
    return lambda row, old, facts, values: only(row, old, facts, values) is not None


_LAZY: dict[str, Callable[[tuple[Program, ...]], Program]] = {
    "&&": _both,
    "||": _either,
    "!": _of_truth({True: False, False: True, None: None}),
    "if": _choice,
    "coalesce": _first_known,
    "is_true": _of_truth({True: True, False: False, None: False}),
    "not_false": _of_truth({True: True, False: False, None: True}),
    "is_known": _known,
}


# ---- types
def _fits(function: str, kinds: tuple[Kind, ...], result: Kind) -> bool:
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
    if function in {"month_start", "month_end", "date"}:
        return len(kinds) == 1 and kinds[0] in _DAYS and result is Kind.DATE
    if len(kinds) != 2:
        return False
    if function in _COMPARISONS:
        orderly = function in _EQUALITIES or not ({Kind.BOOL, *_LISTS} & set(kinds))
        return orderly and result is Kind.BOOL and (_alike(*kinds) or set(kinds) == _DAYS)
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
