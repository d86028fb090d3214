"""What has to wait until the application's own transaction is over, because that holds the lock of an SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager

from ...context import Scope, current_scope

LIMIT = 1_000
"""How much one scope may put off."""


class Postponed:
    """An adapter: what was put off is done when the scope's sessions are closed. It has to be the first one.

    :param working: enters an application context, where there is none any more
    """

    def __init__(self, working: Callable[[], AbstractContextManager[object]]) -> None:
        self._working = working
        self._waiting: dict[Hashable, list[Callable[[], None]]] = {}

    def put_off(self, work: Callable[[], None]) -> bool:
        """Put work off, or say that it cannot be: outside any scope, or when too much waits already."""
        scope = current_scope()
        if scope is None:
            return False
        waiting = self._waiting.setdefault(scope.key, [])
        if len(waiting) >= LIMIT:
            return False
        waiting.append(work)
        return True

    def enter(self, scope: Scope) -> None:
        """Nothing to do yet."""

    def leave(self, scope: Scope) -> None:
        """Do what had to wait."""
        waiting = self._waiting.pop(scope.key, None) if self._waiting else None
        if waiting:
            with self._working():
                for work in waiting:
                    work()
