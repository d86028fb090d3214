"""Who hears of a step: observers of its event, and the one who has signed up, by mail.

What was not taken is told again whenever the machine is asked to go on: at least once, and in order. Of several servers
that are asked at once, one tells.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from ..errors import MailError
from ..model import Tenant
from .book import ALL, EVENT, MAIL, Book, Overtaken, Step
from .states import SignUp, State

log = logging.getLogger("flask_tenant.onboarding")

PATIENCE = timedelta(days=3)
"""For how long a mail is tried that no server takes."""

_READY = "signup-ready"
_MAILS = {
    State.REQUESTED: "signup-verify",
    State.VERIFIED: "signup-waiting",
    State.REFUSED: "signup-refused",
    State.TRIAL: _READY,
    State.KEPT: _READY,
    State.REMINDED: "signup-reminder",
    State.GRACE: "signup-grace",
    State.SUSPENDED: "signup-suspended",
}


class Send(Protocol):
    """Sends mail."""

    def __call__(self, to: str, template: str, tenant: Tenant | None, **values: Any) -> None:
        """Send a mail, or raise ``MailError``."""


class Telling:
    """Tells of steps.

    :param announce: sends the event of a step
    :param send: sends mail
    :param find: finds a tenant by its id
    :param verify_url: makes the address of the page that takes a secret
    :param home_url: makes the address where a tenant's people log in
    :param digest_of: what is kept of a secret
    """

    def __init__(
        self,
        book: Book,
        *,
        announce: Callable[[SignUp, State, Tenant | None], None],
        send: Send,
        find: Callable[[int], Tenant | None],
        verify_url: Callable[[str], str],
        home_url: Callable[[Tenant], str],
        digest_of: Callable[[str], str],
    ) -> None:
        self._book, self._announce, self._send, self._find = book, announce, send, find
        self._verify_url, self._home_url, self._digest_of = verify_url, home_url, digest_of

    def tell(self, signup_id: int) -> None:
        """Tell of all steps that were not told yet. What goes wrong is noted and logged."""
        while True:
            steps = self._book.steps(signup_id)
            step = next((step for step in steps if step.told != ALL), None)
            if step is None or not self._tell(step, steps):
                return

    def _tell(self, step: Step, steps: Sequence[Step]) -> bool:
        """Tell of one, and say whether the next one may be told of."""
        taken = self._book.take(step)
        if taken is None:
            return False  # another server is about to tell of it, and goes on
        try:
            signup = self._book.get(step.signup_id)
            tenant = self._find(signup.tenant_id) if signup.tenant_id is not None else None
            if not taken.told & EVENT:
                self._announce(signup, step.state, tenant)
                self._book.tell(step, EVENT)
            try:
                self._mail(signup, step, steps, tenant)
            except MailError as error:
                if self._book.clock() - step.at <= PATIENCE:
                    raise
                log.error("No server has taken the mail of sign-up %s: %s", step.signup_id, error)
            self._book.tell(step, MAIL)
        except Exception as error:
            self._book.give_back(step)
            if not isinstance(error, Overtaken):  # then it has gone on meanwhile: whoever did that tells
                log.exception("The step %s of sign-up %s was not told", step.state, step.signup_id)
                self._book.failed(step.signup_id, f"{type(error).__name__}: {error}", count=False)
            return False
        return True

    def _mail(self, signup: SignUp, step: Step, steps: Sequence[Step], tenant: Tenant | None) -> None:
        template = _MAILS.get(step.state)
        if template is None or not self._matters(step, steps):
            return
        values: dict[str, Any] = {"name": signup.person_name, "slug": signup.slug}
        if step.state is State.REQUESTED:
            # Nobody has proven this address: it gets no words of the one who has typed it but the slug.
            secret = secrets.token_urlsafe(32)
            self._book.set(signup, digest=self._digest_of(secret))
            values = {"slug": signup.slug, "url": self._verify_url(secret), "expires_at": signup.expires_at}
        elif tenant is not None:
            values |= {
                "url": self._home_url(tenant),
                "trial_ends_at": signup.trial_ends_at,
                "expires_at": signup.expires_at,
            }
        elif step.state is State.REFUSED:
            values["reason"] = signup.error or ""
        self._send(signup.email, template, tenant, **values)

    @staticmethod
    def _matters(step: Step, steps: Sequence[Step]) -> bool:
        """Whether a mail still says something that holds."""
        before = [each.state for each in steps if each.number < step.number]
        if step.state is State.REFUSED:
            return (
                State.VERIFIED in before
            )  # to an address that nobody has proven goes one mail, and no other
        if step.state is State.KEPT:
            return State.TRIAL not in before
        return step.state is State.TRIAL or step.number == len(steps)
