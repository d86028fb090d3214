"""OpenTelemetry: the current span carries ``tenant.id`` and ``tenant.slug``. Through the API only."""

from __future__ import annotations

import sys
from typing import Any

import flask
from flask import Flask

from ..context import Scope
from .base import Around, Part

NAME = "opentelemetry"


class OpenTelemetry(Part):
    """Marks spans. An instrumentation may begin its span before or after the tenant is known."""

    name = NAME

    def __init__(self) -> None:
        self._around: Around | None = None

    def look(self, around: Around) -> bool:
        """Listen to the application's requests."""
        if "opentelemetry.trace" not in sys.modules:
            return False
        if self._around is None:
            self._around = around
            flask.request_started.connect(self._mark, around.app())
            flask.request_finished.connect(self._mark, around.app())
        return True

    def _mark(self, sender: Flask, **_: Any) -> None:
        if self._around is not None:
            scope = self._around.here()
            if scope is not None:
                mark(scope)

    def enter(self, scope: Scope) -> None:
        """Mark the span that is current when a scope is entered."""
        mark(scope)

    def leave(self, scope: Scope) -> None:
        """Nothing to do: a span ends with what it describes."""


def mark(scope: Scope) -> None:
    """Mark the current span with a scope's tenant."""
    from opentelemetry import trace

    tenant = scope.tenant
    span = trace.get_current_span()
    if tenant is not None and span.is_recording():
        span.set_attribute("tenant.id", tenant.id)
        span.set_attribute("tenant.slug", tenant.slug)
