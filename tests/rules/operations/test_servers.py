"""Activation over several servers: real processes, a real Redis, and a process that is killed in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.rules.operations.server import RULES, Peer, Server, servers
from tests.services.databases import MakeDatabase
from tests.services.redis import RedisServer, redis_running

pytestmark = pytest.mark.once

NOISE = 0.1
"""Seconds that a busy machine adds to anything."""


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with redis_running() as server:
        yield server


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Peer]]:
    """Two servers."""
    with servers(2) as found:
        yield found


def opened(pair: list[Peer], url: str, redis_url: str | None = None) -> list[Peer]:
    """Let both work on a directory with the tenants acme and bella."""
    server = Server(url, None)
    for slug in ("acme", "bella"):
        server.directory.create(slug, slug, lambda *_: None)
    server.close()
    for peer in pair:
        peer.open(url, redis_url)
    return pair


def until(done: Callable[[], Any], what: str, patience: float = 60) -> None:
    """Poll."""
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.005)


def delays(pair: list[Peer], times: int) -> list[float]:
    """For each of some activations, seconds from its end until the other process obeys."""
    one, two = pair
    found = []
    for n in range(times):
        two.seen("acme")
        two.send("until", "acme", [f"v{n}"])
        done = one.activate("_all.yaml", "all", f"v{n}")
        found.append(two.answer() - done)
    return found


@pytest.mark.timed
def test_an_activation_is_obeyed_within_100_ms(
    pair: list[Peer], sqlite_url: str, shared_redis: RedisServer, record_property: Any
) -> None:
    opened(pair, sqlite_url, shared_redis.url())
    until(lambda: [peer.trusts() for peer in pair] == [True, True], "Redis is trusted")
    found = delays(pair, 10)
    middle = sorted(found)[5]
    record_property(
        "figure", f"with Redis: {middle * 1e3:.1f} ms in the middle, {max(found) * 1e3:.1f} at most"
    )
    assert middle < 0.1
    assert max(found) < 0.1 + NOISE


@pytest.mark.timed
def test_without_redis_an_activation_is_obeyed_within_a_second(
    pair: list[Peer], sqlite_url: str, record_property: Any
) -> None:
    found = delays(opened(pair, sqlite_url), 3)
    record_property("figure", f"without Redis: {max(found) * 1e3:.0f} ms at most")
    assert max(found) < 1 + NOISE


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_whoever_is_killed_in_the_middle_leaves_one_whole_version(
    pair: list[Peer], back_end: str, make_database: MakeDatabase
) -> None:
    seen: set[int] = set()
    with make_database(back_end) as url:
        opened(pair, url)
        one, two = pair
        here = Server(url, None)
        for turn in range(1, 4):
            enough = len(seen) + turn
            child = one.hammer(turn * 1_000)
            # Another one is being written at any moment: what is read meanwhile is whole, and so it stays.
            until(partial(_more, seen, here, enough), "versions go by")
            one.kill(child)
            here.book.forget()
            stands = here.seen("acme")
            assert whole(stands) >= turn * 1_000
            for peer in pair:
                peer.until("acme", stands)
                assert peer.seen("bella") == stands[:RULES]
        here.close()
        two.activate("_all.yaml", "all", "after")  # nobody's lock is left
        for peer in pair:
            peer.open("sqlite://", None)


def _more(seen: set[int], server: Server, enough: int) -> bool:
    seen.add(whole(server.seen("acme")))
    return len(seen) > enough


def whole(found: list[str]) -> int:
    """The number that all rules carry, 0 for no rules."""
    numbers = {int(i.rpartition("-")[2]) for i in found}
    assert len(found) in (0, 2 * RULES)
    assert len(numbers) <= 1, f"rules of several versions: {found}"
    return numbers.pop() if numbers else 0
