"""The tables: customers, products, orders, invoices with lines, payments and credit notes, tickets, users, settings."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from flask_login import UserMixin
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    select,
    type_coerce,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, WriteOnlyMapped, column_property, mapped_column, relationship
from sqlalchemy.sql.elements import ColumnElement
from werkzeug.security import check_password_hash, generate_password_hash

from demo_app.clock import today, utcnow
from demo_app.extensions import Model
from demo_app.money import ZERO, Amount, Hundredths, rounded


class Country(Model):
    """A country by its ISO 3166 code; the rows come with a migration."""

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)


class Setting(Model):
    """One thing that the owner can set: see ``settings.Company`` for the keys."""

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class TaxRate(Model):
    """A tax rate that products refer to; invoice lines keep a copy of the percentage."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    percent: Mapped[Decimal] = mapped_column(Hundredths)


ROLES = ("accounting", "agent", "auditor")
"""What users work at. Unlike being an owner, it opens no page."""


class User(UserMixin, Model):  # type: ignore[misc]
    """Somebody who can log in."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(10), default="member")
    roles: Mapped[str] = mapped_column(String(120), default="", server_default="")  # words, see ROLES
    active: Mapped[bool] = mapped_column(default=True)
    last_login_at: Mapped[datetime | None]

    @property
    def is_active(self) -> bool:
        return self.active

    @property
    def is_owner(self) -> bool:
        return self.role == "owner"

    @property
    def role_list(self) -> list[str]:
        """What the user works at, of :data:`ROLES`."""
        return self.roles.split()

    @role_list.setter
    def role_list(self, names: list[str]) -> None:
        self.roles = " ".join(sorted(names))

    def set_password(self, password: str) -> None:
        self.password_hash = generate_password_hash(password)

    def check_password(self, password: str) -> bool:
        return check_password_hash(self.password_hash, password)


class Customer(Model):
    """Somebody who is sent invoices."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    contact: Mapped[str] = mapped_column(String(120), default="")
    email: Mapped[str] = mapped_column(String(200), unique=True)
    phone: Mapped[str] = mapped_column(String(40), default="")
    street: Mapped[str] = mapped_column(String(120), default="")
    postcode: Mapped[str] = mapped_column(String(20), default="")
    city: Mapped[str] = mapped_column(String(80), default="")
    country_code: Mapped[str | None] = mapped_column(ForeignKey("country.code"))
    vat_id: Mapped[str] = mapped_column(String(30), default="", server_default="")
    tax_id: Mapped[str] = mapped_column(String(30), default="", server_default="")
    credit_note: Mapped[str] = mapped_column(Text, default="", server_default="")  # whether they pay
    notes: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utcnow)

    country: Mapped[Country | None] = relationship()
    # Write-only, because a customer's invoices are always paged through; the database refuses to
    # delete a customer who has any.
    invoices: WriteOnlyMapped[Invoice] = relationship(back_populates="customer", passive_deletes="all")


class Product(Model):
    """Something that is sold: goods by the piece, or work by the hour."""

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    unit: Mapped[str] = mapped_column(String(20), default="pcs")
    unit_price: Mapped[Decimal] = mapped_column(Hundredths)
    tax_rate_id: Mapped[int] = mapped_column(ForeignKey("tax_rate.id"))
    active: Mapped[bool] = mapped_column(default=True)

    tax_rate: Mapped[TaxRate] = relationship(lazy="joined", innerjoin=True)


class InvoiceLine(Model):
    """One position of an invoice, with everything that must not change when the product does."""

    __table_args__ = (UniqueConstraint("invoice_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"))
    position: Mapped[int]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id", ondelete="SET NULL"), index=True)
    description: Mapped[str] = mapped_column(String(300))
    quantity: Mapped[Decimal] = mapped_column(Hundredths)
    unit_price: Mapped[Decimal] = mapped_column(Hundredths)
    tax_percent: Mapped[Decimal] = mapped_column(Hundredths)
    net_amount: Mapped[Decimal] = mapped_column(Hundredths)
    tax_amount: Mapped[Decimal] = mapped_column(Hundredths)

    invoice: Mapped[Invoice] = relationship(back_populates="lines")
    product: Mapped[Product | None] = relationship()

    def compute(self) -> None:
        """Work out the amounts. Tax is rounded line by line, so that the lines add up to the total."""
        self.net_amount = rounded(self.quantity * self.unit_price)
        self.tax_amount = rounded(self.net_amount * self.tax_percent / 100)


def _paid_on(context: Any) -> date:
    paid_on: date = context.get_current_parameters()["paid_on"]
    return paid_on


