"""Works an expression out in Python, exactly as :data:`~flask_tenant.expressions.FUNCTIONS` says.

Logic is Kleene's, ``None`` is what is not known, and nothing is compared loosely: a value of another type than the
expression says is an error, never an answer. Decimals know neither NaN nor infinity, and no digit is rounded away.

programs.py     an expression becomes a function
signatures.py   which kinds of values functions take
functions.py    what they do with values that are known
logic.py        what sees the unknown
values.py       values of each kind
zones.py        days in a time zone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..expressions import Expression
from .logic import NOTHING, Program
from .programs import compiled
from .values import EXACT, coerce

__all__ = ["EXACT", "NOTHING", "Program", "coerce", "compiled", "evaluate"]


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
