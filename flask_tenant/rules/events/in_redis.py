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
        try:
            number, more = self._script(key, int(within * 1e6), at_least, int(apart * 1000))
        except (redis.RedisError, OSError) as error:
            self._lost(error)
            return None
        if self._pause:
            self._pause = 0.0
            log.info("Events are counted in Redis again")
        return int(number), bool(more)

    def _script(self, key: str, within: int, at_least: int, apart: int) -> Any:
        space, nonce = self._space() + "e:", secrets.token_hex(8)
        arguments = (space + key, space + "apart", nonce, within, at_least, apart)
        try:
            line = self._lines.pop()
        except IndexError:
            pass
        else:
            try:
                return self._asked(line, arguments)
            except (redis.ConnectionError, ConnectionError):
                pass  # closed while nobody used it; the nonce sees to it that nothing counts twice
        return self._asked(self._connect(), arguments)

    def _asked(self, line: Line, arguments: tuple[Any, ...]) -> Any:
        try:
            answer = line.script(ADD, *arguments, within=SECONDS)
        except BaseException:
            line.close()
            raise
        if len(self._lines) < LINES:
            self._lines.append(line)
        else:
            line.close()
        return answer

    def _lost(self, error: Exception) -> None:
        if not self._pause:
            log.warning("Events are counted in SQL until Redis answers again: %s", error)
        while self._lines:
            self._lines.pop().close()
        self._pause = min(PAUSE_LIMIT, 2 * self._pause or 0.25)
        self._not_before = time.monotonic() + self._pause
