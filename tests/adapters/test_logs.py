"""Log records and structlog's events name the tenant."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Flask

from flask_tenant import central_context, tenant_context
from flask_tenant.adapters.logs import TenantFilter
from tests.adapters.conftest import MakeApp, at

FORMAT = "%(tenant)s %(tenant_id)s %(message)s"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a handler writes; it runs in a thread of its own, after the fact."""
    stream, waiting = io.StringIO(), queue.SimpleQueue[Any]()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(FORMAT))
    listener = logging.handlers.QueueListener(waiting, handler)
    log, sender = logging.getLogger("shop"), logging.handlers.QueueHandler(waiting)
    log.addHandler(sender)
    log.setLevel(logging.INFO)
    listener.start()
    found: list[str] = []
    log.stop = lambda: (listener.stop(), found.extend(stream.getvalue().splitlines()))  # type: ignore[attr-defined]
    yield found
    log.removeHandler(sender)


def test_records_name_the_tenant(app: Flask, lines: list[str]) -> None:
    log: Any = logging.getLogger("shop")
    app.add_url_rule("/", view_func=lambda: log.info("a request") or "hello")
    client = app.test_client()
    for slug in ("acme", "bella", ""):
        client.get(at(slug))
    with tenant_context("bella", app):
        log.warning("a job")
        with central_context(reason="a test", app=app):
            log.warning("central")
    log.warning("outside")
    log.stop()
    assert lines == [
        "acme 1 a request",
        "bella 2 a request",
        "- - a request",
        "bella 2 a job",
        "- - central",
        "- - outside",
    ]


def test_an_applications_own_fields_stay(app: Flask, lines: list[str]) -> None:
    """`extra` of the same name is refused by logging where a record has it already."""
    log: Any = logging.getLogger("shop")
    with tenant_context("acme", app):
        log.warning("own", extra={"tenant": "mine", "tenant_id": 9})
        log.warning("half", extra={"tenant": "mine"})
    log.stop()
    assert lines == ["mine 9 own", "mine 1 half"]


def test_the_filter_for_a_handler(app: Flask) -> None:
    record = logging.makeLogRecord({"msg": "from a socket"})
    with tenant_context("acme", app):
        assert TenantFilter().filter(record)
    assert logging.Formatter(FORMAT).format(record) == "acme 1 from a socket"


def test_switched_off(make_app: MakeApp, lines: list[str]) -> None:
    app, log = make_app(TENANT_ADAPTERS_OFF=["logging"]), logging.getLogger("shop")
    with app.app_context(), tenant_context("acme"):
        log.warning("x")
    log.stop()  # type: ignore[attr-defined]
    assert lines == ["- - x"]


@pytest.fixture
def events() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    yield stream
    structlog.reset_defaults()


def test_events_of_structlog(app: Flask, events: io.StringIO) -> None:
    log = structlog.get_logger()
    log.info("before")  # bound and cached before anybody is in a tenant
    with tenant_context("acme", app):
        log.info("inside")
        structlog.get_logger().info("own", tenant="mine")
    log.info("after")
    found = [json.loads(line) for line in events.getvalue().splitlines()]
    assert found == [
        {"event": "before"},
        {"event": "inside", "tenant": "acme", "tenant_id": 1},
        {"event": "own", "tenant": "mine", "tenant_id": 1},
        {"event": "after"},
    ]


def test_structlog_configured_after_registration_and_with_a_tuple(app: Flask) -> None:
    stream = io.StringIO()
    with tenant_context("bella", app):
        structlog.configure(
            processors=(structlog.processors.JSONRenderer(),),  # type: ignore[arg-type]
            logger_factory=structlog.WriteLoggerFactory(stream),
        )
        structlog.get_logger().info("x")
    structlog.reset_defaults()
    assert json.loads(stream.getvalue()) == {"event": "x", "tenant": "bella", "tenant_id": 2}
