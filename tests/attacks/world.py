"""What is attacked: a pool database with three tenants, and what an attack on it came to.

*acme* attacks; *bella* and *corto* are the neighbours. Keys overlap on purpose, and each tenant's rows hold a word that
nobody else's do, so that a leak shows wherever it comes out. The *single* database holds acme's rows alone: what it
answers is right. The *physical* engine reaches the pool past the wall: what bites there has teeth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from flask_tenant import Tenancy, TenancyError, tenant_context
from flask_tenant.isolate import plainly

ATTACKER = "acme"
NEIGHBOURS = ("bella", "corto")
TENANTS = (ATTACKER, *NEIGHBOURS)
HIDDEN = "tenant_id"

Way = Literal["text", "driver", "raw"]
WAYS: tuple[Way, ...] = ("text", "driver", "raw")
"""How raw SQL reaches a database: ``text()``, ``exec_driver_sql``, a cursor of the driver's own."""


class Base(DeclarativeBase):
    """The application's tables. It knows nothing of tenants."""


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None]
    balance: Mapped[int] = mapped_column(sa.CheckConstraint("balance < 1000000", name="ck_balance"))
    boss_id: Mapped[int | None] = mapped_column(sa.ForeignKey("customer.id"))
    invoices: Mapped[list[Invoice]] = relationship(back_populates="customer", order_by="Invoice.id")
    boss: Mapped[Customer | None] = relationship(remote_side=[id])


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customer.id"))
    number: Mapped[str] = mapped_column(unique=True)
    total: Mapped[int]
    customer: Mapped[Customer] = relationship(back_populates="invoices")


class Setting(Base):
    """A natural primary key."""

    __tablename__ = "setting"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Country(Base):
    """Shared: it belongs to no tenant."""

    __tablename__ = "country"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


visit = sa.Table("visit", Base.metadata, sa.Column("page", sa.String), sa.Column("hits", sa.Integer))
"""A table without a primary key."""

TENANT_TABLES = ("customer", "invoice", "setting", "visit")


def rows_of(slug: str) -> dict[str, list[dict[str, Any]]]:
    """What a tenant has in its tables: two customers, or three, or four."""
    count = 2 + TENANTS.index(slug)
    customers = [
        {
            "id": n,
            "name": f"canary-{slug}-{n}",
            "email": "ann@example.com" if n == 1 else f"{slug}-{n}@example.com",
            "note": None if n == 2 else f"canary-{slug}-note",
            "balance": 100 * n + TENANTS.index(slug),
            "boss_id": None if n == 1 else 1,
        }
        for n in range(1, count + 1)
    ]
    invoices = [
        {"id": n, "customer_id": 1 + n % count, "number": f"R-{n}", "total": 10 * n + TENANTS.index(slug)}
        for n in range(1, count + 2)
    ]
    settings = [
        {"key": "logo", "value": f"canary-{slug}-logo"},
        {"key": f"only-{slug}", "value": f"canary-{slug}"},
    ]
    visits = [{"page": f"canary-{slug}", "hits": n} for n in range(count)]
    return {"customer": customers, "invoice": invoices, "setting": settings, "visit": visits}


COUNTRIES = [{"code": "DE", "name": "Germany"}, {"code": "FR", "name": "France"}]


def foreign_words(slug: str = ATTACKER) -> tuple[str, ...]:
    """What must never show up in anything that a tenant sees."""
    return tuple(f"{stem}{other}" for other in TENANTS if other != slug for stem in ("canary-", "only-"))


def fill(connection: Connection, slug: str) -> None:
    """Write a tenant's rows with Core."""
    for name, rows in rows_of(slug).items():
        connection.execute(Base.metadata.tables[name].insert(), rows)


Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Outcome:
    """What a statement came to.

    :param error: ours (it was refused) or the database's
    :param rows: ``None`` for a statement that returns none
    :param mine: the attacker's tables afterwards
    :param others: the neighbours' tables afterwards, tenant ids included
    """

    error: Exception | None = None
    rows: list[tuple[Any, ...]] | None = None
    headings: tuple[str, ...] = ()
    rowcount: int = -1
    lastrowid: Any = None
    mine: Rows | None = None
    others: Rows | None = None

    @property
    def refused(self) -> bool:
        """Whether it was refused by us."""
        return isinstance(self.error, TenancyError)

    def answer(self) -> tuple[Any, ...]:
        """What the application can see of it, in no order."""
        rows = None if self.rows is None else sorted(map(repr, self.rows))
        return (type(self.error).__name__ if self.error else None, rows, self.headings, self.rowcount)


def table_rows(connection: Connection, where: str = "") -> Rows:
    """Every tenant table's physical rows, sorted. ``connection`` must be past the wall."""
    found = {}
    for name in TENANT_TABLES:
        rows = connection.exec_driver_sql(f"SELECT * FROM {name} {where}")
        found[name] = sorted((tuple(row) for row in rows), key=repr)
    return found


