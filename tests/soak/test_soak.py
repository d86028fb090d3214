"""A short run of `make soak`: each answer carries its own tenant's canary, whatever happens meanwhile."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from bench.soak.__main__ import KINDS, Found, run
from bench.soak.clients import Client, Tally
from bench.soak.trouble import Operator
from flask_tenant.model import TenantState
from tests.services.availability import FULL
from tests.services.postgres import PostgresServer
from tests.services.redis import need

pytestmark = pytest.mark.once


@pytest.mark.timeout(900)
def test_tenants_stay_apart_whatever_happens(postgres_server: PostgresServer, record_property: Any) -> None:
    need()
    seconds, tenants, clients = (120, 1_000, 16) if FULL else (20, 100, 6)
    with postgres_server.database() as name:
        found = run(seconds, tenants, clients, database=postgres_server.url(name), every=seconds / 10)
    record_property("figure", f"{found.tally.seen.total()} answers in {seconds} s")
    assert found.faults(flat=FULL) == []


def _judged(
    status: int, body: bytes, path: str = "/row", closable: bool = False, closed: bool = False
) -> Tally:
    client: Any = Client([], [], lambda slug: False, lambda slug: False, Tally(), None)  # type: ignore[arg-type]
    client.judge("acme", path, status, body, closable, closed)
    return client.tally


def test_what_counts_as_a_fault() -> None:
    """The soak run would notice: a judge that finds nothing has seen nothing."""
    assert _judged(200, b'{"text": "canary=acme;"}').seen == {"right": 1}
    assert _judged(200, b"canary=acme;\ncanary=bella;", "/rows").leaks
    assert _judged(200, b"canary=bella;", "/hang-up").leaks
    assert _judged(403, b"canary=bella;", closable=True).leaks
    assert _judged(503, b"canary=bella;", "/injected").leaks
    for status, body in ((500, b""), (502, b""), (503, b""), (403, b""), (200, b"")):
        assert _judged(status, body).wrong, (status, body)
    assert _judged(200, b"canary=acme;\n" * 19, "/rows").wrong, "a row is missing"
    told = _judged(403, b"", closable=True, closed=True)
    assert (told.seen, told.refused) == ({"suspended": 1}, {"acme": 1})
    for path in ("/row", "/hang-up"):
        assert _judged(200, b"canary=acme;", path, closable=True, closed=True).wrong, "it was served"
    assert not _judged(200, b"canary=acme;", closable=True).refused


def test_only_what_clients_saw_counts_as_suspended() -> None:
    """An operator whose suspension nobody hears of has shown nothing."""
    tally = Tally()
    tally.seen.update(dict.fromkeys((*KINDS,), 1))
    found = Found(1.0, tally, {}, {}, [1], [1])
    assert found.faults() == []
    del tally.seen["suspended"]
    found.operator["closed"] = 7
    assert found.faults() == ["nothing was ever suspended"]


def test_a_suspended_tenant_stays_so_until_a_client_was_told() -> None:
    changed: list[TenantState] = []
    directory: Any = SimpleNamespace(
        get=lambda slug: slug, set_config=lambda *a: None, set_state=lambda slug, state: changed.append(state)
    )
    tally, stop = Tally(), Event()
    operator = Operator(SimpleNamespace(directory=directory), ["acme"], ["acme"], tally.refused, stop)  # type: ignore[arg-type]
    operator._close("acme")
    assert operator.may_be_closed("acme")
    assert not operator.must_be_closed("acme")
    assert operator._closed is not None
    slug, since, before = operator._closed
    operator._closed = slug, since - 60, before
    assert operator.must_be_closed("acme")
    operator._reopen(*operator._closed)
    assert changed == [TenantState.SUSPENDED]
    tally.refused["acme"] += 1
    operator._reopen(*operator._closed)
    assert changed == [TenantState.SUSPENDED, TenantState.ACTIVE]
    assert not operator.must_be_closed("acme")
    assert operator.may_be_closed("acme"), "not every server knows yet"
