"""The directory: the tenants of one installation, their domains, configuration and tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from time import monotonic
from typing import Any

from sqlalchemy.engine import Connection

from ..errors import TenantNotFoundError
from ..model import Domain, Tenant, TenantState, Token
from .changes import Change, Changes, Fill, digest_of
from .lookup import Lookup, source
from .names import SLUG
from .prepare import prepare
from .store import JOURNAL_LIMIT, Store
from .tables import PREFIX, Tables, tables_for


class Directory:
    """The tenants of one installation.

    :param connect: opens a transaction on the directory's database, past the wall
    :param prefix: what the names of its tables start with
    :param apart: whether tenants' rows are in another database, whose transactions are not the directory's
    :param seconds: how long a tenant may be kept in memory, and in Redis
    :param size: how many tenants are kept in memory
    :param redis_url: through which servers share what they know, if any
    :raises ConfigurationError: for a URL of Redis that makes no sense
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Connection]],
        *,
        prefix: str = PREFIX,
        apart: bool = False,
        seconds: float = 60.0,
        size: int = 10_000,
        redis_url: str | None = None,
    ) -> None:
        self._connect = connect
        self._tables = tables_for(prefix)
        self._store = Store(connect, self._tables)
        self._changes = Changes(self._store, self._changed, reserve=apart)
        self._lookup = Lookup(self._store, seconds, size, redis_url)
        self._memory = self._lookup.memory
        self.recall = self._memory.recall
        """Returns what :meth:`keep` has kept. The memory's own method: every request comes by here."""

    def prepare(self) -> None:
        """Create the directory's tables, or bring them to the form that this release needs."""
        prepare(self._connect, self._tables)

    # ---- looking up
    @property
    def source(self) -> str:
        """Where the last look-up of the running context was answered: ``memory``, ``redis`` or ``sql``."""
        return source.get()

    def find(self, slug: str) -> Tenant | None:
        """Return the tenant of that slug, or ``None``."""
        # Every request comes by here: two microseconds, most of which is Python's way to call a function.
        memory = self._memory
        try:
            entry = memory.slugs[slug]
        except KeyError:
            return self._lookup.find("slug", slug) if SLUG.match(slug) else None  # it never was anybody's
        now = monotonic()
        if now < entry.until and now < memory.fresh_until:
            source.set("memory")
            return entry.tenant
        return self._lookup.find("slug", slug)

    def find_renamed(self, slug: str) -> Tenant | None:
        """Return the tenant that was called so before, or ``None``."""
        return self._lookup.find("former", slug)

    def find_domain(self, host: str) -> Tenant | None:
        """Return the tenant that a custom domain leads to, or ``None``.

        :param host: lower-case, without port and final dot, ``xn--`` for what is beyond ASCII
        """
        return self._lookup.find("domain", host)

    def find_id(self, tenant_id: int) -> Tenant | None:
        """Return the tenant of that id, or ``None``."""
        memory = self._memory
        try:
            entry = memory.ids[tenant_id]
        except KeyError:
            return self._lookup.find("id", tenant_id)
        now = monotonic()
        if now < entry.until and now < memory.fresh_until:
            source.set("memory")
            return entry.tenant
        return self._lookup.find("id", tenant_id)

    def find_token(self, secret: str) -> Token | None:
        """Return the API token of that secret, or ``None`` when it is unknown, expired or revoked."""
        return self._lookup.find_token(digest_of(secret))

    def get(self, slug: str) -> Tenant:
        """Return the tenant of that slug.

        :raises TenantNotFoundError: when there is none
        """
        found = self.find(slug)
        if found is None:
            raise TenantNotFoundError(
                f"There is no tenant {slug!r}", value=slug, hint="'flask tenant list' shows them"
            )
        return found

    def all(self) -> list[Tenant]:
        """Return all tenants, in the order of their creation."""
        return self._lookup.all()

    def count(self) -> int:
        """Return how many tenants there are."""
        return self._lookup.count()

    def read(self, connection: Connection) -> list[Tenant]:
        """Return all tenants as a connection sees them that is open already.

        :param connection: lets every statement pass as it is
        """
        return self._store.read(connection)

    # ---- changing tenants
    def create(self, slug: str, name: str, fill: Fill) -> Tenant:
        """Create a tenant together with its first rows, or not at all.

        :param slug: a host label: lower-case letters, digits and inner hyphens, 63 at most
        :param fill: writes the tenant's first rows in the same transaction
        :raises InvalidSlugError: when the slug is no host label
        :raises TenantExistsError: when the slug is taken, or was another tenant's
        """
        return self._changes.create([(slug, name)], fill)[0]

    def create_many(self, wanted: Sequence[tuple[str, str]], fill: Fill) -> list[Tenant]:
        """Create tenants together with their first rows: all of them, or none.

        :param wanted: slug and name of each
        :param fill: writes one tenant's first rows in the same transaction
        :raises InvalidSlugError: when a slug is no host label
        :raises TenantExistsError: when a slug is taken, or was another tenant's
        """
        return self._changes.create(wanted, fill)

    def remove(self, tenant: Tenant, empty: Fill) -> None:
        """Remove a tenant whose creation has failed half-way, with everything that is known of it.

        :param empty: deletes its rows, in the same transaction where they are in the same database
        """
        self._changes.remove(tenant, empty)

    def rename(self, tenant: Tenant, slug: str) -> Tenant:
        """Give a tenant another slug; :meth:`find_renamed` finds it by the old one.

        :raises InvalidSlugError: when the slug is no host label
        :raises TenantExistsError: when the slug is taken, or was another tenant's
        """
        return self._changes.rename(tenant, slug)

    def release_slug(self, slug: str) -> None:
        """Forget that a tenant was called so, so that another may be; old links lead nowhere from now on.

        :raises TenantNotFoundError: when no tenant was
        """
        self._changes.release_slug(slug)

    def set_state(self, tenant: Tenant, state: TenantState) -> Tenant:
        """Set whether a tenant is served."""
        return self._changes.set(tenant, state=TenantState(state).value)

    def set_name(self, tenant: Tenant, name: str) -> Tenant:
        """Set a tenant's name for people."""
        return self._changes.set(tenant, name=name)

    def set_config(self, tenant: Tenant, key: str, value: Any) -> Tenant:
        """Set one value of a tenant's configuration.

        :param key: up to 100 letters, digits, ``_``, ``.`` and ``-``
        :param value: what JSON can say
        :raises TenantConfigError: for a key or value that cannot be kept
        """
        return self._changes.configure(tenant, key, value)

    def unset_config(self, tenant: Tenant, key: str) -> Tenant:
        """Remove one value of a tenant's configuration, if it is set."""
        return self._changes.configure(tenant, key, None, unset=True)

    # ---- domains and tokens
    def domains(self, tenant: Tenant) -> list[Domain]:
        """Return a tenant's custom domains: the primary one first, unconfirmed ones last."""
        return self._store.domains(tenant.id)

    def add_domain(self, tenant: Tenant, host: str) -> Domain:
        """Note a custom domain of a tenant. It counts once it is confirmed.

        :raises DomainError: for what is no host name, or is noted already
        """
        return self._changes.add_domain(tenant, host)

    def confirm_domain(self, host: str, *, primary: bool = False) -> Tenant:
        """Let a custom domain count from now on, and return its tenant.

        :param primary: make it the tenant's primary one, which otherwise is the one that was confirmed first
        :raises DomainError: when it is not noted
        """
        return self._changes.confirm_domain(host, preferred=primary)

    def remove_domain(self, host: str) -> Tenant:
        """Forget a custom domain, and return the tenant that it was of.

        :raises DomainError: when it is not noted
        """
        return self._changes.remove_domain(host)

    def tokens(self, tenant: Tenant) -> list[Token]:
        """Return a tenant's API tokens, expired and revoked ones too."""
        return self._store.tokens(tenant.id)

    def create_token(
        self,
        tenant: Tenant,
        name: str,
        expires_at: datetime | None = None,
        scopes: Iterable[str] | None = None,
    ) -> tuple[Token, str]:
        """Make an API token.

        :param expires_at: when it stops being valid, with its time zone
        :param scopes: what it is good for, such as ``invoices:read``; ``None`` for everything
        :returns: the token, and its secret, which nobody can find out later: only its hash is kept
        :raises TokenError: when the expiry has no time zone, or a scope cannot be
        """
        return self._changes.create_token(tenant, name, expires_at, scopes)

    def revoke_token(self, token_id: int) -> None:
        """End a token's validity.

        :raises TokenError: when there is none of that id
        """
        self._changes.revoke_token(token_id)

    # ---- for other stages, whose tables are kept beside ours
    @property
    def tables(self) -> Tables:
        """The tables."""
        return self._tables

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a transaction on the directory's database, past the wall."""
        return self._connect()

    def identity(self) -> str:
        """Return what tells this directory from any other that uses the same Redis."""
        return self._store.identity()

    def change(self) -> AbstractContextManager[Change]:
        """Change what other stages keep of tenants: all servers hear of it as of any change of the directory.

        The block gets the change: its ``connection``, and ``tenants`` and ``everyone`` to say whom it concerns.
        """
        return self._changes.change()

    # ---- what is kept
    @property
    def mark(self) -> tuple[int, int]:
        """What holds as long as no change is heard of."""
        return self._memory.mark

    def keep(self, name: str, made: object, tenant: Tenant, mark: tuple[int, int]) -> None:
        """Keep what was made of a tenant and of what else the directory has said, until it hears of any change.

        :param name: under which ``recall`` returns it
        :param mark: as it was before the directory was asked
        """
        self._memory.keep(name, made, tenant, mark)

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._lookup.forget()

    def close(self) -> None:
        """Let go of Redis. The directory goes on without it."""
        self._lookup.close()

    def _changed(self, change: Change) -> None:
        few = len(change.tenants) <= JOURNAL_LIMIT and not change.everyone
        made = change.made[0] if len(change.made) == 1 and change.made[0].version == change.number else None
        self._lookup.changed(change.number, change.tenants if few else None, made)
