"""Looks tenants up and creates them.

Tenants are kept in memory; one row's version number, read at most once a second, tells whether another process has
changed them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ..errors import InvalidSlugError, TenantExistsError, TenantNotFoundError
from ..model import Tenant, TenantState
from .tables import metadata, tenant, version

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
POLL_SECONDS = 1.0


class Directory:
    """The tenants of one installation.

    :param connect: opens a transaction on the directory's database, past the wall
    :param poll: seconds after which the version row is read again
    """

    def __init__(
        self, connect: Callable[[], AbstractContextManager[Connection]], poll: float = POLL_SECONDS
    ) -> None:
        self._connect = connect
        self._poll = poll
        self._lock = Lock()
        self._by_slug: dict[str, Tenant] | None = None
        self._version = -1
        self._checked = 0.0

    def prepare(self) -> None:
        """Create the directory's tables where they are missing."""
        with self._connect() as connection:
            metadata.create_all(connection)
            if connection.scalar(sa.select(version.c.number)) is None:
                connection.execute(version.insert().values(id=1, number=0))

    def find(self, slug: str) -> Tenant | None:
        """Return the tenant of that slug, or ``None``."""
        return self._tenants().get(slug)

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
        return sorted(self._tenants().values(), key=lambda t: t.id)

    def read(self, connection: Connection) -> list[Tenant]:
        """Return all tenants as a connection sees them that is open already.

        :param connection: lets every statement pass as it is
        """
        rows = connection.execute(sa.select(tenant).order_by(tenant.c.id)).all()
        return [_made(row) for row in rows]

    def create(self, slug: str, name: str, fill: Callable[[Connection, Tenant], None]) -> Tenant:
        """Create a tenant together with its first rows, or not at all.

        :param slug: a host label: lower-case letters, digits and inner hyphens, 63 at most
        :param fill: writes the tenant's first rows in the same transaction
        :raises InvalidSlugError: when the slug is no host label
        :raises TenantExistsError: when the slug is taken
        """
        if not SLUG.match(slug):
            raise InvalidSlugError(
                f"{slug!r} cannot be part of a host name",
                value=slug,
                hint="Use up to 63 lower-case letters, digits and inner hyphens",
            )
        now = datetime.now(UTC)
        try:
            with self._connect() as connection:
                values = {"slug": slug, "name": name, "state": TenantState.ACTIVE.value, "created_at": now}
                result = connection.execute(tenant.insert().values(values))
                key: Any = result.inserted_primary_key
                made = Tenant(key[0], slug, name, TenantState.ACTIVE, now)
                fill(connection, made)
                connection.execute(version.update().values(number=version.c.number + 1))
        except IntegrityError:
            if self._load() and slug in self._tenants():
                raise TenantExistsError(
                    f"There is a tenant {slug!r} already", value=slug, hint="Choose another slug"
                ) from None
            raise
        self.forget()
        return made

    def forget(self) -> None:
        """Drop what is kept in memory."""
        with self._lock:
            self._by_slug = None

    def _tenants(self) -> dict[str, Tenant]:
        now = time.monotonic()
        with self._lock:
            kept = self._by_slug
            if kept is not None and now - self._checked < self._poll:
                return kept
            self._checked = now
        if kept is not None and self._current_version() == self._version:
            return kept
        return self._load()

    def _current_version(self) -> int:
        with self._connect() as connection:
            return connection.scalar(sa.select(version.c.number)) or 0

    def _load(self) -> dict[str, Tenant]:
        with self._connect() as connection:
            number = connection.scalar(sa.select(version.c.number)) or 0
            found = {t.slug: t for t in self.read(connection)}
        with self._lock:
            self._by_slug, self._version, self._checked = found, number, time.monotonic()
        return found


def _made(row: sa.Row[Any]) -> Tenant:
    return Tenant(row.id, row.slug, row.name, TenantState(row.state), row.created_at)
