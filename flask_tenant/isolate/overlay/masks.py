"""What a column shows in place of its value.

The text is of the column's own type, so that comparisons, joins and set operations with it go on working.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from ...decision import STARS, Mask, Means
from ...errors import RuleEngineError
from ...expressions import Kind
from ..live import LiveColumn
from .render import Dialect, Place, known, literal, render

_NUMBERS = ("int", "numeric", "decimal", "real", "double", "float", "bigint", "smallint", "money")
_TEXTS = ("text", "char", "clob", "string", "citext", "name")


def is_text(declared: str) -> bool:
    """Whether a column of this type holds text."""
    return any(word in declared for word in _TEXTS) and "[]" not in declared


def masked(mask: Mask, column: LiveColumn, raw: str, place: Place) -> str:
    """Return what a column shows.

    :param raw: the column itself, qualified
    """
    shown = _shown(mask, column, raw, place)
    if mask.applies is None:
        return shown
    return f"(CASE WHEN {render(mask.applies, place)} IS NOT FALSE THEN {shown} ELSE {raw} END)"


def nothing(column: LiveColumn, dialect: Dialect) -> str:
    """Return NULL as a value of the column."""
    return _typed("NULL", column, dialect)


def _shown(mask: Mask, column: LiveColumn, raw: str, place: Place) -> str:
    dialect = place.dialect
    if mask.means is Means.CONSTANT:
        return _typed(literal(kind_of(mask.value), mask.value, dialect), column, dialect)
    if mask.means is Means.EMPTY or not is_text(column.type):
        # a part of what is no text would be of another type: nothing of it is shown
        return _typed(_empty(column, dialect), column, dialect)
    count = int(mask.count)
    text = raw if dialect == "sqlite" else f"CAST({raw} AS text)"
    if mask.means is Means.LAST:
        part = f"substr({text}, -{count})" if dialect == "sqlite" else f"right({text}, {count})"
        part = f"'{STARS}' || {part}"
    else:
        part = f"substr({text}, 1, {count}) || '{STARS}'"
    part = f"CASE WHEN length({text}) > {count} THEN {part} ELSE '{STARS}' END" if count else f"'{STARS}'"
    return _typed(f"(CASE WHEN {known(raw, dialect)} THEN {part} END)", column, dialect)


def _empty(column: LiveColumn, dialect: Dialect) -> str:
    if column.nullable:
        return "NULL"
    declared = column.type
    if is_text(declared):
        return "''"
    if declared.startswith("bool"):
        return "0" if dialect == "sqlite" else "FALSE"
    if any(word in declared for word in _NUMBERS) and "[]" not in declared and "interval" not in declared:
        return "0"
    return "NULL"


def kind_of(value: Any) -> Kind:
    """Return the kind of a constant.

    :raises RuleEngineError: for a value that is no constant of a rule file
    """
    if value is None or isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, bool):
        return Kind.BOOL
    if isinstance(value, int):
        return Kind.INT
    if isinstance(value, Decimal | float):
        return Kind.NUMBER
    if isinstance(value, dt.datetime):
        return Kind.TIME
    if isinstance(value, dt.date):
        return Kind.DATE
    raise RuleEngineError(f"A mask cannot show a value of type {type(value).__name__}", value=value)


def _typed(text: str, column: LiveColumn, dialect: Dialect) -> str:
    """Return a value as one of the column's own type."""
    if dialect == "sqlite":
        return text
    return f"CAST({text} AS {column.type})"
