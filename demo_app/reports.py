"""Reports, in SQL: sums over many rows are the database's work, not the object mapper's.

Amounts are stored in cents; the functions below turn them into decimals. Months are cut out of the
ISO date as text, which SQLite and PostgreSQL both understand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Date, bindparam, text

from demo_app.extensions import db
from demo_app.money import ZERO, from_cents

REVENUE_BY_MONTH = text(
    """
    WITH billed AS (
        SELECT substr(CAST(i.issued_on AS VARCHAR(10)), 1, 7) AS month,
               COUNT(DISTINCT i.id) AS invoices,
               SUM(l.net_amount) AS net,
               SUM(l.tax_amount) AS tax
        FROM invoice AS i
        JOIN invoice_line AS l ON l.invoice_id = i.id
        WHERE i.status IN ('sent', 'paid') AND i.issued_on >= :since
        GROUP BY substr(CAST(i.issued_on AS VARCHAR(10)), 1, 7)
    ), received AS (
        SELECT substr(CAST(p.paid_on AS VARCHAR(10)), 1, 7) AS month, SUM(p.amount) AS paid
        FROM payment AS p
        WHERE p.paid_on >= :since
        GROUP BY substr(CAST(p.paid_on AS VARCHAR(10)), 1, 7)
    )
    SELECT m.month, SUM(m.invoices) AS invoices, SUM(m.net) AS net, SUM(m.tax) AS tax, SUM(m.paid) AS paid
    FROM (
        SELECT month, invoices, net, tax, 0 AS paid FROM billed
        UNION ALL
        SELECT month, 0, 0, 0, paid FROM received
    ) AS m
    GROUP BY m.month
    ORDER BY m.month
    """
).bindparams(bindparam("since", type_=Date))

# One row for each invoice that waits for money; the two reports below build on it.
OPEN_INVOICES = """
    SELECT i.id, i.customer_id, i.due_date,
           COALESCE((SELECT SUM(l.net_amount + l.tax_amount)
                     FROM invoice_line AS l WHERE l.invoice_id = i.id), 0)
           - COALESCE((SELECT SUM(p.amount)
                       FROM payment AS p WHERE p.invoice_id = i.id), 0) AS balance
    FROM invoice AS i
    WHERE i.status = 'sent'
"""

OPEN_BALANCE = text(
    f"""
    SELECT COUNT(*) AS invoices,
           SUM(o.balance) AS total,
           SUM(CASE WHEN o.due_date >= :today THEN o.balance ELSE 0 END) AS not_due,
           SUM(CASE WHEN o.due_date < :today AND o.due_date >= :days30 THEN o.balance ELSE 0 END) AS to_30,
           SUM(CASE WHEN o.due_date < :days30 AND o.due_date >= :days60 THEN o.balance ELSE 0 END) AS to_60,
           SUM(CASE WHEN o.due_date < :days60 THEN o.balance ELSE 0 END) AS beyond
    FROM ({OPEN_INVOICES}) AS o
    """
).bindparams(*(bindparam(name, type_=Date) for name in ("today", "days30", "days60")))

OPEN_BY_CUSTOMER = text(
    f"""
    SELECT c.id, c.name, COUNT(*) AS invoices, SUM(o.balance) AS total,
           SUM(CASE WHEN o.due_date < :today THEN o.balance ELSE 0 END) AS overdue,
           MIN(o.due_date) AS oldest
    FROM ({OPEN_INVOICES}) AS o
    JOIN customer AS c ON c.id = o.customer_id
    GROUP BY c.id, c.name
    HAVING SUM(o.balance) > 0
    ORDER BY SUM(o.balance) DESC, c.name
    LIMIT :count
    """
).bindparams(bindparam("today", type_=Date))

TOP_PRODUCTS = text(
    """
    SELECT p.id, p.sku, p.name, SUM(l.quantity) AS quantity, SUM(l.net_amount) AS net
    FROM product AS p
    JOIN invoice_line AS l ON l.product_id = p.id
    JOIN invoice AS i ON i.id = l.invoice_id
    WHERE i.status IN ('sent', 'paid') AND i.issued_on >= :since
    GROUP BY p.id, p.sku, p.name
    ORDER BY SUM(l.net_amount) DESC, p.sku
    LIMIT :count
    """
).bindparams(bindparam("since", type_=Date))


@dataclass(frozen=True)
class Month:
    """What was invoiced and what was paid in a month (``2026-03``)."""

    month: str
    invoices: int = 0
    net: Decimal = ZERO
    tax: Decimal = ZERO
    paid: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True)
class OpenBalance:
    """What customers owe, by how long it has been due."""

    invoices: int
    total: Decimal
    not_due: Decimal
    to_30: Decimal
    to_60: Decimal
    beyond: Decimal

    @property
    def overdue(self) -> Decimal:
        return self.total - self.not_due


@dataclass(frozen=True)
class CustomerBalance:
    """What one customer owes."""

    customer_id: int
    name: str
    invoices: int
    total: Decimal
    overdue: Decimal


@dataclass(frozen=True)
class ProductSales:
    """How often one product was sold, and for how much."""

    product_id: int
    sku: str
    name: str
    quantity: Decimal
    net: Decimal


def months_back(today: date, count: int) -> list[str]:
    """The last ``count`` months up to today's, oldest first: ``["2026-02", "2026-03"]``."""
    last = today.year * 12 + today.month - 1
    return [f"{index // 12:04d}-{index % 12 + 1:02d}" for index in range(last - count + 1, last + 1)]


def revenue_by_month(today: date, count: int) -> list[Month]:
    """The last ``count`` months, also those in which nothing happened."""
    months = months_back(today, count)
    rows = db.session.execute(REVENUE_BY_MONTH, {"since": date.fromisoformat(f"{months[0]}-01")})
    found = {
        row.month: Month(
            row.month, int(row.invoices), from_cents(row.net), from_cents(row.tax), from_cents(row.paid)
        )
        for row in rows
    }
    return [found.get(month, Month(month)) for month in months]


def open_balance(today: date) -> OpenBalance:
    """What is open by age, seen from ``today``."""
    row = db.session.execute(
        OPEN_BALANCE,
        {"today": today, "days30": today - timedelta(days=30), "days60": today - timedelta(days=60)},
    ).one()
    return OpenBalance(row.invoices, *(from_cents(cents) for cents in row[1:]))


def open_by_customer(today: date, count: int = 10) -> list[CustomerBalance]:
    """The customers who owe most."""
    return [
        CustomerBalance(row.id, row.name, row.invoices, from_cents(row.total), from_cents(row.overdue))
        for row in db.session.execute(OPEN_BY_CUSTOMER, {"today": today, "count": count})
    ]


def top_products(since: date, count: int = 10) -> list[ProductSales]:
    """What sold best since a day."""
    return [
        ProductSales(row.id, row.sku, row.name, from_cents(row.quantity), from_cents(row.net))
        for row in db.session.execute(TOP_PRODUCTS, {"since": since, "count": count})
    ]
