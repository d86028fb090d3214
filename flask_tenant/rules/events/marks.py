"""Remembers in SQL what has fired, so that it fires once an hour, a day or a month, on whatever server."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import sqlalchemy as sa
from cachetools import LRUCache
from sqlalchemy.exc import IntegrityError

from ...transactions import Connect, opened
from .in_sql import MICRO

LEASE = 60.0
"""Seconds for which one server has the right to fire. If it dies meanwhile, the next event fires."""

KNOWN = 10_000
"""How many marks each process remembers, so that it need not ask."""


class Marks:
    """What has fired already.

    :param marks: the table
    :param clock: seconds since 1970
    """

    def __init__(self, connect: Connect, marks: sa.Table, clock: Callable[[], float] = time.time) -> None:
        self._connect, self._marks, self._clock = connect, marks, clock
        self._known: LRUCache[str, int] = LRUCache(KNOWN)
        self._lock = Lock()

    def claim(self, key: str, until: float, *, patient: bool = False) -> bool:
        """Try to get the right to fire.

        :param until: when the period ends, in seconds since 1970
        :raises BusyError: when the database is locked, perhaps by the caller's own transaction
        """
        now, end = int(self._clock() * MICRO), int(until * MICRO)
        with self._lock:
            if self._known.get(key, 0) > now:
                return False
        marks, lease = self._marks, min(now + int(LEASE * MICRO), end)
        try:
            with opened(self._connect, patient=patient) as connection:
                over = marks.update().where(marks.c.key == key, marks.c.until <= now)
                if connection.execute(over.values(until=lease)).rowcount:
                    return True
                found = connection.scalar(sa.select(marks.c.until).where(marks.c.key == key))
                if found is None:
                    connection.execute(marks.insert().values(key=key, until=lease))
                    connection.execute(marks.delete().where(marks.c.until <= now))
                    return True
        except IntegrityError:
            return False  # another server was faster
        if found >= end:
            with self._lock:
                self._known[key] = found
        return False

    def keep(self, key: str, until: float, *, patient: bool = False) -> None:
        """Note that it has fired.

        :raises BusyError: when the database is locked, perhaps by the caller's own transaction
        """
        end = int(until * MICRO)
        self._set(key, end, patient)
        with self._lock:
            self._known[key] = end

    def release(self, key: str, *, patient: bool = False) -> None:
        """Give the right back: it has not fired.

        :raises BusyError: when the database is locked, perhaps by the caller's own transaction
        """
        self._set(key, 0, patient)

    def _set(self, key: str, until: int, patient: bool) -> None:
        with opened(self._connect, patient=patient) as connection:
            connection.execute(self._marks.update().where(self._marks.c.key == key).values(until=until))
