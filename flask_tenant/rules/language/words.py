"""Notations of effects: how a mask, a message and a value are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from ...decision import Mask, Means
from ...expressions import Constant, Expression, Kind
from . import conditions
from .conditions import Names
from .findings import ConditionError
from .syntax import parse

LONGEST_PARTIAL = 32
"""Characters of a text that a mask may leave."""

_MASKS = """expected empty, last(n), first(n) or a constant such as 0 or "'secret'\""""
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def mask(text: str, kind: Kind | None, rule: str) -> Mask:
    """Read how a column of this kind is masked: ``empty``, ``last(4)``, ``first(4)`` or a constant.

    :raises ConditionError: when it is anything else, or does not go with the column
    """
    try:
        node = parse(text)
    except ConditionError:
        raise ConditionError(f"{_MASKS}, found {text}") from None
    if node.what == "name" and node.value == "empty":
        return Mask(Means.EMPTY, rule=rule)
    if node.what == "call" and node.value in {"last", "first"}:
        count = node.children[0].value if len(node.children) == 1 else None
        number = count.value if isinstance(count, Constant) and count.kind is Kind.INT else 0
        if not isinstance(number, int) or not 1 <= number <= LONGEST_PARTIAL:
            raise ConditionError(
                f"{node.value} takes a number of characters from 1 to {LONGEST_PARTIAL}", node.at
            )
        if kind is not Kind.TEXT:
            raise ConditionError(
                f"{node.value} masks texts; this column is {kind or 'of no known type'}", node.at
            )
        return Mask(Means.LAST if node.value == "last" else Means.FIRST, count=number, rule=rule)
    if node.what in {"name", "null"} or (node.what == "call" and node.value not in conditions.WORDS):
        raise ConditionError(f"{_MASKS}, found {text}", node.at)
    constant = conditions.typed(node, Names({}))
    if not isinstance(constant, Constant):
        raise ConditionError(f"{_MASKS}, found {text}", node.at)
    if constant.kind is Kind.INT and kind is Kind.NUMBER:
        return Mask(Means.CONSTANT, Decimal(str(constant.value)), rule=rule)
    if constant.kind is not kind:
        raise ConditionError(
            f"expected a constant of type {kind or 'empty'}, as the column is, found {constant.kind}",
            node.at,
        )
    return Mask(Means.CONSTANT, constant.value, rule=rule)


def message(text: str, names: Names) -> Iterator[str | Expression]:
    """Yield a message's text and the facts and columns in it.

    :raises ConditionError: for a brace that is alone, or what is no name in one
    """
    pending, at = "", 0
    for match in _PLACEHOLDER.finditer(text):
        pending += text[at : match.start()]
        at = match.end()
        if match[0] in {"{{", "}}"}:
            pending += match[0][0]
            continue
        if match[1] is None:
            raise ConditionError(
                f'a brace that means itself is written twice: "{match[0] * 2}"', match.start()
            )
        try:
            node = parse(match[1].strip())
        except ConditionError:
            node = None
        if node is None or node.what not in {"name", "column"}:
            raise ConditionError('expected {row.column}, {row["column"]} or {fact}', match.start())
        try:
            part = conditions.typed(node, names)
        except ConditionError as error:
            raise ConditionError(error.message, match.start() + 1) from None
        if pending:
            yield pending
        pending = ""
        yield part
    if pending + text[at:]:
        yield pending + text[at:]


def value(text: str, kind: Kind | None, names: Names) -> Expression:
    """Read what is put into a column of this kind.

    :raises ConditionError: when it is of another type
    """
    if kind is None:
        raise ConditionError("the column is of a type that rules cannot set")
    if text in {"", "~", "null"}:
        return Constant(kind, None)
    found = conditions.value(text, names)
    if found.kind is kind:
        return found
    if {found.kind, kind} == {Kind.INT, Kind.NUMBER} and kind is Kind.NUMBER:
        if isinstance(found, Constant):
            return Constant(kind, Decimal(str(found.value)))
        return found
    hint = "; a date of a timestamp is date(…)" if (found.kind, kind) == (Kind.TIME, Kind.DATE) else ""
    raise ConditionError(f"expected {kind.value}, as the column is, found {found.kind.value}{hint}")
