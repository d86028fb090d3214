"""What accounts need of stages that keep something else: providers, the audit trail, mail."""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import ProviderError
from ..identity import LOCAL, Provider
from ..model import Tenant
from ..protocols import Authenticator, ProviderKind


class Providers(Protocol):
    """The tenants' ways to log in."""

    def of(self, tenant: Tenant) -> list[Provider]:
        """Return a tenant's providers, in order; ``local`` where it has no others."""

    def get(self, tenant: Tenant, name: str) -> Provider | None:
        """Return a tenant's provider of that name, or ``None``."""

    def open(self, provider: Provider) -> Authenticator:
        """Return what logs people in through a provider.

        :raises ProviderError: for settings that make no sense
        """


class Mail(Protocol):
    """Sends mail that is made from templates."""

    def send(self, to: str, template: str, tenant: Tenant | None, **values: Any) -> None:
        """Send a mail.

        :param to: one address
        :param template: name of the template, such as ``invitation``
        :param tenant: whose theme it has; ``None`` for mail of the installation itself
        :raises MailError: when it was not taken; it may be sent again
        """


def local_provider(tenant_id: int) -> Provider:
    """Return what stands for passwords of ours where no row says anything about them."""
    return Provider(0, tenant_id, LOCAL, LOCAL, "Password", LOCAL)


class OnlyLocal:
    """Providers of an installation whose tenants have no rows of providers: passwords of ours, and nothing else."""

    def __init__(self, kind: ProviderKind) -> None:
        self._kind = kind

    def of(self, tenant: Tenant) -> list[Provider]:
        """Return the one provider."""
        return [local_provider(tenant.id)]

    def get(self, tenant: Tenant, name: str) -> Provider | None:
        """Return the one provider, if it is meant."""
        return local_provider(tenant.id) if name == LOCAL else None

    def open(self, provider: Provider) -> Authenticator:
        """Return what logs people in with their passwords."""
        if provider.kind != LOCAL:
            raise ProviderError(f"There is no kind {provider.kind!r} of providers", value=provider.kind)
        return self._kind.open(provider)
