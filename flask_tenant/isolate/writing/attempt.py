"""A piece of a transaction that can be undone: a savepoint, in a transaction that is begun where there is none."""

from __future__ import annotations

from typing import Any, Protocol

from ..drivers import driver_for
from ..guard import Vouched

_NAME = "ft_look"


class Runs(Protocol):
    """Runs a statement of ours on the connection and returns its rows."""

    def __call__(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]: ...


def runner(driver: str, connection: Any) -> Runs:
    """Return what runs statements of ours, past whatever cursor classes and row factories the application has set.

    :param driver: SQLAlchemy's name of the driver
    :param connection: the driver's, or SQLAlchemy's asyncio adapter of it
    """

    def run(sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        cursor = driver_for(driver).own_cursor(connection)
        try:
            # without parameters a percent sign is no placeholder
            cursor.execute(Vouched(sql), *((parameters,) if parameters else ()))
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()

    return run


class Attempt:
    """What is done after ``begin`` can be undone, as often as one likes, until it is kept.

    :param idle: whether the connection is in no transaction yet
    :param autocommit: whether nobody but us would end one
    """

    def __init__(self, run: Runs, *, sqlite: bool, idle: bool, autocommit: bool) -> None:
        self._run = run
        self._own = idle and autocommit
        if idle and sqlite:
            # The lock at once: to ask for it after having looked is an error when somebody else has written meanwhile.
            run("BEGIN IMMEDIATE")
        elif self._own:
            run("BEGIN")
        run(f"SAVEPOINT {_NAME}")

    def undo(self) -> None:
        """Undo everything since the beginning."""
        self._run(f"ROLLBACK TO SAVEPOINT {_NAME}")

    def keep(self) -> None:
        """Let it stand."""
        self._run(f"RELEASE SAVEPOINT {_NAME}")
        if self._own:
            self._run("COMMIT")

    def abandon(self) -> None:
        """Undo it, and leave the caller's transaction as it was."""
        if self._own:
            self._run("ROLLBACK")
            return
        self.undo()
        self._run(f"RELEASE SAVEPOINT {_NAME}")
