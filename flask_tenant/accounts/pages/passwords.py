"""A new password for somebody who has forgotten theirs."""

from __future__ import annotations

import logging
from typing import Any, TypeGuard

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from ...errors import ConfigurationError, MailError, MemberError, TooManyAttemptsError
from ...identity import LOCAL
from ...login.passwords import SHORTEST
from .routes import At, For, Pages
from .visit import Visit

log = logging.getLogger("flask_tenant.login")

pages = Pages()

RESET_SECONDS = 1800.0
"""How long the link to a new password is good."""

RULE = f"At least {SHORTEST} characters. A few words that do not belong together are easy to remember."


@pages.get("/reset", For.ANYBODY, At.BOTH)
def reset(visit: Visit) -> Response:
    """Ask for the address."""
    _must_keep_passwords(visit)
    return _page(visit)


@pages.post("/reset", For.ANYBODY, At.BOTH)
def reset_send(visit: Visit) -> Response:
    """Mail a link, if there is an account. The answer is the same if there is none, and sent before anybody looks."""
    _must_keep_passwords(visit)
    email = visit.field("email")
    if "@" not in email:
        return _page(visit, 400, email, {"email": "This is no e-mail address."})
    try:
        visit.throttle("reset", email)
    except TooManyAttemptsError as error:
        response = _page(visit, 429, email, {"email": "There were too many attempts. Try again later."})
        response.headers["Retry-After"] = str(error.seconds)
        return response
    response = _page(visit, sent=True)
    link = visit.mail_link()

    def mail() -> None:
        person = visit.accounts.people.by_email(email)
        mine = person is not None and (
            visit.tenant is None or visit.accounts.people.member(visit.tenant_id, person.id) is not None
        )
        if person is None or not mine:
            log.info(
                "A new password was asked for at tenant %s, for an address without account", visit.tenant_id
            )
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
                minutes=int(RESET_SECONDS // 60),
            )
        except (MailError, ConfigurationError) as error:
            log.error("The link to a new password was not mailed: %s", error)

    visit.afterwards(response, mail)
    return response


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
        return _ask(visit, again, kept["person"], 400, {"password": f"{error.message}. {error.hint}."})
    return visit.go(visit.path("log_in"), "Your password is changed. Log in with it.")


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


def _page(
    visit: Visit,
    status: int = 200,
    typed: str = "",
    errors: dict[str, str] | None = None,
    *,
    sent: bool = False,
) -> Response:
    return visit.show(
        "reset", status, typed=typed, errors=errors or {}, sent=sent, minutes=int(RESET_SECONDS // 60)
    )


def _gone(visit: Visit) -> Response:
    text = "Links to a new password are good once, and not for long."
    return visit.show("link_gone", 410, text=text, page="reset", label="Ask for another one")


def _must_keep_passwords(visit: Visit) -> None:
    if all(provider.kind != LOCAL for provider in visit.entry.providers(visit.tenant)):
        raise NotFound
