"""Members of a tenant, for its administrators."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from werkzeug.wrappers import Response

from ...errors import (
    ConfigurationError,
    LastAdministratorError,
    MailError,
    MemberError,
    TooManyAttemptsError,
)
from ...identity import ADMINISTRATOR
from ...translations import Message
from .routes import For, Handler, Pages
from .visit import TOO_MANY, Visit, bad, told

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
        response = _page(visit, 429, "invite", {"email": TOO_MANY}, typed)
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
        return _page(
            visit, 503, "invite", {"email": Message("The mail could not be sent. Try again later.")}, typed
        )
    return visit.go(visit.path("members"), Message("%(email)s is invited.", email=made.email))


def _change(path: str, said: str) -> Callable[[Callable[..., object]], Handler]:
    """Take a form that changes something about members: a decorator of what makes the change.

    :param said: on the page that is shown when it was made
    """

    def decorate(change: Callable[..., object]) -> Handler:
        @pages.post(path, For.ADMINISTRATORS)
        @wraps(change)
        def handler(visit: Visit, **which: int) -> Response:
            try:
                change(visit, **which)
            except MemberError as error:
                return _page(visit, 409, f"member-{which.get('person', 0)}", problem=_text(error))
            return visit.go(visit.path("members"), said)

        return handler

    return decorate


@_change("/members/invitations/<int:number>/revoke", Message("The invitation is taken back."))
def revoke(visit: Visit, number: int) -> None:
    """Take an invitation back."""
    visit.accounts.people.revoke(visit.tenant_id, number, by=visit.actor)


@_change("/members/<int:person>/roles", Message("The roles are saved."))
def set_roles(visit: Visit, person: int) -> None:
    """Say what a member is."""
    visit.accounts.people.set_roles(visit.tenant_id, person, _roles(visit), by=visit.actor)


@_change("/members/<int:person>/suspend", Message("They cannot log in any more, and are logged out."))
def suspend(visit: Visit, person: int) -> None:
    """Do not let a member in, for the time being."""
    visit.accounts.people.suspend(visit.tenant_id, person, by=visit.actor)


@_change("/members/<int:person>/resume", Message("They can log in again."))
def resume(visit: Visit, person: int) -> None:
    """Let a member in again."""
    visit.accounts.people.resume(visit.tenant_id, person, by=visit.actor)


@_change("/members/<int:person>/remove", Message("They are no member any more."))
def remove(visit: Visit, person: int) -> None:
    """End a membership."""
    visit.accounts.people.remove(visit.tenant_id, person, by=visit.actor)


@_change("/members/<int:person>/end-sessions", Message("They are logged out everywhere."))
def end_all(visit: Visit, person: int) -> None:
    """Log a member out everywhere."""
    ended = visit.accounts.sessions.end_all(visit.tenant_id, person)
    if ended:
        visit.accounts.audit("session.ended", tenant_id=visit.tenant_id, actor=visit.actor, person=person)


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
        return Message("Somebody has to be administrator. Make somebody else one first.")
    return told(error)
