"""Waits for a provider: not for long, and not with everybody.

A server of somebody else's may be gone, hang, or send a byte a second; looking up its name may hang too. Whoever logs
in through it waits for a bounded time. When it has failed a few times in a row, or when a few already wait, others are
turned away at once, and it is tried again a little later: nothing has to be reset.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import TypeVar

from ..errors import ProviderUnavailableError

T = TypeVar("T")

FAILURES = 3
"""So many in a row, and the provider rests."""

REST_SECONDS = 10.0
"""After which one log-in tries it again."""

SLOW_SECONDS = 1.0
"""A call that takes longer is one that waits."""

CROWD = 4
"""So many calls that wait, and nobody else does. What was given up counts until it has really ended."""


class Breaker:
    """Stands before one provider.

    :param what: what it is, for messages
    :param clock: seconds, as :func:`time.monotonic` counts them
    """

    def __init__(self, what: str, clock: Callable[[], float] = monotonic) -> None:
        self._what = what
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._last = ""
        self._rests_until = 0.0
        self._running: dict[object, float] = {}

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """Do ``work``, which talks to the provider, in a thread of its own: it must not need the caller's context.

        :param seconds: how long to wait for it
        :raises ProviderUnavailableError: when it raises that, is not done in time, or is not tried now
        """
        future: Future[T] = Future()
        self._begin(future)
        thread = threading.Thread(
            target=self._run, args=(future, work), name="flask_tenant-login", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # there are too many on this machine
            with self._lock:
                self._running.pop(future)
            raise
        try:
            result = future.result(seconds)
        except ProviderUnavailableError as error:
            self._failed(error.message)
            raise
        except TimeoutError:
            if future.done():
                raise  # by the work itself
            late = f"{self._what} has not answered within {seconds:g} seconds"
            self._failed(late)
            raise ProviderUnavailableError(late, value=self._what) from None
        except Exception:
            self._answered()  # and we do not like the answer
            raise
        self._answered()
        return result

    def _begin(self, future: Future[T]) -> None:
        now = self._clock()
        with self._lock:
            if self._failures >= FAILURES:
                if now < self._rests_until:
                    raise ProviderUnavailableError(
                        f"{self._what} has failed {self._failures} times in a row, the last time so: {self._last}",
                        value=self._what,
                        hint=f"It is tried again in {self._rests_until - now:.0f} seconds",
                    )
                self._rests_until = now + REST_SECONDS  # this one tries, and the others do not
            if sum(now - since > SLOW_SECONDS for since in self._running.values()) >= CROWD:
                raise ProviderUnavailableError(
                    f"{self._what} keeps {CROWD} log-ins waiting", value=self._what, hint="Try again later"
                )
            self._running[future] = now

    def _run(self, future: Future[T], work: Callable[[], T]) -> None:
        try:
            result = work()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            with self._lock:
                self._running.pop(future, None)

    def _failed(self, why: str) -> None:
        with self._lock:
            self._last = why
            self._failures += 1
            if self._failures >= FAILURES:
                self._rests_until = self._clock() + REST_SECONDS

    def _answered(self) -> None:
        with self._lock:
            self._failures = 0
