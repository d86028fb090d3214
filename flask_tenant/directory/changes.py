"""Changes the directory. Each change is one transaction, gets the next number and is written into the journal.

The number is raised last, and its row stays locked until the commit: so changes become visible in the order of their
numbers, and whoever has read up to a number has missed nothing before it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ..errors import DomainError, TenantExistsError, TenantNotFoundError, TokenError
from ..model import Domain, Tenant, TenantState, Token
from .names import checked_config, checked_host, checked_scopes, checked_slug
from .store import EVERYTHING, JOURNAL_LIMIT, Store

Fill = Callable[[Connection, Tenant], None]

JOURNAL_LENGTH = 10_000
"""How many changes the journal remembers."""

SECRET_PREFIX = "ft_"  # noqa: S105 - what every secret starts with, so that scanners recognise a leaked one


def digest_of(secret: str) -> str:
    """Return what is kept of a token's secret. It has 256 random bits: nobody can guess it, salted or not."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass
class Change:
    """A change in work.

    :param tenants: whom it concerns
    :param number: known after the commit
    :param everyone: whether it concerns all tenants, those too that are being created meanwhile
    """

    connection: Connection
    tenants: set[int] = field(default_factory=set)
    number: int = 0
    everyone: bool = False
    made: list[Tenant] = field(default_factory=list)


