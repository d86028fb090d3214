"""The untouched single-tenant application: ten tables of a small business."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Of the single-tenant models."""


class Setting(Base):
    """One thing that can be set; a natural key, seeded."""

    __tablename__ = "setting"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str]


class TaxRate(Base):
    """Seeded look-up rows."""

    __tablename__ = "tax_rate"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    percent: Mapped[int]


class Unit(Base):
    """Seeded look-up rows."""

    __tablename__ = "unit"
    code: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str]


class Member(Base):
    """Somebody who can log in."""

    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)


class Customer(Base):
    """Somebody who is sent invoices."""

    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    city: Mapped[str] = mapped_column(String(80))


class Note(Base):
    """Something written down about a customer."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    body: Mapped[str]


class Product(Base):
    """Something that is sold."""

    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    price: Mapped[int]


class Invoice(Base):
    """An invoice."""

    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(30), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    status: Mapped[str] = mapped_column(String(10), index=True)
    issued: Mapped[date] = mapped_column(index=True)
    memo: Mapped[str] = mapped_column(default="")

    customer: Mapped[Customer] = relationship()
    lines: Mapped[list[Line]] = relationship(back_populates="invoice", order_by="Line.position")


class Line(Base):
    """One position of an invoice."""

    __tablename__ = "line"
    __table_args__ = (UniqueConstraint("invoice_id", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    position: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    amount: Mapped[int]

    invoice: Mapped[Invoice] = relationship(back_populates="lines")


class Payment(Base):
    """Money received."""

    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    amount: Mapped[int]
