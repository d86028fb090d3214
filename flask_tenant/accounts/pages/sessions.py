"""Who is logged in, and where: everybody's for administrators, their own for others."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.wrappers import Response

from ...identity import LoginSession
from ...translations import Message, translated
from .routes import At, For, Pages
from .visit import Visit, not_acting

pages = Pages()

_BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


@pages.get("/", For.MEMBERS, At.BOTH)
def account(visit: Visit) -> Response:
    """Who one is here."""
    me = visit.me
    return visit.show("account", name=me.name, email=me.email, roles=sorted(me.roles))


@pages.get("/sessions", For.MEMBERS, At.BOTH)
def sessions(visit: Visit) -> Response:
    """List them."""
    people, mine = visit.accounts.people, visit.login
    names = {member.person_id: member.name for member in (visit.me, *people.members(visit.tenant_id))}
    return visit.show("sessions", sessions=[_shown(visit, found, names, mine) for found in _listed(visit)])


@pages.post("/sessions/end", For.MEMBERS, At.BOTH, acting=True)
def end_session(visit: Visit) -> Response:
    """End one. Members can end their own, administrators any of the tenant's."""
    digest = visit.field("session")
    whose = {found.digest: found.person_id for found in _listed(visit)}
    if digest not in whose:
        return visit.go(visit.path("sessions"), Message("That session is over already."))
    if visit.login is not None and digest == visit.login.digest:
        visit.entry.log_out()
        visit.forget()
        return visit.go(visit.path("logged_out"))
    if visit.impersonated:
        return not_acting(visit)  # an operator ends what is theirs, not the member's
    visit.accounts.sessions.end(digest, visit.tenant_id)
    visit.accounts.audit("session.ended", tenant_id=visit.tenant_id, actor=visit.actor, person=whose[digest])
    return visit.go(visit.path("sessions"), Message("The session is ended."))


@pages.post("/sessions/end-mine", For.MEMBERS, At.BOTH)
def end_mine(visit: Visit) -> Response:
    """Log out everywhere."""
    visit.accounts.sessions.end_all(visit.tenant_id, visit.me.person_id)
    visit.entry.log_out()
    visit.forget()
    return visit.go(visit.path("logged_out"))


def _listed(visit: Visit) -> list[LoginSession]:
    of_whom = None if visit.me.is_administrator else visit.me.person_id
    return visit.accounts.sessions.of(visit.tenant_id, of_whom)


def _shown(
    visit: Visit, found: LoginSession, names: dict[int, str], mine: LoginSession | None
) -> dict[str, Any]:
    return {
        "digest": found.digest,
        "name": translated(names.get(found.person_id, Message("Somebody who is no member any more"))),
        "mine": mine is not None and mine.digest == found.digest,
        "operator": found.impersonator_id is not None,
        "reason": found.reason,
        "browser": translated(browser(found.agent)),
        "network": found.network,
        "opened_at": found.opened_at,
        "seen_at": found.seen_at,
    }


def browser(agent: str) -> str:
    """What a browser calls itself, in two words: for recognising one's own, and for nothing else."""
    name = next((name for mark, name in _BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    if name and system:
        return Message("%(browser)s on %(system)s", browser=name, system=system)
    return name or re.sub(r"[^\x20-\x7e]", "?", agent)[:40] or Message("An unknown browser")
