"""Windows in Redis: a sorted set for each key, of no more members than have to be counted, gone with its window."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import redis

log = logging.getLogger("flask_tenant")

SECONDS = 0.2
"""How long one event may wait for Redis."""

PAUSE_LIMIT = 5.0
"""Seconds for which Redis is left alone after it has failed, at most."""

LINES = 16
"""Connections that are kept."""

ADD = """
local time = redis.call('TIME')
local now, within, most = time[1] * 1000000 + time[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local key, mark = KEYS[1], ARGV[1]
redis.call('ZADD', key, string.format('%.0f', now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - within))
redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
redis.call('PEXPIRE', key, math.ceil(within / 1000))
local apart = tonumber(ARGV[5])
if apart > 0 and apart > redis.call('PTTL', mark) then redis.call('SET', mark, 1, 'PX', ARGV[5]) end
return {redis.call('ZCARD', key), redis.call('EXISTS', mark)}
"""
"""KEYS: the window. ARGV: the mark that says that SQL has more; a nonce; the window's length in microseconds; how many
to keep; how long the mark has to stay, in ms. The time is Redis's own, so that servers need not agree on theirs."""


class Line(Protocol):
    """A connection to Redis."""

    def script(self, text: str, key: str, *arguments: Any, within: float) -> Any:
        """Run a Lua script on one key."""

    def close(self) -> None:
        """Close the connection."""


class RedisWindows:
    """Counts in Redis, or says that it cannot.

    :param connect: opens a connection
    :param space: says what all keys begin with
    """

    def __init__(self, connect: Callable[[], Line], space: Callable[[], str]) -> None:
        self._connect, self._space = connect, space
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._pause = self._not_before = 0.0

    def add(self, key: str, within: float, at_least: int, *, apart: float) -> tuple[int, bool] | None:
        """Note an event, and return how many are in the window and whether SQL may have more.

        :param apart: for how many seconds from now on SQL may have more
        :returns: ``None`` when Redis does not answer; whether it has noted the event is unknown then
        """
        if self._pid != os.getpid():
            self._renew()  # connections have stayed with the parent process
        if time.monotonic() < self._not_before:
            return None
        line = None
        try:
            space = self._space() + "e:"
            line = self._lines.pop() if self._lines else self._connect()
            number, more = line.script(
                ADD,
                space + key,
                space + "apart",
                secrets.token_hex(8),
                int(within * 1e6),
                at_least,
                int(apart * 1000),
                within=SECONDS,
            )
        except (redis.RedisError, OSError, IndexError) as error:
            if line is not None:
                line.close()
            self._lost(error)
            return None
        if self._pause:
            self._pause = 0.0
            log.info("Events are counted in Redis again")
        if len(self._lines) < LINES:
            self._lines.append(line)
        else:
            line.close()
        return int(number), bool(more)

    def _lost(self, error: Exception) -> None:
        if not self._pause:
            log.warning("Events are counted in SQL until Redis answers again: %s", error)
        while self._lines:
            self._lines.pop().close()
        self._pause = min(PAUSE_LIMIT, 2 * self._pause or 0.25)
        self._not_before = time.monotonic() + self._pause
