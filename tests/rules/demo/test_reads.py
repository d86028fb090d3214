"""What people see under the rules: invoices, tickets, customers, by pages and by each kind of statement."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from demo_app.extensions import db
from demo_app.models import Customer, Invoice, Ticket
from flask_tenant import signals
from flask_tenant.context import current_scope
from tests.rules.demo.conftest import of_bella
from tests.rules.demo.world import (
    ACCOUNTING,
    AGENT,
    AUDITOR,
    NOBODY,
    WAYS,
    Demo,
    days_ago,
    read,
)
from tests.rules.results.test_results import Heard

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")
each_way = pytest.mark.parametrize("way", WAYS)


# ---- recent-invoices
@each_way
def test_recent_invoices(demo: Demo, way: str) -> None:
    everything = [n for (n,) in demo.rows("SELECT t.number FROM invoice t ORDER BY t.id")]
    recent = [
        n
        for n, at in demo.rows("SELECT t.number, t.issued_on FROM invoice t ORDER BY t.id")
        if str(at) >= str(days_ago(90))
    ]
    assert 600 < len(recent) < len(everything)
    for who, seen in ((AGENT, recent), (NOBODY, recent), (None, recent), (AUDITOR, everything)):
        with demo.as_(who):
            assert [n for (n,) in read(way, Invoice, "number")] == seen, who


def test_recent_invoices_on_pages(demo: Demo) -> None:
    id_, number = demo.rows("SELECT t.id, t.number FROM invoice t ORDER BY t.issued_on, t.id")[0]
    for who, code in ((AGENT, 404), (AUDITOR, 200)):
        browser = demo.browser(who)
        assert browser.get(f"/invoices/{id_}").status_code == code
        assert (f'/invoices/{id_}"' in browser.get(f"/invoices/?q={number}").text) is (code == 200)
        assert (number in browser.get("/invoices/export.csv").text) is (code == 200)


# ---- own-or-open
@each_way
def test_own_or_open_tickets(demo: Demo, way: str) -> None:
    rows = demo.rows("SELECT t.id, t.owner_id, t.state FROM ticket t ORDER BY t.id")
    for who, agent in ((AGENT, True), (ACCOUNTING, False), (NOBODY, False)):
        user = demo.one(f"SELECT t.id FROM \"user\" t WHERE t.email = '{who}'")
        seen = [(id_,) for id_, owner, state in rows if owner == user or (agent and state == "open")]
        assert len(seen) < len(rows)
        assert seen or who == NOBODY
        with demo.as_(who):
            assert read(way, Ticket, "id") == seen, who
    with demo.as_(None):
        assert read(way, Ticket, "id") == []


def test_own_or_open_tickets_on_pages(demo: Demo) -> None:
    rows = demo.rows("SELECT t.id, t.owner_id, t.state FROM ticket t ORDER BY t.id")
    browser = demo.browser(AGENT)
    user = demo.one(f"SELECT t.id FROM \"user\" t WHERE t.email = '{AGENT}'")
    codes = {id_: browser.get(f"/tickets/{id_}").status_code for id_, _, _ in rows}
    assert codes == {id_: 200 if owner == user or state == "open" else 404 for id_, owner, state in rows}
    assert set(codes.values()) == {200, 404}


# ---- tax-id
@each_way
def test_tax_ids_and_telephones(demo: Demo, way: str) -> None:
    names = ("id", "tax_id", "phone", "credit_note", "name")
    rows = demo.rows("SELECT t.id, t.tax_id, t.phone, t.credit_note, t.name FROM customer t ORDER BY t.id")
    assert any(note for _, _, _, note, _ in rows)
    shown = [(i, "", "****" + p[-4:], None, n) for i, _, p, _, n in rows]
    for who, seen in ((ACCOUNTING, rows), (AGENT, shown), (None, shown)):
        with demo.as_(who):
            assert read(way, Customer, *names) == seen, who


def test_what_is_masked_cannot_be_searched_nor_summed(demo: Demo) -> None:
    tax_id = demo.one("SELECT t.tax_id FROM customer t WHERE t.id = 1")
    for who, count in ((ACCOUNTING, 1), (AGENT, 0)):
        with demo.as_(who):
            query = sa.select(sa.func.count()).select_from(Customer).where(Customer.tax_id == tax_id)
            assert db.session.scalar(query) == count
            text = sa.text("SELECT count(*) FROM customer WHERE tax_id LIKE :start")
            assert db.session.scalar(text, {"start": tax_id}) == count


def test_customers_on_pages(demo: Demo) -> None:
    columns = "SELECT t.tax_id, t.phone, t.credit_note FROM customer t WHERE t.id = 1"
    ((tax_id, phone, note),) = before = demo.rows(columns)
    assert tax_id
    assert note
    page = demo.browser(ACCOUNTING).get("/customers/1").text
    assert all(value in page for value in (tax_id, phone, note))
    browser = demo.browser(AGENT)
    page = browser.get("/customers/1").text
    assert not any(value in page for value in (tax_id, phone, note))
    assert "*" + phone[-4:] in page
    # what the form shows comes back with it, and destroys nothing
    with demo.as_(AGENT):
        customer = db.session.get_one(Customer, 1)
        names = (
            "name",
            "contact",
            "email",
            "phone",
            "street",
            "postcode",
            "country_code",
            "vat_id",
            "tax_id",
        )
        form = {name: getattr(customer, name) or "" for name in names}
    assert form["phone"].startswith("***")
    assert browser.post("/customers/1/edit", **form, city="Newtown").status_code == 302
    assert demo.one("SELECT t.city FROM customer t WHERE t.id = 1") == "Newtown"
    assert demo.rows(columns) == before
    refused = browser.post("/customers/1/edit", **{**form, "phone": "+1 555 9999"}, city="Newtown")
    assert refused.status_code == 403
    assert "phone" in refused.text
    assert demo.rows(columns) == before
    # a new one may have a number
    made = browser.post(
        "/customers/new", **{**form, "email": "new@x.example", "phone": "+1 2", "tax_id": "N1"}, city=""
    )
    assert made.status_code == 302
    found = demo.rows("SELECT t.phone, t.tax_id FROM customer t WHERE t.email = 'new@x.example'")
    assert found == [("+1 2", "N1")]


# ---- api-limits
@each_way
def test_an_api_call_gets_a_thousand_rows(demo: Demo, way: str) -> None:
    count = len(demo.rows("SELECT t.id FROM customer t"))
    assert count > 1000
    with demo.as_(AGENT, "/api/customers"):
        assert len(read(way, Customer, "id")) == 1000
        scope = current_scope()
        assert scope is not None
        assert scope.capped == (("customer", 1000, "api-limits"),)
    with demo.as_(AGENT):
        assert len(read(way, Customer, "id")) == count


def test_an_api_call_is_told_that_it_was_cut(demo: Demo) -> None:
    browser = demo.browser(AGENT)
    with Heard(signals.rows_capped) as said:
        response = browser.get("/api/customers")
    assert len(response.json) == 1000
    assert response.headers["X-Tenant-Rows-Capped"] == "customer=1000"
    assert said == [{"table": "customer", "rows": 1000, "rule": "api-limits"}]
    assert "X-Tenant-Rows-Capped" not in browser.get("/customers/").headers
    bella = demo.browser("owner@bella-flowers.example", "bella").get("/api/customers")
    assert "X-Tenant-Rows-Capped" not in bella.headers
    assert len(bella.json) == len(demo.rows("SELECT t.id FROM customer t", "bella"))


# ---- log-exports
@each_way
def test_large_exports_have_no_ibans_and_are_told(demo: Demo, way: str) -> None:
    with demo.as_(AGENT), Heard(signals.rule_emitted) as said:
        found = read(way, Invoice, "number", "iban")
    assert len(found) > 500
    assert {iban for _, iban in found} == {None}
    told = {"rule": "log-exports", "event": "invoice.exported", "table": "invoice", "rows": len(found)}
    assert said == [told]


def test_small_ones_have(demo: Demo) -> None:
    with demo.as_(AGENT), Heard(signals.rule_emitted) as said:
        found = db.session.scalars(sa.select(Invoice).where(Invoice.number.like("MANY-%")).limit(500)).all()
        assert len(found) == 500
        assert all(invoice.iban for invoice in found)
        rows = db.session.execute(
            sa.text("SELECT iban FROM invoice WHERE number LIKE 'MANY-%' LIMIT 500")
        ).all()
        assert len(rows) == 500
        assert all(iban for (iban,) in rows)
    assert said == []


def test_an_export_page_is_told(demo: Demo) -> None:
    browser = demo.browser(AGENT)
    with Heard(signals.rule_emitted) as said, Heard(signals.event_happened) as events:
        lines = browser.get("/invoices/export.csv").text.splitlines()
    assert len(lines) > 500
    assert [(e["rule"], e["rows"]) for e in said] == [("log-exports", len(lines) - 1)]
    assert "invoice.exported" in {e["name"] for e in events}


# ---- winter
def test_winter(demo: Demo) -> None:
    looks: list[Any] = []
    browser, bella = demo.browser(AGENT), demo.browser("owner@bella-flowers.example", "bella")
    try:
        for month in (11, 12, 1):
            demo.at(demo_time(month))
            looks.append(["/_theme/winter/style.css" in b.get("/customers/").text for b in (browser, bella)])
    finally:
        demo.at(demo_time(6))
    assert looks == [[False, False], [True, False], [False, False]]
    assert browser.get("/_theme/winter/style.css").status_code == 200


def demo_time(month: int) -> Any:
    from tests.rules.demo.world import NOW

    return NOW.replace(month=month)


# ---- bella
def test_who_has_no_rules_sees_everything_as_before(demo_and_before: tuple[Demo, dict[str, str]]) -> None:
    demo, before = demo_and_before
    after = of_bella(demo)
    for page, text in before.items():
        assert after[page] == text, page
    counts = {
        m: len(demo.rows(f"SELECT t.id FROM {m.__tablename__} t", "bella"))
        for m in (Customer, Invoice, Ticket)
    }
    assert all(counts.values())
    with demo.as_("megan@bella-flowers.example", "/api/x", "bella"):
        for model, count in counts.items():
            for way in WAYS:
                assert len(read(way, model, "id")) == count
        rows = demo.rows("SELECT t.tax_id, t.phone, t.credit_note FROM customer t ORDER BY t.id", "bella")
        for way in WAYS:
            assert read(way, Customer, "tax_id", "phone", "credit_note") == rows
