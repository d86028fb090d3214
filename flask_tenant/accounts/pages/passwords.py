"""A new password for somebody who has forgotten theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeGuard

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from ...errors import ConfigurationError, MailError, MemberError
from ...identity import LOCAL
from ...login.passwords import SHORTEST
from ...translations import Message
from .asking import ask_for_address, take_address
from .routes import At, For, Pages
from .visit import Visit, told

log = logging.getLogger("flask_tenant.login")

pages = Pages()

RESET_SECONDS = 1800.0
"""How long the link to a new password is good."""

MINUTES = int(RESET_SECONDS // 60)

RULE = Message(
    "At least %(count)d characters. A few words that do not belong together are easy to remember.",
    count=SHORTEST,
)


@pages.get("/reset", For.ANYBODY, At.BOTH)
def reset(visit: Visit) -> Response:
    """Ask for the address."""
    _must_keep_passwords(visit)
    return ask_for_address(visit, "reset", minutes=MINUTES)


@pages.post("/reset", For.ANYBODY, At.BOTH)
def reset_send(visit: Visit) -> Response:
    """Mail a link, if there is an account."""
    _must_keep_passwords(visit)
    link = visit.mail_link()
    return take_address(visit, "reset", "reset", lambda email: _mail(visit, link, email), minutes=MINUTES)


def _mail(visit: Visit, link: Callable[..., str], email: str) -> None:
    people = visit.accounts.people
    person = people.by_email(email)
    mine = person is not None and (
        visit.tenant is None or people.member(visit.tenant_id, person.id) is not None
    )
    if person is None or not mine:
        log.info("A new password was asked for at tenant %s, for an address without account", visit.tenant_id)
        return
    payload = {"person": person.id, "since": _since(visit, person.id)}
    secret = visit.accounts.tickets.issue("reset", visit.tenant_id, payload, RESET_SECONDS)
    try:
        visit.accounts.mail.send(
            str(person.email),
            "reset",
            visit.tenant,
            name=person.name,
            url=link("new_password", secret=secret),
            minutes=MINUTES,
        )
    except (MailError, ConfigurationError) as error:
        log.error("The link to a new password was not mailed: %s", error)


@pages.get("/reset/<secret>", For.ANYBODY, At.BOTH)
def new_password(visit: Visit, secret: str) -> Response:
    """Ask for the new password. Programs that look at every link in a mail do no harm."""
    kept = visit.accounts.tickets.look("reset", visit.tenant_id, secret)
    return _ask(visit, secret, kept["person"]) if _good(kept, visit) else _gone(visit)


@pages.post("/reset/<secret>", For.ANYBODY, At.BOTH)
def new_password_send(visit: Visit, secret: str) -> Response:
    """Set it. Whoever is logged in with the old one is logged out, everywhere."""
    tickets = visit.accounts.tickets
    kept = tickets.redeem("reset", visit.tenant_id, secret)
    if not _good(kept, visit):
        return _gone(visit)
    try:
        visit.accounts.people.set_password(
            kept["person"], visit.request.form.get("password", ""), by=f"person:{kept['person']}"
        )
    except MemberError as error:
        again = tickets.issue("reset", visit.tenant_id, kept, RESET_SECONDS)
        return _ask(visit, again, kept["person"], 400, {"password": told(error)})
    return visit.go(visit.path("log_in"), Message("Your password is changed. Log in with it."))


def _since(visit: Visit, person_id: int) -> str:
    return str(visit.accounts.people.password_since(person_id))


def _good(kept: dict[str, Any] | None, visit: Visit) -> TypeGuard[dict[str, Any]]:
    """Whether a link leads on. Those from before the password was changed do not, however it was: somebody else may
    have them."""
    return kept is not None and kept.get("since") == _since(visit, kept["person"])


def _ask(
    visit: Visit, secret: str, person_id: int, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    person = visit.accounts.people.person(person_id)
    return visit.show(
        "new_password",
        status,
        secret=secret,
        email=(person.email if person is not None else None) or "",
        rule=RULE,
        errors=errors or {},
    )


def _gone(visit: Visit) -> Response:
    text = Message("Links to a new password are good once, and not for long.")
    return visit.show("link_gone", 410, text=text, page="reset", label=Message("Ask for another one"))


def _must_keep_passwords(visit: Visit) -> None:
    if all(provider.kind != LOCAL for provider in visit.entry.providers(visit.tenant)):
        raise NotFound
