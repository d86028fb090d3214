"""Metrics of each tenant, in a number of labels that does not grow with the tenants."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from flask_tenant.adapters.prometheus import Ranks
from flask_tenant.model import Tenant
from tests.adapters.conftest import MakeApp, at


def value(tenant: str, status: str) -> float:
    return REGISTRY.get_sample_value("flask_tenant_requests_total", {"tenant": tenant, "status": status}) or 0


def test_requests_are_counted_for_each_tenant(app: Flask) -> None:
    app.add_url_rule("/", view_func=lambda: "hello")
    app.add_url_rule("/broken", "broken", view_func=lambda: 1 / 0)
    client = app.test_client()
    before = {(t, s): value(t, s) for t in ("acme", "bella", "none") for s in ("2xx", "4xx", "5xx")}
    for slug, path in (("acme", "/"), ("acme", "/"), ("bella", "/nowhere"), ("bella", "/broken"), ("", "/")):
        client.get(at(slug, path))
    now = {key: value(*key) - was for key, was in before.items()}
    assert {key: count for key, count in now.items() if count} == {
        ("acme", "2xx"): 2,
        ("bella", "4xx"): 1,
        ("bella", "5xx"): 1,
        ("none", "2xx"): 1,
    }
    text = generate_latest().decode()
    assert 'flask_tenant_request_seconds_total{tenant="acme"}' in text


def test_hosts_that_do_not_exist_make_no_labels(app: Flask) -> None:
    client = app.test_client()
    for number in range(20):
        client.get(at(f"scan{number}"))
    assert "scan" not in generate_latest().decode()


@pytest.fixture
def counted() -> tuple[CollectorRegistry, Any, Any]:
    registry = CollectorRegistry()
    return (
        registry,
        Counter("requests", "x", ["tenant", "status"], registry=registry),
        Counter("seconds", "x", ["tenant"], registry=registry),
    )


def samples(registry: CollectorRegistry) -> dict[str, float]:
    """Requests under each label."""
    found: dict[str, float] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name == "requests_total":
                label = sample.labels["tenant"]
                found[label] = found.get(label, 0) + sample.value
    return found


def test_the_busiest_are_named_and_no_more(counted: Any) -> None:
    registry, requests, seconds = counted
    ranks = Ranks(3, requests, seconds)
    tenants = [Tenant(n, f"t{n}", "x") for n in range(1, 101)]
    total = 0
    for turn in range(60):
        for tenant in tenants:
            # the later the busier: those that come first are named first, and have to make room
            if turn < tenant.id or tenant.id > 97:
                for _ in range(5 if tenant.id > 97 else 1):
                    ranks.count(tenant, "2xx", 0.5)
                    total += 1
        found = samples(registry)
        assert len(found) <= 4
        assert sum(found.values()) == total
    assert set(samples(registry)) == {"t98", "t99", "t100", "other"}
    spent = {
        s.labels["tenant"]: s.value
        for m in registry.collect()
        for s in m.samples
        if s.name == "seconds_total"
    }
    assert sum(spent.values()) == total / 2
    assert set(spent) == {"t98", "t99", "t100", "other"}


def test_tenants_that_are_equally_busy_do_not_go_in_and_out(counted: Any) -> None:
    registry, requests, seconds = counted
    ranks = Ranks(2, requests, seconds)
    seen = set()
    for _ in range(100):
        for n in (1, 2, 3, 4):
            ranks.count(Tenant(n, f"t{n}", "x"), "2xx", 0)
        seen.add(frozenset(samples(registry)))
    assert len(seen) <= 2


def test_renamed_and_oddly_named_tenants(counted: Any) -> None:
    registry, requests, seconds = counted
    ranks = Ranks(10, requests, seconds)
    ranks.count(Tenant(1, "old", "x"), "2xx", 0)
    ranks.count(Tenant(1, "new", "x"), "2xx", 0)
    ranks.count(Tenant(2, "other", "x"), "2xx", 0)
    ranks.count(Tenant(3, "none", "x"), "2xx", 0)
    assert samples(registry) == {"other": 1, "new": 1, "other#2": 1, "none#3": 1}


def test_none_are_named(counted: Any) -> None:
    registry, requests, seconds = counted
    ranks = Ranks(0, requests, seconds)
    for n in (1, 2):
        ranks.count(Tenant(n, f"t{n}", "x"), "2xx", 0)
    assert samples(registry) == {"other": 2}


def test_switched_off(make_app: MakeApp) -> None:
    app = make_app(TENANT_ADAPTERS_OFF=["prometheus"])
    app.add_url_rule("/", view_func=lambda: "hello")
    before = value("acme", "2xx")
    app.test_client().get(at("acme"))
    assert value("acme", "2xx") == before
