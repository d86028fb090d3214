"""The ways to log in of a tenant: looked up, opened, tried out, changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace as replaced
from threading import Lock
from types import MappingProxyType
from typing import Any

from cachetools import LRUCache
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ...errors import IdentityError, ProviderError, TenantNotFoundError
from ...identity import LOCAL, NOTHING, Finding, Provider
from ...model import Tenant
from ...protocols import Authenticator
from ..secrets import Secrets
from ..store import Note
from .home import Change, Home
from .kinds import Kinds
from .roles import ROLES, check_roles
from .rotation import rotate
from .rows import Rows

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")

KEPT = 1_000
"""Of how many tenants the providers are kept in memory, and how many are kept open."""

Removed = Callable[[Connection, Provider], None]

SYSTEM = "system"
"""Who does what nobody in particular does, for the audit trail."""


def _nowhere(
    action: str,
    *,
    tenant_id: int = 0,
    actor: str,
    connection: Connection | None = None,
    **details: Any,
) -> None:
    """Write nothing down."""


class Providers:
    """The ways to log in of all tenants.

    A tenant has ``local``, the password that is kept by us, unless a row says that it is switched off.

    :param home: the directory
    :param removed: called in the transaction that removes a provider, switches it off, or puts one of another authority
        in its place, for what hangs on it
    :param note: writes into the audit trail
    """

    def __init__(
        self,
        home: Home,
        kinds: Kinds,
        secrets: Secrets,
        removed: Removed = lambda connection, provider: None,
        note: Note = _nowhere,
    ) -> None:
        self.kinds = kinds
        self._home = home
        self._secrets = secrets
        self._removed = removed
        self._note = note
        self._rows = Rows(home.tables.people.provider, secrets)
        self._lock = Lock()
        self._kept: LRUCache[int, tuple[int, tuple[Provider, ...]]] = LRUCache(KEPT)
        self._opened: LRUCache[tuple[int, str], tuple[Provider, Authenticator]] = LRUCache(KEPT)

    # ---- looking up
    def all(self, tenant: Tenant) -> list[Provider]:
        """Return a tenant's providers in their order, also those that are switched off."""
        with self._lock:
            version, found = self._kept.get(tenant.id, (-1, ()))
        if version < tenant.version:
            with self._home.connect() as connection:
                found = self._rows.read(connection, tenant.id)
            with self._lock:
                # Read after the tenant's version was: it may be newer than that, never older.
                self._kept[tenant.id] = tenant.version, found
        if any(provider.kind == LOCAL for provider in found):
            return list(found)
        return [*found, _local(tenant)]

    def of(self, tenant: Tenant) -> list[Provider]:
        """Return the providers through which one can log in to a tenant, in their order."""
        return [provider for provider in self.all(tenant) if provider.enabled]

    def get(self, tenant: Tenant, name: str) -> Provider | None:
        """Return a tenant's provider of that name; ``None`` for one that is switched off, or another tenant's."""
        return next((provider for provider in self.of(tenant) if provider.name == name), None)

    def open(self, provider: Provider) -> Authenticator:
        """Return what logs people in through a provider. It stays the same one until the provider is changed.

        :raises ProviderError: for settings that make no sense, secrets that cannot be decrypted, and one that is off
        """
        if not provider.enabled:
            raise ProviderError(f"The provider {provider.name!r} is switched off", value=provider.name)
        key = provider.tenant_id, provider.name
        with self._lock:
            kept = self._opened.get(key)
        if kept is not None and kept[0] == provider:
            return kept[1]
        opened = self.kinds.get(provider.kind).open(_for_its_kind(provider))
        with self._lock:
            self._opened[key] = provider, opened
        return opened

    def examine(self, provider: Provider) -> list[Finding]:
        """Try a provider out, without logging anybody in; one that is switched off too."""
        try:
            return list(self.kinds.get(provider.kind).examine(_for_its_kind(provider)))
        except ProviderError as error:
            return [Finding("settings", False, f"{error.message}. {error.hint}".rstrip(". "))]
        except IdentityError as error:
            return [Finding("provider", False, f"{error.message}. {error.hint}".rstrip(". "))]

    # ---- changing
    def add(
        self,
        tenant: Tenant,
        name: str,
        kind: str,
        settings: Mapping[str, Any] = NOTHING,
        secrets: Mapping[str, str] = NOTHING,
        *,
        label: str = "",
        authority: str = "",
        joins: bool = False,
        replace: bool = False,
        by: str = SYSTEM,
    ) -> Provider:
        """Give a tenant a way to log in.

        :param settings: what the kind needs to know, and ``roles``
        :param authority: for kinds that do not have it among their settings: a name that several providers may share,
            which then know the same people; without it the provider knows people of its own
        :param joins: whether whom it vouches for becomes a member by logging in
        :param replace: put it in place of the one of that name: settings and secrets are all given again, so that
            nobody has a secret sent elsewhere that they do not know
        :raises ProviderError: for settings that make no sense, or a name that is taken
        """
        made = self._checked(tenant, name, kind, settings, secrets, label, authority, joins)
        self.kinds.get(kind).open(_for_its_kind(made))
        try:
            with self._home.change() as change:
                rows = self._locked(change, tenant)
                there = next((row for row in rows if row.name == name), None)
                if there is not None:
                    if there.kind != kind or (there.enabled and not replace):
                        raise _taken(tenant, there)
                    made = replaced(made, id=there.id)
                    if there.authority != made.authority:
                        # For whom the former one has vouched, the new one knows nothing of.
                        self._removed(change.connection, there)
                written = self._rows.write(change.connection, made, secrets)
                what = "provider.added" if there is None else "provider.replaced"
                self._write_down(what, written, change.connection, by)
        except IntegrityError:  # somebody else was quicker
            raise _taken(tenant, made) from None
        return written

    def remove(self, tenant: Tenant, name: str, *, by: str = SYSTEM) -> Provider:
        """Take a way to log in from a tenant. Its members stay; ``local`` is switched off.

        :raises ProviderError: when there is none of that name
        """
        with self._home.change() as change:
            rows = self._locked(change, tenant)
            found = next((row for row in (*rows, _local(tenant)) if row.name == name), None)
            if found is None or not found.enabled:
                raise ProviderError(
                    f"The tenant {tenant.slug!r} has no provider {name!r}",
                    value=name,
                    hint=f"'flask tenant sso show {tenant.slug}' shows those that it has",
                )
            if found.kind == LOCAL:
                self._rows.write(change.connection, replaced(found, enabled=False), NOTHING)
            else:
                self._rows.delete(change.connection, found)
            self._removed(change.connection, found)
            self._write_down("provider.removed", found, change.connection, by)
        return found

    def rotate(self, *, by: str = SYSTEM) -> int:
        """Encrypt all secrets anew with the newest key, and return how many there are.

        :raises ConfigurationError: when one cannot be decrypted; those before it are encrypted anew
        """
        people = self._home.tables.people
        count = rotate(self._home, self._secrets, people.provider.c.secrets)
        # Without its hint, a session ends here all the same; nobody could give it anew.
        count += rotate(self._home, self._secrets, people.login_session.c.hint, needed=False)
        self._note("secrets.rotated", actor=by, count=count)
        return count

    def _locked(self, change: Change, tenant: Tenant) -> tuple[Provider, ...]:
        """Return a tenant's rows; nobody else changes them until this change is over.

        :raises TenantNotFoundError: when the tenant is gone
        """
        table = self._home.tables.tenant
        # Written first, so that SQLite does not have to turn a reader into a writer.
        lock = table.update().where(table.c.id == tenant.id).values(name=table.c.name)
        if change.connection.execute(lock).rowcount == 0:
            raise TenantNotFoundError(f"There is no tenant with id {tenant.id}", value=tenant.id)
        change.tenants.add(tenant.id)
        return self._rows.read(change.connection, tenant.id)

    def _write_down(self, action: str, provider: Provider, connection: Connection, by: str) -> None:
        known = {"provider": provider.name, "kind": provider.kind, "authority": provider.authority}
        self._note(action, tenant_id=provider.tenant_id, actor=by, connection=connection, **known)

    def _checked(
        self,
        tenant: Tenant,
        name: str,
        kind: str,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        label: str,
        authority: str,
        joins: bool,
    ) -> Provider:
        if not _NAME.match(name) or (name == LOCAL) != (kind == LOCAL):
            raise ProviderError(
                f"A provider of the kind {kind!r} cannot be called {name!r}",
                value=name,
                hint="Use lower-case letters, digits and inner hyphens, 63 at most; 'local' is for local passwords",
            )
        known = self.kinds.get(kind)
        check_roles(settings.get(ROLES, {}))
        for key in known.secrets & settings.keys():
            raise ProviderError(
                f"The setting {key!r} is a secret", value=key, hint="Give it as one: it is encrypted then"
            )
        for key in secrets.keys() - known.secrets:
            raise ProviderError(
                f"Providers of the kind {kind!r} have no secret {key!r}",
                value=key,
                hint=f"Known are: {', '.join(sorted(known.secrets)) or 'none'}",
            )
        return Provider(
            0,
            tenant.id,
            name,
            kind,
            label or name,
            _authority(tenant, name, kind, known.authority, settings, authority),
            MappingProxyType(dict(settings)),
            MappingProxyType(dict(secrets)),
            joins=joins,
        )


