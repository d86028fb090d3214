"""The story of a request, in order. Every edge (WSGI, ASGI, CLI, jobs) walks it.

    resolve    who is it for
    directory  what is this tenant
    isolate    show it its own tables

Rules are no step of a request but are asked for each statement, see ``governance``; so are themes for each page. A
stage never calls another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .model import Refusal, RequestFacts, Resolution, Tenant, TenantState
from .protocols import Strategy
from .resolve import CommandLine, inside, resolve

_UNSERVED = {
    TenantState.SUSPENDED: Refusal.SUSPENDED,
    TenantState.ARCHIVED: Refusal.ARCHIVED,
    TenantState.MAINTENANCE: Refusal.MAINTENANCE,
}


def admit(
    facts: RequestFacts,
    strategies: Iterable[Strategy],
    default: Callable[[], Tenant | None] = lambda: None,
    moved: Callable[[RequestFacts, Resolution], str] = lambda facts, failed: "",
    source: Callable[[], str] = lambda: "",
) -> Resolution:
    """Decide who a request is for.

    :param default: the tenant that serves requests to a host that names nobody, such as ``localhost`` in development
    :param moved: the present address of a tenant that was called otherwise before, or ``""``
    :param source: where the directory had its last answer from
    :returns: a resolution whose tenant is ``None`` for nobody at all, and for those that are not served: these have
        ``refused`` set
    """
    found = resolve(facts, strategies, source)
    if found.refused is not None:
        return found
    if not found.strategy:
        tenant = default()
        if tenant is None:
            return found
        found = Resolution(tenant, "default", tenant.slug, source())
    if found.tenant is None:
        location = moved(facts, found)
        why = Refusal.MOVED if location else Refusal.UNKNOWN
        return found._replace(refused=why, location=location)
    refused = unserved(found.tenant)
    if refused is not None:
        return found._replace(tenant=None, refused=refused, unserved=found.tenant)
    if found.script_name == facts.path:
        # Without the slash at its end, relative links would lead out of the tenant.
        return found._replace(tenant=None, refused=Refusal.MOVED, location=inside(facts))
    return found


def unserved(tenant: Tenant | None) -> Refusal | None:
    """Return why a tenant is not served, ``None`` if it is."""
    if tenant is None:
        return Refusal.UNKNOWN
    if tenant.state is TenantState.ACTIVE:
        return None
    return _UNSERVED.get(tenant.state, Refusal.SUSPENDED)


def admit_command(
    slug: str, find: Callable[[str], Tenant | None], source: Callable[[], str] = lambda: ""
) -> Resolution:
    """Decide who a command is for: the same way, with a strategy of its own.

    :param slug: as typed
    :param find: looks a slug up
    :param source: where the directory had its last answer from
    """
    return admit(RequestFacts(host=""), (CommandLine(slug, find),), source=source)
