"""``acme.example.com`` is tenant ``acme``."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from ..model import RequestFacts, Tenant


def host_name(host: str) -> str:
    """Return a host without port and trailing dot, in lower case.

    :param host: the value of a Host header, such as ``Acme.Example.com:8000``
    """
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


class Subdomain:
    """Reads the tenant from the host name.

    :param find: looks a slug up
    :param base_domain: what follows the tenant's label; ``None`` takes the first label of any host that has several
    """

    name = "subdomain"

    def __init__(self, find: Callable[[str], Tenant | None], base_domain: str | None = None) -> None:
        self._find = find
        self._base = host_name(base_domain) if base_domain else None

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the label before the base domain, or ``None`` for the base domain itself and for addresses."""
        host = host_name(facts.host)
        if self._base is not None:
            if host == self._base:
                return None
            label, dot, rest = host.partition(".")
            # Another domain is for nobody, and so is a label below a tenant's own.
            return label if dot and rest == self._base else host
        if host.startswith("[") or _is_address(host):
            return None
        label, dot, _ = host.partition(".")
        return label if dot else None

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that slug."""
        return self._find(identifier)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
