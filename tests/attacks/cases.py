"""Raw SQL attacks as data: the text, and what it does without the wall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tests.attacks.world import WAYS, World

Teeth = Literal["leaks", "runs", "none"]
"""Past the wall, a statement reads or changes what is the neighbours', or runs at all, or it is here for its answer."""

on_sqlite = pytest.mark.databases("sqlite")
on_postgresql = pytest.mark.databases("postgresql+psycopg", "postgresql+psycopg2")


@dataclass(frozen=True)
class Attack:
    """One statement.

    :param answered: whether it must be answered, or refused; either will do by default
    """

    sql: str
    teeth: Teeth
    answered: bool | None


def attacks(text: str, teeth: Teeth = "leaks", *, answered: bool | None = None) -> list[Attack]:
    """Make attacks of statements that blank lines separate."""
    return [Attack(part, teeth, answered) for part in text.strip().split("\n\n")]


def parametrize(cases: list[Attack]) -> Any:
    """Run a test once for each attack."""
    assert len({case.sql for case in cases}) == len(cases), "a case is there twice"
    return pytest.mark.parametrize("attack", cases, ids=lambda case: case.sql[:50])


def withstands(world: World, attack: Attack) -> None:
    """Assert that an attack bites past the wall, and comes to nothing here, whichever way it comes."""
    for way in WAYS:
        if attack.teeth == "leaks":
            assert world.has_teeth(attack.sql, way), f"{attack.sql!r} is harmless past the wall ({way})"
        elif attack.teeth == "runs":
            assert world.bite(attack.sql, way).error is None, f"{attack.sql!r} fails past the wall ({way})"
        world.withstands(attack.sql, way, answered=attack.answered)
