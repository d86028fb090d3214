"""Puts sign-up together: its rows, tenants, people, mail, and the events of its steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import flask
from sqlalchemy.engine import Connection

from .. import signals
from ..audit import CENTRAL
from ..context import Scope
from ..directory.names import checked_slug
from ..errors import ConfigurationError
from ..expressions import Kind
from ..login.people import checked_email
from ..model import Tenant, TenantState
from ..onboarding import Book, Machine, Names, SignUp, SignUps, State, Telling
from ..onboarding.signups import digest_of
from .parts import mailbox
from .presence import LOGIN_PAGE

if TYPE_CHECKING:
    from .accounts import Accounts

VERIFY_PATH = "/sign-up/verify/"
"""Below ``TENANT_LOGIN_PATH``: the page that takes the secret, which follows."""

EVENTS = tuple(
    f"signup.{state}"
    for state in State
    if state not in (State.REQUESTED, State.VERIFIED, State.APPROVED, State.EXPIRED, State.REFUSED)
)
"""What event rules may be about: the steps that have a tenant, whose rules they are."""


def signups_of(accounts: Accounts) -> SignUps:
    """Return the sign-ups of one application.

    :raises ConfigurationError: when it has none
    """
    application = accounts.application
    settings, directory = application.settings, application.directory
    if settings.signup is None:
        raise ConfigurationError("Nobody signs up here", hint="Set TENANT_SIGNUP to 'approval' or 'open'")
    tables, links = directory.tables, accounts.links
    for name in EVENTS:
        if name not in application.tenancy.events:
            application.tenancy.events.declare(name, {"signup.id": Kind.INT})
    book = Book(
        directory.connect,
        tables.signup.signup,
        tables.signup.step,
        partial(application.trail.write, tenant_id=CENTRAL),
    )
    names = Names(
        checked_slug,
        reserved={*settings.signup_reserved, *(host.partition(".")[0] for host in settings.central_hosts)},
        base=settings.base_domain,
        tenant=tables.tenant,
        former=tables.former,
        domain=tables.domain,
        signup=tables.signup.signup,
    )
    telling = Telling(
        book,
        announce=partial(_announce, accounts),
        send=accounts.mail.send,
        find=directory.find_id,
        verify_url=lambda secret: links.to(None, VERIFY_PATH + secret),
        home_url=lambda tenant: links.to(tenant, LOGIN_PAGE),
        digest_of=digest_of,
    )
    machine = Machine(
        book,
        _Tenants(accounts),
        accounts.people,
        telling,
        open_to_all=settings.signup == "open",
        trial_days=settings.signup_trial_days,
        reminder_days=settings.signup_reminder_days,
        grace_days=settings.signup_grace_days,
    )
    return SignUps(
        book,
        names,
        machine,
        accounts.people,
        checked_email=checked_email,
        hit=partial(_hit, accounts),
    )


def _hit(accounts: Accounts, kind: str, *, account: str = "", network: str = "") -> None:
    accounts.throttle.hit(kind, account=mailbox(account), network=network)


class _Tenants:
    """Makes tenants that are in maintenance until the application's own seeds are planted."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        directory = accounts.application.directory
        self.find, self.set_state = directory.find_id, directory.set_state

    def make(self, slug: str, name: str, claim: Callable[[Connection, Tenant], None]) -> Tenant:
        """Make a tenant."""
        application = self._accounts.application
        table = application.directory.tables.tenant

        def claimed(connection: Connection, tenant: Tenant) -> None:
            claim(connection, tenant)
            if application.tenancy.seeds:  # they are planted later, and who plants them may die
                closed = table.update().where(table.c.id == tenant.id)
                connection.execute(closed.values(state=TenantState.MAINTENANCE.value))

        return application.create(slug, name, claimed)

    def remove(self, tenant: Tenant) -> None:
        """Remove a tenant that was half made."""
        self._accounts.application.remove(tenant)


def _announce(accounts: Accounts, signup: SignUp, state: State, tenant: Tenant | None) -> None:
    """Tell observers of a step, and the tenant's event rules."""
    application = accounts.application
    tenancy = application.tenancy
    signals.signup_changed.send(tenancy, signup=signup, state=state.value, tenant=tenant)
    name = f"signup.{state}"
    if tenant is not None and name in EVENTS:
        around = nullcontext() if flask.has_app_context() else application.app.app_context()
        with around, application.enter(Scope(tenant)):
            tenancy.events.send(name, {"signup.id": signup.id})
