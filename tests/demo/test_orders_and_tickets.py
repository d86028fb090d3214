"""Orders go from new to shipped, tickets from open to closed, in the company's language."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from demo_app.extensions import db
from demo_app.models import CreditNote, Customer, Invoice, Order, Setting, Ticket, User
from tests.demo.conftest import log_in

pytestmark = pytest.mark.databases("sqlite")

FORM = {
    "customer_id": "1",
    "ordered_on": "2026-06-15",
    "description": "A crate of nails",
    "total": "10000.01",
}


def test_an_order_from_new_to_shipped(app: Flask, client: FlaskClient) -> None:
    path = client.post("/orders/new", data={**FORM, "number": "AT-O9001"}).headers["Location"]
    assert "$10,000.01" in client.get(path).text
    member = log_in(app, "member")
    assert member.post(f"{path}/approve").status_code == 403
    assert "cannot become “Shipped” now" in client.post(f"{path}/ship", follow_redirects=True).text
    for step, status in (("approve", "approved"), ("ship", "shipped")):
        assert client.post(f"{path}/{step}").status_code == 302
        with app.app_context():
            order = db.session.scalars(select(Order).where(Order.number == "AT-O9001")).one()
            assert (order.status, order.total) == (status, Decimal("10000.01"))
            assert order.approver.role == "owner"
    assert client.get(f"{path}/edit").status_code == 302
    again = client.post("/orders/new", data={**FORM, "number": "AT-O9001"})
    assert "Another order has this number" in again.text


def test_people_who_write_sql_find_amounts_and_not_cents(app: Flask) -> None:
    with app.app_context():
        rows = db.session.execute(text('SELECT total FROM "order" WHERE total > 10000')).all()
        assert rows
        assert all(10_000 < total < 100_000 for (total,) in rows)


def test_a_ticket_from_open_to_closed(app: Flask, client: FlaskClient) -> None:
    path = client.post(
        "/tickets/new", data={"subject": "Bent nails", "state": "open", "body": "All."}
    ).headers["Location"]
    for step, shown in (("take", "The ticket is yours"), ("close", "badge-closed"), ("reopen", "badge-open")):
        assert shown in client.post(f"{path}/{step}", follow_redirects=True).text
    with app.app_context():
        ticket = db.session.scalars(select(Ticket).where(Ticket.subject == "Bent nails")).one()
        assert (ticket.owner.role, ticket.closed_at) == ("owner", None)
    assert "Bent nails" in client.get("/tickets/?state=mine").text


def test_what_the_seed_brings(app: Flask) -> None:
    with app.app_context():
        roles = set(db.session.scalars(select(User.roles).where(User.roles != "")))
        assert roles >= {"accounting", "agent", "auditor"}
        assert all(db.session.scalars(select(Customer.tax_id)))
        assert all(db.session.scalars(select(Invoice.iban).where(Invoice.id <= 200)))
        assert len(db.session.scalars(select(CreditNote)).all()) >= 5
        assert {o.status for o in db.session.scalars(select(Order))} >= {
            "new",
            "pending",
            "approved",
            "shipped",
        }
        assert {t.state for t in db.session.scalars(select(Ticket))} == {"open", "waiting", "closed"}


def test_who_is_asked_to_log_in_is_asked_in_the_company_s_language(app: Flask) -> None:
    with app.app_context():
        db.session.merge(Setting(key="locale", value="de_DE"))
        db.session.commit()
    page = app.test_client().get("/", follow_redirects=True).text
    assert "Bitte melden Sie sich an, um fortzufahren." in page
