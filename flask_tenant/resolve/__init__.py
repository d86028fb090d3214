"""Who is a request for? Strategies read the request's facts, in order; the first that has something to say wins."""

from __future__ import annotations

from collections.abc import Iterable

from ..model import RequestFacts, Resolution
from ..protocols import Strategy
from .command_line import CommandLine
from .subdomain import Subdomain

__all__ = ["CommandLine", "Subdomain", "resolve"]


def resolve(facts: RequestFacts, strategies: Iterable[Strategy]) -> Resolution:
    """Return the tenant that a request is for.

    A strategy that names a tenant which does not exist ends the search: falling through would serve somebody else.
    """
    for strategy in strategies:
        identifier = strategy.identify(facts)
        if identifier is not None:
            return Resolution(strategy.find(identifier), strategy.name, identifier)
    return Resolution(None)