class Changes:
    """Writes the directory's tables.

    :param reserve: whether ids must be used up before tenants' first rows are written, because those are committed
        in another database
    :param done: called after each commit
    """

    def __init__(self, store: Store, done: Callable[[Change], None], *, reserve: bool = False) -> None:
        self._store = store
        self._tables = store.tables
        self._done = done
        self._reserve = reserve

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Make one change: what the block does, its number and its line in the journal are one transaction."""
        with self._store.connect() as connection:
            change = Change(connection)
            yield change
            self._number(change)
        self._done(change)

    def _number(self, change: Change) -> None:
        connection, version, tenant = change.connection, self._tables.version, self._tables.tenant
        connection.execute(version.update().values(number=version.c.number + 1))
        number = change.number = connection.scalar(sa.select(version.c.number)) or 0
        ids = sorted(change.tenants)
        if (
            change.everyone
        ):  # the number's row is locked: whoever is created now, is created after this change
            connection.execute(tenant.update().values(version=number))
        for at in range(0, 0 if change.everyone else len(ids), 500):
            connection.execute(
                tenant.update().where(tenant.c.id.in_(ids[at : at + 500])).values(version=number)
            )
        named = ids if 0 < len(ids) <= JOURNAL_LIMIT and not change.everyone else [EVERYTHING]
        connection.execute(
            self._tables.change.insert(), [{"number": number, "tenant_id": tenant_id} for tenant_id in named]
        )
        if number % 100 == 0:
            old = self._tables.change.c.number <= number - JOURNAL_LENGTH
            connection.execute(self._tables.change.delete().where(old))
        if change.made:
            change.made = [replace(tenant, version=number) for tenant in change.made]
        elif len(ids) == 1 and not change.everyone:
            found = self._store.find_on(connection, "id", ids[0]).tenant
            change.made = [found] if found is not None else []

    # ---- tenants
    def create(self, wanted: Sequence[tuple[str, str]], fill: Fill) -> list[Tenant]:
        """Create tenants together with their first rows: all of them, or none.

        :param wanted: slug and name of each
        :param fill: writes a tenant's first rows, in the same transaction where they are in the same database
        :raises InvalidSlugError: when a slug is no host label
        :raises TenantExistsError: when a slug is taken, or was another tenant's
        """
        slugs = [checked_slug(slug) for slug, _ in wanted]
        if len(set(slugs)) != len(slugs):
            twice = next(slug for slug in slugs if slugs.count(slug) > 1)
            raise _exists(twice, f"The slug {twice!r} is named twice")
        now = datetime.now(UTC)
        state = TenantState.ACTIVE.value
        rows = [{"slug": slug, "name": name, "state": state, "created_at": now} for slug, name in wanted]
        if not rows:
            return []
        try:
            ids = self._reserved(rows) if self._reserve else None
            with self.change() as change:
                self._refuse_former(change.connection, slugs)
                if ids is not None:
                    rows = [{**row, "id": one} for row, one in zip(rows, ids, strict=True)]
                    change.connection.execute(self._tables.tenant.insert(), rows)
                else:
                    ids = self._insert(change.connection, rows)
                made = [
                    Tenant(one, slug, name, created_at=now)
                    for one, (slug, name) in zip(ids, wanted, strict=True)
                ]
                for tenant in made:
                    fill(change.connection, tenant)
                change.tenants.update(ids)
                change.made = made
        except IntegrityError:
            taken = self._taken(slugs)
            if taken:
                raise _exists(taken[0], f"There is a tenant {taken[0]!r} already") from None
            raise
        return change.made

    def remove(self, tenant: Tenant, empty: Fill) -> None:
        """Remove a tenant and everything that is known of it.

        :param empty: deletes its rows, in the same transaction where they are in the same database
        """
        with self.change() as change:
            empty(change.connection, tenant)
            tables = self._tables
            people = tables.people
            hanging = (people.member_role, people.app_user, people.membership, people.invitation)
            kept = (people.provider, people.realm, tables.domain, tables.config, tables.token, tables.former)
            for table in (*hanging, *kept, tables.webhook):
                change.connection.execute(table.delete().where(table.c.tenant_id == tenant.id))
            change.connection.execute(
                self._tables.tenant.delete().where(self._tables.tenant.c.id == tenant.id)
            )
            change.tenants.add(tenant.id)

    def _insert(self, connection: Connection, rows: list[dict[str, Any]]) -> list[int]:
        tenant = self._tables.tenant
        if len(rows) == 1 or not connection.dialect.insert_executemany_returning_sort_by_parameter_order:
            results = [connection.execute(tenant.insert().values(row)) for row in rows]
            keys: list[Any] = [result.inserted_primary_key for result in results]
            return [key[0] for key in keys]
        insert = tenant.insert().returning(tenant.c.id, sort_by_parameter_order=True)
        return list(connection.execute(insert, rows).scalars())

    def _reserved(self, rows: list[dict[str, Any]]) -> list[int]:
        """Use ids up, so that rows which another database has kept of a failed attempt can be nobody else's."""
        tenant = self._tables.tenant
        with self._store.connect() as connection:
            ids = self._insert(connection, rows)
            connection.execute(tenant.delete().where(tenant.c.id.in_(ids)))
        return ids

    def _taken(self, slugs: Iterable[str]) -> list[str]:
        with self._store.connect() as connection:
            tenant = self._tables.tenant
            found = connection.execute(sa.select(tenant.c.slug).where(tenant.c.slug.in_(list(slugs))))
            return list(found.scalars())

    def _refuse_former(self, connection: Connection, slugs: Sequence[str], own: int | None = None) -> None:
        former = self._tables.former
        for at in range(0, len(slugs), 500):
            query = sa.select(former.c.slug, former.c.tenant_id).where(
                former.c.slug.in_(slugs[at : at + 500])
            )
            for slug, tenant_id in connection.execute(query):
                if tenant_id != own:
                    raise _exists(
                        slug,
                        f"{slug!r} was the slug of the tenant with id {tenant_id}, whose old links lead there",
                        "Choose another slug, or give the old one up first with Directory.release_slug()",
                    )

    def rename(self, tenant: Tenant, slug: str) -> Tenant:
        """Give a tenant another slug; the old one is remembered as its former slug.

        :raises InvalidSlugError: when the slug is no host label
        :raises TenantExistsError: when the slug is taken, or was another tenant's
        """
        checked_slug(slug)
        table, former = self._tables.tenant, self._tables.former
        try:
            with self.change() as change:
                old = change.connection.scalar(sa.select(table.c.slug).where(table.c.id == tenant.id))
                if old is None:
                    raise _gone(tenant)
                self._refuse_former(change.connection, [slug], own=tenant.id)
                if old != slug:
                    change.connection.execute(former.delete().where(former.c.slug.in_([slug, old])))
                    values = {"slug": old, "tenant_id": tenant.id, "renamed_at": datetime.now(UTC)}
                    change.connection.execute(former.insert().values(values))
                    self._set(change, tenant, slug=slug)
                change.tenants.add(tenant.id)
        except IntegrityError:
            if self._taken([slug]):
                raise _exists(slug, f"There is a tenant {slug!r} already") from None
            raise
        return change.made[0]

    def release_slug(self, slug: str) -> None:
        """Forget that a tenant was called so; old links with it lead nowhere from now on."""
        former = self._tables.former
        with self.change() as change:
            owner = change.connection.scalar(sa.select(former.c.tenant_id).where(former.c.slug == slug))
            if owner is None:
                raise TenantNotFoundError(f"No tenant was called {slug!r} before", value=slug)
            change.connection.execute(former.delete().where(former.c.slug == slug))
            change.tenants.add(owner)

    def set(self, tenant: Tenant, **values: Any) -> Tenant:
        """Set columns of a tenant."""
        with self.change() as change:
            self._set(change, tenant, **values)
        return change.made[0]

    def _set(self, change: Change, tenant: Tenant, **values: Any) -> None:
        table = self._tables.tenant
        result = change.connection.execute(table.update().where(table.c.id == tenant.id).values(values))
        if result.rowcount == 0:
            raise _gone(tenant)
        change.tenants.add(tenant.id)

    def configure(self, tenant: Tenant, key: str, value: Any, *, unset: bool = False) -> Tenant:
        """Set or unset one value of a tenant's configuration.

        :raises TenantConfigError: for a key or value that cannot be kept
        """
        text = checked_config(key, value)
        config = self._tables.config
        mine = (config.c.tenant_id == tenant.id, config.c.key == key)
        with self.change() as change:
            self._lock(change, tenant)
            change.connection.execute(config.delete().where(*mine))
            if not unset:
                row = {"tenant_id": tenant.id, "key": key, "value": text}
                change.connection.execute(config.insert().values(row))
        return change.made[0]

    def _lock(self, change: Change, tenant: Tenant) -> None:
        """Let one change of a tenant's details follow the other."""
        self._set(change, tenant, name=self._tables.tenant.c.name)

    # ---- domains
    def add_domain(self, tenant: Tenant, host: str) -> Domain:
        """Note a custom domain of a tenant. It counts once it is confirmed.

        :raises DomainError: for what is no host name, or is noted already
        """
        host = checked_host(host)
        domain = self._tables.domain
        try:
            with self.change() as change:
                self._lock(change, tenant)
                row = {"host": host, "tenant_id": tenant.id, "created_at": datetime.now(UTC)}
                change.connection.execute(domain.insert().values(row))
        except IntegrityError:
            with self._store.connect() as connection:
                owner = connection.scalar(sa.select(domain.c.tenant_id).where(domain.c.host == host))
            if owner is None:
                raise
            raise DomainError(
                f"{host!r} is a domain of the tenant with id {owner} already",
                value=host,
                hint="Remove it there first",
            ) from None
        return Domain(host, tenant.id)

    def confirm_domain(self, host: str, *, preferred: bool = False) -> Tenant:
        """Let a custom domain count from now on.

        :param preferred: make it the tenant's primary one
        :raises DomainError: when it is not noted
        """
        domain = self._tables.domain
        with self.change() as change:
            host, owner = self._owner(change, host)
            mine = domain.c.host == host
            change.connection.execute(
                domain.update()
                .where(mine, domain.c.confirmed_at.is_(None))
                .values(confirmed_at=datetime.now(UTC))
            )
            if preferred:
                change.connection.execute(
                    domain.update()
                    .where(domain.c.tenant_id == owner)
                    .values(preferred=sa.case((mine, 1), else_=0))
                )
        return change.made[0]

    def remove_domain(self, host: str) -> Tenant:
        """Forget a custom domain.

        :raises DomainError: when it is not noted
        """
        with self.change() as change:
            host, _ = self._owner(change, host)
            change.connection.execute(self._tables.domain.delete().where(self._tables.domain.c.host == host))
        return change.made[0]

    def _owner(self, change: Change, host: str) -> tuple[str, int]:
        host = checked_host(host)
        domain = self._tables.domain
        owner = change.connection.scalar(sa.select(domain.c.tenant_id).where(domain.c.host == host))
        if owner is None:
            raise DomainError(
                f"{host!r} is no tenant's domain", value=host, hint="Add it with 'flask tenant domain add'"
            )
        change.tenants.add(owner)
        return host, owner

    # ---- tokens
    def create_token(
        self, tenant: Tenant, name: str, expires_at: datetime | None, scopes: Iterable[str] | None
    ) -> tuple[Token, str]:
        """Make an API token.

        :returns: the token, and its secret, which nobody can find out later
        :raises TokenError: when the expiry has no time zone, or a scope cannot be
        """
        good_for = None if scopes is None else checked_scopes(scopes)
        if expires_at is not None and expires_at.tzinfo is None:
            raise TokenError(
                f"The expiry {expires_at} has no time zone",
                value=expires_at,
                hint="Use datetime.now(UTC) + …",
            )
        expires_at = expires_at.astimezone(UTC) if expires_at is not None else None
        secret, now, table = SECRET_PREFIX + secrets.token_urlsafe(32), datetime.now(UTC), self._tables.token
        row = {
            "tenant_id": tenant.id,
            "name": name,
            "digest": digest_of(secret),
            "created_at": now,
            "expires_at": expires_at,
            "scopes": None if good_for is None else json.dumps(sorted(good_for)),
        }
        with self.change() as change:
            self._lock(change, tenant)
            key: Any = change.connection.execute(table.insert().values(row)).inserted_primary_key
        return Token(key[0], tenant.id, name, now, expires_at, scopes=good_for), secret

    def revoke_token(self, token_id: int) -> None:
        """End a token's validity.

        :raises TokenError: when there is none of that id
        """
        token = self._tables.token
        with self.change() as change:
            owner = change.connection.scalar(sa.select(token.c.tenant_id).where(token.c.id == token_id))
            if owner is None:
                raise TokenError(
                    f"There is no token with id {token_id}",
                    value=token_id,
                    hint="'flask tenant token list' shows them",
                )
            change.connection.execute(
                token.update()
                .where(token.c.id == token_id, token.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            change.tenants.add(owner)


def _exists(slug: str, message: str, hint: str = "Choose another slug") -> TenantExistsError:
    return TenantExistsError(message, value=slug, hint=hint)


def _gone(tenant: Tenant) -> TenantNotFoundError:
    return TenantNotFoundError(f"There is no tenant with id {tenant.id}", value=tenant.id)
