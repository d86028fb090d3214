"""Where webhooks may go. Whoever can set a tenant's URL must not reach what only the server can reach.

A URL has to be https, its name has to lead to public addresses only, and the connection goes to the address that was
looked at: a name that leads elsewhere a moment later gains nothing. ``TENANT_WEBHOOK_HOSTS`` names exceptions.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from ....errors import ConfigurationError, WebhookRefusedError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_WITHIN = tuple(
    ipaddress.ip_network(network)
    # translated, tunnelled and relayed IPv4: what they lead to cannot be seen
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "192.88.99.0/24")
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send a webhook.

    :param address: to connect to
    :param host: what the certificate and the Host header name
    :param path: with its query
    """

    address: str
    host: str
    port: int
    path: str
    tls: bool


class Allowed:
    """What ``TENANT_WEBHOOK_HOSTS`` names: hosts (``hooks.internal``), addresses and networks (``10.1.0.0/16``).

    :raises ConfigurationError: for an entry that is a URL or has a port
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if not entry or not all(c.isalnum() or c in "-._" for c in entry):
                    raise ConfigurationError(
                        f"TENANT_WEBHOOK_HOSTS names {entry!r}",
                        value=entry,
                        hint="Use host names, addresses and networks, without scheme, port and path",
                    ) from None
                self._hosts.add(entry.lower().rstrip("."))

    def host(self, host: str) -> bool:
        """Whether a host was named."""
        return host.lower().rstrip(".") in self._hosts

    def address(self, address: Address) -> bool:
        """Whether an address was named."""
        return any(address.version == n.version and address in n for n in self._networks)


def target_of(url: str, allowed: Allowed) -> Target:
    """Return where a webhook's URL leads.

    :raises WebhookRefusedError: when it may not go there
    :raises OSError: when the name leads nowhere just now
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(url, str(error)) from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise _refused(url, "it is no plain https:// URL")
    if any(c.isspace() or not c.isprintable() or not c.isascii() for c in url):
        raise _refused(url, "it has characters that no URL has")
    tls = parts.scheme == "https"
    port = port or (443 if tls else 80)
    vouched = allowed.host(host)
    found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    addresses = sorted(str(address) for address in found)
    known = []
    for text in addresses:
        address = plain(ipaddress.ip_address(text))
        named = vouched or allowed.address(address)
        if not named and not public(address):
            raise _refused(url, f"{host} leads to {address}, which is not public")
        known.append(named)
    if not tls and not all(known):
        raise _refused(url, "it is not https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(addresses[0], host, port, path, tls)


def plain(address: Address) -> Address:
    """Return the IPv4 address within an IPv6 one that means it."""
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return inner or address


def public(address: Address) -> bool:
    """Whether an address is one that anybody could reach."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return False
    inside = any(address.version == network.version and address in network for network in _WITHIN)
    return address.is_global and not address.is_multicast and not inside


def _refused(url: str, why: str) -> WebhookRefusedError:
    return WebhookRefusedError(
        f"The webhook {url!r} was not called: {why}",
        value=url,
        hint="TENANT_WEBHOOK_HOSTS names hosts and networks of your own that webhooks may call",
    )
