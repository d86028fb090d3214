"""Members of a tenant, for its administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from ...errors import (
    ConfigurationError,
    LastAdministratorError,
    MailError,
    MemberError,
    TooManyAttemptsError,
)
from ...identity import ADMINISTRATOR
from .routes import For, Pages
from .visit import Visit, bad

pages = Pages()


@pages.get("/members", For.ADMINISTRATORS)
def members(visit: Visit) -> Response:
    """List them, and who is invited."""
    return _page(visit)


@pages.post("/members/invite", For.ADMINISTRATORS)
def invite(visit: Visit) -> Response:
    """Invite somebody."""
    people, typed = visit.accounts.people, visit.field("email")
    link = visit.mail_link()
    try:
        visit.throttle("invite", typed)
    except TooManyAttemptsError as error:
        said = {"email": "There were too many attempts. Try again later."}
        response = _page(visit, 429, "invite", said, typed)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    try:
        by = people.person(visit.me.person_id)
        made, secret = people.invite(visit.tenant_id, typed, _roles(visit), by, actor=visit.actor)
    except MemberError as error:
        return _page(visit, 400, "invite", {"email": _text(error)}, typed)
    try:
        visit.accounts.mail.send(
            made.email,
            "invitation",
            visit.tenant,
            by=visit.me.name,
            url=link("invitation", secret=secret),
            expires_at=made.expires_at,
        )
    except (MailError, ConfigurationError) as error:
        people.revoke(visit.tenant_id, made.id, by=visit.actor)
        visit.app.logger.error("An invitation was not mailed, and is taken back: %s", error)
        return _page(visit, 503, "invite", {"email": "The mail could not be sent. Try again later."}, typed)
    return visit.go(visit.path("members"), f"{made.email} is invited.")


@pages.post("/members/invitations/<int:number>/revoke", For.ADMINISTRATORS)
def revoke(visit: Visit, number: int) -> Response:
    """Take an invitation back."""
    return _done(
        visit,
        lambda: visit.accounts.people.revoke(visit.tenant_id, number, by=visit.actor),
        "The invitation is taken back.",
    )


@pages.post("/members/<int:person>/roles", For.ADMINISTRATORS)
def set_roles(visit: Visit, person: int) -> Response:
    """Say what a member is."""
    return _done(
        visit,
        lambda: visit.accounts.people.set_roles(visit.tenant_id, person, _roles(visit), by=visit.actor),
        "The roles are saved.",
        person,
    )


@pages.post("/members/<int:person>/suspend", For.ADMINISTRATORS)
def suspend(visit: Visit, person: int) -> Response:
    """Do not let a member in, for the time being."""
    return _done(
        visit,
        lambda: visit.accounts.people.suspend(visit.tenant_id, person, by=visit.actor),
        "They cannot log in any more, and are logged out.",
        person,
    )


@pages.post("/members/<int:person>/resume", For.ADMINISTRATORS)
def resume(visit: Visit, person: int) -> Response:
    """Let a member in again."""
    return _done(
        visit,
        lambda: visit.accounts.people.resume(visit.tenant_id, person, by=visit.actor),
        "They can log in again.",
        person,
    )


@pages.post("/members/<int:person>/remove", For.ADMINISTRATORS)
def remove(visit: Visit, person: int) -> Response:
    """End a membership."""
    return _done(
        visit,
        lambda: visit.accounts.people.remove(visit.tenant_id, person, by=visit.actor),
        "They are no member any more.",
        person,
    )


@pages.post("/members/<int:person>/end-sessions", For.ADMINISTRATORS)
def end_all(visit: Visit, person: int) -> Response:
    """Log a member out everywhere."""
    ended = visit.accounts.sessions.end_all(visit.tenant_id, person)
    if ended:
        visit.accounts.audit("session.ended", tenant_id=visit.tenant_id, actor=visit.actor, person=person)
    return visit.go(visit.path("members"), "They are logged out everywhere.")


def _done(visit: Visit, change: Callable[[], Any], said: str, person: int = 0) -> Response:
    try:
        change()
    except MemberError as error:
        return _page(visit, 409, f"member-{person}", problem=_text(error))
    return visit.go(visit.path("members"), said)


def _page(
    visit: Visit,
    status: int = 200,
    at: str = "",
    errors: dict[str, str] | None = None,
    typed: str = "",
    problem: str = "",
) -> Response:
    people = visit.accounts.people
    listed = people.members(visit.tenant_id)
    return visit.show(
        "members",
        status,
        members=listed,
        invitations=people.invitations(visit.tenant_id),
        known_roles=[ADMINISTRATOR, *sorted({role for m in listed for role in m.roles} - {ADMINISTRATOR})],
        at=at,
        errors=errors or {},
        typed=typed,
        notice=bad(problem) if problem else None,
    )


def _roles(visit: Visit) -> list[str]:
    more = visit.field("more").split(",")
    return [role for role in (*visit.request.form.getlist("role"), *(m.strip() for m in more)) if role]


def _text(error: MemberError) -> str:
    if isinstance(error, LastAdministratorError):
        return "Somebody has to be administrator. Make somebody else one first."
    return f"{error.message}. {error.hint}".rstrip(". ") + "."
