"""Makes mail and hands it over."""

from __future__ import annotations

from typing import Any

from ..model import Tenant
from ..protocols import Sender
from .compose import Composer


class Mail:
    """What an application sends: ``accounts.mail``."""

    def __init__(self, composer: Composer, sender: Sender) -> None:
        self.composer, self.sender = composer, sender

    def send(self, to: str, template: str, tenant: Tenant | None, **values: Any) -> None:
        """Send a mail.

        :param to: one address
        :param template: name of the template, such as ``invitation``
        :param tenant: whose theme's overrides count; ``None`` for mail of the installation itself
        :param values: what the template needs
        :raises MailError: when it was not taken; it may be sent again
        """
        self.sender.send(self.composer.compose(to, template, tenant, values))
