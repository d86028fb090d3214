"""Spans name the tenant, whether they begin before the request is resolved or after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, g
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_tenant import central_context, tenant_context
from tests.adapters.conftest import MakeApp, at


@pytest.fixture
def spans() -> Iterator[tuple[InMemorySpanExporter, trace.Tracer]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter, provider.get_tracer("tests")
    provider.shutdown()


def found(exporter: InMemorySpanExporter) -> list[tuple[str, dict[str, Any]]]:
    return [(span.name, dict(span.attributes or {})) for span in exporter.get_finished_spans()]


ACME = {"tenant.id": 1, "tenant.slug": "acme"}


def test_a_span_around_the_request(app: Flask, spans: Any) -> None:
    """As middleware makes it, outside of ours."""
    exporter, tracer = spans
    app.add_url_rule("/", view_func=lambda: "hello")
    inner = app.wsgi_app

    def outer(environ: Any, start_response: Any) -> Any:
        with tracer.start_as_current_span("server"):
            return inner(environ, start_response)

    app.wsgi_app = outer  # type: ignore[method-assign]
    client = app.test_client()
    client.get(at("acme"))
    client.get(at(""))
    client.get(at("nowhere"))
    assert found(exporter) == [("server", ACME), ("server", {}), ("server", {})]


def test_a_span_that_begins_within_the_request(app: Flask, spans: Any) -> None:
    """As Flask's instrumentation makes it, in before_request and teardown_request."""
    exporter, tracer = spans

    @app.before_request
    def begin() -> None:
        g.span = tracer.start_as_current_span("view")
        g.span.__enter__()

    @app.teardown_request
    def end(error: Any) -> None:
        g.span.__exit__(None, None, None)

    app.add_url_rule("/", view_func=lambda: "hello")
    app.test_client().get(at("acme"))
    assert found(exporter) == [("view", ACME)]


def test_jobs_and_scripts(app: Flask, spans: Any) -> None:
    exporter, tracer = spans
    with tracer.start_as_current_span("job"), tenant_context("acme", app):
        pass
    with tracer.start_as_current_span("central"), central_context(reason="a test", app=app):
        pass
    assert found(exporter) == [("job", ACME), ("central", {})]


def test_switched_off(make_app: MakeApp, spans: Any) -> None:
    exporter, tracer = spans
    app = make_app(TENANT_ADAPTERS_OFF=["opentelemetry"])
    with tracer.start_as_current_span("job"), tenant_context("acme", app):
        pass
    assert found(exporter) == [("job", {})]
