"""What accounts need of stages that keep something else: the audit trail, mail."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from sqlalchemy.engine import Connection

from ..errors import MailError
from ..identity import LOCAL, Provider
from ..model import Tenant

log = logging.getLogger("flask_tenant.audit")


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


class LoggedTrail:
    """Writes what is done to the log."""

    def __call__(
        self,
        action: str,
        *,
        tenant_id: int = 0,
        actor: str,
        connection: Connection | None = None,
        **details: Any,
    ) -> None:
        """Write one line."""
        log.info("tenant %s: %s by %s %s", tenant_id, action, actor, details)


class NoMail:
    """An installation that cannot send mail."""

    def send(self, to: str, template: str, tenant: Tenant | None, **values: Any) -> None:
        """Refuse."""
        raise MailError(f"The mail {template!r} was not sent: no sender is configured", value=template)
