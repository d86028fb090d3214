"""A driver's cursor that gives other rows than the database gave: rules have looked at them.

The cursor's class is exchanged for a subclass while it has such an answer, and put back by its next statement. So
cursors of statements without rules run the driver's own code, at the driver's own speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

from ..errors import StatementRefusedError


class Answer(Protocol):
    """What a cursor gives in place of the driver's own."""

    @property
    def description(self) -> Any:
        """The columns, ``None`` for a statement that gives no rows."""

    @property
    def rowcount(self) -> int:
        """How many rows were given, or changed."""

    def fetch(self, size: int | None) -> list[Any]:
        """Return up to ``size`` more rows, all of them for ``None``."""

    def close(self) -> None:
        """The cursor was closed, or has another statement to run."""


class _Answering:
    """In front of a guarded cursor's class."""

    _ft_answer: Answer

    @property
    def description(self) -> Any:
        return self._ft_answer.description

    @property
    def rowcount(self) -> int:
        return self._ft_answer.rowcount

    def fetchone(self) -> Any:
        rows = self._ft_answer.fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, size: Any = None, **kw: Any) -> Any:
        size = kw.get("size", size)
        return self._ft_answer.fetch(size or self.arraysize or 1)  # type: ignore[attr-defined]

    def fetchall(self) -> Any:
        return self._ft_answer.fetch(None)

    def __iter__(self) -> Iterator[Any]:
        while rows := self._ft_answer.fetch(100):
            yield from rows

    def __next__(self) -> Any:
        rows = self._ft_answer.fetch(1)
        if not rows:
            raise StopIteration
        return rows[0]

    def execute(self, *args: Any, **kw: Any) -> Any:
        plain(self)
        return self.execute(*args, **kw)

    def executemany(self, *args: Any, **kw: Any) -> Any:
        plain(self)
        return self.executemany(*args, **kw)

    def close(self) -> Any:
        plain(self)
        return self.close()


@cache
def _answering(cls: Any) -> Any:
    return type(cls.__name__, (_Answering, cls), {"__module__": cls.__module__})


def check_answerable(cursor: Any) -> None:
    """Refuse a cursor whose rows cannot be exchanged.

    :raises StatementRefusedError: for SQLAlchemy's adapters of asyncio drivers
    """
    if not hasattr(cursor, "__dict__"):
        raise StatementRefusedError(
            "Rules are about what this statement writes or gives, and it runs on an asynchronous engine",
            value=type(cursor).__name__,
            hint="Use a synchronous engine for the tables that rules of this kind are about",
        )


def answer(cursor: Any, found: Answer) -> None:
    """Let a cursor give ``found`` instead of the driver's rows, until its next statement."""
    plain(cursor)
    cursor._ft_answer = found
    cursor.__class__ = _answering(cursor.__class__)


def plain(cursor: Any) -> None:
    """Let a cursor be as its driver made it."""
    found = cursor.__class__
    if issubclass(found, _Answering):
        cursor.__class__ = found.__mro__[2]
        cursor._ft_answer.close()
        del cursor._ft_answer
