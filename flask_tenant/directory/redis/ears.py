"""Hears of changes: by tracking (RESP3, from Redis 6 on), or by pub/sub where that is not allowed."""

from __future__ import annotations

import time
from typing import Any

import redis

from .connections import CONNECT_SECONDS, Connect, Line

EMPTIED = -1
"""Stands for a change that nobody has numbered: everything was deleted."""

Heard = tuple[int, set[int] | None]


class Ears:
    """One listening connection.

    :param space: the directory's namespace in Redis
    """

    def __init__(self, connect: Connect, space: str) -> None:
        self._marks = f"{space}c:"
        self._pushed: list[Any] = []
        self.heard = time.monotonic()
        """When the last sign of life came."""
        self.tracking = True
        try:
            self._line = self._track(connect)
        except redis.ResponseError:
            self.tracking = False
            self._line = connect(2)
            self._line.call("SUBSCRIBE", f"{space}changes", within=CONNECT_SECONDS)

    def _track(self, connect: Connect) -> Line:
        line = connect(3)
        try:
            line.connection._parser.set_invalidation_push_handler(self._pushed.append)
            line.call(
                "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", self._marks, "NOLOOP", within=CONNECT_SECONDS
            )
        except BaseException:
            line.close()
            raise
        return line

    def ping(self) -> None:
        """Ask for a sign of life, which :meth:`listen` hears."""
        self._timed(CONNECT_SECONDS)
        self._line.connection.send_command("PING", check_health=False)

    def listen(self, seconds: float) -> list[Heard]:
        """Return what has changed.

        :param seconds: how long to wait if nothing has
        :raises redis.RedisError: when the connection is lost
        """
        self._timed(None)
        connection, found = self._line.connection, []
        while connection.can_read(timeout=seconds):
            self._timed(CONNECT_SECONDS)
            answer = connection.read_response(push_request=True)
            self._timed(None)
            seconds = 0.0
            if answer in (b"PONG", [b"pong", b""]):
                self.heard = time.monotonic()
            elif isinstance(answer, list) and answer and answer[0] == b"message":
                number, _, ids = answer[2].decode().partition(":")
                found.append(_heard(int(number), {int(one) for one in ids.split(",")}))
            while self._pushed:
                found += self._invalid(self._pushed.pop(0)[1])
            if len(found) > 1_000:
                break
        return found

    def _invalid(self, keys: list[bytes] | None) -> list[Heard]:
        if keys is None:
            return [(EMPTIED, None)]
        marks = [key.decode().removeprefix(self._marks).partition(":") for key in keys]
        return [_heard(int(number), {int(tenant_id)}) for number, _, tenant_id in marks]

    def _timed(self, seconds: float | None) -> None:
        socket = self._line.connection._sock
        if socket is not None:
            socket.deadline = None if seconds is None else time.monotonic() + seconds

    def close(self) -> None:
        """Close the connection."""
        self._line.close()


def _heard(number: int, tenants: set[int]) -> Heard:
    return number, None if 0 in tenants else tenants
