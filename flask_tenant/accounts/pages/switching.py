"""From one tenant to another: for people who belong to several."""

from __future__ import annotations

import logging
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from ...errors import ConfigurationError
from ...identity import LOCAL, Identified, Identity, Member, MemberState
from ...model import Tenant, TenantState
from ..entry import Arrived
from .routes import At, For, Pages
from .visit import Visit

log = logging.getLogger("flask_tenant.login")

pages = Pages()

SECONDS = 60.0
"""How long the way from one host to the other may take."""


@pages.get("/tenants", For.MEMBERS, At.BOTH)
def tenants(visit: Visit) -> Response:
    """List the tenants that somebody belongs to."""
    return visit.show("tenants", choices=[_choice(visit, *found) for found in _mine(visit)])


@pages.post("/tenants", For.MEMBERS, At.BOTH)
def switch(visit: Visit) -> Response:
    """Go to another one, logged in."""
    wanted = visit.field("tenant")
    for tenant, member in _mine(visit):
        if tenant.slug == wanted and tenant.id != visit.tenant_id and _direct(visit, tenant):
            payload = {"person": member.person_id, "from": visit.tenant_id}
            secret = visit.accounts.tickets.issue("hand-over", tenant.id, payload, SECONDS)
            return visit.onward(visit.link_to(tenant, "arrive", secret=secret), tenant.name)
    return visit.go(visit.path("tenants"))


@pages.get("/arrive/<secret>", For.ANYBODY)
def arrive(visit: Visit, secret: str) -> Response:
    """Ask whether to go on as somebody: the link alone, which anybody can send, logs nobody in."""
    kept = visit.accounts.tickets.look("hand-over", visit.tenant_id, secret)
    member = visit.accounts.people.member(visit.tenant_id, kept["person"]) if kept else None
    if kept is None or member is None:
        return visit.go(visit.path("log_in"))
    return visit.show(
        "arrive",
        secret=secret,
        name=member.name,
        operator="operator" in kept,
        reason=kept.get("reason", ""),
    )


@pages.post("/arrive/<secret>", For.ANYBODY)
def arrive_send(visit: Visit, secret: str) -> Response:
    """Go on."""
    kept = visit.accounts.tickets.redeem("hand-over", visit.tenant_id, secret)
    if kept is None:
        return visit.go(visit.path("log_in"))
    member = visit.accounts.people.member(visit.tenant_id, kept["person"])
    local = next((p for p in visit.entry.providers(visit.tenant) if p.kind == LOCAL), None)
    if member is None or member.state is not MemberState.ACTIVE or local is None:
        return visit.go(visit.path("log_in"))
    who = Identified(Identity(LOCAL, str(member.person_id)), member.name, member.email)
    visit.entry.open(Arrived(member, local, who))
    return visit.go(visit.home)


def _mine(visit: Visit) -> list[tuple[Tenant, Member]]:
    """The tenants of whoever looks, by name, those that are served and let them in."""
    if visit.login is None:
        raise NotFound
    found = []
    for member in visit.accounts.people.memberships(visit.login.person_id):
        tenant = visit.accounts.application.directory.find_id(member.tenant_id)
        if tenant is not None and tenant.state is TenantState.ACTIVE and member.state is MemberState.ACTIVE:
            found.append((tenant, member))
    return sorted(found, key=lambda pair: pair[0].name.lower())


def _direct(visit: Visit, tenant: Tenant) -> bool:
    """Whether a log-in here is good enough there: with a password of ours, where the other tenant takes these.

    What this tenant's own provider says is never enough elsewhere: its owner could be anybody there.
    """
    if visit.login is None or visit.impersonated or not visit.by_password:
        return False
    return any(provider.kind == LOCAL for provider in visit.entry.providers(tenant))


def _choice(visit: Visit, tenant: Tenant, member: Member) -> dict[str, Any]:
    try:
        url = visit.link_to(tenant, "log_in")
    except ConfigurationError as error:
        log.warning("No link to %s: %s", tenant, error)
        url = ""
    return {
        "tenant": tenant,
        "here": tenant.id == visit.tenant_id,
        "direct": bool(url) and _direct(visit, tenant),
        "url": url,
        "roles": sorted(member.roles),
    }
