"""Reads the directory's tables. Nothing is kept here; what is read is current as of its transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..model import NOTHING, Domain, Tenant, TenantState, Token
from .tables import Tables

Kind = Literal["id", "slug", "domain", "former"]
"""By what a tenant is looked up."""

EVERYTHING = 0
"""Stands in the journal for all tenants."""

JOURNAL_LIMIT = 1_000
"""How many tenants one change names, and how many changes are followed one by one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What SQL says.

    :param as_of: number of the newest change that the answer is sure to reflect
    """

    tenant: Tenant | None
    as_of: int


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What SQL says of a token, valid as long as its tenant has the ``version``."""

    token: Token | None
    version: int
    as_of: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since some number.

    :param number: of the newest change
    :param each: (number, tenant) of all changes in order; ``None`` when they are too many to follow
    """

    number: int
    each: Sequence[tuple[int, int]] | None

    @property
    def tenants(self) -> set[int] | None:
        """The tenants that have changed."""
        return None if self.each is None else {tenant for _, tenant in self.each}


class Store:
    """The directory in SQL.

    :param connect: opens a transaction on the directory's database, past the wall
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]], tables: Tables) -> None:
        self.connect = connect
        self.tables = tables
        tenant, version = tables.tenant, tables.version
        by_key = {
            "id": tenant.c.id == sa.bindparam("key"),
            "slug": tenant.c.slug == sa.bindparam("key"),
            "domain": tenant.c.id
            == sa.select(tables.domain.c.tenant_id)
            .where(tables.domain.c.host == sa.bindparam("key"), tables.domain.c.confirmed_at.is_not(None))
            .scalar_subquery(),
            "former": tenant.c.id
            == sa.select(tables.former.c.tenant_id)
            .where(tables.former.c.slug == sa.bindparam("key"))
            .scalar_subquery(),
        }
        # One row always, and one statement: what is not there, is not there as of this number.
        self._by: dict[str, sa.Select[Any]] = {
            kind: sa.select(version.c.number.label("as_of"), *tenant.c).select_from(
                version.outerjoin(tenant, wanted)
            )
            for kind, wanted in by_key.items()
        }
        self._number = sa.select(version.c.number)
        self._names: dict[str, tuple[sa.Column[str], sa.Column[int]]] = {
            "slug": (tenant.c.slug, tenant.c.id),
            "domain": (tables.domain.c.host, tables.domain.c.tenant_id),
            "former": (tables.former.c.slug, tables.former.c.tenant_id),
            "token": (tables.token.c.digest, tables.token.c.tenant_id),
        }
        """Column and owner of everything that somebody can be found by."""
        domain, config = tables.domain, tables.config
        hosts = self._ordered(
            sa.select(domain.c.tenant_id, domain.c.host).where(domain.c.confirmed_at.is_not(None))
        )
        values = sa.select(config)
        wanted: sa.BindParameter[int] = sa.bindparam("tenant")
        self._details_of_all = hosts, values
        self._details_of_one = (
            hosts.where(domain.c.tenant_id == wanted),
            values.where(config.c.tenant_id == wanted),
        )

    # ---- one tenant
    def find(self, kind: Kind, key: str | int) -> Answer:
        """Look a tenant up."""
        with self.connect() as connection:
            return self.find_on(connection, kind, key)

    def find_on(self, connection: Connection, kind: Kind, key: str | int) -> Answer:
        """Look a tenant up in a transaction that is open already."""
        row = connection.execute(self._by[kind], {"key": key}).one()
        if row.id is None:
            return Answer(None, row.as_of)
        # Read later, so it may be newer than the number says, never older.
        details = self._details(connection, row.id)
        return Answer(_made(row, *details[row.id]), row.as_of)

    def find_token(self, digest: str) -> TokenAnswer:
        """Look a token up by the digest of its secret."""
        token, tenant = self.tables.token, self.tables.tenant
        with self.connect() as connection:
            number = connection.scalar(self._number) or 0
            query = (
                sa.select(token, tenant.c.version.label("tenant_version"))
                .join(tenant, tenant.c.id == token.c.tenant_id)
                .where(token.c.digest == digest)
            )
            row = connection.execute(query).one_or_none()
        return TokenAnswer(_token(row), row.tenant_version, number) if row else TokenAnswer(None, 0, number)

    # ---- many
    def all(self) -> tuple[list[Tenant], int]:
        """Return all tenants in the order of their creation, and as of which change."""
        with self.connect() as connection:
            number = connection.scalar(self._number) or 0
            return self.read(connection), number

    def read(self, connection: Connection) -> list[Tenant]:
        """Return all tenants as a connection sees them that is open already."""
        rows = connection.execute(sa.select(self.tables.tenant).order_by(self.tables.tenant.c.id)).all()
        details = self._details(connection, None)
        return [_made(row, *details[row.id]) for row in rows]

    def count(self) -> int:
        """Return how many tenants there are."""
        with self.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(self.tables.tenant)) or 0

    def domains(self, tenant_id: int) -> list[Domain]:
        """Return the custom domains of a tenant, unconfirmed ones last."""
        domain = self.tables.domain
        query = self._ordered(sa.select(domain).where(domain.c.tenant_id == tenant_id))
        with self.connect() as connection:
            rows = sorted(connection.execute(query), key=lambda row: row.confirmed_at is None)
        return [
            Domain(
                row.host,
                row.tenant_id,
                utc(row.confirmed_at),
                primary=at == 0 and row.confirmed_at is not None,
            )
            for at, row in enumerate(rows)
        ]

    def tokens(self, tenant_id: int) -> list[Token]:
        """Return the tokens of a tenant, expired and revoked ones too."""
        token = self.tables.token
        with self.connect() as connection:
            rows = connection.execute(
                sa.select(token).where(token.c.tenant_id == tenant_id).order_by(token.c.id)
            )
            return [_token(row) for row in rows]

    def names(self) -> Iterator[tuple[str, str]]:
        """Return every (kind, key) under which something can be found: slugs, domains, former slugs, digests."""
        with self.connect() as connection:
            for kind, (column, _) in self._names.items():
                query = sa.select(column).execution_options(yield_per=5_000)
                for key in connection.execute(query).scalars():
                    yield kind, key

    def names_of(self, tenants: Iterable[int]) -> list[tuple[str, str]]:
        """Return the (kind, key) under which these tenants can be found."""
        wanted, found = list(tenants), []
        with self.connect() as connection:
            for kind, (column, owner) in self._names.items():
                for at in range(0, len(wanted), 500):
                    query = sa.select(column).where(owner.in_(wanted[at : at + 500]))
                    found += [(kind, key) for key in connection.execute(query).scalars()]
        return found

    # ---- the journal
    def number(self) -> int:
        """Return the number of the newest change."""
        with self.connect() as connection:
            return connection.scalar(self._number) or 0

    def identity(self) -> str:
        """Return what tells this directory from any other."""
        with self.connect() as connection:
            return connection.scalar(sa.select(self.tables.version.c.identity)) or ""

    def changes(self, since: int) -> Changes:
        """Return what has changed after a number, and up to which."""
        change = self.tables.change
        with self.connect() as connection:
            number = connection.scalar(self._number) or 0
            if number == since:
                return Changes(number, ())
            query = (
                sa.select(change.c.number, change.c.tenant_id)
                .where(change.c.number > since, change.c.number <= number)
                .order_by(change.c.number)
                .limit(JOURNAL_LIMIT + 1)
            )
            rows = [(row.number, row.tenant_id) for row in connection.execute(query)]
        # The journal is cut off at its old end, and a restored backup may be older than what we know.
        whole = len({n for n, _ in rows}) == number - since and len(rows) <= JOURNAL_LIMIT
        return Changes(number, rows if whole and all(t != EVERYTHING for _, t in rows) else None)

    def _ordered(self, query: sa.Select[Any]) -> sa.Select[Any]:
        domain = self.tables.domain
        return query.order_by(domain.c.preferred.desc(), domain.c.confirmed_at, domain.c.host)

    def _details(
        self, connection: Connection, tenant_id: int | None
    ) -> defaultdict[int, tuple[list[str], dict[str, Any]]]:
        """Domains and configuration of one tenant, or of all."""
        details: defaultdict[int, tuple[list[str], dict[str, Any]]] = defaultdict(lambda: ([], {}))
        hosts, values = self._details_of_all if tenant_id is None else self._details_of_one
        wanted = {} if tenant_id is None else {"tenant": tenant_id}
        for row in connection.execute(hosts, wanted):
            details[row.tenant_id][0].append(row.host)
        for row in connection.execute(values, wanted):
            details[row.tenant_id][1][row.key] = json.loads(row.value)
        return details


def utc(at: datetime | None) -> datetime | None:
    """Return a time with its zone, which SQLite does not keep."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def frozen(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a configuration that nobody can change by accident."""
    return MappingProxyType(dict(config)) if config else NOTHING


def _made(row: sa.Row[Any], domains: Sequence[str], config: Mapping[str, Any]) -> Tenant:
    return Tenant(
        row.id,
        row.slug,
        row.name,
        TenantState(row.state),
        utc(row.created_at),
        tuple(domains),
        frozen(config),
        row.version,
    )


def _token(row: sa.Row[Any]) -> Token:
    return Token(
        row.id,
        row.tenant_id,
        row.name,
        utc(row.created_at),
        utc(row.expires_at),
        utc(row.revoked_at),
        None if row.scopes is None else frozenset(json.loads(row.scopes)),
    )
