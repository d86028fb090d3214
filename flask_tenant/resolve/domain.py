"""``shop.acme.com``, which an operator has confirmed, is tenant ``acme``."""

from __future__ import annotations

from collections.abc import Collection

from ..model import RequestFacts, Tenant
from ..protocols import Strategy
from .hosts import InvalidHostError, host_name, is_address
from .lookups import Lookups


class Domain(Strategy):
    """Knows the tenants' own domains. It has nothing to say about a host that is nobody's confirmed domain.

    :param tenants: looks domains up
    :param base_domain: hosts below it are the subdomain strategy's, and cost no look-up here
    :param central_hosts: normalised hosts that name nobody
    """

    name = "domain"
    reads = "host"

    def __init__(
        self, tenants: Lookups, base_domain: str | None = None, central_hosts: Collection[str] = ()
    ) -> None:
        self._tenants = tenants
        self._below = f".{base_domain}" if base_domain else None
        self._central = frozenset((*central_hosts, *((base_domain,) if base_domain else ())))

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the host, if it is a tenant's."""
        try:
            host = host_name(facts.host)
        except InvalidHostError:
            return None
        if self._below is not None and host.endswith(self._below):
            return None
        if "." not in host or host in self._central or is_address(host):
            return None
        return host if self._tenants.find_domain(host) is not None else None

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant whose domain that is."""
        return self._tenants.find_domain(identifier)
