"""Home-realm discovery: from an e-mail address to where its owner logs in.

A tenant's mail domain counts once it was verified: once the tenant has put what only it was told into the domain's DNS,
as a TXT record of ``_flask-tenant.DOMAIN``. Whoever asks at the central host for the way is answered by mail: strangers
are not told which tenants or addresses there are.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..errors import DomainError
from .store import Clock, Connect, Note, now, utc

log = logging.getLogger("flask_tenant.login")

LABEL = "_flask-tenant"
"""The name below a domain whose TXT record is looked at: underscored, so that it is nobody's host (RFC 8552)."""

PREFIX = "flask-tenant-verification="

SECONDS = 5.0
"""How long the DNS may take in all."""


class Realm(NamedTuple):
    """A mail domain of a tenant.

    :param domain: as it stands in DNS, ``xn--`` for what is beyond ASCII
    :param challenge: what the TXT record has to say, after :data:`PREFIX`
    :param verified_at: since when it counts, ``None`` while it does not
    """

    domain: str
    tenant_id: int
    challenge: str
    verified_at: datetime | None = None

    @property
    def record(self) -> tuple[str, str]:
        """Name and text of the TXT record that verifies it."""
        return f"{LABEL}.{self.domain}", PREFIX + self.challenge


class Texts(Protocol):
    """Reads TXT records."""

    def __call__(self, name: str) -> Sequence[str]:
        """Return the texts of a name; none when there is no such name.

        :raises DomainError: when nobody can say
        """


class DnsTexts:
    """Reads TXT records from DNS.

    :param nameservers: addresses; by default those of the system
    :param seconds: how long it may take in all
    """

    def __init__(self, nameservers: Sequence[str] = (), port: int = 53, seconds: float = SECONDS) -> None:
        self._nameservers, self._port, self._seconds = list(nameservers), port, seconds

    def __call__(self, name: str) -> list[str]:
        """Return the texts of a name."""
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, NoAnswer, Resolver

        try:
            resolver = Resolver(configure=not self._nameservers)
            if self._nameservers:
                resolver.nameservers, resolver.port = cast("list[Any]", self._nameservers), self._port
            # Absolute: a search list of the system's would look in other domains, too.
            found: Any = resolver.resolve(f"{name}.", "TXT", lifetime=self._seconds)
        except (NXDOMAIN, NoAnswer):
            return []
        except (DNSException, OSError) as error:
            raise DomainError(
                f"The TXT record of {name} could not be looked up: {error}",
                value=name,
                hint="Try again later",
            ) from error
        # One text may come in pieces of 255 bytes (RFC 7208, section 3.3, says so of such records).
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found]


class RealmTables(Protocol):
    """The tables that discovery needs."""

    realm: sa.Table
    membership: sa.Table
    person: sa.Table


