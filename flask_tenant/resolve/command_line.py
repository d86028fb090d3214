"""``flask tenant run --tenant acme`` is tenant ``acme``."""

from __future__ import annotations

from collections.abc import Callable

from ..model import RequestFacts, Tenant
from ..protocols import Strategy


class CommandLine(Strategy):
    """Takes the tenant from the command line; a command has no other facts.

    :param slug: as typed
    :param find: looks a slug up
    """

    name = "cli"

    def __init__(self, slug: str, find: Callable[[str], Tenant | None]) -> None:
        self._slug = slug
        self._find = find

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the slug that was typed."""
        return self._slug

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that slug."""
        return self._find(identifier)
