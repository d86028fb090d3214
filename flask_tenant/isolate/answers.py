"""A driver's cursor that gives other rows than the database gave: rules have looked at them.

The cursor's class is exchanged for a subclass while it has such an answer, and put back by its next statement. So
cursors of statements without rules run the driver's own code, at the driver's own speed.
"""

from __future__ import annotations

from collections import deque
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


class _Held(deque[Any]):
    """The rows that SQLAlchemy's adapter of an asyncio cursor has fetched. It has no room for anything else."""

    answer: Answer


class _Answering:
    """In front of a guarded cursor's class, or of SQLAlchemy's adapter of one."""

    __slots__ = ()

    @property
    def _ft_answer(self) -> Answer:
        return _held_by(self)

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
    return type(cls.__name__, (_Answering, cls), {"__module__": cls.__module__, "__slots__": ()})


def _adapts(cursor: Any) -> bool:
    """Whether it is SQLAlchemy's adapter, whose objects have no attributes but their own."""
    return not type(cursor).__dictoffset__


def _held_by(cursor: Any) -> Answer:
    found: Answer = cursor._rows.answer if _adapts(cursor) else cursor.__dict__["_ft_answer"]
    return found


def check_answerable(cursor: Any) -> None:
    """Refuse a cursor whose rows cannot be exchanged.

    :raises StatementRefusedError: for an adapter of an asyncio driver other than SQLAlchemy's of today
    """
    if _adapts(cursor) and not hasattr(type(cursor), "_rows"):
        raise StatementRefusedError(
            "Rules are about what this statement writes or gives, and its cursor's rows cannot be exchanged",
            value=type(cursor).__name__,
            hint="Use a synchronous engine for the tables that rules of this kind are about",
        )


def answer(cursor: Any, found: Answer) -> None:
    """Let a cursor give ``found`` instead of the driver's rows, until its next statement."""
    plain(cursor)
    if _adapts(cursor):
        cursor._rows = held = _Held(getattr(cursor, "_rows", ()))
        held.answer = found
    else:
        cursor.__dict__["_ft_answer"] = found
    cursor.__class__ = _answering(cursor.__class__)


def plain(cursor: Any) -> None:
    """Let a cursor be as its driver made it."""
    found = cursor.__class__
    if not issubclass(found, _Answering):
        return
    given = _held_by(cursor)
    cursor.__class__ = found.__mro__[2]
    given.close()
    if not _adapts(cursor):
        del cursor.__dict__["_ft_answer"]
