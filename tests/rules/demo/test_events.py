"""Lockout and quota, from what people do on pages to what comes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from demo_app.seeding import PASSWORD
from flask_tenant import signals
from tests.rules.demo.world import AGENT, VICTIM, Browser, Demo
from tests.rules.events.receiver import receiving
from tests.rules.results.test_results import Heard

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def active(demo: Demo, email: str, slug: str = "acme") -> bool:
    ((found,),) = demo.rows(f"SELECT t.active FROM \"user\" t WHERE t.email = '{email}'", slug)
    return bool(found)


def fail(demo: Demo, email: str, slug: str = "acme") -> list[str]:
    """Give a wrong password, and return the events."""
    browser = Browser(demo.app.test_client(), slug)
    with Heard(signals.event_happened) as events:
        response = browser.post("/login", email=email, password="wrong")
    assert response.status_code == 200
    assert "wrong" in response.text
    return [event["name"] for event in events]


def test_three_failed_log_ins_lock_an_account(demo: Demo) -> None:
    assert fail(demo, VICTIM) == ["login.failed"]
    assert fail(demo, AGENT) == ["login.failed"]  # another's do not count
    assert fail(demo, VICTIM) == ["login.failed"]
    assert active(demo, VICTIM)
    assert fail(demo, VICTIM) == ["login.failed", "account.locked"]
    assert not active(demo, VICTIM)
    assert active(demo, AGENT)
    late = Browser(demo.app.test_client(), "acme").post("/login", email=VICTIM, password=PASSWORD)
    assert late.status_code == 200


def test_bella_locks_nobody(demo: Demo) -> None:
    for _ in range(4):
        assert fail(demo, "tom@bella-flowers.example", "bella") == ["login.failed"]
    assert active(demo, "tom@bella-flowers.example", "bella")


def test_the_quota_is_told_once_a_month(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    written = len(demo.rows("SELECT t.id FROM invoice t WHERE t.issued_on >= '2026-06-01'"))
    monkeypatch.setattr("demo_app.services.MONTHLY_SHARE", int((written + 2) / 0.8))
    with receiving() as receiver:
        acme = demo.state.directory.get("acme")
        demo.state.directory.set_config(acme, "webhook.ops", receiver.url)
        settings = replace(demo.state.settings, webhook_hosts=frozenset({"127.0.0.1"}))
        monkeypatch.setattr(demo.state.events, "_settings", settings)
        browser, told = demo.browser(AGENT), []
        for number in range(4):
            assert browser.post("/invoices/new", **invoice(f"Q-{number}")).status_code == 302
            found = demo.app.test_cli_runner().invoke(args=["tenant", "webhooks", "deliver"])
            assert found.exit_code == 0, found.output
            told.append(len(receiver.got))
    assert told == [0, 1, 1, 1]
    ((_, headers, body),) = receiver.got
    said = json.loads(body)
    assert (said["event"], said["rule"], said["tenant"]) == ("usage.changed", "quota", "acme")
    assert 0.8 <= float(said["facts"]["usage.ratio"]) < 0.9
    assert headers["webhook-signature"]


def invoice(number: str) -> dict[str, Any]:
    return {
        "number": number,
        "customer_id": "1",
        "issued_on": "2026-06-15",
        "due_date": "2026-07-15",
        "lines-0-description": "Nails",
        "lines-0-quantity": "1",
        "lines-0-unit_price": "5",
    }