class Realms:
    """Keeps mail domains, and finds the way from an address.

    :param connect: opens a transaction on the directory's database
    :param checked: returns a domain in its one form, or raises ``DomainError``
    :param texts: reads TXT records
    :param note: writes into the audit trail
    """

    def __init__(
        self,
        connect: Connect,
        tables: RealmTables,
        checked: Callable[[str], str],
        note: Note,
        *,
        texts: Texts | None = None,
        clock: Clock = now,
    ) -> None:
        self._connect, self._realm, self._tables = connect, tables.realm, tables
        self._checked, self._note, self._clock = checked, note, clock
        self.texts: Texts = texts or DnsTexts()

    # ---- keeping
    def of(self, tenant_id: int | None = None) -> list[Realm]:
        """Return the domains of a tenant, or of all."""
        with self._connect() as connection:
            wanted = sa.true() if tenant_id is None else self._realm.c.tenant_id == tenant_id
            return self._read(connection, wanted)

    def add(self, tenant_id: int, domain: str, *, by: str) -> Realm:
        """Note a domain. It counts once it is verified: :attr:`Realm.record` says how.

        Once more, it changes nothing. Several tenants may have one domain; each has to verify it.

        :raises DomainError: for what is no domain
        """
        domain = self._checked(domain)
        row = {
            "domain": domain,
            "tenant_id": tenant_id,
            "challenge": secrets.token_urlsafe(24),
            "created_at": self._clock(),
        }
        with self._connect() as connection:
            known = self._read(connection, *self._mine(tenant_id, domain))
            if known:
                return known[0]
            connection.execute(self._realm.insert().values(row))
            self._note("realm.added", tenant_id=tenant_id, actor=by, connection=connection, domain=domain)
            return self._read(connection, *self._mine(tenant_id, domain))[0]

    def verify(self, tenant_id: int, domain: str, *, by: str) -> Realm:
        """Look into DNS, and let the domain count from now on, or not any more.

        :raises DomainError: when it is not noted, or its record does not say what it should, or nobody can say
        """
        domain = self._checked(domain)
        with self._connect() as connection:
            known = self._read(connection, *self._mine(tenant_id, domain))
        if not known:
            raise DomainError(
                f"{domain!r} is not noted for the tenant {tenant_id}", value=domain, hint="Add it first"
            )
        realm = known[0]
        name, wanted = realm.record
        # Outside any transaction: it may take seconds.
        found = self.texts(name)
        good = any(hmac.compare_digest(text.strip().encode(), wanted.encode()) for text in found)
        if good != (realm.verified_at is not None):
            values = {"verified_at": self._clock() if good else None}
            with self._connect() as connection:
                mine = *self._mine(tenant_id, domain), self._realm.c.challenge == realm.challenge
                connection.execute(self._realm.update().where(*mine).values(values))
                action = "realm.verified" if good else "realm.lost"
                self._note(action, tenant_id=tenant_id, actor=by, connection=connection, domain=domain)
        if not good:
            raise DomainError(
                f"{name} has {len(found)} TXT records, and none says what proves that {domain!r} is the tenant's",
                value=domain,
                hint=f'Add to the DNS: {name} TXT "{wanted}"',
            )
        return realm._replace(verified_at=realm.verified_at or self._clock())

    def verify_again(self, *, by: str) -> list[tuple[Realm, str]]:
        """Look into DNS for all domains that count: one that has changed hands counts no longer.

        :returns: each with what is wrong, ``""`` for nothing. Where nobody can say, it goes on counting
        """
        result = []
        for realm in self.of():
            if realm.verified_at is None:
                continue
            wrong = ""
            try:
                self.verify(realm.tenant_id, realm.domain, by=by)
            except DomainError as error:
                wrong = error.message
            result.append((realm, wrong))
        return result

    def remove(self, tenant_id: int, domain: str, *, by: str) -> None:
        """Forget a domain.

        :raises DomainError: when it is not noted
        """
        domain = self._checked(domain)
        with self._connect() as connection:
            gone = self._realm.delete().where(*self._mine(tenant_id, domain))
            if cast("sa.CursorResult[Any]", connection.execute(gone)).rowcount == 0:
                raise DomainError(f"{domain!r} is not noted for the tenant {tenant_id}", value=domain)
            self._note("realm.removed", tenant_id=tenant_id, actor=by, connection=connection, domain=domain)

    # ---- finding
    def find(self, email: str) -> list[int]:
        """Return the ids of the tenants where the owner of an address may log in, as far as we know.

        Those whose verified domain it has, and those to which a person belongs who has proven the address to us. The
        same work is done for every address.

        :param email: in its one form
        """
        tables, realm = self._tables, self._realm
        try:
            domain = self._checked(email.rpartition("@")[2])
        except DomainError:
            domain = ""
        by_domain = sa.select(realm.c.tenant_id).where(
            realm.c.domain == domain, realm.c.verified_at.is_not(None)
        )
        by_person = (
            sa.select(tables.membership.c.tenant_id)
            .join(tables.person, tables.person.c.id == tables.membership.c.person_id)
            .where(tables.person.c.email == email, tables.membership.c.state == "active")
        )
        with self._connect() as connection:
            return sorted(connection.scalars(sa.union(by_domain, by_person)))

    def _mine(self, tenant_id: int, domain: str) -> tuple[Any, Any]:
        return self._realm.c.tenant_id == tenant_id, self._realm.c.domain == domain

    def _read(self, connection: Connection, *wanted: Any) -> list[Realm]:
        realm = self._realm
        rows = connection.execute(sa.select(realm).where(*wanted).order_by(realm.c.domain, realm.c.tenant_id))
        return [Realm(r.domain, r.tenant_id, r.challenge, utc(r.verified_at)) for r in rows]
