"""The documentation's rule file, checked, stored, loaded and decided: what holds for whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flask_tenant.decision import Decision, Means
from flask_tenant.evaluation import evaluate
from flask_tenant.expressions import Kind
from flask_tenant.rules.decide import Decider
from flask_tenant.rules.engine import Reference
from flask_tenant.rules.language import dump, restore
from tests.rules.language.world import TABLES, checked

NOW = dt.datetime(2026, 7, 15, 12, tzinfo=dt.UTC)
CLERK = {
    "user.id": 7, "roles": ("agent",), "path": "/invoices", "channel": "page", "now": NOW, "today": NOW.date(),
    "month": NOW.month, "plan": "free", "tenant.timezone": "UTC",
}  # fmt: skip
AUDITOR = {**CLERK, "roles": ("auditor", "accounting")}
STRANGER: dict[str, Any] = {}


@pytest.fixture(scope="module")
def decider() -> Decider:
    return Decider(restore(dump(checked().ruleset)), Reference(), TABLES)


def seen(decider: Decider, facts: dict[str, Any], table: str, row: dict[str, Any]) -> bool:
    """Whether a row is there."""
    decision = decider.decide(facts)
    values = decider.values(facts)
    overlay = decision.overlays.get(table)
    return overlay is None or all(evaluate(each, row=row, values=values) is True for each in overlay.filters)


RECENT, OLD = {"issued_on": dt.date(2026, 7, 1)}, {"issued_on": dt.date(2025, 7, 1)}


def test_old_invoices_are_there_for_auditors_only(decider: Decider) -> None:
    assert seen(decider, CLERK, "invoice", RECENT)
    assert not seen(decider, CLERK, "invoice", OLD)
    assert not seen(decider, CLERK, "invoice", {"issued_on": None})
    assert seen(decider, AUDITOR, "invoice", OLD)


def test_of_whom_nothing_is_known_nothing_is_shown(decider: Decider) -> None:
    assert not seen(decider, STRANGER, "invoice", RECENT)
    assert not seen(decider, STRANGER, "ticket", {"owner_id": 7, "state": "open"})
    decision = decider.decide(STRANGER)
    assert decision.caps["invoice"][0] == 1000
    assert decision.route == "replica"
    assert dict(decision.overlays["customer"].masks)["tax_id"].means is Means.EMPTY


def test_tickets_are_own_or_open_for_agents(decider: Decider) -> None:
    assert seen(decider, CLERK, "ticket", {"owner_id": 7, "state": "closed"})
    assert seen(decider, CLERK, "ticket", {"owner_id": 8, "state": "open"})
    assert not seen(decider, CLERK, "ticket", {"owner_id": 8, "state": "closed"})
    assert not seen(decider, AUDITOR, "ticket", {"owner_id": 8, "state": "open"})


def test_masks_are_for_those_who_do_no_accounting(decider: Decider) -> None:
    overlay = decider.decide(CLERK).overlays["customer"]
    assert {name: mask.means for name, mask in overlay.masks} == {"tax_id": Means.EMPTY, "phone": Means.LAST}
    assert overlay.hidden == ("credit_note",)
    assert "customer" not in decider.decide(AUDITOR).overlays


def denied(decision: Decision, values: tuple[Any, ...], table: str, row: dict[str, Any]) -> bool:
    rules = decision.writes[table, "delete"]
    return any(
        each.applies is None or evaluate(each.applies, row=row, values=values) is not False
        for each in rules.denials
    )


@pytest.mark.parametrize(
    ("issued_on", "closed"),
    [(dt.date(2026, 6, 30), True), (dt.date(2026, 7, 1), False), (dt.date(2026, 7, 31), False), (None, True)],
)
def test_books_are_closed_after_the_month(decider: Decider, issued_on: dt.date | None, closed: bool) -> None:
    found = denied(decider.decide(CLERK), decider.values(CLERK), "invoice", {"issued_on": issued_on})
    assert found is closed


def test_the_facts_have_the_kinds_that_were_declared(decider: Decider) -> None:
    assert decider.rules.facts["roles"] is Kind.TEXTS
    assert set(decider.facts) <= set(decider.rules.facts)
