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

from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import TYPE_CHECKING

from ...errors import ProviderError
from ...identity import Finding, Provider

if TYPE_CHECKING:
    from .client import Client

First = Callable[[Provider, str, float], bool]
"""Whether a provider's message of this number is seen for the first time, by all servers: provider, number, and for
how many seconds to remember it."""


class Oidc:
    """The kind ``oidc``.

    :param first: keeps in mind which messages were seen
    :param clock: seconds since 1970
    :param ticks: seconds, as :func:`time.monotonic` counts them
    """

    name = "oidc"
    secrets = frozenset({"client_secret"})
    authority = "issuer"

    def __init__(
        self, first: First, clock: Callable[[], float] = time, ticks: Callable[[], float] = monotonic
    ) -> None:
        self._first = first
        self._clock = clock
        self._ticks = ticks

    def open(self, provider: Provider) -> Client:
        """Return what logs people in through a provider. Keep it: it knows the provider's keys, and whether it is up.

        :raises ProviderError: for settings that make no sense, or without the extra ``oidc``
        """
        try:
            from .client import Client
        except ImportError as error:
            raise _missing(provider, error) from error
        return Client(provider, self._first, self._clock, self._ticks)

    def examine(self, provider: Provider) -> Iterable[Finding]:
        """Try a provider out, without logging anybody in, and say precisely what is wrong.

        :raises ProviderError: without the extra ``oidc``
        """
        try:
            from .examine import examine
        except ImportError as error:
            raise _missing(provider, error) from error
        return examine(provider, self._clock)


def _missing(provider: Provider, error: ImportError) -> ProviderError:
    return ProviderError(
        f"Log-in through OpenID Connect needs a package that is not installed: {error.name}",
        value=provider.name,
        hint="pip install 'flask-tenant[oidc]'",
    )
