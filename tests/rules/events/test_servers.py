"""Two real servers: what one has counted, the other goes on with; also after one, or Redis, has died."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rules.events.server import Process, servers
from tests.services.availability import FULL
from tests.services.databases import MakeDatabase
from tests.services.redis import RedisServer, redis_running

pytestmark = [pytest.mark.once]


@pytest.fixture(scope="module", params=["sqlite", *(["postgresql+psycopg"] if FULL else []), "redis"])
def place(request: Any, make_database: MakeDatabase) -> Iterator[tuple[str, RedisServer | None]]:
    """A database, and a Redis where counting is to be there."""
    kind = request.param
    with make_database("sqlite" if kind == "redis" else kind) as database:
        if kind != "redis":
            yield database, None
            return
        with redis_running() as redis:
            yield database, redis


@pytest.fixture(scope="module")
def pair(place: tuple[str, RedisServer | None]) -> Iterator[list[Process]]:
    database, redis = place
    with servers(database, redis.url() if redis else None) as found:
        yield found


def test_what_two_servers_have_counted_adds_up(pair: list[Process]) -> None:
    one, two = pair
    assert [one.send("login.failed"), two.send("login.failed"), one.send("login.failed")] == [0, 0, 1]
    assert [two.send("login.failed", user=8), two.send("login.failed")] == [0, 1]


def test_at_the_same_time(pair: list[Process]) -> None:
    """Twenty, sent by two at once: at least one sees that it is the twentieth, and nobody does before."""
    one, two = pair
    for process in pair:
        process.begin("knocked", 9)
    assert [process.end() for process in pair] == [0, 0]
    for process in pair:
        process.begin("knocked", 1)
    assert 1 <= one.end() + two.end() <= 2


def test_once_on_all_servers(pair: list[Process]) -> None:
    for process in pair:
        process.begin("usage.changed", 5)
    assert sum(process.end() for process in pair) == 1


def test_a_window_survives_the_server_that_has_counted(
    pair: list[Process], place: tuple[str, RedisServer | None]
) -> None:
    database, redis = place
    with servers(database, redis.url() if redis else None, 1) as (third,):
        assert third.send("login.failed", 2, user=9) == 0
        assert third.send("plan.renewed") == 1
        third.kill()
    assert pair[0].send("login.failed", user=9) == 1
    assert pair[1].send("plan.renewed") == 0


@pytest.mark.parametrize("place", ["redis"], indirect=True)
def test_redis_dies(pair: list[Process], place: tuple[str, RedisServer]) -> None:
    one, two = pair
    _, redis = place
    assert one.send("login.failed", 2, user=20) == 0
    assert redis.command("SAVE").startswith(b"+OK")
    redis.restart()
    assert one.send("login.failed", user=20) + two.send("login.failed", user=20) >= 1, (
        "Redis has kept its windows"
    )

    redis.stop()
    assert [one.send("login.failed", user=21), two.send("login.failed", user=21)] == [0, 0]
    assert one.send("login.failed", user=21) == 1, "SQL counts"
    redis.start()
    assert redis.command("FLUSHALL").startswith(b"+OK")
    # Emptied, it begins anew: nobody gets more than three further attempts.
    assert one.send("login.failed", 3, user=20) >= 1
