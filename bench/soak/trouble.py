"""What happens while clients are served: changes by operators, and everything that can happen to Redis."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Protocol

from flask_tenant.application import Application
from flask_tenant.model import TenantState

SEEN_SECONDS = 10.0
"""How long a change may take to be seen everywhere while Redis is ill, on a busy machine."""


class RedisServer(Protocol):
    """A Redis of this run's own."""

    def freeze(self) -> None:
        """Let it answer nobody."""

    def thaw(self) -> None:
        """Let it go on."""

    def stop(self) -> None:
        """Kill it."""

    def start(self) -> None:
        """Start it again."""

    def command(self, *words: str) -> bytes:
        """Send a command."""


class Operator:
    """Changes tenants' configuration, and suspends and resumes some of them.

    A tenant stays suspended until a client has been refused for it.

    :param closable: slugs of those that are suspended now and then
    :param refused: how often clients have been refused, by slug
    """

    def __init__(
        self,
        state: Application,
        slugs: Sequence[str],
        closable: Sequence[str],
        refused: Mapping[str, int],
        stop: Event,
    ) -> None:
        self._state, self._slugs, self._closable, self._stop = state, slugs, closable, stop
        self._refused = refused
        self._closed_until = dict.fromkeys(closable, 0.0)
        self._closed: tuple[str, float, int] | None = None
        self.done: Counter[str] = Counter()

    def may_be_closed(self, slug: str) -> bool:
        """Whether a request about now may find the tenant suspended."""
        return time.monotonic() < self._closed_until.get(slug, 0.0)

    def must_be_closed(self, slug: str) -> bool:
        """Whether a request from now on has to find the tenant suspended, wherever it goes."""
        closed = self._closed
        return closed is not None and closed[0] == slug and time.monotonic() > closed[1] + SEEN_SECONDS

    def run(self) -> None:
        """Change something ten times a second."""
        choice, directory = random.Random(5), self._state.directory
        for number in itertools.count(1):
            if self._stop.wait(0.1):
                return
            directory.set_config(directory.get(choice.choice(self._slugs)), "number", number)
            self.done["configured"] += 1
            if self._closed is not None:
                self._reopen(*self._closed)
            elif number % 10 == 0:
                self._close(choice.choice(self._closable))

    def _close(self, slug: str) -> None:
        before = self._refused[slug]
        self._closed_until[slug] = float("inf")
        self._state.directory.set_state(self._state.directory.get(slug), TenantState.SUSPENDED)
        self._closed = slug, time.monotonic(), before
        self.done["closed"] += 1

    def _reopen(self, slug: str, since: float, before: int) -> None:
        if self._refused[slug] > before:
            self._closed = None
            self._state.directory.set_state(self._state.directory.get(slug), TenantState.ACTIVE)
            self._closed_until[slug] = time.monotonic() + SEEN_SECONDS


class Fate:
    """What happens to Redis, over and over.

    :param every: seconds from one to the next
    """

    def __init__(self, redis: RedisServer, stop: Event, every: float) -> None:
        self._redis, self._stop, self._every = redis, stop, every
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Kill, freeze and empty it in turn."""
        turns: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
            ("killed", self._redis.stop, self._redis.start),
            ("frozen", self._redis.freeze, self._redis.thaw),
            ("emptied", lambda: self._redis.command("FLUSHALL"), lambda: None),
        ]
        for name, begin, end in itertools.cycle(turns):
            if self._stop.wait(self._every):
                return
            begin()
            self._stop.wait(self._every / 2)
            end()
            self.done[name] += 1
