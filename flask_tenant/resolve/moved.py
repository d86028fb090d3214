"""Where a tenant lives now that was called otherwise before."""

from __future__ import annotations

from urllib.parse import quote

from ..model import RequestFacts, Resolution
from .hosts import InvalidHostError, host_name, split_port
from .lookups import Lookups

_SAFE = "/:@!$&'()*+,;=~-._"
_SAFE_IN_QUERY = f"{_SAFE}%?"


def new_address(facts: RequestFacts, failed: Resolution, tenants: Lookups) -> str:
    """Return the present address of what was asked for, or ``""`` if nobody was called that before.

    :param failed: whose identifier is the slug of no tenant of today
    """
    if failed.strategy not in ("subdomain", "path"):
        return ""
    former = tenants.find_renamed(failed.identifier)
    if former is None:
        return ""
    if failed.strategy == "subdomain":
        try:
            host = host_name(facts.host)
        except InvalidHostError:
            return ""
        return _address(facts, f"{former.slug}.{host.partition('.')[2]}", facts.path)
    mount = failed.script_name.removesuffix(failed.identifier)
    rest = facts.path[len(failed.script_name) :]
    return f"{_encoded(facts.script_name + mount + former.slug + rest)}{_query(facts)}"


def elsewhere(facts: RequestFacts, found: Resolution, host: str) -> str:
    """Return the same address on a tenant's primary domain, or ``""`` if that is where we are.

    :param found: whose tenant was read from the host name
    :param host: the primary domain
    """
    if found.strategy not in ("subdomain", "domain") or host_name(facts.host) == host:
        return ""
    return _address(facts, host, facts.path)


def inside(facts: RequestFacts) -> str:
    """Return the same address with a slash at the end: the root of what is mounted there."""
    return f"{_encoded(f'{facts.script_name}{facts.path}/')}{_query(facts)}"


def _address(facts: RequestFacts, host: str, path: str) -> str:
    """An address on another host. It names no scheme, so that the browser keeps its own: behind a proxy that ends TLS
    we do not know it."""
    port = split_port(facts.host)[1]
    return f"//{host}{':' if port else ''}{port}{_encoded(facts.script_name + path)}{_query(facts)}"


def _encoded(path: str) -> str:
    return quote(path.encode("latin-1", "replace"), _SAFE)  # WSGI's strings are bytes in disguise


def _query(facts: RequestFacts) -> str:
    """The query as it was sent, without what could end a header."""
    return f"?{quote(facts.query, _SAFE_IN_QUERY)}" if facts.query else ""