class World:
    """A pool database behind the wall, the same past it, and a database of the attacker's own."""

    def __init__(self, pool_url: str, single_url: str, **engine_options: Any) -> None:
        self.physical = sa.create_engine(pool_url)
        self.single = sa.create_engine(single_url)
        self.engine = sa.create_engine(pool_url, **engine_options)
        self.sqlite = self.engine.dialect.name == "sqlite"
        if self.sqlite:  # as the wall does
            sa.event.listen(
                self.single, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys = ON")
            )
        self.driver = self.engine.dialect.driver
        self.app, self.tenancy = make_app(self.engine)
        for engine in (self.physical, self.single):
            self.tenancy.exempt(engine)
        state = self.app.extensions["tenancy"]
        self.ids: dict[str, int] = {slug: state.create(slug, slug.title()).id for slug in TENANTS}
        for slug in TENANTS:
            with self.as_(slug), self.engine.begin() as connection:
                fill(connection, slug)
        with self.physical.begin() as connection:
            connection.execute(Country.__table__.insert(), COUNTRIES)
        Base.metadata.create_all(self.single)
        with self.single.begin() as connection:
            fill(connection, ATTACKER)
            connection.execute(Country.__table__.insert(), COUNTRIES)
        if not self.sqlite:  # the ids above were given, not taken
            for engine in (self.physical, self.single):
                with engine.begin() as connection:
                    connection.exec_driver_sql(
                        "SELECT setval('customer_id_seq', 100), setval('invoice_id_seq', 100)"
                    )
        self.hidden_at = {
            name: [c["name"] for c in sa.inspect(self.physical).get_columns(name)].index(HIDDEN)
            for name in TENANT_TABLES
        }
        self.original = self.snapshot()
        for name in TENANT_TABLES:
            owners = [sum(i in row for row in self.original[name]) for i in self.ids.values()]
            assert all(owners), f"somebody has no rows in {name}"

    def as_(self, slug: str = ATTACKER) -> AbstractContextManager[Any]:
        """Work as a tenant."""
        return tenant_context(slug, self.app)

    def close(self) -> None:
        """Close all connections."""
        for engine in (self.engine, self.physical, self.single):
            engine.dispose()

    # ---- what the database holds
    def snapshot(self) -> Rows:
        """All tenants' physical rows, as committed."""
        with self.physical.connect() as connection:
            return table_rows(connection)

    def others(self, connection: Connection) -> Rows:
        """The neighbours' rows as a connection sees them, past the wall."""
        return self._rows(connection, f"WHERE {HIDDEN} <> {self.ids[ATTACKER]}")

    def mine(self, connection: Connection) -> Rows:
        """The attacker's rows as a connection sees them, past the wall and without the hidden column."""
        found = {}
        with plainly(connection):
            for name in TENANT_TABLES:
                columns = ", ".join(Base.metadata.tables[name].columns.keys())
                query = f"SELECT {columns} FROM {name} WHERE {HIDDEN} = {self.ids[ATTACKER]}"
                found[name] = sorted((tuple(r) for r in connection.exec_driver_sql(query)), key=repr)
        return found

    def _rows(self, connection: Connection, where: str) -> Rows:
        with plainly(connection):
            found = table_rows(connection, where)
        assert all(found.values()) or where == "", "there is nobody to protect"
        return found

    def neighbours(self, rows: Rows | None = None) -> Rows:
        """The neighbours' part of a snapshot, by default of the one taken in the beginning."""
        mine = self.ids[ATTACKER]
        return {
            name: [row for row in found if row[self.hidden_at[name]] != mine]
            for name, found in (rows or self.original).items()
        }

    def restore(self) -> None:
        """Put every row back as it was."""
        with self.physical.begin() as connection:
            for name in reversed(TENANT_TABLES):
                if self.sqlite:
                    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
                if name == "customer":
                    connection.exec_driver_sql("UPDATE customer SET boss_id = NULL")
                connection.exec_driver_sql(f"DELETE FROM {name}")
            connection.exec_driver_sql("DELETE FROM country")
            connection.execute(Country.__table__.insert(), COUNTRIES)
        for slug in TENANTS:
            with self.as_(slug), self.engine.begin() as connection:
                fill(connection, slug)

    # ---- attacks by raw SQL
    def attack(self, sql: str, way: Way = "text", parameters: Any = None) -> Outcome:
        """Run a statement as the attacker, look at everybody's rows, and roll back."""
        with self.as_(), self.engine.connect() as connection:
            outcome = run(connection, sql, way, parameters)
            if outcome.error is None:
                outcome.mine, outcome.others = self.mine(connection), self.others(connection)
            connection.rollback()
        return outcome

    def right(self, sql: str, way: Way = "text", parameters: Any = None) -> Outcome:
        """Run it on the attacker's own database."""
        with self.single.connect() as connection:
            self.begin(connection)
            outcome = run(connection, sql, way, parameters)
            if outcome.error is None:
                outcome.mine = table_rows(connection)
            connection.rollback()
        return outcome

    def bite(self, sql: str, way: Way = "text", parameters: Any = None) -> Outcome:
        """Run it on the pool past the wall."""
        with self.physical.connect() as connection:
            self.begin(connection)
            outcome = run(connection, sql, way, parameters)
            if outcome.error is None:
                outcome.others = table_rows(connection, f"WHERE {HIDDEN} <> {self.ids[ATTACKER]}")
            connection.rollback()
        return outcome

    def begin(self, connection: Connection) -> None:
        """Begin a transaction that can be rolled back whole: sqlite3 begins none before DDL and savepoints."""
        if self.sqlite:
            connection.exec_driver_sql("BEGIN")

    def has_teeth(self, sql: str, way: Way = "text", parameters: Any = None) -> bool:
        """Whether, without the wall, the statement reads, changes or learns of the neighbours."""
        without = self.bite(sql, way, parameters)
        if without.error is not None:
            return False
        return (
            without.others != self.neighbours()
            or without.answer() != self.right(sql, way, parameters).answer()
        )

    def withstands(
        self, sql: str, way: Way = "text", parameters: Any = None, *, answered: bool | None = None
    ) -> Outcome:
        """Assert that an attack came to nothing: it gets the single-tenant answer, or is refused.

        :param answered: whether it must be answered, or must be refused; either will do by default
        """
        outcome = self.attack(sql, way, parameters)
        if outcome.refused:
            assert not answered, f"{sql!r} was refused: {outcome.error}"
            self.says_nothing(str(outcome.error), sql)
            return outcome
        assert answered is not False, f"{sql!r} was not refused, and gave {outcome}"
        right = self.right(sql, way, parameters)
        assert outcome.answer() == right.answer(), f"{sql!r} ({outcome.error!r}, {right.error!r})"
        if outcome.error is None:
            assert outcome.others == self.neighbours(), f"{sql!r} changed the neighbours' rows"
            assert outcome.mine == right.mine, f"{sql!r} left other rows than in a database of one's own"
        else:
            self.says_nothing(error_text(outcome.error), sql)
        return outcome

    def says_nothing(self, text: str, sent: str = "") -> None:
        """Assert that a text names no neighbour's value, and the hidden column only if the attacker did."""
        for word in foreign_words():
            assert word not in text or word in sent, text
        assert HIDDEN not in text or HIDDEN in sent.lower(), text