def _authority(
    tenant: Tenant, name: str, kind: str, setting: str, settings: Mapping[str, Any], wanted: str
) -> str:
    """Return who vouches: nobody may give themselves the name of somebody else's issuer."""
    if kind == LOCAL:
        found: Any = LOCAL
    elif setting:
        found = settings.get(setting, "")
    else:
        found = wanted or f"{kind}:{tenant.id}/{name}"
    right = isinstance(found, str) and 0 < len(found) <= 255
    if wanted and (found != wanted or (not setting and not wanted.startswith(f"{kind}:"))):
        right = False
    if not right:
        raise ProviderError(
            f"{wanted or found!r} cannot be the authority of a provider of the kind {kind!r}",
            value=wanted or found,
            hint=f"It is what the setting {setting!r} says, up to 255 characters"
            if setting
            else f"It begins with '{kind}:', and has up to 255 characters",
        )
    return str(found)


def _for_its_kind(provider: Provider) -> Provider:
    """Return a provider as its kind sees it: without what is no business of a kind."""
    settings = {key: value for key, value in provider.settings.items() if key != ROLES}
    return replaced(provider, settings=MappingProxyType(settings))


def _local(tenant: Tenant) -> Provider:
    return Provider(0, tenant.id, LOCAL, LOCAL, "E-mail and password", LOCAL)


def _taken(tenant: Tenant, there: Provider) -> ProviderError:
    return ProviderError(
        f"The tenant {tenant.slug!r} has a provider {there.name!r} of the kind {there.kind!r} already",
        value=there.name,
        hint="Choose another name, replace it with one of its kind, or remove it first",
    )
