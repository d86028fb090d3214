"""An application behind pgbouncer in transaction mode, and who else comes there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from flask_tenant import tenant_context
from tests.attacks.world import Customer, rows_of
from tests.services.pgbouncer import Pooler

TENANTS = ("acme", "bella")
DRIVERS = {"psycopg-3": "psycopg", "psycopg-2": "psycopg2"}


@dataclass(frozen=True)
class Site:
    """An application whose tenants share the pooler's connections to the server.

    :param database: its name
    :param ids: of the tenants
    :param others: two clients of the pooler without the wall
    """

    app: Flask
    engine: sa.Engine
    pooler: Pooler
    database: str
    ids: dict[str, int]

    def as_(self, slug: str) -> Any:
        """Work as a tenant."""
        return tenant_context(slug, self.app)

    others: tuple[Any, Any]

    @contextmanager
    def bare(self, **options: Any) -> Iterator[Any]:
        """Some client of the same pooler, without the wall."""
        options.setdefault("prepare_threshold", None)
        with closing(psycopg.connect(self.pooler.dsn(self.database), **options)) as connection:
            yield connection

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A superuser, past the pooler."""
        dsn = self.pooler.server.dsn(self.database, admin=True)
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    def look(self, sql: str) -> str:
        """What other clients find on any of the server's connections, errors included."""
        found = []
        for client in self.others:  # both at once, so that they have different connections
            try:
                found.append(client.execute(sql).fetchall())
            except psycopg.Error as error:
                found.append(type(error).__name__)
        for client in self.others:
            client.rollback()
        return repr(sorted(found, key=repr))  # the pooler gives them out in any order

    def clean(self) -> None:
        """Take away whatever was left on the server's connections."""
        with self.bare(autocommit=True) as client:
            client.execute("DISCARD ALL")
        self.others[0].execute("SELECT 1")
        with self.bare(autocommit=True) as client:
            client.execute("DISCARD ALL")
        self.others[0].rollback()


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)


# ---- what a tenant sees, by every way
def by_orm(connection: sa.Connection) -> list[str]:
    with Session(connection) as session:
        return [customer.name for customer in session.scalars(sa.select(Customer))]


def by_core(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(Customer.__table__.c.name)))


def by_cursor(connection: sa.Connection) -> list[str]:
    with connection.connection.cursor() as cursor:
        cursor.execute("SELECT name FROM customer WHERE id > %s", (0,))
        return [row[0] for row in cursor.fetchall()]


def by_server_cursor(connection: sa.Connection) -> list[str]:
    return list(connection.execution_options(yield_per=1).scalars(sa.select(Customer.name)))


def by_named_cursor(connection: sa.Connection) -> list[str]:
    with connection.connection.cursor("mine") as cursor:
        cursor.execute("SELECT name FROM customer")
        return [row[0] for row in cursor]


EVERY_WAY: tuple[Callable[[sa.Connection], list[str]], ...] = (
    by_orm,
    by_core,
    by_cursor,
    by_server_cursor,
    by_named_cursor,
    lambda c: [row[0] for row in c.execute(sa.text("SELECT name FROM customer WHERE id > :n"), {"n": 0})],
    lambda c: [row[0] for row in c.exec_driver_sql("SELECT name FROM customer WHERE balance > 0")],
)


def expected(slug: str) -> set[str]:
    """The names of a tenant's customers."""
    return {row["name"] for row in rows_of(slug)["customer"]}


def sees_its_own(site: Site, slug: str) -> None:
    """Assert that a tenant sees its rows, all of them, and nobody else's."""
    with site.as_(slug), site.engine.connect() as connection:
        for way in EVERY_WAY:
            found = way(connection)
            assert set(found) == expected(slug), way
            assert len(found) == len(expected(slug)), way
        connection.rollback()


ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000)"


def running(site: Site) -> Any:
    """The process at the server that runs the endless statement."""
    with site.admin() as admin:
        found: Any = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query = %s AND state = 'active'",
            [site.database, ENDLESS],
        ).fetchone()
    return found