def make_app(engine: Engine, **config: Any) -> tuple[Flask, Tenancy]:
    """Build an application, as a factory does."""
    app = Flask("attacked")
    app.config.update(TENANT_SHARED_TABLES=["country"], **config)
    tenancy = Tenancy(engines=[engine])
    tenancy.init_app(app)
    Base.metadata.create_all(engine)
    return app, tenancy


def run(connection: Connection, sql: str, way: Way, parameters: Any = None) -> Outcome:
    """Send a statement."""
    try:
        if way == "raw":
            cursor = connection.connection.cursor()
            try:
                cursor.execute(sql, *([parameters] if parameters is not None else []))
                rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else None
                headings = tuple(d[0] for d in cursor.description or ())
                return Outcome(None, rows, headings, cursor.rowcount)
            finally:
                cursor.close()
        if way == "driver":
            percent = connection.dialect.name != "sqlite" and parameters is None
            result: Any = connection.exec_driver_sql(sql.replace("%", "%%") if percent else sql, parameters)
        else:
            result = connection.execute(sa.text(sql), parameters or {})
        if result.returns_rows:
            headings = tuple(result.keys())
            return Outcome(None, [tuple(row) for row in result], headings, result.rowcount)
        return Outcome(None, None, (), result.rowcount)
    except TenancyError as error:
        return Outcome(error)
    except (sa.exc.SQLAlchemyError, sa.exc.StatementError) as error:
        return Outcome(error)
    except Exception as error:
        if way != "raw" or not isinstance(error, connection.dialect.dbapi.Error):  # type: ignore[union-attr]
            raise
        return Outcome(error)


def error_text(error: BaseException) -> str:
    """Everything that an application can read of an error."""
    seen = [str(error), repr(error), repr(error.args)]
    for name in ("statement", "params", "detail", "pgerror", "sqlite_errorname"):
        seen.append(str(getattr(error, name, "")))
    diag = getattr(error, "diag", None)
    if diag is not None:
        seen += [str(getattr(diag, name)) for name in dir(diag) if not name.startswith("_")]
    orig = getattr(error, "orig", None)
    if orig is not None and orig is not error:
        seen.append(error_text(orig))
    return "\n".join(seen)


@contextmanager
def opened(pool_url: str, single_url: str, **engine_options: Any) -> Iterator[World]:
    """A world, closed at the end."""
    world = World(pool_url, single_url, **engine_options)
    try:
        yield world
    finally:
        world.close()
