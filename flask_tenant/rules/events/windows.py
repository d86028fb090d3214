"""Counts events in sliding windows: in Redis where there is one, in SQL otherwise.

Each event is noted in one of the two. While Redis does not answer, that is SQL; afterwards, for as long as the longest
window that was counted there, every server adds what SQL has, because Redis bears a mark that says so.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

from .in_sql import SqlWindows

if TYPE_CHECKING:
    from .in_redis import RedisWindows


class Windows:
    """How often what has come lately."""

    def __init__(self, sql: SqlWindows, redis: RedisWindows | None = None) -> None:
        self._sql, self._redis = sql, redis
        self._lock = Lock()
        self._apart_until = 0.0
        """Until when SQL may hold what Redis has to add, by the monotonic clock."""

    def add(self, key: str, within: float, at_least: int, *, patient: bool = False) -> int:
        """Note an event, and return how many have come within the window, this one included.

        More than ``at_least`` are not told apart, and not kept.

        :param within: the window's length in seconds
        :param patient: whether to wait as long as it takes for a database that is locked
        :raises BusyError: when the database is locked, perhaps by the caller's own transaction
        :raises sqlalchemy.exc.SQLAlchemyError: when neither can count
        """
        if self._redis is not None:
            apart = self._apart_until
            found = self._redis.add(key, within, at_least, apart=max(0.0, apart - time.monotonic()))
            if found is not None:
                number, more_in_sql = found
                with self._lock:
                    if self._apart_until == apart:
                        self._apart_until = 0.0  # Redis bears the mark now
                if more_in_sql and number < at_least:
                    number = min(at_least, number + self._sql.count(key, within, at_least))
                return number
            with self._lock:
                self._apart_until = max(self._apart_until, time.monotonic() + within)
        return self._sql.add(key, within, at_least, patient=patient)
