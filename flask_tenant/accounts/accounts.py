"""Everything about people, for one application: ``app.extensions["tenancy"].accounts``."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Protocol

from flask import Flask
from sqlalchemy.engine import Connection

from ..adapters import Around
from ..audit import Trail
from ..context import Scope
from ..directory import Directory
from ..directory.names import checked_host
from ..errors import ConfigurationError
from ..identity import LOCAL, Provider
from ..login.discovery import Realms
from ..login.ldap import Ldap
from ..login.local import Local
from ..login.oidc import Oidc
from ..login.people import People
from ..login.providers import Kinds, Providers
from ..login.secrets import Secrets
from ..login.sessions import Sessions
from ..login.store import Note
from ..login.throttle import Throttle
from ..login.tickets import Tickets
from ..model import Tenant
from ..onboarding import SignUps
from ..rules.events import Postponed
from ..settings import Settings
from .crossing import Crossing
from .current import known
from .finding import WayFinder
from .links import Links
from .onboarding import signups_of
from .parts import Mail
from .users import AppUsers


class Application(Protocol):
    """What accounts need of Tenancy's state of an application."""

    settings: Settings
    around: Around
    postponed: Postponed

    @property
    def tenancy(self) -> Any:
        """What the application has registered."""

    @property
    def app(self) -> Flask:
        """The Flask application."""

    @property
    def directory(self) -> Directory:
        """The tenants."""

    def create(
        self, slug: str, name: str, claim: Callable[[Connection, Tenant], None] | None = None
    ) -> Tenant:
        """Create a tenant."""

    def remove(self, tenant: Tenant) -> None:
        """Remove a tenant whose creation has failed half-way."""

    def enter(self, scope: Scope) -> AbstractContextManager[Scope]:
        """Enter a scope with everything that must follow it."""

    @property
    def trail(self) -> Trail:
        """The audit trail."""

    @property
    def mail(self) -> Mail:
        """What sends mail."""


class Accounts:
    """People and their log-ins. Each part is made when it is first asked for.

    :param application: Tenancy's state of it
    """

    def __init__(self, application: Application) -> None:
        self._application = weakref.ref(application)
        known(application.tenancy)

    @property
    def application(self) -> Application:
        """Tenancy's state of the application."""
        found = self._application()
        if found is None:
            raise ConfigurationError("The application is gone")
        return found

    # ---- what is kept
    @cached_property
    def people(self) -> People:
        """Persons, their identities, memberships, roles and invitations."""
        directory = self.application.directory
        return People(directory.connect, directory.tables, self.sessions, self.audit)

    @cached_property
    def sessions(self) -> Sessions:
        """Who is logged in."""
        directory, settings = self.application.directory, self.application.settings
        return Sessions(
            directory.connect,
            directory.tables,
            seconds=settings.login_seconds,
            idle=settings.login_idle_seconds,
            seal=self.secrets.seal,
            unseal=self.secrets.open,
        )

    @cached_property
    def tickets(self) -> Tickets:
        """What is good once."""
        directory = self.application.directory
        return Tickets(directory.connect, directory.tables)

    @cached_property
    def throttle(self) -> Throttle:
        """How often somebody may try."""
        directory = self.application.directory
        return Throttle(directory.connect, directory.tables, self.application.settings.login_limits)

    @cached_property
    def local(self) -> Local:
        """Passwords of ours."""
        return Local(self.people)

    # ---- what other stages provide
    @cached_property
    def secrets(self) -> Secrets:
        """Encrypts what must be told to others later."""
        config = self.application.app.config
        former = config.get("SECRET_KEY_FALLBACKS") or ()
        return Secrets(self.application.settings.secret_keys, [config["SECRET_KEY"] or "", *former])

    @cached_property
    def providers(self) -> Providers:
        """The tenants' ways to log in."""
        built_in = {LOCAL: lambda: self.local, "oidc": lambda: Oidc(self._first_message), "ldap": Ldap}
        kinds = Kinds(built_in, self.application.tenancy.provider_kinds)
        return Providers(self.application.directory, kinds, self.secrets, self._provider_gone, self.audit)

    def _first_message(self, provider: Provider, number: str, seconds: float) -> bool:
        """Return whether a provider's message of that number comes for the first time, to any server."""
        return self.tickets.first("message", provider.tenant_id, f"{provider.name} {number}", seconds)

    def _provider_gone(self, connection: Connection, provider: Provider) -> None:
        """Take from members, in the transaction that removes a provider, what they have through it."""
        self.people.provider_gone(connection, provider)
        self.sessions.provider_gone(connection, provider)

    @cached_property
    def audit(self) -> Note:
        """Writes into the audit trail."""
        return self.application.trail.write

    @property
    def mail(self) -> Mail:
        """Sends mail."""
        return self.application.mail

    @cached_property
    def realms(self) -> Realms:
        """Mail domains of tenants, for finding the way from an address."""
        directory = self.application.directory
        return Realms(directory.connect, directory.tables.people, checked_host, self.audit)

    @cached_property
    def links(self) -> Links:
        """Where our pages are reached."""
        return Links(lambda: self.application.app, self.application.settings)

    @cached_property
    def finding(self) -> WayFinder:
        """Tells the owner of an address where they log in."""
        return WayFinder(self)

    @cached_property
    def signups(self) -> SignUps:
        """Tenants that sign themselves up.

        :raises ConfigurationError: when they do not
        """
        return signups_of(self)

    def later(self, work: Callable[[], None]) -> None:
        """Do work when the application's own transactions are over, or now where there are none."""
        if not self.application.postponed.put_off(work):
            work()

    # ---- logging in and out
    @cached_property
    def entry(self) -> Crossing:
        """Logging in and out, step by step: for pages."""
        return Crossing(self)

    @cached_property
    def users(self) -> AppUsers:
        """The application's own users."""
        return AppUsers(self)
