"""From one tenant to another: for people who belong to several."""

from __future__ import annotations

import logging
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from ...errors import ConfigurationError, LoginRefusedError
from ...identity import Member, MemberState
from ...model import Tenant, TenantState
from ..crossing import HAND_OVER
from .routes import At, For, Pages
from .visit import Visit

log = logging.getLogger("flask_tenant.login")

pages = Pages()


@pages.get("/tenants", For.MEMBERS, At.BOTH)
def tenants(visit: Visit) -> Response:
    """List the tenants that somebody belongs to."""
    return visit.show("tenants", choices=[_choice(visit, *found) for found in _mine(visit)])


@pages.post("/tenants", For.MEMBERS, At.BOTH)
def switch(visit: Visit) -> Response:
    """Go to another one, logged in."""
    wanted = visit.field("tenant")
    for tenant, _ in _mine(visit):
        if tenant.slug == wanted and tenant.id != visit.tenant_id and visit.entry.may_switch(tenant):
            url = visit.link_to(tenant, "arrive", secret=visit.entry.switch(tenant))
            return visit.onward(url, tenant.name)
    return visit.go(visit.path("tenants"))


@pages.get("/arrive/<secret>", For.ANYBODY)
def arrive(visit: Visit, secret: str) -> Response:
    """Ask whether to go on as somebody: the link alone, which anybody can send, logs nobody in."""
    kept = visit.accounts.tickets.look(HAND_OVER, visit.tenant_id, secret)
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


@pages.post("/arrive/<secret>", For.ANYBODY, acting=True)
def arrive_send(visit: Visit, secret: str) -> Response:
    """Go on."""
    kept = visit.accounts.tickets.redeem(HAND_OVER, visit.tenant_id, secret)
    if kept is None:
        return visit.go(visit.path("log_in"))
    try:
        visit.entry.hand_over(visit.here, kept)
    except LoginRefusedError as error:
        log.warning("A hand-over to %s was refused: %s (%s)", visit.here, error.reason, error)
        return visit.go(visit.path("log_in"))
    response = visit.go(visit.home)
    response.headers["Clear-Site-Data"] = '"cache"'  # pages that were kept have no banner
    return response


@pages.post("/impersonation/end", For.MEMBERS, acting=True)
def end_impersonation(visit: Visit) -> Response:
    """Stop acting as somebody."""
    if visit.impersonated:
        visit.entry.log_out()
        visit.forget()
    return visit.go(visit.path("logged_out"))


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


def _choice(visit: Visit, tenant: Tenant, member: Member) -> dict[str, Any]:
    try:
        url = visit.link_to(tenant, "log_in")
    except ConfigurationError as error:
        log.warning("No link to %s: %s", tenant, error)
        url = ""
    return {
        "tenant": tenant,
        "here": tenant.id == visit.tenant_id,
        "direct": bool(url) and visit.entry.may_switch(tenant),
        "url": url,
        "roles": sorted(member.roles),
    }
