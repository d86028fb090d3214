"""Made-up trade: always the same, believable, and visibly different from business to business."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select

from demo_app.extensions import db
from demo_app.models import Customer, Invoice, InvoiceLine, Product, Status, User
from demo_app.seeding import BUSINESSES, SPAN_DAYS, AlreadySeededError, seed
from demo_app.settings import company
from tests.demo.conftest import TODAY, close, make_app

pytestmark = pytest.mark.databases("sqlite")


def trade(url: str, name: str) -> dict[str, Any]:
    app = make_app(url)
    with app.app_context():
        upgrade()
        seed(name)
        found = {
            "company": company(),
            "customers": set(db.session.scalars(select(Customer.name))),
            "products": set(db.session.scalars(select(Product.sku))),
            "invoices": db.session.execute(
                select(
                    Invoice.number,
                    Invoice.issued_on,
                    Invoice.status,
                    Invoice.total.label("total"),
                    Invoice.paid_total,
                ).order_by(Invoice.id)
            ).all(),
            "lines": db.session.scalar(select(func.count(InvoiceLine.id))),
        }
    close(app)
    return found


@pytest.mark.parametrize("name", sorted(BUSINESSES))
def test_the_same_every_time(tmp_path, name: str) -> None:
    first = trade(f"sqlite:///{tmp_path}/1.db", name)
    assert trade(f"sqlite:///{tmp_path}/2.db", name) == first
    days = [row.issued_on for row in first["invoices"]]
    assert days == sorted(days)
    assert TODAY - timedelta(days=SPAN_DAYS) <= days[0] < TODAY - timedelta(days=SPAN_DAYS - 30)
    assert TODAY - timedelta(days=30) < days[-1] <= TODAY
    assert {row.status for row in first["invoices"]} >= {Status.DRAFT, Status.SENT, Status.PAID}
    assert all(row.total > 0 for row in first["invoices"])
    assert all((row.paid_total == row.total) == (row.status == "paid") for row in first["invoices"])


def test_three_businesses_have_nothing_in_common(tmp_path) -> None:
    trades = [trade(f"sqlite:///{tmp_path}/{name}.db", name) for name in BUSINESSES]
    assert len(trades) == 3
    for aspect in ("company_name", "accent_colour", "currency", "locale", "heading_font", "invoice_prefix"):
        assert len({getattr(t["company"], aspect) for t in trades}) == 3, aspect
    for aspect in ("customers", "products"):
        assert all(len(t[aspect]) >= 10 for t in trades)
        assert len(set.union(*(t[aspect] for t in trades))) == sum(len(t[aspect]) for t in trades)


def test_seeding_mixes_with_nothing(app: Flask) -> None:
    with app.app_context(), pytest.raises(AlreadySeededError):
        seed("bella")


def test_commands(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
    run = empty_app.test_cli_runner().invoke
    result: Result = run(args=["seed", "--business", "bella"])
    assert result.exit_code == 0, result.output
    assert "Bella Flowers: 26 customers" in result.output
    again = run(args=["seed"])
    assert again.exit_code == 1
    assert "empty database" in again.output

    new = [
        "create-user",
        "New@bella-flowers.example",
        "--name",
        "New",
        "--password",
        "long enough",
        "--owner",
    ]
    assert run(args=new).exit_code == 0
    assert "already a user" in run(args=new).output
    with empty_app.app_context():
        user = db.session.scalars(select(User).where(User.email == "new@bella-flowers.example")).one()
        assert user.is_owner
        assert user.check_password("long enough")
