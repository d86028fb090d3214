"""Session cookies are bound to the tenant that made them: Flask's own, Flask-Session's and anybody else's.

The tenant's id goes into what is signed or stored, and is taken out again before the application sees its session. A
session that was made for somebody else, or before Tenancy was registered, is opened as a new and empty one.
"""

from __future__ import annotations

import copy
import logging
from functools import cache
from typing import Any, cast

import flask
from flask import Flask
from flask.sessions import SessionInterface
from flask.wrappers import Request

from .base import Around, Part

log = logging.getLogger("flask_tenant")

KEY = "_tenant"
"""Under which name the session carries its tenant's id while the application does not see it."""

CHOSEN = "tenant_id"
"""Under which name an application keeps whom somebody chose when logging in, for the strategy ``session``."""

NOBODY = 0
"""The id that sessions of no tenant carry."""


class Sessions(Part):
    """Binds sessions to their tenant."""

    name = "sessions"

    def look(self, around: Around) -> bool:
        """Wrap the application's session interface, or the one that has taken its place since."""
        app = around.app()
        inner = app.session_interface
        if not isinstance(inner, _Bound):
            bound = copy.copy(inner)  # Flask's default one is shared by all applications
            by_path = "path" in around.settings.strategies
            bound.__class__ = _bound(cast(Any, type(inner)), by_path=by_path)
            bound.ft_around = around  # type: ignore[attr-defined]
            app.session_interface = bound
        return True


@cache
def _bound(base: Any, *, by_path: bool) -> Any:
    front = _BoundByPath if by_path else _Bound
    named = {"__module__": __name__, "ft_on_servers": hasattr(base, "_generate_sid")}
    return type(f"Tenant{base.__name__}", (front, base), named)


class _Bound(SessionInterface):
    """Goes in front of a session interface's class."""

    ft_around: Around
    ft_on_servers: bool
    """Whether sessions are kept on servers, under ids."""

    def _ft_owner(self) -> int:
        tenant = self.ft_around.tenant()
        return tenant.id if tenant is not None else NOBODY

    def open_session(self, app: Flask, request: Request) -> Any:
        """Open the request's session if this tenant made it, and a new one otherwise."""
        session = super().open_session(app, request)
        if session is None or (not session and not self.ft_on_servers) or self._ft_is_own(session, request):
            return session
        # The same interface decides what a new session is, and under which id a server keeps it.
        bare = app.request_class({**request.environ, "HTTP_COOKIE": ""})
        session = super().open_session(app, bare)
        if session is None or self._ft_is_own(session, bare):
            return session
        return self.make_null_session(app)

    def _ft_is_own(self, session: Any, request: Request) -> bool:
        made_for, here = _take(session), self._ft_owner()
        if made_for == here and type(made_for) is int:
            return True
        if made_for == NOBODY and self._ft_chose(session, here):
            return True
        if made_for is None and not session:
            made_for = self._ft_named(request)
            if made_for is None or made_for == here:
                return True  # a new one
        if made_for is None:
            log.warning(
                "A session that carries no tenant was shown to %s from %s; the request is anonymous",
                _place(here),
                request.remote_addr,
            )
        else:
            log.warning(
                "A session of %s was replayed at %s from %s; the request is anonymous",
                _place(made_for),
                _place(here),
                request.remote_addr,
            )
        return False

    def _ft_chose(self, session: Any, here: int) -> bool:
        """Whether the session itself, signed when somebody logged in at no tenant's address, names this tenant."""
        resolution = self.ft_around.resolution()
        by_session = resolution is not None and resolution.strategy == "session"
        return by_session and str(session.get(CHOSEN)) == str(here)

    def _ft_named(self, request: Request) -> int | None:
        """Whose a session was that a server did not find: its id says so."""
        if not self.ft_on_servers:
            return None
        owner, dot, _ = request.cookies.get(self.get_cookie_name(self.ft_around.app()), "").partition(".")
        return int(owner) if dot and owner.isdecimal() else None

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """Save the session together with whom it is for."""
        if session:
            _take(session)
        if not session:
            super().save_session(app, session, response)
            return
        _put(session, self._ft_owner())
        try:
            super().save_session(app, session, response)
        finally:
            _take(session)

    def _generate_sid(self, *args: Any) -> str:
        """Let ids of sessions that a server keeps carry the tenant: so do the keys made from them."""
        made: str = super()._generate_sid(*args)  # type: ignore[misc]
        return f"{self._ft_owner()}.{made}"


class _BoundByPath(_Bound):
    """The same where tenants are told by their path."""

    def get_cookie_path(self, app: Flask) -> str:
        """Keep the tenants' cookies apart, unless a path is configured."""
        resolution = self.ft_around.resolution()
        if resolution is not None and resolution.script_name and not app.config["SESSION_COOKIE_PATH"]:
            return flask.request.script_root
        return super().get_cookie_path(app)


def _place(owner: object) -> str:
    return "no tenant" if owner == NOBODY else f"tenant {owner}"


def _take(session: Any) -> Any:
    # Past the session's own methods: looking is not using, see `accessed` and `modified`.
    return dict.pop(session, KEY, None) if isinstance(session, dict) else session.pop(KEY, None)


def _put(session: Any, owner: int) -> None:
    if isinstance(session, dict):
        dict.__setitem__(session, KEY, owner)
    else:
        session[KEY] = owner
