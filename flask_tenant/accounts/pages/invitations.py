"""Accepting an invitation: through one of the tenant's providers, or with a password of ours."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...errors import MemberError, TooManyAttemptsError
from ...identity import LOCAL, Identified, Identity, Invitation
from ...translations import Message
from ..entry import Arrived
from .login import ways
from .passwords import RULE
from .routes import For, Pages
from .visit import Visit, problem, told

pages = Pages()


@pages.get("/invitation/<secret>", For.ANYBODY)
def invitation(visit: Visit, secret: str) -> Response:
    """Show the ways to accept."""
    found = _found(visit, secret)
    return _page(visit, secret, found) if found is not None else _gone(visit)


@pages.post("/invitation/<secret>", For.ANYBODY)
def join(visit: Visit, secret: str) -> Response:
    """Accept with a new password."""
    local = next((p for p in visit.entry.providers(visit.tenant) if p.kind == LOCAL), None)
    if local is None:
        return problem(visit, 404)
    try:
        visit.throttle("invitation")
    except TooManyAttemptsError:
        return problem(visit, 429)
    found = _found(visit, secret)
    if found is None:
        return _gone(visit)
    name, password = visit.field("name", 200), visit.request.form.get("password", "")
    try:
        member = visit.accounts.people.accept_with_password(visit.tenant_id, secret, name, password)
    except MemberError as error:
        about = "name" if not name else "password"
        return _page(visit, secret, found, 400, {about: told(error)}, name)
    who = Identified(Identity(LOCAL, str(member.person_id)), member.name, member.email, email_verified=True)
    visit.entry.open(Arrived(member, local, who))
    return visit.go(visit.home)


def _found(visit: Visit, secret: str) -> Invitation | None:
    return visit.accounts.people.invitation(visit.tenant_id, secret)


def _page(
    visit: Visit,
    secret: str,
    found: Invitation,
    status: int = 200,
    errors: dict[str, str] | None = None,
    typed: str = "",
) -> Response:
    elsewhere, forms = ways(visit)
    by = visit.accounts.people.member(visit.tenant_id, found.invited_by) if found.invited_by else None
    return visit.show(
        "invitation",
        status,
        secret=secret,
        email=found.email,
        by=by.name if by is not None else "",
        elsewhere=elsewhere,
        forms=forms,
        local=any(provider.kind == LOCAL for provider in forms),
        rule=RULE,
        errors=errors or {},
        typed=typed,
    )


def _gone(visit: Visit) -> Response:
    text = Message("The invitation was accepted already, was taken back, or is too old. Ask for another one.")
    return visit.show("link_gone", 410, text=text, page="log_in", label=Message("Log in"))
