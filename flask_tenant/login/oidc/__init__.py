"""Log-in through a tenant's own OpenID provider: OpenID Connect Core 1.0, the code flow with PKCE.

=================  ====================================================================================
``settings.py``    what a provider's row says, checked
``transport.py``   talking to its server: in time, without redirects, so many bytes and no more
``issuer.py``      what it says of itself (discovery), and its keys
``tokens.py``      what its signed tokens prove: every check of ID tokens and logout tokens
``client.py``      the log-in, and the log-out
``examine.py``     trying it out, without logging anybody in
=================  ====================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import TYPE_CHECKING

from cachetools import LRUCache

from ...errors import ProviderError
from ...identity import Finding, Provider

if TYPE_CHECKING:
    from .client import Client

First = Callable[[Provider, str, float], bool]
"""Whether a provider's message of this number is seen for the first time, by all servers: provider, number, and for
how many seconds to remember it."""

_KEPT = 1000


class Oidc:
    """The kind ``oidc``.

    :param first: keeps in mind which messages were seen
    :param clock: seconds since 1970
    :param ticks: seconds, as :func:`time.monotonic` counts them
    """

    name = "oidc"

    def __init__(
        self, first: First, clock: Callable[[], float] = time, ticks: Callable[[], float] = monotonic
    ) -> None:
        self._first = first
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        # What is known of a provider (its keys, whether it is up) outlives a request.
        self._clients: LRUCache[tuple[int, int], tuple[Provider, Client]] = LRUCache(_KEPT)

    def open(self, provider: Provider) -> Client:
        """Return what logs people in through a provider.

        :raises ProviderError: for settings that make no sense, or without the extra ``oidc``
        """
        key = (provider.tenant_id, provider.id)
        with self._lock:
            kept = self._clients.get(key)
        if kept is not None and kept[0] == provider:
            return kept[1]
        try:
            from .client import Client
        except ImportError as error:
            raise ProviderError(
                f"Log-in through OpenID Connect needs a package that is not installed: {error.name}",
                value=provider.name,
                hint="pip install 'flask-tenant[oidc]'",
            ) from error
        client = Client(provider, self._first, self._clock, self._ticks)
        with self._lock:
            self._clients[key] = (provider, client)
        return client

    def examine(self, provider: Provider) -> Iterable[Finding]:
        """Try a provider out, without logging anybody in, and say precisely what is wrong."""
        from .examine import examine

        return examine(provider, self._clock)
