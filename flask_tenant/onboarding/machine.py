"""What happens by itself. It is asked to go on, by a page or a clock, and goes as far as it can.

Each step has its work and its transition. The work can be done twice: it looks what is there already. So it does not
matter where a process dies; the next one that is asked goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.engine import Connection

from ..errors import SignUpError
from ..identity import ADMINISTRATOR
from ..model import Tenant, TenantState
from .book import Book, Overtaken
from .states import WAITING, SignUp, State

if TYPE_CHECKING:
    from .signups import People
    from .telling import Telling

log = logging.getLogger("flask_tenant.onboarding")

SYSTEM = "system"


class Tenants(Protocol):
    """What sign-up needs of tenants."""

    def make(self, slug: str, name: str, claim: Callable[[Connection, Tenant], None]) -> Tenant:
        """Make a tenant that is in maintenance until it is whole.

        :param claim: called in the transaction that makes it
        """

    def find(self, tenant_id: int) -> Tenant | None:
        """Return a tenant, or ``None``."""

    def remove(self, tenant: Tenant) -> None:
        """Remove a tenant that was half made."""

    def set_state(self, tenant: Tenant, state: TenantState) -> Tenant:
        """Set whether a tenant is served."""


class Machine:
    """Takes the steps that are due.

    :param open_to_all: whether nobody has to approve
    :param trial_days: how long a trial is; 0 for none
    :param reminder_days: how long before its end somebody is reminded
    :param grace_days: how long after its end the tenant is suspended
    """

    def __init__(
        self,
        book: Book,
        tenants: Tenants,
        people: People,
        telling: Telling,
        *,
        open_to_all: bool,
        trial_days: int,
        reminder_days: int,
        grace_days: int,
    ) -> None:
        self._book, self._tenants, self._people, self._telling = book, tenants, people, telling
        self._open = open_to_all
        self._trial, self._reminder, self._grace = (
            timedelta(days=days) for days in (trial_days, min(reminder_days, trial_days), grace_days)
        )

    def run(self) -> list[SignUp]:
        """Let all go on that can, and return what has become of them."""
        return [self.go_on(signup_id) for signup_id in self._book.due()]

    def go_on(self, signup_id: int) -> SignUp:
        """Let one sign-up go on as far as it can, and tell what has happened. What goes wrong is noted and logged."""
        try:
            while self._step(self._book.get(signup_id)):
                pass
        except Overtaken:
            pass  # somebody else goes on with it
        except Exception as error:
            log.exception("The sign-up %s cannot go on", signup_id)
            self._book.failed(signup_id, f"{type(error).__name__}: {error}")
        self._telling.tell(signup_id)
        return self._book.get(signup_id)

    def _step(self, signup: SignUp) -> bool:
        """Take the next step, if there is one to take now."""
        if signup.state in WAITING and (signup.expires_at is None or signup.expires_at > self._book.clock()):
            return False
        step = {
            State.REQUESTED: self._expire,
            State.VERIFIED: self._approve,
            State.APPROVED: self._provision,
            State.PROVISIONED: self._administer,
            State.ADMINISTERED: self._try_out,
            State.TRIAL: self._remind,
            State.REMINDED: self._end,
            State.GRACE: self._suspend,
        }.get(signup.state)
        return step is not None and step(signup)

    def _expire(self, signup: SignUp) -> bool:
        self._book.move(signup, State.EXPIRED, actor=SYSTEM)
        return True

    def _approve(self, signup: SignUp) -> bool:
        if self._open:
            self._book.move(signup, State.APPROVED, actor=SYSTEM)
        return self._open

    def _provision(self, signup: SignUp) -> bool:
        mine = self._book.lease(signup)
        if mine.tenant_id is not None:
            made = self._tenants.find(mine.tenant_id)
            if made is not None and made.state is not TenantState.MAINTENANCE:
                self._book.move(
                    mine, State.PROVISIONED, actor=SYSTEM
                )  # its maker has died a moment too early
                return True
            if made is not None:
                log.warning("The tenant %s was half made, and is removed and made anew", made)
                self._tenants.remove(made)
            self._book.set(mine, tenant_id=None)
        self._tenants.make(
            mine.slug,
            mine.tenant_name,
            lambda connection, tenant: self._book.claim(connection, mine, tenant.id),
        )
        self._book.move(mine, State.PROVISIONED, actor=SYSTEM)
        return True

    def _administer(self, signup: SignUp) -> bool:
        tenant, person_id = self._tenant(signup), signup.person_id or 0
        if self._people.member(tenant.id, person_id) is None:
            self._people.add(tenant.id, person_id, roles=frozenset({ADMINISTRATOR}))
        self._book.move(signup, State.ADMINISTERED, actor=SYSTEM)
        return True

    def _try_out(self, signup: SignUp) -> bool:
        if not self._trial:
            self._book.move(signup, State.KEPT, actor=SYSTEM)
            return True
        ends = self._book.clock() + self._trial
        self._book.move(
            signup, State.TRIAL, actor=SYSTEM, trial_ends_at=ends, expires_at=ends - self._reminder
        )
        return True

    def _remind(self, signup: SignUp) -> bool:
        # Nobody is suspended without a warning in time, however late this machine was asked.
        soonest = self._book.clock() + self._reminder
        ends = max(signup.trial_ends_at or soonest, soonest)
        self._book.move(signup, State.REMINDED, actor=SYSTEM, trial_ends_at=ends, expires_at=ends)
        return True

    def _end(self, signup: SignUp) -> bool:
        self._book.move(signup, State.GRACE, actor=SYSTEM, expires_at=self._book.clock() + self._grace)
        return True

    def _suspend(self, signup: SignUp) -> bool:
        tenant = self._tenant(signup)
        if tenant.state is TenantState.ACTIVE:  # what an operator has done stays
            self._tenants.set_state(tenant, TenantState.SUSPENDED)
        self._book.move(signup, State.SUSPENDED, actor=SYSTEM)
        return True

    def serve_again(self, signup: SignUp) -> None:
        """Undo the suspension at the end of a trial."""
        tenant = self._tenant(signup)
        if tenant.state is TenantState.SUSPENDED:
            self._tenants.set_state(tenant, TenantState.ACTIVE)

    def _tenant(self, signup: SignUp) -> Tenant:
        found = self._tenants.find(signup.tenant_id) if signup.tenant_id is not None else None
        if found is None:
            raise SignUpError(f"The tenant of the sign-up {signup.id} is gone", value=signup.tenant_id)
        return found
