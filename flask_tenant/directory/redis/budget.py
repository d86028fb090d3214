"""How long one request may wait for Redis, whatever it looks up and how often."""

from __future__ import annotations

import time
from contextvars import ContextVar

SECONDS = 0.18
"""For one request in all: 0.2 s with what else there is to do."""

_SLOW = 0.02
"""Answers that take less do not count: a script may ask ten thousand times."""

_MEMORY = 5.0
"""Seconds after which waiting is forgotten, where no request ends."""

_spent: ContextVar[tuple[float, float]] = ContextVar("flask_tenant_redis_spent", default=(0.0, 0.0))


def left() -> float:
    """Return how many seconds the running context may still wait."""
    seconds, at = _spent.get()
    return SECONDS - seconds if time.monotonic() - at < _MEMORY else SECONDS


def spend(seconds: float) -> None:
    """Note that the running context has waited."""
    if seconds > _SLOW:
        _spent.set((SECONDS - left() + seconds, time.monotonic()))
