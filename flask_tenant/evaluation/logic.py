"""Kleene's logic, and the other functions that see what is unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

NOTHING: Mapping[str, Any] = MappingProxyType({})

Program: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Sequence[Any]], Any]
"""What :func:`compiled` makes: called with row, old row, facts and values of slots."""


def _until(decisive: bool) -> Callable[[tuple[Program, ...]], Program]:
    """AND ends with the first ``False``, OR with the first ``True``; else what is unknown leaves it unknown."""

    def made(arguments: tuple[Program, ...]) -> Program:
        def run(row: Any, old: Any, facts: Any, values: Any) -> bool | None:
            found: bool | None = not decisive
            for argument in arguments:
                value: bool | None = argument(row, old, facts, values)
                if value is decisive:
                    return decisive
                if value is None:
                    found = None
            return found

        return run

    return made


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


LAZY: dict[str, Callable[[tuple[Program, ...]], Program]] = {
    "&&": _until(False),
    "||": _until(True),
    "!": _of_truth({True: False, False: True, None: None}),
    "if": _choice,
    "coalesce": _first_known,
    "is_true": _of_truth({True: True, False: False, None: False}),
    "not_false": _of_truth({True: True, False: False, None: True}),
    "is_known": _known,
}
