"""The guards in plain Python: what a decision has to be, whoever makes it."""

from __future__ import annotations

from collections.abc import Sequence

from ...evaluation import evaluate
from ..model import Facts, Guard


class Reference:
    """An engine without an engine."""

    def load(self, guards: Sequence[Guard]) -> tuple[Guard, ...]:
        """Return the guards as they are."""
        return tuple(guards)

    def holding(self, loaded: tuple[Guard, ...], facts: Facts) -> frozenset[int]:
        """Return the indices of the guards that hold."""
        return frozenset(index for index, guard in enumerate(loaded) if holds(guard, facts))


def holds(guard: Guard, facts: Facts) -> bool:
    """Whether one guard holds."""
    found = evaluate(guard.test, facts=facts)
    return found is True or (found is None and guard.possible)
