"""Report-only mode, for adopters before they go live: what would be refused is let through and listed.

It is possible only while the database holds one tenant at most, whose rows are then the only ones that anything could
reach. It ends by itself when a second tenant is created.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable

from .errors import TenancyError

log = logging.getLogger("flask_tenant")

MOST = 1000
"""How many different refusals are kept and logged; an application with more has a pattern, not a list."""


class Report:
    """Lists what would be refused.

    :param wanted: whether the configuration asks for report-only mode
    :param tenants: counts the tenants; weak, because walls outlive their application
    :param listed: is told of each refusal that is new to the list
    """

    def __init__(
        self,
        wanted: bool,
        tenants: weakref.WeakMethod[Callable[[], int]],
        listed: Callable[[TenancyError], object],
    ) -> None:
        self._wanted = wanted
        self._tenants = tenants
        self._listed = listed
        self._over = False
        self.refusals: dict[str, TenancyError] = {}

    def active(self) -> bool:
        """Whether refusals are let through now."""
        if not self._wanted or self._over:
            return False
        count = self._tenants()
        if count is None or count() > 1:
            self._over = True
            log.warning("Report-only mode is over: there is more than one tenant. Refusals are enforced")
        return not self._over

    def passes(self, error: TenancyError) -> bool:
        """Let a refusal through, and list it, if the mode is active."""
        if not self.active():
            return False
        text = f"{error.code}: {error} {getattr(error, 'statement', None) or ''}"
        if text not in self.refusals and len(self.refusals) < MOST:
            self.refusals[text] = error
            log.warning("Would be refused (%s)", text.strip())
            self._listed(error)
        return True
