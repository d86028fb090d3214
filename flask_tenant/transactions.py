"""Transactions of our own: in the middle of somebody else's, which may have locked the SQLite file; and what is done
once one is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

IMPATIENT_MS = 100
"""How long to wait for a locked SQLite file in the middle of a request, which may hold the lock itself."""

Connect = Callable[[], AbstractContextManager[Connection]]


class BusyError(Exception):
    """The database is locked, perhaps by the transaction in whose middle we were called."""


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


_AFTER = "flask_tenant.after"


def following(connect: Connect) -> Connect:
    """Let :func:`after_commit` work in the transactions that ``connect`` opens."""

    @contextmanager
    def begin() -> Iterator[Connection]:
        work: list[Callable[[], None]] = []
        with connect() as connection:
            connection.info[_AFTER] = work
            try:
                yield connection
            finally:
                connection.info.pop(_AFTER, None)
        for each in work:
            each()

    return begin


def after_commit(connection: Connection, work: Callable[[], None]) -> None:
    """Do ``work`` when the connection's transaction is committed and over; not when it is undone.

    Nothing is done after a transaction that was not opened by us. A savepoint that is undone is not told: let ``work``
    look for itself.
    """
    connection.info.get(_AFTER, []).append(work)
