"""Log-in through a tenant's LDAP directory (RFC 4511), such as OpenLDAP or Active Directory, with python-ldap.

settings.py      what a provider's row says, checked
line.py          a connection: encrypted, in time, without following referrals
client.py        the log-in: find exactly one entry as a service account, then bind as it
certificate.py   says what is wrong with a server's certificate
examine.py       trying it out, without logging anybody in
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...errors import ProviderError
from ...identity import Finding, Provider
from ...protocols import ProviderKind

if TYPE_CHECKING:
    from .client import Client


class Ldap(ProviderKind):
    """The kind ``ldap``."""

    name = "ldap"
    secrets = frozenset({"bind_password"})

    def open(self, provider: Provider) -> Client:
        """Return what logs people in through a directory.

        :raises ProviderError: for settings that make no sense, or without the extra ``ldap``
        """
        _need(provider)
        from .client import Client

        return Client(provider)

    def examine(self, provider: Provider) -> Iterable[Finding]:
        """Try a directory out, without logging anybody in, and say precisely what is wrong.

        :raises ProviderError: for settings that make no sense, or without the extra ``ldap``
        """
        _need(provider)
        from .examine import examine

        return examine(provider)


def _need(provider: Provider) -> None:
    try:
        import ldap  # noqa: F401
    except ImportError as error:
        raise ProviderError(
            f"Log-in through LDAP needs python-ldap: {error}",
            value=provider.name,
            hint="pip install 'flask-tenant[ldap]'; on Debian it is built with libldap2-dev and libsasl2-dev",
        ) from None
