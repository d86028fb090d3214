"""Turns an expression into a function: leaves read, calls work out what their arguments give."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ..errors import RuleEngineError
from ..expressions import FUNCTIONS, Call, Column, Constant, Expression, Fact, Kind, Slot
from .functions import WORK
from .logic import LAZY, NOTHING, Program
from .signatures import fits
from .values import EXACT, coerce


@lru_cache(maxsize=4096)
def compiled(expression: Expression) -> Program:
    """Turn an expression into a function of row, old row, facts and values of slots.

    :raises RuleEngineError: when the expression's own types do not fit together
    """
    return _build(expression)


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
    if not fits(call.function, kinds, call.kind):
        given = ", ".join(kinds)
        raise RuleEngineError(
            f"The function {call.function!r} does not take ({given}) to give {call.kind.value}", value=call
        )
    arguments = tuple(map(_build, call.arguments))
    if call.function in LAZY:
        return LAZY[call.function](arguments)
    return _strict(call, arguments)


def _strict(call: Call, arguments: tuple[Program, ...]) -> Program:
    """A function that is unknown as soon as an argument is."""
    function = call.function
    work = WORK[function]
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