class Payment(Model):
    """Money received for an invoice."""

    __table_args__ = (CheckConstraint("amount > 0", name="amount_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), index=True)
    paid_on: Mapped[date] = mapped_column(index=True)
    issued_on: Mapped[date] = mapped_column(
        default=_paid_on
    )  # of the receipt: to which month's books it belongs
    amount: Mapped[Decimal] = mapped_column(Hundredths)
    method: Mapped[str] = mapped_column(String(20), default="transfer")
    reference: Mapped[str] = mapped_column(String(80), default="")

    invoice: Mapped[Invoice] = relationship(back_populates="payments")


class Status(StrEnum):
    """How far an invoice has got. Whether it is overdue follows from its dates."""

    DRAFT = "draft"
    SENT = "sent"
    PAID = "paid"
    VOID = "void"


class Invoice(Model):
    """An invoice; its totals come from its lines and payments whenever it is loaded."""

    __table_args__ = (
        CheckConstraint("status IN ('draft', 'sent', 'paid', 'void')", name="status_known"),
        Index("ix_invoice_status_due_date", "status", "due_date"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(30), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="RESTRICT"), index=True)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(10), default=Status.DRAFT)
    currency: Mapped[str] = mapped_column(String(3))
    issued_on: Mapped[date] = mapped_column(index=True)
    due_date: Mapped[date]
    reference: Mapped[str] = mapped_column(String(80), default="", server_default="")
    iban: Mapped[str] = mapped_column(String(34), default="", server_default="")  # where it is to be paid to
    notes: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utcnow)

    customer: Mapped[Customer] = relationship(back_populates="invoices", lazy="joined", innerjoin=True)
    created_by: Mapped[User | None] = relationship()
    lines: Mapped[list[InvoiceLine]] = relationship(
        back_populates="invoice",
        order_by=InvoiceLine.position,
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    payments: Mapped[list[Payment]] = relationship(
        back_populates="invoice", order_by=Payment.paid_on, cascade="all, delete-orphan", passive_deletes=True
    )

    net_total: Mapped[Decimal] = column_property(
        select(func.coalesce(func.sum(InvoiceLine.net_amount), ZERO))
        .where(InvoiceLine.invoice_id == id)  # noqa: A003 - the column above
        .correlate_except(InvoiceLine)
        .scalar_subquery()
    )
    tax_total: Mapped[Decimal] = column_property(
        select(func.coalesce(func.sum(InvoiceLine.tax_amount), ZERO))
        .where(InvoiceLine.invoice_id == id)  # noqa: A003 - the column above
        .correlate_except(InvoiceLine)
        .scalar_subquery()
    )
    paid_total: Mapped[Decimal] = column_property(
        select(func.coalesce(func.sum(Payment.amount), ZERO))
        .where(Payment.invoice_id == id)  # noqa: A003
        .correlate_except(Payment)
        .scalar_subquery()
    )

    @hybrid_property
    def total(self) -> Decimal:
        """What the customer has to pay, tax included."""
        return self.net_total + self.tax_total

    # Sums of two columns would come back as plain numbers of cents, hence the coercion in SQL.
    @total.inplace.expression
    @classmethod
    def _total_expression(cls) -> ColumnElement[Decimal]:
        return type_coerce(cls.net_total + cls.tax_total, Hundredths)

    @hybrid_property
    def balance(self) -> Decimal:
        """What is still to be paid."""
        return self.net_total + self.tax_total - self.paid_total

    @balance.inplace.expression
    @classmethod
    def _balance_expression(cls) -> ColumnElement[Decimal]:
        return type_coerce(cls.net_total + cls.tax_total - cls.paid_total, Hundredths)

    @hybrid_property
    def is_overdue(self) -> bool:
        return self.status == Status.SENT and self.due_date < today()

    @is_overdue.inplace.expression
    @classmethod
    def _is_overdue_expression(cls) -> ColumnElement[bool]:
        return (cls.status == Status.SENT) & (cls.due_date < today())

    @property
    def display_status(self) -> str:
        """The status as people see it: also ``overdue`` and ``part-paid``."""
        if self.is_overdue:
            return "overdue"
        if self.status == Status.SENT and self.paid_total > 0:
            return "part-paid"
        return str(self.status)

    @property
    def is_editable(self) -> bool:
        return self.status == Status.DRAFT

    def tax_by_percent(self) -> dict[Decimal, Decimal]:
        """The tax in this invoice by its percentage, lowest first."""
        sums: dict[Decimal, Decimal] = {}
        for line in self.lines:
            if line.tax_amount:
                sums[line.tax_percent] = sums.get(line.tax_percent, ZERO) + line.tax_amount
        return dict(sorted(sums.items()))


class CreditNote(Model):
    """A part of an invoice that is given back."""

    __table_args__ = (CheckConstraint("amount > 0", name="amount_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(30), unique=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id", ondelete="RESTRICT"), index=True)
    issued_on: Mapped[date]
    amount: Mapped[Decimal] = mapped_column(Amount)
    reason: Mapped[str] = mapped_column(String(200), default="")

    invoice: Mapped[Invoice] = relationship()


class OrderStatus(StrEnum):
    """How far an order has got."""

    NEW = "new"
    PENDING = "pending"  # somebody has to agree
    APPROVED = "approved"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class Order(Model):
    """Something that a customer wants, before it becomes an invoice."""

    __table_args__ = (
        CheckConstraint("total >= 0", name="total_not_negative"),
        CheckConstraint(
            "status IN ('new', 'pending', 'approved', 'shipped', 'cancelled')", name="status_known"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(30), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="RESTRICT"), index=True)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    ordered_on: Mapped[date] = mapped_column(index=True)
    description: Mapped[str] = mapped_column(String(300))
    total: Mapped[Decimal] = mapped_column(Amount)
    status: Mapped[str] = mapped_column(String(10), default=OrderStatus.NEW)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))

    customer: Mapped[Customer] = relationship(lazy="joined", innerjoin=True)
    created_by: Mapped[User | None] = relationship(foreign_keys=[created_by_id])
    approver: Mapped[User | None] = relationship(foreign_keys=[approved_by])


class TicketState(StrEnum):
    """Whose turn it is with a ticket."""

    OPEN = "open"
    WAITING = "waiting"  # for the customer
    CLOSED = "closed"


class Ticket(Model):
    """A question or a complaint, which somebody looks after."""

    __table_args__ = (CheckConstraint("state IN ('open', 'waiting', 'closed')", name="state_known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text, default="")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"), index=True)
    state: Mapped[str] = mapped_column(String(10), default=TicketState.OPEN)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    closed_at: Mapped[datetime | None]

    customer: Mapped[Customer | None] = relationship()
    owner: Mapped[User | None] = relationship()
