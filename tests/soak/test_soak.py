"""A short run of `make soak`: each answer carries its own tenant's canary, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from bench.soak.__main__ import run
from bench.soak.clients import Client, Tally
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


def _judged(status: int, body: bytes, path: str = "/row", closable: bool = False) -> Tally:
    client: Any = Client([], [], lambda slug: False, Tally(), None)  # type: ignore[arg-type]
    client.judge("acme", path, status, body, closable)
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
    assert _judged(403, b"", closable=True).seen == {"suspended": 1}
