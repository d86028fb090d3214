"""A header that a trusted proxy sets."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from ..model import RequestFacts, Tenant
from ..protocols import Strategy
from .lookups import Lookups

UNIX = "unix"
"""How a list of trusted proxies names peers at a Unix socket, which have no address."""


class TrustedPeers:
    """Which direct peers are believed.

    :param peers: addresses and networks such as ``10.0.0.0/8``, or ``unix``
    :raises ValueError: for what is neither
    """

    def __init__(self, peers: Iterable[str]) -> None:
        peers = list(peers)
        self._unix = UNIX in peers
        self._networks = [ipaddress.ip_network(peer) for peer in peers if peer != UNIX]

    def __contains__(self, peer: str) -> bool:
        """Whether the peer's address, as the server's own socket has it, is trusted."""
        if not peer:
            return self._unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)  # what a dual-stack socket makes of an IPv4 peer
        return any((mapped or address) in network for network in self._networks)


class Header(Strategy):
    """Reads the tenant's slug from a header, if the direct peer is trusted. From anybody else it means nothing.

    :param tenants: looks slugs up
    :param header: its name
    :param trusted: the direct peers that are believed
    """

    name = "header"
    claim = True

    def __init__(self, tenants: Lookups, header: str, trusted: TrustedPeers) -> None:
        self._tenants = tenants
        self._header = self.reads = header.lower()
        self._trusted = trusted

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the header's value."""
        value = facts.headers.get(self._header)
        return value if value is not None and facts.peer in self._trusted else None

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that slug."""
        return self._tenants.find(identifier)
