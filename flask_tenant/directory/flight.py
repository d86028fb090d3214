"""Lets one thread look something up while those that want the same wait for its answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")


class Flights:
    """Look-ups under way, by key."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin again, after a fork."""
        self._lock = Lock()
        self._flying: dict[Hashable, Future[Any]] = {}

    def fly(self, key: Hashable, look: Callable[[], T]) -> T:
        """Return what ``look`` returns, called here or by whoever came first."""
        with self._lock:
            flying = self._flying.get(key)
            mine: Future[T] | None = None
            if flying is None:
                mine = self._flying[key] = Future()
        if mine is None:
            answer: T = flying.result()  # type: ignore[union-attr]
            return answer
        try:
            found = look()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(found)
            return found
        finally:
            with self._lock:
                self._flying.pop(key, None)
