"""A shop with two tenants on one database, and rules that a test makes up: what write and result rules are tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from flask_tenant import Tenancy, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.decision import Decision, Denial, Overlay, Ruling, WriteRules
from flask_tenant.expressions import Call, Column, Constant, Expression, Kind


class Base(DeclarativeBase):
    """The application's tables."""


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tax_id: Mapped[str | None]
    orders: Mapped[list[Order]] = relationship(back_populates="customer", passive_deletes=True)


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("customer.id", ondelete="CASCADE"))
    total: Mapped[Decimal] = mapped_column(sa.Numeric(12, 2))
    status: Mapped[str] = mapped_column(server_default="open")
    approved_by: Mapped[str | None]
    issued_on: Mapped[date | None]
    changed_at: Mapped[datetime | None]
    customer: Mapped[Customer | None] = relationship(back_populates="orders")


class Stock(Base):
    """A key of two columns."""

    __tablename__ = "stock"
    place: Mapped[str] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


log = sa.Table("log", Base.metadata, sa.Column("line", sa.String), sa.Column("level", sa.Integer))
"""No key at all."""

order: sa.Table = Order.__table__  # type: ignore[assignment]
customer: sa.Table = Customer.__table__  # type: ignore[assignment]
stock: sa.Table = Stock.__table__  # type: ignore[assignment]

WAYS = ("text", "driver", "raw")


# ---- expressions, as rule files are compiled to
def col(name: str, kind: Kind, image: str = "") -> Column:
    return Column(kind, name, image)


def const(value: object, kind: Kind) -> Constant:
    return Constant(kind, value)


def op(function: str, *arguments: Expression, kind: Kind = Kind.BOOL) -> Call:
    return Call(kind, function, arguments)


TOTAL = col("total", Kind.NUMBER)
STATUS = col("status", Kind.TEXT)


def big(limit: int = 10_000) -> Call:
    """``row.total > limit``"""
    return op(">", TOTAL, const(Decimal(limit), Kind.NUMBER))


def denies(rule: str, applies: Expression | None = None, *message: str | Expression) -> WriteRules:
    return WriteRules(denials=(Denial(rule, message, applies),))


@dataclass
class Rules:
    """A RuleSource that says what a test has told it, to one tenant only."""

    writes: dict[tuple[str, str], WriteRules] = field(default_factory=dict)
    overlays: dict[str, Overlay] = field(default_factory=dict)
    values: tuple[Any, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    made: Ruling | None = None
    asked: int = 0

    def ruling(self, holder: object) -> Ruling | None:
        self.asked += 1
        scope = current_scope()
        if scope is None or scope.tenant is None or scope.tenant.slug != "acme":
            return None
        return self.made

    def __enter__(self) -> Rules:
        shape = frozenset(self.overlays.items())
        decision = Decision(version=1, writes=self.writes, overlays=self.overlays, shape=shape, **self.more)
        self.made = Ruling(decision, self.values)
        return self

    def __exit__(self, *exc: object) -> None:
        self.made = None


def make_app(engine: sa.Engine) -> tuple[Flask, Tenancy]:
    """Build the application, as a factory does."""
    app = Flask("shop")
    tenancy = Tenancy(engines=[engine])
    tenancy.init_app(app)
    Base.metadata.create_all(engine)
    return app, tenancy


class Shop:
    """The database behind the wall and past it."""

    def __init__(self, url: str) -> None:
        self.physical = sa.create_engine(url)
        self.engine = sa.create_engine(url)
        self.sqlite = self.engine.dialect.name == "sqlite"
        self.app, self.tenancy = make_app(self.engine)
        self.tenancy.exempt(self.physical)
        state = self.app.extensions["tenancy"]
        for slug in ("acme", "bella"):
            state.create(slug, slug)
        self.wall = state.databases.isolations[self.engine].wall
        self.rules = Rules()
        self.wall.rules = self.rules
        self.fill()

    def fill(self) -> None:
        """Both tenants' rows as they were."""
        with self.physical.begin() as connection:
            for name in ("order", "customer", "stock", "log"):
                connection.exec_driver_sql(f'DELETE FROM "{name}"')
        for slug in ("acme", "bella"):
            with self.as_(slug), self.engine.begin() as connection:
                connection.execute(customer.insert(), CUSTOMERS)
                connection.execute(order.insert(), ORDERS)
                connection.execute(stock.insert(), STOCK)
                connection.execute(log.insert(), [{"line": "begin", "level": 1}])
        if not self.sqlite:
            with self.physical.begin() as connection:
                connection.exec_driver_sql(
                    "SELECT setval('customer_id_seq', 100), setval('order_id_seq', 100)"
                )

    def as_(self, slug: str = "acme") -> Any:
        return tenant_context(slug, self.app)

    @contextmanager
    def ruled(
        self, writes: Mapping[tuple[str, str], WriteRules] | None = None, *values: Any, **more: Any
    ) -> Iterator[Rules]:
        """Work as acme under rules."""
        rules = self.rules
        rules.writes, rules.values = dict(writes or {}), values
        rules.overlays = more.pop("overlays", {})
        rules.more = more
        with self.as_(), rules:
            yield rules

    def rows(self, name: str = "order", columns: str = "id, total, status", slug: str = "acme") -> list[Any]:
        """What a tenant's table holds, past the wall and as committed."""
        with self.physical.connect() as connection:
            mine = f"SELECT id FROM tenancy_tenant WHERE slug = '{slug}'"
            found = connection.exec_driver_sql(
                f'SELECT {columns} FROM "{name}" WHERE tenant_id = ({mine}) ORDER BY 1'
            )
            return [tuple(float(v) if isinstance(v, Decimal) else v for v in row) for row in found]

    def send(self, way: str, sql: str, connection: Any = None) -> Any:
        """Run a statement without parameters in a transaction of its own, or on a connection."""
        if connection is None:
            with self.engine.begin() as own:
                return self.send(way, sql, own)
        if way == "raw":
            cursor = connection.connection.cursor()
            try:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else cursor.rowcount
            finally:
                cursor.close()
        result = connection.exec_driver_sql(sql) if way == "driver" else connection.execute(sa.text(sql))
        return [tuple(r) for r in result] if result.returns_rows else result.rowcount

    def session(self) -> Session:
        return Session(self.engine)

    def close(self) -> None:
        self.engine.dispose()
        self.physical.dispose()


CUSTOMERS = [
    {"id": 1, "name": "Ann", "tax_id": "DE123456789"},
    {"id": 2, "name": "Bob", "tax_id": None},
]
ORDERS = [
    {"id": 1, "customer_id": 1, "total": Decimal(100), "status": "open", "issued_on": date(2024, 1, 15)},
    {"id": 2, "customer_id": 1, "total": Decimal(20_000), "status": "open", "issued_on": date(2024, 2, 20)},
    {"id": 3, "customer_id": 2, "total": Decimal(300), "status": "paid", "issued_on": date(2024, 3, 31)},
    {"id": 4, "customer_id": None, "total": Decimal(5), "status": "open", "issued_on": None},
]
STOCK = [
    {"place": "north", "item": "nut", "count": 5},
    {"place": "south", "item": "nut", "count": 7},
    {"place": "south", "item": "bolt", "count": 0},
]

Make = Callable[[], Shop]
