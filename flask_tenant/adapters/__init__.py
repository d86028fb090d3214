"""Around the SQL: one module for each library that has to follow the tenant.

A part is put in place when the application uses its library, and not before: sessions, Flask-Login, cachelib and
Flask-Caching, upload folders, Celery, RQ, log records, structlog, Prometheus, OpenTelemetry, and URLs outside
requests.
"""

from __future__ import annotations

import sys

from flask import Flask

from ..protocols import Adapter
from .base import Around, Part, ask, registered
from .caches import Caches
from .celery import Celery
from .login import Login
from .logs import Logs
from .opentelemetry import OpenTelemetry
from .prometheus import Prometheus
from .rq import Rq
from .sessions import Sessions
from .structlog import Structlog
from .uploads import Uploads
from .urls import Urls

__all__ = ["PARTS", "Around", "Surroundings", "ask", "registered", "sight"]

PARTS: tuple[type[Part], ...] = (
    Logs,
    Structlog,
    Sessions,
    Login,
    Caches,
    Uploads,
    Urls,
    Celery,
    Rq,
    Prometheus,
    OpenTelemetry,
)


class Surroundings:
    """The parts of one application.

    :param around: the application
    """

    def __init__(self, around: Around) -> None:
        self._around = around
        self._parts = [made() for made in PARTS if made.name not in around.settings.adapters_off]
        self._seen: object = None
        self.placed: dict[str, Part] = {}

    def discover(self) -> tuple[Adapter, ...]:
        """Put parts in place whose libraries the application has begun to use.

        :returns: those newly placed that follow each scope
        """
        app = self._around.app()
        if sight(app) == self._seen:
            return ()
        new: list[Adapter] = []
        for part in self._parts:
            if part.look(self._around) and part.name not in self.placed:
                self.placed[part.name] = part
                if hasattr(part, "enter") and hasattr(part, "leave"):
                    new.append(part)
        self._seen = sight(app)
        return tuple(new)


def sight(app: Flask) -> tuple[object, ...]:
    """What an application looks like from outside: another value once it has begun to use another library. Cheap."""
    own = app.__dict__  # Flask-Login leaves nothing but an attribute
    caches = app.extensions.get("cache")
    return (
        len(sys.modules),
        len(app.extensions),
        len(caches) if caches.__class__ is dict else 0,
        len(own),
        own.get("login_manager"),
        app.session_interface.__class__,
        getattr(own.get("jinja_env"), "loader", None),
    )
