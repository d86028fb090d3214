"""Values out of JSON that is not trusted: each is of the type that is expected at its place, or refused.

All raise :class:`ValueError` for what is anything else.
"""

from __future__ import annotations

from sys import intern
from typing import Any, NoReturn

from ...expressions import Expression, Kind


def refuse(value: Any) -> NoReturn:
    raise ValueError(f"{value!r} is not expected here")


def one_of(value: Any, known: Any) -> Any:
    return value if value in known else refuse(value)


def text_of(value: Any) -> str:
    return intern(value) if isinstance(value, str) else refuse(value)


def int_of(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else refuse(value)


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else refuse(value)


def dict_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else refuse(value)


def texts_of(value: Any, known: Any = None) -> tuple[str, ...]:
    return tuple(text_of(each) if known is None else one_of(text_of(each), known) for each in list_of(value))


def condition_of(expression: Expression) -> Expression:
    if expression.kind is not Kind.BOOL:
        raise ValueError(f"a value of type {expression.kind} is no condition")
    return expression
