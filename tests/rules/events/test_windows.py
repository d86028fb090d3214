"""Counting: in SQL on each back end, in Redis, and from one to the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.directory.redis.connections import connector
from flask_tenant.directory.tables import Tables
from flask_tenant.rules.events import in_sql
from flask_tenant.rules.events.in_redis import RedisWindows
from flask_tenant.rules.events.in_sql import SqlWindows
from flask_tenant.rules.events.windows import Windows
from tests.extension.processes import until
from tests.services.databases import MakeDatabase
from tests.services.redis import RedisServer

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")
KEY, OTHER = "k" * 64, "o" * 64


@pytest.fixture(scope="module")
def database(back_end: str, make_database: MakeDatabase) -> Iterator[sa.Engine]:
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        tables = Tables()
        tables.metadata.create_all(engine, [tables.event_time])
        yield engine
        engine.dispose()


@pytest.fixture
def engine(database: sa.Engine) -> sa.Engine:
    with database.begin() as connection:
        connection.execute(Tables().event_time.delete())
    return database


@pytest.fixture
def sql(engine: sa.Engine) -> SqlWindows:
    return SqlWindows(engine.begin, Tables().event_time)


def in_redis(server: RedisServer) -> RedisWindows:
    connect = connector(server.url(), 0.2)
    return RedisWindows(lambda: connect(2), lambda: "ft:test:")


def rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(Tables().event_time)) or 0


@pytest.fixture(params=["sql", "redis"])
def windows(request: Any, sql: SqlWindows) -> Windows:
    if request.param == "sql":
        return Windows(sql)
    server = request.getfixturevalue("redis_server")
    server.command("FLUSHALL")
    return Windows(sql, in_redis(server))


def test_counts_what_belongs_together(windows: Windows) -> None:
    assert [windows.add(KEY, 60, 3) for _ in range(3)] == [1, 2, 3]
    assert windows.add(OTHER, 60, 3) == 1


def test_more_than_is_asked_for_is_not_kept(windows: Windows, engine: sa.Engine, request: Any) -> None:
    assert [windows.add(KEY, 60, 3) for _ in range(12)][2:] == [3] * 10
    if windows._redis is None:
        assert rows(engine) == 3
    else:
        server = request.getfixturevalue("redis_server")
        assert rows(engine) == 0
        assert server.command("ZCARD", f"ft:test:e:{KEY}") == b":3\r\n"
        assert 0 < int(server.command("PTTL", f"ft:test:e:{KEY}")[1:]) <= 60_000


def test_what_is_too_old_does_not_count(windows: Windows) -> None:
    assert [windows.add(KEY, 0.3, 2) for _ in range(2)] == [1, 2]
    last = time.monotonic()
    until(lambda: time.monotonic() > last + 0.35, "the window has passed")
    assert windows.add(KEY, 0.3, 2) == 1


def test_all_at_once(windows: Windows) -> None:
    """Of forty that come at once, the last one to be counted sees forty; nobody sees more than came."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: windows.add(KEY, 60, 40, patient=True), range(40)))
    assert max(found) == 40
    if windows._redis is not None:
        assert sorted(found) == list(range(1, 41))
    assert windows.add(KEY, 60, 41) == 41


def test_windows_that_nobody_asks_for_are_removed(
    sql: SqlWindows, engine: sa.Engine, monkeypatch: Any
) -> None:
    monkeypatch.setattr(in_sql, "TIDY_EVERY", 10)
    for n in range(8):
        sql.add(f"{n:064}", 0.001, 5)
    assert rows(engine) == 8
    for _ in range(2):
        sql.add(KEY, 60, 1)
    assert rows(engine) == 1


@pytest.mark.timed
@pytest.mark.databases("sqlite")
def test_redis_away_and_back(sql: SqlWindows, own_redis: RedisServer, engine: sa.Engine) -> None:
    """No event is lost while Redis keeps what it has: two, one in SQL, and the fourth sees four."""
    one, two = Windows(sql, in_redis(own_redis)), Windows(sql, in_redis(own_redis))
    assert [one.add(KEY, 60, 9), two.add(KEY, 60, 9)] == [1, 2]
    own_redis.freeze()
    start = time.monotonic()
    assert one.add(KEY, 60, 9) == 1  # all that SQL knows
    assert time.monotonic() - start < 0.6
    start = time.monotonic()
    assert one.add(KEY, 60, 9) == 2
    assert time.monotonic() - start < 0.15  # it is not asked again so soon
    own_redis.thaw()
    seen: list[int] = [0]

    def back() -> bool:
        before = rows(engine)
        seen.append(one.add(KEY, 60, 99))
        return rows(engine) == before

    until(back, "Redis counts again")
    # What a frozen Redis was sent, it may have noted too: then an event counts twice, never not at all.
    total = len(seen) - 1 + 4
    assert total <= seen[-1] <= total + 2
    assert two.add(KEY, 60, 99) == seen[-1] + 1, "the other server knows that SQL has more"


@pytest.mark.databases("sqlite")
def test_redis_gone(sql: SqlWindows, own_redis: RedisServer, caplog: Any) -> None:
    windows = Windows(sql, in_redis(own_redis))
    own_redis.stop()
    assert [windows.add(KEY, 60, 3) for _ in range(3)] == [1, 2, 3]
    assert caplog.text.count("Events are counted in SQL until Redis answers again") == 1
