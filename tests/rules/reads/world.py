"""A pool with two tenants whose rows are read under rules, and what stands in for the part that decides them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from flask_tenant import Tenancy, central_context, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.decision import Decision, Mask, Means, Overlay, Ruling
from flask_tenant.expressions import Call, Column, Constant, Expression, Kind, Slot
from flask_tenant.registry import _apps, state_of

TENANTS = ("acme", "bella")
TODAY = dt.date(2026, 11, 22)


class Base(DeclarativeBase):
    """The application's tables."""


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tax_id: Mapped[str | None]
    phone: Mapped[str] = mapped_column(sa.String(40))
    rating: Mapped[int]
    invoices: Mapped[list[Invoice]] = relationship(back_populates="customer", order_by="Invoice.id")


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customer.id"))
    issued_on: Mapped[dt.date]
    state: Mapped[str]
    total: Mapped[Decimal] = mapped_column(sa.Numeric(12, 2))
    quantity: Mapped[int]
    memo: Mapped[str | None]
    customer: Mapped[Customer] = relationship(back_populates="invoices")


class Note(Base):
    """Nothing is ruled of it."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None]


def rows_of(slug: str) -> dict[str, list[dict[str, Any]]]:
    """What a tenant has."""
    last = TENANTS.index(slug)
    customers = [
        {
            "id": n,
            "name": f"{slug}-{n}",
            "tax_id": None if n == 4 else f"DE{last}{n}",
            "phone": f"+49 30 {last}{n}{n}{n}{n}" if n != 3 else "12",
            "rating": n % 3,
        }
        for n in range(1, 6)
    ]
    invoices = [
        {
            "id": n,
            "customer_id": 1 + n % 5,
            "issued_on": TODAY - dt.timedelta(days=30 * n),
            "state": "open" if n % 2 else "paid",
            "total": Decimal(n * 100) + Decimal(last),
            "quantity": n % 5,
            "memo": None if n % 4 == 0 else f"{slug} memo {n}",
        }
        for n in range(1, 11)
    ]
    return {"customer": customers, "invoice": invoices, "note": [{"id": 1, "text": f"{slug} note"}]}


class Rules:
    """Stands in for the rules' runtime: a ruling for each tenant, set by the test."""

    def __init__(self) -> None:
        self.rulings: dict[str, Ruling | Callable[[], Ruling | None]] = {}
        self.holders: list[Any] = []

    def ruling(self, holder: Any) -> Ruling | None:
        """What holds for the running code."""
        holder.ft_held.setdefault("asked", len(self.holders))
        self.holders.append(holder)
        scope = current_scope()
        slug = scope.tenant.slug if scope is not None and scope.tenant is not None else ""
        found = self.rulings.get(slug)
        return found() if callable(found) else found


def decide(overlays: Mapping[str, Overlay], values: tuple[Any, ...] = (), **more: Any) -> Ruling:
    """A ruling with these overlays."""
    return Ruling(Decision(1, overlays, shape=frozenset(overlays.items()), **more), values)


# ---- expressions in few words
def call(function: str, *arguments: Expression, kind: Kind = Kind.BOOL) -> Call:
    """A function's call."""
    return Call(kind, function, arguments)


def date(name: str) -> Column:
    return Column(Kind.DATE, name)


def text(name: str) -> Column:
    return Column(Kind.TEXT, name)


def number(name: str) -> Column:
    return Column(Kind.NUMBER, name)


def word(value: str) -> Constant:
    return Constant(Kind.TEXT, value)


def recent(index: int = 0) -> Expression:
    """``row.issued_on >= today - days(n)``, of which the right side is a slot's."""
    return call(">=", date("issued_on"), Slot(Kind.DATE, index))


OPEN = call("==", text("state"), word("open"))
EMPTY = Mask(Means.EMPTY)
LAST4 = Mask(Means.LAST, count=4)


class World:
    """A pool behind the wall."""

    def __init__(self, url: str, **options: Any) -> None:
        self.engine = sa.create_engine(url, **options)
        self.physical = sa.create_engine(url)
        self.sqlite = self.engine.dialect.name == "sqlite"
        self.app = Flask("reads")
        self.tenancy = Tenancy(self.app, engines=[self.engine])
        self.tenancy.exempt(self.physical)
        with central_context(reason="set-up", app=self.app):
            Base.metadata.create_all(self.engine)
        state = state_of(self.app)
        self.ids = {slug: state.create(slug, slug.title()).id for slug in TENANTS}
        self.rules = Rules()
        self.wall = state.databases.isolations[self.engine].wall
        self.fill()
        self.wall.rules = self.rules

    def fill(self) -> None:
        """Write everybody's rows."""
        for slug in TENANTS:
            with tenant_context(slug, self.app), self.engine.begin() as connection:
                for name, rows in rows_of(slug).items():
                    connection.execute(Base.metadata.tables[name].insert(), rows)

    def empty(self) -> None:
        """Delete everybody's rows."""
        with self.physical.begin() as connection:
            for name in ("invoice", "customer", "note"):
                connection.exec_driver_sql(f"DELETE FROM {name}")

    @contextmanager
    def under(
        self, ruling: Ruling | Callable[[], Ruling | None] | None, slug: str = "acme"
    ) -> Iterator[Connection]:
        """A connection of a tenant, under a ruling; what it writes is rolled back."""
        with self.held(ruling, slug), tenant_context(slug, self.app), self.engine.connect() as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def held(self, ruling: Ruling | Callable[[], Ruling | None] | None, slug: str = "acme") -> Iterator[None]:
        """Let a ruling hold for a tenant."""
        if ruling is not None:
            self.rules.rulings[slug] = ruling
        try:
            yield
        finally:
            self.rules.rulings.pop(slug, None)

    def close(self) -> None:
        """Forget the application, so that other tests of the process do not meet it."""
        _apps.discard(state_of(self.app))
        self.engine.dispose()
        self.physical.dispose()
