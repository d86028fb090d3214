"""The same tables as a competent team writes them by hand: the tenant in every key."""

from __future__ import annotations

import os
from contextvars import ContextVar
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Integer,
    String,
    bindparam,
    column,
    func,
    select,
    table,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

BACK_END = "BENCH_BACK_END"
"""Environment variable: a model's defaults are fixed when it is defined, and each database needs its own."""

_tenant: ContextVar[int] = ContextVar("tenant")


def enter(tenant_id: int) -> None:
    """Work for this tenant from now on."""
    _tenant.set(tenant_id)


def tenant() -> int:
    """The tenant that the running code works for."""
    return _tenant.get()


def next_id(name: str) -> Any:
    """On SQLite, where a composite key has no generator: the tenant's next id, as a part of the INSERT."""
    of = table(name, column("id"), column("tenant_id"))
    mine = of.c.tenant_id == bindparam(None, callable_=tenant, type_=BigInteger())
    return select(func.coalesce(func.max(of.c.id), 0) + 1).where(mine).scalar_subquery()


class Base(DeclarativeBase):
    """Of the hand-written multi-tenant models."""


class Owned:
    """What every table of a tenant has."""

    __tablename__: str
    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=tenant, sort_order=-2)

    @declared_attr
    @classmethod
    def id(cls) -> Mapped[int]:
        """The automatic half of the key."""
        if os.environ.get(BACK_END) == "sqlite":
            return mapped_column(Integer, primary_key=True, default=next_id(cls.__tablename__), sort_order=-1)
        return mapped_column(Integer, primary_key=True, autoincrement=True, sort_order=-1)


class Customer(Owned, Base):
    """Somebody who is sent invoices."""

    __tablename__ = "customer"
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(200))
    city: Mapped[str] = mapped_column(String(80))


class Product(Owned, Base):
    """Something that is sold."""

    __tablename__ = "product"
    sku: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(120))
    price: Mapped[int]


class Invoice(Owned, Base):
    """An invoice."""

    __tablename__ = "invoice"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customer.tenant_id", "customer.id"]),
    )
    number: Mapped[str] = mapped_column(String(30))
    customer_id: Mapped[int]
    status: Mapped[str] = mapped_column(String(10))
    issued: Mapped[date]
    memo: Mapped[str] = mapped_column(default="")

    customer: Mapped[Customer] = relationship()
    lines: Mapped[list[Line]] = relationship(back_populates="invoice", order_by="Line.position")


class Line(Owned, Base):
    """One position of an invoice."""

    __tablename__ = "line"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "invoice_id"], ["invoice.tenant_id", "invoice.id"]),
        ForeignKeyConstraint(["tenant_id", "product_id"], ["product.tenant_id", "product.id"]),
    )
    invoice_id: Mapped[int]
    position: Mapped[int]
    product_id: Mapped[int]
    amount: Mapped[int]

    invoice: Mapped[Invoice] = relationship(back_populates="lines")
