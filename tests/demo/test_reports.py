"""The reports' SQL against the same sums in Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from demo_app import reports
from demo_app.extensions import db
from demo_app.models import Invoice, Payment
from tests.demo.conftest import TODAY, on_both

pytestmark = [on_both, pytest.mark.usefixtures("context")]


def test_months_back_over_a_new_year() -> None:
    assert reports.months_back(TODAY.replace(month=2), 4) == ["2025-11", "2025-12", "2026-01", "2026-02"]


def test_revenue_by_month() -> None:
    billed: dict[str, Decimal] = defaultdict(Decimal)
    received: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in db.session.scalars(select(Invoice).where(Invoice.status.in_(["sent", "paid"]))):
        billed[invoice.issued_on.isoformat()[:7]] += invoice.total
    for payment in db.session.scalars(select(Payment)):
        received[payment.paid_on.isoformat()[:7]] += payment.amount

    months = reports.revenue_by_month(TODAY, 18)
    assert [month.month for month in months] == reports.months_back(TODAY, 18)
    assert sum(month.invoices for month in months) > 150
    for month in months:
        assert month.total == billed[month.month]
        assert month.paid == received[month.month]


def test_open_balance_by_age() -> None:
    waiting = db.session.scalars(select(Invoice).where(Invoice.status == "sent")).all()
    assert len(waiting) > 5
    found = reports.open_balance(TODAY)
    assert found.invoices == len(waiting)
    assert found.total == sum(invoice.balance for invoice in waiting)
    assert found.not_due == sum(invoice.balance for invoice in waiting if invoice.due_date >= TODAY)
    assert found.overdue == sum(invoice.balance for invoice in waiting if invoice.is_overdue) > 0
    assert found.total == found.not_due + found.to_30 + found.to_60 + found.beyond


def test_open_by_customer() -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in db.session.scalars(select(Invoice).where(Invoice.status == "sent")):
        sums[invoice.customer.name] += invoice.balance
    rows = reports.open_by_customer(TODAY, 5)
    assert [row.total for row in rows] == sorted(sums.values(), reverse=True)[:5]
    assert all(sums[row.name] == row.total for row in rows)


def test_top_products() -> None:
    since = TODAY - timedelta(days=365)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in db.session.scalars(
        select(Invoice).where(Invoice.status.in_(["sent", "paid"]), Invoice.issued_on >= since)
    ):
        for line in invoice.lines:
            sums[line.product.sku] += line.net_amount
    rows = reports.top_products(since, 3)
    assert [row.net for row in rows] == sorted(sums.values(), reverse=True)[:3]


def test_reports_of_an_empty_time() -> None:
    long_ago = TODAY.replace(year=1999)
    assert {month.total for month in reports.revenue_by_month(long_ago, 1)} != {None}
    assert reports.top_products(TODAY + timedelta(days=1)) == []
