"""The rows that are worked on, and where they are."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from bench.cases import CITIES, CUSTOMERS, INVOICES, LINES, OPEN_EVERY, PRODUCTS, TODAY, table_of
from bench.models import Customer, Invoice, Line, Product, Setting, TaxRate, Unit

TENANTS = ("acme", "globex", "initech")
"""The first is measured; the others have other rows."""


@dataclass(frozen=True)
class Databases:
    """Where each side's rows are, as SQLAlchemy URLs.

    :param ours: three tenants behind the wall
    :param hand: the same files, for hand-written predicates
    :param plain: the first tenant's rows in the application's own schema
    :param demo: an empty database for demo_app under flask_tenant
    :param demo_plain: an empty database for demo_app as it is
    """

    ours: str
    hand: str
    plain: str
    demo: str
    demo_plain: str


def single_tenant_engine(url: str) -> Engine:
    """An engine as an application configures it: on SQLite with WAL and foreign keys."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def set_up(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")

    return engine


def seed(connection: Connection) -> None:
    """What start-up seeds: twenty look-up rows."""
    connection.execute(sa.insert(Setting), [{"key": f"key-{n}", "value": str(n)} for n in range(10)])
    connection.execute(sa.insert(TaxRate), [{"name": f"rate-{n}", "percent": n} for n in range(4)])
    connection.execute(sa.insert(Unit), [{"code": f"u{n}", "name": f"unit {n}"} for n in range(6)])


def load(connection: Connection, number: int) -> None:
    """One tenant's trade, the same every time.

    :param number: which tenant's; it changes the rows, not how many there are
    """
    random = Random(number)
    customers = [
        {
            "id": n,
            "name": f"Customer {n} of {number}",
            "email": f"{n}@example.org",
            "city": CITIES[n % len(CITIES)],
        }
        for n in range(1, CUSTOMERS + 1)
    ]
    connection.execute(sa.insert(table_of(Customer)), customers)
    products = [
        {
            "id": n,
            "sku": f"sku-{n}",
            "name": f"Product {n} of {number}",
            "price": random.randrange(100, 9_900),
        }
        for n in range(1, PRODUCTS + 1)
    ]
    connection.execute(sa.insert(table_of(Product)), products)
    invoices = [
        {
            "id": n,
            "number": f"{2020 + n // 400}-{n:05}",
            "customer_id": random.randrange(1, CUSTOMERS + 1),
            "status": "paid" if n % OPEN_EVERY else "open",
            "issued": TODAY - timedelta(days=(INVOICES - n) // 4),
            "memo": "",
        }
        for n in range(1, INVOICES + 1)
    ]
    connection.execute(sa.insert(table_of(Invoice)), invoices)
    lines = [
        {
            "id": LINES * (n - 1) + position,
            "invoice_id": n,
            "position": position,
            "product_id": random.randrange(1, PRODUCTS + 1),
            "amount": random.randrange(100, 99_000),
        }
        for n in range(1, INVOICES + 1)
        for position in range(1, LINES + 1)
    ]
    connection.execute(sa.insert(table_of(Line)), lines)


def tidy(url: str) -> None:
    """Bring planner statistics, sequences and dead rows up to date, through the driver itself."""
    if make_url(url).get_backend_name() == "sqlite":
        with contextlib.closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            file.execute("ANALYZE")
        return
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as server:
        for name in ("customer", "product", "invoice", "line"):
            server.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
            server.execute(f"VACUUM (ANALYZE) {name}")
