"""Windows in SQL: a row for each event that may have to be counted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from itertools import count

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ...transactions import Connect, opened

MICRO = 1_000_000

TIDY_EVERY = 100
"""After how many events of one process the windows that nobody asks for any more are removed."""


def now_of(connection: Connection, clock: Callable[[], float] = time.time) -> int:
    """Return the time in microseconds since 1970: the database server's own, so that servers need not agree."""
    if connection.dialect.name == "postgresql":
        seconds = sa.extract("epoch", sa.func.clock_timestamp())
        return int(connection.scalar(sa.select(sa.cast(seconds * MICRO, sa.BigInteger))) or 0)
    return int(clock() * MICRO)


class SqlWindows:
    """Counts in SQL.

    :param connect: opens a transaction on the directory's database
    :param times: the table
    :param clock: seconds since 1970, where the database has no good clock
    """

    def __init__(self, connect: Connect, times: sa.Table, clock: Callable[[], float] = time.time) -> None:
        self._connect, self._times, self._clock = connect, times, clock
        self._added = count(1)

    def add(self, key: str, within: float, at_least: int, *, patient: bool = False) -> int:
        """Note an event, and return how many have come within the window."""
        times, length = self._times, int(within * MICRO)
        with opened(self._connect, patient=patient) as connection:
            now = now_of(connection, self._clock)
            connection.execute(
                times.insert().values(key=key, at=now, nonce=secrets.token_hex(8), until=now + length)
            )
            if next(self._added) % TIDY_EVERY == 0:
                connection.execute(times.delete().where(times.c.until <= now))
        # Counted after the commit: of two that come at once, the later one sees both.
        with opened(self._connect, patient=patient) as connection:
            return self._counted(connection, key, length, at_least)

    def count(self, key: str, within: float, at_least: int) -> int:
        """Return how many have come within the window."""
        with opened(self._connect, patient=False) as connection:
            return self._counted(connection, key, int(within * MICRO), at_least)

    def _counted(self, connection: Connection, key: str, length: int, at_least: int) -> int:
        times = self._times
        now = now_of(connection, self._clock)
        newest = (
            sa.select(times.c.at)
            .where(times.c.key == key, times.c.at > now - length)
            .order_by(times.c.at.desc())
            .limit(at_least)
        )
        found = list(connection.scalars(newest))
        if len(found) == at_least:
            # What is older than those that were counted never counts again.
            connection.execute(times.delete().where(times.c.key == key, times.c.at < found[-1]))
        return len(found)
