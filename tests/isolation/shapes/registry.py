"""Shapes by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.isolation.oracle import Case, core, orm

Variants = Callable[[str], Iterator[Any]]


@dataclass(frozen=True)
class Shape:
    """A family of statements.

    :param variants: takes the dialect's name, and yields statements, (statement, parameters) pairs, functions of a
        session, or whole cases
    :param only: the one database that has it, or ``""``
    """

    name: str
    variants: Variants
    only: str = ""

    def cases(self, dialect: str) -> list[Case]:
        """All variants, ready to run."""
        return [_case(v) for v in self.variants(dialect)]


def _case(variant: Any) -> Case:
    if isinstance(variant, Case):
        return variant
    if isinstance(variant, tuple):
        return core(*variant)
    if callable(variant) and not hasattr(variant, "compile"):
        return orm(variant)
    return core(variant)


SHAPES: list[Shape] = []


def shape(*, only: str = "") -> Callable[[Variants], Variants]:
    """Register a generator as a shape."""

    def register(variants: Variants) -> Variants:
        SHAPES.append(Shape(variants.__name__, variants, only))
        return variants

    return register
