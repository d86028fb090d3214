"""What is kept of people, on each back end: no application, two tenants, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from flask_tenant.directory import Directory, own_database
from flask_tenant.identity import Identified, Identity, Person, Provider
from flask_tenant.login.passwords import Passwords
from flask_tenant.login.people import People
from flask_tenant.login.sessions import Sessions
from flask_tenant.login.throttle import Throttle
from flask_tenant.login.tickets import Tickets
from flask_tenant.model import Tenant
from tests.services.databases import MakeDatabase

PASSWORD = "a password of the tests"


@dataclass
class Clock:
    """The time, which passes when the test says so."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class Trail(list[dict[str, Any]]):
    """What was written down, with the transaction that it was part of."""

    def __call__(
        self, action: str, *, tenant_id: int = 0, actor: str, connection: Any = None, **more: Any
    ) -> None:
        self.append({"action": action, "tenant": tenant_id, "actor": actor, "connection": connection, **more})

    def actions(self) -> list[str]:
        return [entry["action"] for entry in self]


def _turned(text: str, place: str) -> str:
    """Encrypt for a place, and decrypt: what was made for another place does not come out."""
    return text.removeprefix(place)[::-1] if text.startswith(place) else place + text[::-1]


class Kept:
    """One server's view of what is kept."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.trail = Trail()
        self.directory = Directory(own_database(engine))
        connect, tables = self.directory.connect, self.directory.tables
        self.sessions = Sessions(connect, tables, clock=clock, seal=_turned, unseal=_turned)
        self.tickets = Tickets(connect, tables, clock)
        self.throttle = Throttle(connect, tables, {"login.network": "20 per 15 minutes"}, clock)
        self.people = People(
            connect,
            tables,
            self.sessions,
            self.trail,
            passwords=Passwords("pbkdf2:sha256:1"),
            clock=clock,
        )

    def rows(self, table: str) -> list[Any]:
        """Every row of a table. Fails on an empty one, which would prove nothing."""
        with self.engine.connect() as connection:
            found = list(connection.execute(sa.text(f"SELECT * FROM tenancy_{table}")))
        assert found, f"{table} is empty"
        return found

    def local(self, name: str) -> Person:
        return self.people.create(f"{name}@example.com", name.title(), PASSWORD)


def oidc(tenant: Tenant, issuer: str = "https://idp.example", **more: Any) -> Provider:
    return Provider(tenant.id, tenant.id, "corp", "oidc", "Corp", issuer, **more)


def local(tenant: Tenant) -> Provider:
    return Provider(0, tenant.id, "local", "local", "Password", "local")


def who(subject: str, issuer: str = "https://idp.example", **more: Any) -> Identified:
    return Identified(Identity(issuer, subject), more.pop("name", subject.title()), **more)


def _nothing(connection: Connection, tenant: Tenant) -> None:
    """No first rows."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def prepared(back_end: str, make_database: MakeDatabase) -> Iterator[Engine]:
    """A directory for all tests of a module: making one takes longer than most of them."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        if back_end == "sqlite":
            # Nobody pulls the plug: what a test does not wait for is the disk.
            sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        Directory(own_database(engine)).prepare()
        yield engine
        engine.dispose()


@pytest.fixture
def kept(prepared: Engine, clock: Clock) -> Kept:
    """Nothing is kept yet."""
    kept = Kept(prepared, clock)
    tables = kept.directory.tables
    with prepared.begin() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            if table is not tables.version:
                connection.execute(table.delete())
    return kept


@pytest.fixture
def acme(kept: Kept) -> Tenant:
    return kept.directory.create("acme", "Acme", _nothing)


@pytest.fixture
def bella(kept: Kept, acme: Tenant) -> Tenant:
    return kept.directory.create("bella", "Bella", _nothing)
