"""Who is logged in. What a request finds out of it once, holds for the whole request."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode

import flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import Unauthorized

from ..actors import actor_of
from ..identity import LoginSession, Member, Provider
from ..login.throttle import network_of
from ..model import Tenant
from .parts import local_provider

if TYPE_CHECKING:
    from .accounts import Accounts

log = logging.getLogger("flask_tenant.login")

KEY = "_tenancy_login"
"""Under which name the browser's session has the secret of the log-in session."""

ACTING = "_tenancy_acting"
"""Under which name it says that an operator acts as somebody. Who that is, and until when, is in the database."""

LOGIN_PAGE = "/login"
"""Where the page is, below ``TENANT_LOGIN_PATH``, that says which ways to log in there are."""


class Presence:
    """Who is there.

    :param accounts: the parts
    """

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts

    def tenant(self) -> Tenant | None:
        """Return whose site the current request is for; ``None`` at the central host."""
        around = self.accounts.application.around
        resolution = around.resolution()
        return resolution.tenant if resolution is not None else around.tenant()

    def providers(self, tenant: Tenant | None) -> list[Provider]:
        """Return the ways to log in: a tenant's own, and passwords of ours at the central host."""
        return [local_provider(0)] if tenant is None else self.accounts.providers.of(tenant)

    def network(self) -> str:
        """Return which network the current request comes from."""
        return network_of(flask.request.remote_addr)

    def session(self) -> LoginSession | None:
        """Return the log-in session of the current request, if there is one that is good here."""
        found = self._found()
        return None if found is None else found[0]

    def member(self) -> Member | None:
        """Return who is logged in: an active member of the request's tenant (of 0 at the central host), or ``None``."""
        found = self._found()
        return None if found is None else found[1]

    def actor(self) -> str:
        """Return who acts, for the audit trail: ``person:7``; ``person:1 as person:7`` while an operator does."""
        session = self.session()
        return "visitor" if session is None else actor_of(session)

    def ask_to_log_in(self) -> NoReturn:
        """Let a person's browser go to log in and come back; anything else gets a 401."""
        request = flask.request
        if request.method in ("GET", "HEAD") and request.accept_mimetypes.accept_html:
            raise Unauthorized(response=flask.redirect(self.login_url(request.full_path.rstrip("?"))))
        raise Unauthorized

    def login_url(self, after: str = "") -> str:
        """Return the path of the page that says which ways to log in there are.

        :param after: where to go then: a path below the mount point
        """
        root = flask.request.script_root
        query = f"?{urlencode({'next': root + after})}" if after else ""
        return f"{root}{self.accounts.application.settings.login_path}{LOGIN_PAGE}{query}"

    # ---- once in a request
    def _found(self) -> tuple[LoginSession, Member] | None:
        secret = flask.session.get(KEY) if flask.has_request_context() else None
        if not isinstance(secret, str) or not secret:
            return None
        tenant = self.tenant()
        tenant_id = tenant.id if tenant is not None else 0
        asked = tenant_id, secret
        # With the request, not with `flask.g`: that is the application context's, which tests keep for several.
        kept = flask.request.environ.get(KEY)
        if kept is None or kept[0] != asked:
            kept = flask.request.environ[KEY] = asked, self._look(tenant, tenant_id, secret)
        found: tuple[LoginSession, Member] | None = kept[1]
        return found

    def _look(self, tenant: Tenant | None, tenant_id: int, secret: str) -> tuple[LoginSession, Member] | None:
        found = self.accounts.people.present(tenant_id, secret)
        if found is None:
            return None
        session, through = found[0], found[0].provider_id
        if through is not None and all(provider.id != through for provider in self.providers(tenant)):
            # It was removed, which has ended its sessions; this one was being opened at that moment.
            return None
        if self.accounts.sessions.stale(session):
            # Later: in the middle of a request, its own transaction may hold the lock of an SQLite file.
            self.accounts.later(partial(self._touch, session))
        return found

    def _touch(self, session: LoginSession) -> None:
        try:
            self.accounts.sessions.touch(session)
        except SQLAlchemyError as error:
            log.warning("It could not be noted that a session is in use: %s", error)
