"""A site where tenants sign themselves up: its application, its mail, its clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from flask import Flask

from flask_tenant import Tenancy, signals
from flask_tenant.audit import verify
from flask_tenant.errors import MailError
from flask_tenant.login.passwords import Passwords
from flask_tenant.onboarding import SignUp, SignUps
from flask_tenant.registry import state_of
from tests.extension.notes import Notes

PASSWORD = "correct horse battery staple"
ASKED = {"email": "ada@example.org", "person_name": "Ada", "slug": "acme", "tenant_name": "Acme"}

WHOLE_WAY = [
    "requested", "verified", "approved", "provisioned", "administered", "trial", "reminded", "grace", "suspended",
]  # fmt: skip


class Box:
    """Takes mail, into a file where several processes share it.

    :param path: each line says what one mail is about
    """

    def __init__(self, path: Path | None = None) -> None:
        self.messages: list[EmailMessage] = []
        self.broken = False
        self._path = path

    def send(self, message: EmailMessage) -> None:
        """Take it, or not."""
        if self.broken:
            raise MailError("The mail server is down")
        self.messages.append(message)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{message['To']} {message['Subject']}\n{message.get_content()}")

    def close(self) -> None:
        """Nothing to do."""

    def subjects(self) -> list[str]:
        """What it has taken."""
        return [str(message["Subject"]) for message in self.messages]

    def secret(self) -> str:
        """What the newest link to verify an address carries."""
        text = next(m for m in reversed(self.messages) if "Confirm" in m["Subject"]).get_content()
        found = re.search(r"/_tenant/sign-up/verify/(\S+)", text)
        assert found is not None
        return found[1]


@dataclass
class Clock:
    """The time, which passes when the test says so."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.at += timedelta(**by)


class Site:
    """The application of the tests.

    :param notes: makes it; another server has its own
    """

    def __init__(
        self, notes: Notes, box: Box | None = None, clock: Clock | None = None, **config: Any
    ) -> None:
        self.tenancy = Tenancy()
        self.box = self.tenancy.sender = box or Box()
        self.clock = clock or Clock()
        self.app: Flask = notes.create_app(
            self.tenancy,
            **{
                "TENANT_LOGIN": True,
                "TENANT_SIGNUP": "open",
                "TENANT_BASE_DOMAIN": "shop.example",
                "TENANT_EXTERNAL_SCHEME": "https",
                "TENANT_MAIL_FROM": "noreply@shop.example",
                "TENANT_SIGNUP_RESERVED": ["billing-team"],
                "TENANT_CENTRAL_HOSTS": ["hub.shop.example"],
                "TENANT_LOGIN_LIMITS": {"signup.account": "50 per day", "signup.network": "50 per day"},
                **config,
            },
        )
        self.state = state_of(self.app)
        self.accounts = self.state.accounts
        self.accounts.people.passwords = Passwords("pbkdf2:sha256:1")
        self.signups: SignUps = self.accounts.signups
        self.signups.book.clock = self.clock
        self.told: list[tuple[int, str, str | None]] = []
        signals.signup_changed.connect(self._tell, self.tenancy)

    def _tell(self, sender: object, signup: SignUp, state: str, tenant: Any) -> None:
        self.told.append((signup.id, state, tenant.slug if tenant is not None else None))

    def ask(self, **other: str) -> SignUp:
        """Sign up, and let the machine go on."""
        made = self.signups.request(**{**ASKED, **other})
        return self.signups.machine.go_on(made.id)

    def confirm(self, password: str = PASSWORD) -> SignUp:
        """Follow the newest link, and let the machine go on."""
        verified = self.signups.verify(self.box.secret(), password)
        return self.signups.machine.go_on(verified.id)

    def to_the_end(self) -> None:
        """Let time pass, and the machine be asked now and then."""
        for days in (22, 1, 6, 1, 6, 1, 30):
            self.clock.move(days=days)
            self.signups.machine.run()

    def states(self, signup: SignUp) -> list[str]:
        """Which steps it has taken."""
        return [step.state.value for step in self.signups.book.steps(signup.id)]

    def proven(self) -> None:
        """Make sure that the audit trail has every step, once, as it was written."""
        trail = self.state.trail
        verdict = verify(trail.entries(), trail.keys, {})
        assert verdict.entries > 0
        assert verdict.found == ()
        written = [(e.known["signup"], e.action) for e in trail.entries(0, action="signup.")]
        steps = [
            (signup.id, f"signup.{state}")
            for signup in self.signups.book.all()
            for state in self.states(signup)
        ]
        assert sorted(written) == sorted(steps)
