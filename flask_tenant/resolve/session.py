"""The tenant that somebody chose when logging in, from Flask's signed session cookie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.http import parse_cookie

from ..model import RequestFacts, Tenant
from ..protocols import Strategy
from .lookups import Lookups

KEY = "tenant_id"
"""Under which the session holds the tenant's id."""


class Session(Strategy):
    """Reads the tenant's id from the session.

    :param tenants: looks ids up
    :param cookie: returns the cookie's name
    :param opened: verifies the signature and the age of a cookie; ``None`` when they are wrong
    """

    name = "session"
    claim = True
    reads = "cookie"

    def __init__(
        self,
        tenants: Lookups,
        cookie: Callable[[], str],
        opened: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self._tenants = tenants
        self._cookie = cookie
        self._opened = opened

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the id in the session, or ``None`` for a session without one, and for a forged or old one."""
        cookies = facts.headers.get("cookie")
        if cookies is None:
            return None
        value = parse_cookie(cookies).get(self._cookie())
        session = self._opened(value) if value is not None else None
        if session is None or KEY not in session:
            return None
        return str(session[KEY])

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that id."""
        plain = identifier.isascii() and identifier.isdecimal() and len(identifier) < 19
        return self._tenants.find_id(int(identifier)) if plain else None
