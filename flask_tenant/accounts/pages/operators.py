"""What operators do at the central host: acting as somebody."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...errors import ConfigurationError, MemberError
from ...identity import Member
from ...model import Tenant
from ...translations import Message
from .routes import At, For, Pages
from .visit import Visit, told

pages = Pages()


@pages.get("/impersonate", For.OPERATORS, At.CENTRAL)
def impersonate(visit: Visit) -> Response:
    """Ask as whom, and why."""
    return _page(visit)


@pages.post("/impersonate", For.OPERATORS, At.CENTRAL)
def impersonate_send(visit: Visit) -> Response:
    """Go on to the tenant's host."""
    tenant = visit.accounts.application.directory.find(visit.field("tenant").lower())
    if tenant is None:
        return _page(visit, 400, {"tenant": Message("There is no such workspace.")})
    member = _member(visit, tenant, visit.field("member"))
    if member is None:
        return _page(visit, 400, {"member": Message("There is no such member.")})
    try:
        secret = visit.entry.impersonate(tenant, member.person_id, visit.field("reason", 500))
        url = visit.link_to(tenant, "arrive", secret=secret)
    except (MemberError, ConfigurationError) as error:
        return _page(visit, 400, {"reason": told(error)})
    return visit.onward(url, tenant.name)


def _member(visit: Visit, tenant: Tenant, wanted: str) -> Member | None:
    """The one member of that address or number."""
    members = visit.accounts.people.members(tenant.id)
    found = [m for m in members if wanted and wanted.lower() in (m.email.lower(), str(m.person_id))]
    return found[0] if len(found) == 1 else None


def _page(visit: Visit, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    values = {name: visit.field(name, 500) for name in ("tenant", "member", "reason")}
    minutes = visit.accounts.application.settings.impersonation_seconds // 60
    return visit.show("impersonate", status, values=values, errors=errors or {}, minutes=minutes)
