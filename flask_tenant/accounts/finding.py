"""Tells the owner of an address, by mail, where they log in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import MemberError, TenancyError
from ..login.people import checked_email
from ..model import TenantState
from .presence import LOGIN_PAGE

if TYPE_CHECKING:
    from .accounts import Accounts

log = logging.getLogger("flask_tenant.login")


class WayFinder:
    """``accounts.finding``: the way from an address to its tenants."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def tell(self, email: str) -> None:
        """Mail the places to log in to whoever owns the address. Whether there are any, only they hear.

        A mail goes out in any case: neither the answer nor the time that it takes tells anything. Nothing is raised:
        call it after the answer, and count attempts before (``throttle.hit("discovery", …)``).
        """
        accounts = self._accounts
        try:
            email = checked_email(email)
            tenants = [
                accounts.application.directory.find_id(tenant_id) for tenant_id in accounts.realms.find(email)
            ]
            places = [
                {"name": tenant.name, "url": accounts.links.to(tenant, LOGIN_PAGE)}
                for tenant in tenants
                if tenant is not None and tenant.state is TenantState.ACTIVE
            ]
            accounts.mail.send(email, "realms", None, places=places)
        except MemberError:
            log.info("Somebody has asked for the way from what is no address")
        except TenancyError as error:
            log.error("The way to where somebody logs in was not mailed: %s", error)
