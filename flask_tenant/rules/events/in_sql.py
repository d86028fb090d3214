"""Windows in SQL: a row for each event that may have to be counted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

MICRO = 1_000_000

IMPATIENT_MS = 100
"""How long an event waits for a locked SQLite file in the middle of a request, which may hold the lock itself."""

TIDY_EVERY = 100
"""After how many events of one process the windows that nobody asks for any more are removed."""

Connect = Callable[[], AbstractContextManager[Connection]]


class BusyError(Exception):
    """The database is locked, perhaps by the transaction in whose middle the event has come."""


@contextmanager
def opened(connect: Connect, *, patient: bool) -> Iterator[Connection]:
    """Open a transaction.

    :param patient: whether to wait for a locked SQLite file as long as the engine says
    :raises BusyError: when it is locked
    """
    try:
        with connect() as connection:
            usual = None
            if connection.dialect.name == "sqlite" and not patient:
                usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {IMPATIENT_MS}")
            try:
                yield connection
            finally:
                if usual is not None:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual}")
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY") and not patient:
            raise BusyError(str(error.orig)) from error
        raise


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
