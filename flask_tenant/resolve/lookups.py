"""What strategies ask of the directory."""

from __future__ import annotations

from typing import Protocol

from ..model import Tenant, Token


class Lookups(Protocol):
    """The directory's look-ups. All of them return ``None`` when there is nobody."""

    def find(self, slug: str) -> Tenant | None:
        """The tenant of that slug."""

    def find_id(self, tenant_id: int, /) -> Tenant | None:
        """The tenant of that id."""

    def find_domain(self, host: str) -> Tenant | None:
        """The tenant whose confirmed domain that is."""

    def find_renamed(self, slug: str) -> Tenant | None:
        """The tenant that was called that before."""

    def find_token(self, secret: str) -> Token | None:
        """The API token with that secret, if it is still good."""
