"""What accounts need of stages that keep something else: the audit trail, mail."""

from __future__ import annotations

from typing import Any, Protocol

from ..identity import LOCAL, Provider
from ..model import Tenant


class Mail(Protocol):
    """Sends mail that is made from templates."""

    def send(self, to: str, template: str, tenant: Tenant | None, **values: Any) -> None:
        """Send a mail.

        :param to: one address
        :param template: name of the template, such as ``invitation``
        :param tenant: whose theme it has; ``None`` for mail of the installation itself
        :raises MailError: when it was not taken; it may be sent again
        """


def mailbox(address: str) -> str:
    """Return what an address is counted under: without what its owner may put into it at will.

    ``ada+shop@…`` ends in Ada's mailbox (RFC 5233), and with many providers ``a.da@…`` does. Where they are two, they
    share what is counted.
    """
    name, at, domain = address.rpartition("@")
    return f"{name.partition('+')[0].replace('.', '')}{at}{domain}"


def local_provider(tenant_id: int) -> Provider:
    """Return what stands for passwords of ours where no row says anything about them."""
    return Provider(0, tenant_id, LOCAL, LOCAL, "Password", LOCAL)
