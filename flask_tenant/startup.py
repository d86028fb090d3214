"""Whether the application is being built right now.

What an application factory writes (seeds, look-up rows) belongs to every tenant, and runs before anybody could name
one. The factory is the outermost function that already holds the application when ``init_app`` is called; start-up
lasts until it returns, or until the first request.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import get_ident
from types import FrameType
from typing import Any, cast

from flask import Flask


def _frames() -> Iterator[FrameType]:
    """The frames of the running code, from the caller's out, across greenlets: SQLAlchemy's asyncio runs in some."""
    module = sys.modules.get("greenlet")
    greenlet = module.getcurrent() if module is not None else None
    at = cast(Any, sys._getframe(1))
    while at is not None:
        yield at
        at = at.f_back
        if at is None and greenlet is not None:
            greenlet = greenlet.parent
            at = greenlet.gr_frame if greenlet is not None else None


class Startup:
    """Tells start-up code from code that forgot to name its tenant.

    :param app: the application being built
    :param frame: the frame that called ``init_app``
    :param factory: the frame that builds the application, where it is known
    """

    def __init__(self, app: Flask, frame: FrameType, factory: FrameType | None = None) -> None:
        self._over = False
        self._thread = get_ident()
        found = factory or self._factory(app, frame)
        self._frame_id = id(found) if found is not None else None
        self._code = found.f_code if found is not None else None

    @staticmethod
    def _factory(app: Flask, frame: FrameType) -> FrameType | None:
        found: FrameType | None = None
        at: FrameType | None = frame
        while at is not None:
            if any(value is app for value in list(at.f_locals.values())):
                found = at
            at = at.f_back
        return found

    def end(self) -> None:
        """Start-up is over: a request has come, or somebody says so."""
        self._over = True

    def running(self) -> bool:
        """Whether the calling code is part of the application's start-up."""
        if self._over or self._frame_id is None or get_ident() != self._thread:
            return False
        if any(id(at) == self._frame_id and at.f_code is self._code for at in _frames()):
            return True
        self._over = True  # the factory has returned
        return False
