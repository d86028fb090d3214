"""``acme.example.com`` is tenant ``acme``."""

from __future__ import annotations

from collections.abc import Collection

from ..model import RequestFacts, Tenant
from ..protocols import Strategy
from .hosts import InvalidHostError, host_name, is_address
from .lookups import Lookups


class Subdomain(Strategy):
    """Reads the tenant from the host name.

    :param tenants: looks slugs up
    :param base_domain: what follows the tenant's label, normalised; ``None`` takes the first label of any host that
        has several
    :param central_hosts: normalised hosts that name nobody
    """

    name = "subdomain"
    reads = "host"

    def __init__(
        self, tenants: Lookups, base_domain: str | None = None, central_hosts: Collection[str] = ()
    ) -> None:
        self._tenants = tenants
        self._base = base_domain
        self._central = frozenset((*central_hosts, *((base_domain,) if base_domain else ())))

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the label before the base domain, or ``None`` for central hosts and for addresses.

        What is no host name, and any other domain, names somebody who does not exist.
        """
        try:
            host = host_name(facts.host)
        except InvalidHostError:
            return facts.host
        if not host or host in self._central:
            return None
        label, dot, rest = host.partition(".")
        if self._base is not None:
            # Another domain is for nobody, and so is a label below a tenant's own.
            return label if dot and rest == self._base else host
        return label if dot and not is_address(host) else None

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that slug."""
        return self._tenants.find(identifier)
