"""The tenant of the bearer of a token: one of the directory's own API tokens, or a JSON Web Token."""

from __future__ import annotations

from ..errors import CredentialRefusedError
from ..model import RequestFacts, Tenant
from ..protocols import Strategy
from .jwt import Verifier
from .lookups import Lookups

PREFIX = "ft_"
"""How the directory's own tokens begin."""


class Token(Strategy):
    """Reads the tenant from ``Authorization: Bearer …``.

    A token of ours that is wrong is refused, never passed over: nobody who was locked out should be served as
    somebody else. Bearer tokens that are neither ours nor (where they are configured) JSON Web Tokens are the
    application's own business.

    :param tenants: looks tokens and ids up
    :param verifier: of JSON Web Tokens, where they are configured
    """

    name = "token"
    claim = True
    reads = "authorization"

    def __init__(self, tenants: Lookups, verifier: Verifier | None = None) -> None:
        self._tenants = tenants
        self._verifier = verifier

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the tenant's id, or in front of a JSON Web Token's slug an ``@``.

        :raises CredentialRefusedError: for a token that is unknown, expired, revoked or forged
        """
        header = facts.headers.get("authorization")
        if header is None:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        secret = secret.strip(" ")
        if secret.startswith(PREFIX):
            found = self._tenants.find_token(secret) if secret.isascii() else None
            if found is None:
                raise CredentialRefusedError("The API token is unknown, expired or revoked")
            return str(found.tenant_id)
        if self._verifier is None or secret.count(".") != 2:
            return None
        claim = self._verifier.tenant(secret)
        return str(claim) if isinstance(claim, int) else f"@{claim}"

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that id or slug."""
        if identifier.startswith("@"):
            return self._tenants.find(identifier[1:])
        return self._tenants.find_id(int(identifier))
