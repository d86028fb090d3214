"""Says which guards of a rule set hold for a set of facts.

:mod:`.durable` asks durable-rules; :mod:`.reference` is the same in plain Python, for ``explain`` and for whoever wants
to compare the two. :mod:`.gates` turns guards into what durable-rules is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..model import Facts, Guard
from .reference import Reference

__all__ = ["Engine", "Reference", "durable_rules"]


class Engine(Protocol):
    """Decides guards. What it makes of them is its own business, and goes back to it with each question."""

    def load(self, guards: Sequence[Guard]) -> Any:
        """Prepare guards.

        :raises RuleEngineError: for a guard that is not over facts and constants alone
        """

    def holding(self, loaded: Any, facts: Facts) -> frozenset[int]:
        """Return the indices of the guards that hold.

        :param loaded: what :meth:`load` made
        :param facts: typed, by name; what is missing or ``None`` is unknown
        :raises RuleEngineError: when it cannot be decided
        """


def durable_rules() -> Engine:
    """Return the engine of this process: there is one, whatever the number of tenants.

    :raises ConfigurationError: when durable-rules is not installed
    """
    from .durable import shared

    return shared()
