"""Makes the directory's tables, and keeps them in the form that this release needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DatabaseError

from ..context import internal
from . import migrations
from .tables import Tables


def own_database(engine: Engine) -> Callable[[], AbstractContextManager[Connection]]:
    """Return what opens transactions on a database that holds the directory and nothing else."""

    @contextmanager
    def begin() -> Iterator[Connection]:
        with internal(), engine.begin() as connection:
            yield connection

    return begin


PATIENCE = 30.0
"""Seconds to wait for another process that is migrating."""


def prepare(connect: Callable[[], AbstractContextManager[Connection]], tables: Tables) -> None:
    """Migrate the directory, if it needs it. Several processes may do so at once: one succeeds, the others see it.

    :raises ConfigurationError: for a directory that a newer release has made
    """
    deadline = time.monotonic() + PATIENCE
    pause = 0.01
    while True:
        try:
            with connect() as connection:
                if migrations.current(connection, tables.prefix) != migrations.NEWEST:
                    _alone(connection)
                    if migrations.is_new(connection, tables.prefix):
                        migrations.create(connection, tables)
                    else:
                        migrations.upgrade(connection, tables.prefix)
            return
        except DatabaseError:
            # Two that create one table: the slower one fails, its transaction is undone, and it looks again.
            if time.monotonic() > deadline or pause > 2:
                raise
            time.sleep(pause)
            pause *= 2


def _alone(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        # Python's driver would commit each table at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
