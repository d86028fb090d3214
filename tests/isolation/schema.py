"""An ordinary single-tenant application: it knows nothing of tenants, and uses what SQLAlchemy offers."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    column_property,
    mapped_column,
)
from sqlalchemy.orm import relationship as rel

ARCHIVE = "archive"
SHARED = frozenset({"country"})
ONLY_POSTGRESQL = {"archive.entry", "archive.folder", "ticket", "archive.customer"}
"""Tables that SQLite does not get: schemas, sequences, GENERATED ALWAYS."""

_numbers = itertools.count(1)


def reset() -> None:
    """Begin again with what Python makes up for rows, so that two runs make up the same."""
    global _numbers
    _numbers = itertools.count(1)


def next_uuid() -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"made {next(_numbers)}")


def next_code() -> str:
    return f"code-{next(_numbers)}"


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012
        dict[str, Any]: sa.JSON().with_variant(pg.JSONB(), "postgresql"),
        list[str]: sa.ARRAY(sa.Text).with_variant(sa.JSON(), "sqlite"),
        Decimal: sa.Numeric(12, 2),
    }


class Country(Base):
    """Shared by all tenants."""

    __tablename__ = "country"
    code: Mapped[str] = mapped_column(sa.String(2), primary_key=True)
    name: Mapped[str]


membership = sa.Table(
    "membership",
    Base.metadata,
    sa.Column("customer_id", sa.ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("club_id", sa.ForeignKey("club.id"), primary_key=True),
)

event_log = sa.Table(
    "event_log",  # no primary key, Core only
    Base.metadata,
    sa.Column("happened", sa.Date),
    sa.Column("message", sa.Text),
)


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    city: Mapped[str | None]
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    balance: Mapped[Decimal] = mapped_column(server_default="0")
    country_code: Mapped[str | None] = mapped_column(sa.ForeignKey("country.code"))
    boss_id: Mapped[int | None] = mapped_column(sa.ForeignKey("customer.id"))
    data: Mapped[dict[str, Any] | None]
    tags: Mapped[list[str] | None]

    country: Mapped[Country | None] = rel()
    boss: Mapped[Customer | None] = rel(remote_side=[id], back_populates="staff")
    staff: Mapped[list[Customer]] = rel(back_populates="boss", order_by=lambda: Customer.id)
    invoices: Mapped[list[Invoice]] = rel(
        back_populates="customer",
        foreign_keys=lambda: Invoice.customer_id,
        order_by=lambda: Invoice.id,
        cascade="all, delete-orphan",
    )
    unpaid: Mapped[list[Invoice]] = rel(
        primaryjoin=lambda: sa.and_(Customer.id == Invoice.customer_id, Invoice.paid.is_(False)),
        foreign_keys=lambda: Invoice.customer_id,
        order_by=lambda: Invoice.number,
        viewonly=True,
    )
    written: WriteOnlyMapped[Invoice] = rel(
        foreign_keys=lambda: Invoice.customer_id, order_by=lambda: Invoice.id, viewonly=True
    )
    dynamic: DynamicMapped[Invoice] = rel(
        foreign_keys=lambda: Invoice.customer_id, order_by=lambda: Invoice.id, viewonly=True
    )
    clubs: Mapped[list[Club]] = rel(secondary=membership, back_populates="members", order_by=lambda: Club.id)
    club_names: AssociationProxy[list[str]] = association_proxy("clubs", "name")
    products: Mapped[list[Product]] = rel(
        secondary=lambda: sa.join(Invoice, Line, Invoice.id == Line.invoice_id),
        primaryjoin=lambda: Customer.id == Invoice.customer_id,
        secondaryjoin=lambda: Line.product_id == Product.id,
        order_by=lambda: Product.id,
        viewonly=True,
    )

    @hybrid_property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]

    @domain.inplace.expression
    @classmethod
    def _domain(cls) -> sa.ColumnElement[str]:
        return sa.func.replace(cls.email, sa.func.lower(cls.name) + "@", "")

    @hybrid_property
    def owes(self) -> Decimal:
        return sum((i.total for i in self.invoices if not i.paid), Decimal(0))

    @owes.inplace.expression
    @classmethod
    def _owes(cls) -> sa.ColumnElement[Decimal]:
        return (
            sa.select(sa.func.coalesce(sa.func.sum(Invoice.total), 0))
            .where(Invoice.customer_id == cls.id, Invoice.paid.is_(False))
            .scalar_subquery()
        )


class Club(Base):
    __tablename__ = "club"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    members: Mapped[list[Customer]] = rel(
        secondary=membership, back_populates="clubs", order_by=lambda: Customer.id
    )


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(sa.String(20), unique=True)
    name: Mapped[str]
    price: Mapped[Decimal]
    stock: Mapped[int] = mapped_column(default=0, server_default="0")
    code: Mapped[str] = mapped_column(default=next_code)
    version: Mapped[int] = mapped_column(default=1, onupdate=lambda: 99)
    label: Mapped[str] = mapped_column(sa.Computed("sku || ':' || name", persisted=True))


class Invoice(Base):
    __tablename__ = "invoice"
    __table_args__ = (sa.UniqueConstraint("number", name="uq_invoice_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customer.id"))
    payer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("customer.id", ondelete="SET NULL"))
    number: Mapped[str]
    total: Mapped[Decimal]
    paid: Mapped[bool]
    issued: Mapped[dt.date]
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="new")

    customer: Mapped[Customer] = rel(back_populates="invoices", foreign_keys=[customer_id])
    payer: Mapped[Customer | None] = rel(foreign_keys=[payer_id])
    lines: Mapped[list[Line]] = rel(
        back_populates="invoice", cascade="all, delete-orphan", order_by=lambda: Line.position
    )


class Line(Base):
    __tablename__ = "line"
    invoice_id: Mapped[int] = mapped_column(sa.ForeignKey("invoice.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int | None] = mapped_column(sa.ForeignKey("product.id"))
    qty: Mapped[int]
    price: Mapped[Decimal]

    invoice: Mapped[Invoice] = rel(back_populates="lines")
    product: Mapped[Product | None] = rel()
    payments: Mapped[list[Payment]] = rel(back_populates="line", order_by=lambda: Payment.amount)


Invoice.line_count = column_property(
    sa.select(sa.func.count()).where(Line.invoice_id == Invoice.id).correlate_except(Line).scalar_subquery()
)
Line.amount = column_property(Line.qty * Line.price, deferred=True)


class Method(enum.Enum):
    CASH = "cash"
    CARD = "card"


class Payment(Base):
    __tablename__ = "payment"
    __table_args__ = (
        sa.ForeignKeyConstraint(["invoice_id", "position"], ["line.invoice_id", "line.position"]),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=next_uuid)
    invoice_id: Mapped[int | None]
    position: Mapped[int | None]
    amount: Mapped[Decimal]
    method: Mapped[Method] = mapped_column(sa.Enum(Method, native_enum=False))
    line: Mapped[Line | None] = rel(back_populates="payments")


class Setting(Base):
    __tablename__ = "setting"
    key: Mapped[str] = mapped_column(sa.String(50), primary_key=True)
    value: Mapped[str | None]


class Category(Base):
    __tablename__ = "category"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("category.id"))
    name: Mapped[str]
    children: Mapped[list[Category]] = rel(
        back_populates="parent", order_by=lambda: Category.id, join_depth=3
    )
    parent: Mapped[Category | None] = rel(back_populates="children", remote_side=[id])


class Odd(Base):
    """Names that need quotes, and keys that are not names."""

    __tablename__ = "Odd Name"
    key: Mapped[int] = mapped_column("Id", key="key", primary_key=True)
    mixed: Mapped[str] = mapped_column("Mixed Case", key="mixed")
    chosen: Mapped[int | None] = mapped_column("select", key="chosen")
    percent: Mapped[int | None] = mapped_column("100%", key="percent")


# ---- inheritance over several tables
class Party(Base):
    __tablename__ = "party"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "party"}  # noqa: RUF012


class Person(Party):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(sa.ForeignKey("party.id"), primary_key=True)
    born: Mapped[int | None]
    company_id: Mapped[int | None] = mapped_column(sa.ForeignKey("company.id"))
    company: Mapped[Company | None] = rel(
        foreign_keys=[company_id],
        back_populates="people",
        primaryjoin=lambda: Person.company_id == Company.id,
    )
    __mapper_args__ = {"polymorphic_identity": "person", "inherit_condition": id == Party.id}  # noqa: RUF012


class Company(Party):
    __tablename__ = "company"
    id: Mapped[int] = mapped_column(sa.ForeignKey("party.id"), primary_key=True)
    vat: Mapped[str | None]
    people: Mapped[list[Person]] = rel(
        back_populates="company",
        foreign_keys=[Person.company_id],
        primaryjoin=lambda: Person.company_id == Company.id,
        order_by=lambda: Person.id,
    )
    __mapper_args__ = {"polymorphic_identity": "company"}  # noqa: RUF012


# ---- and in one
class Document(Base):
    __tablename__ = "document"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    title: Mapped[str]
    revision: Mapped[int] = mapped_column()
    __mapper_args__ = {  # noqa: RUF012
        "polymorphic_on": "kind", "polymorphic_identity": "document", "version_id_col": revision,
    }  # fmt: skip


class Letter(Document):
    sender: Mapped[str | None] = mapped_column(sa.String(50))
    __mapper_args__ = {"polymorphic_identity": "letter"}  # noqa: RUF012


class Contract(Document):
    until: Mapped[dt.date | None]
    __mapper_args__ = {"polymorphic_identity": "contract"}  # noqa: RUF012


# ---- what PostgreSQL alone has
class Ticket(Base):
    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(sa.Sequence("ticket_numbers", start=1), primary_key=True)
    serial: Mapped[int] = mapped_column(sa.Identity(always=True))
    title: Mapped[str]


class Folder(Base):
    __tablename__ = "folder"
    __table_args__ = {"schema": ARCHIVE}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    entries: Mapped[list[Entry]] = rel(back_populates="folder", order_by=lambda: Entry.id)


class Entry(Base):
    __tablename__ = "entry"
    __table_args__ = {"schema": ARCHIVE}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(sa.ForeignKey("archive.folder.id"))
    text: Mapped[str]
    folder: Mapped[Folder] = rel(back_populates="entries")


class ArchivedCustomer(Base):
    """The name of another table, in another schema."""

    __tablename__ = "customer"
    __table_args__ = {"schema": ARCHIVE}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def tables(dialect: str) -> list[sa.Table]:
    """The tables that a database gets, parents first."""
    return [
        t for t in Base.metadata.sorted_tables if dialect == "postgresql" or t.fullname not in ONLY_POSTGRESQL
    ]
