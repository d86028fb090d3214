"""Who asks: for an application's views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from ..identity import Member
from ..model import Token

if TYPE_CHECKING:
    from .accounts import Accounts

P = ParamSpec("P")
R = TypeVar("R")


def _accounts() -> Accounts:
    return cast("Accounts", flask.current_app.extensions["tenancy"].accounts)


def current_member() -> Member | None:
    """Return who is logged in, as a member of the request's tenant; ``None`` when nobody is.

    :raises ConfigurationError: when nobody logs in through us, see ``TENANT_LOGIN``
    """
    return _accounts().entry.member() if flask.has_request_context() else None


def current_token() -> Token | None:
    """Return the tenant's API token that the request shows (``Authorization: Bearer …``), if there is one."""
    if not flask.has_request_context():
        return None
    scheme, _, secret = flask.request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip(" ")
    if scheme.lower() != "bearer" or not secret.isascii():
        return None
    state = flask.current_app.extensions["tenancy"]
    found = cast("Token | None", state.directory.find_token(secret))
    tenant = state.around.tenant()
    return found if found is not None and tenant is not None and found.tenant_id == tenant.id else None


def roles_required(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only members see a view who have one of these roles: a decorator, below the one that makes the route.

    Who is not logged in goes to log in, or gets a 401; who has none of the roles, a 403.
    """
    if not roles:
        raise TypeError("roles_required() takes at least one role")

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            member = current_member()
            if member is None:
                _accounts().entry.ask_to_log_in()
            elif not member.roles.intersection(roles):
                raise Forbidden
            return view(*args, **kwargs)

        return guarded

    return decorate


def scopes_required(*scopes: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only requests see a view that show an API token of the tenant which is good for all of these: a decorator.

    Without a token: 401; with one that is not good for it: 403 (RFC 6750, section 3.1). Somebody who is logged in has
    no token: a view that both may see wants a route for each.
    """
    if not scopes:
        raise TypeError("scopes_required() takes at least one scope")

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            token = current_token()
            if token is None:
                raise Unauthorized(www_authenticate=WWWAuthenticate("bearer"))
            if token.scopes is not None and not token.scopes.issuperset(scopes):
                wants = {"error": "insufficient_scope", "scope": " ".join(sorted(scopes))}
                refused = Forbidden()
                refused.response = flask.Response(
                    "The token is not good for this.\n",
                    403,
                    {"WWW-Authenticate": WWWAuthenticate("bearer", wants).to_header()},
                    mimetype="text/plain",
                )
                raise refused
            return view(*args, **kwargs)

        return guarded

    return decorate
