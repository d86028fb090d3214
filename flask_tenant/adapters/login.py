"""Flask-Login's "remember me" cookies are bound to the tenant that made them.

What Flask-Login keeps in the session is bound with the session.
"""

from __future__ import annotations

import logging
import sys
from functools import wraps
from typing import Any

from .base import Around, Part, current

log = logging.getLogger("flask_tenant")

NAME = "flask-login"


class Login(Part):
    """Puts the tenant into what Flask-Login signs."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Wrap how Flask-Login makes and reads its cookie, once in a process."""
        if "flask_login" not in sys.modules or not hasattr(around.app(), "login_manager"):
            return False
        from flask_login import login_manager

        if not hasattr(login_manager.encode_cookie, "ft_bound"):
            login_manager.encode_cookie = _encoding(login_manager.encode_cookie)
            login_manager.decode_cookie = _decoding(login_manager.decode_cookie)
        return True


def _owner() -> int | None:
    around = current(NAME)
    if around is None:
        return None
    tenant = around.tenant()
    return tenant.id if tenant is not None else 0


def _encoding(original: Any) -> Any:
    @wraps(original)
    def encode_cookie(payload: str, key: str | None = None) -> Any:
        owner = _owner()
        return original(payload if owner is None else f"{owner}|{payload}", key)

    encode_cookie.ft_bound = True  # type: ignore[attr-defined]
    return encode_cookie


def _decoding(original: Any) -> Any:
    @wraps(original)
    def decode_cookie(cookie: str, key: str | None = None) -> Any:
        payload = original(cookie, key)
        owner = _owner()
        if payload is None or owner is None:
            return payload
        made_for, bar, rest = payload.partition("|")
        if bar and made_for == str(owner):
            return rest
        log.warning(
            "A remember-me cookie of %s was replayed at tenant %s; the request is anonymous",
            f"tenant {made_for}" if bar else "no tenant",
            owner,
        )
        return None

    return decode_cookie
