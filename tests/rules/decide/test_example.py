"""The example of the documentation, from its text to decisions."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask_tenant.rules.decide import Decider, kinds_asked
from flask_tenant.rules.engine import Reference, durable_rules
from tests.rules.language.world import TABLES, checked

FACTS = {
    "channel": "page",
    "path": "/invoices",
    "roles": ("agent",),
    "user.id": 3,
    "month": 11,
    "today": date(2026, 11, 22),
    "now": datetime(2026, 11, 22, 12, tzinfo=UTC),
}


def test_the_example():
    rules = checked().ruleset
    deciders = [Decider(rules, engine, TABLES) for engine in (durable_rules(), Reference())]
    assert not {"event.count", "usage.ratio"} & set(kinds_asked(rules)), (
        "facts of event rules are not asked for"
    )
    seen = {}
    for name, changed in {
        "usual": {},
        "unknown": dict.fromkeys(FACTS),
        "privileged": {"roles": ("auditor", "accounting")},
        "api in december": {"channel": "api", "month": 12, "path": "/reports/1"},
    }.items():
        one, two = (decider.decide({**FACTS, **changed}) for decider in deciders)
        assert one == two, name
        seen[name] = set(one.fired)
    assert "recent-invoices" in seen["usual"]
    assert seen["usual"] <= seen["unknown"]
    assert not {"recent-invoices", "tax-id"} & seen["privileged"]
    assert seen["api in december"] >= {"api-limits", "reports", "winter"}
    values = deciders[0].values(FACTS)
    assert date(2026, 8, 24) in values
    assert 3 in values
