"""The story of a request, in order. Every edge (WSGI, CLI, jobs) walks it.

    resolve    who is it for
    directory  what is this tenant
    isolate    show it its own tables

Later stages (rules, theme, meter) join here; a stage never calls another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .context import Scope
from .model import RequestFacts, Resolution, Tenant, TenantState
from .protocols import Strategy
from .resolve import CommandLine, resolve


def admit(facts: RequestFacts, strategies: Iterable[Strategy], default: Tenant | None) -> Resolution:
    """Decide who a request is for.

    :param default: serves requests to a host that names nobody, such as ``localhost`` in development
    :returns: a resolution whose tenant is ``None`` for an unknown or unserved tenant, or for nobody at all
    """
    found = resolve(facts, strategies)
    if not found.strategy and default is not None:
        found = Resolution(default, "default", default.slug)
    if found.tenant is not None and found.tenant.state is not TenantState.ACTIVE:
        return Resolution(None, found.strategy, found.identifier)
    return found


def admit_command(slug: str, find: Callable[[str], Tenant | None]) -> Resolution:
    """Decide who a command is for: the same way, with a strategy of its own.

    :param slug: as typed
    :param find: looks a slug up
    """
    return admit(RequestFacts(host=""), (CommandLine(slug, find),), default=None)


def scope_of(resolution: Resolution) -> Scope | None:
    """Return the scope in which a resolved request runs, ``None`` for a request that is for nobody."""
    return Scope(resolution.tenant) if resolution.tenant is not None else None
