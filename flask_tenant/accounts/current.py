"""Who asks: for an application's views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from ..expressions import Kind
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
                wants: dict[str, str | None] = {
                    "error": "insufficient_scope",
                    "scope": " ".join(sorted(scopes)),
                }
                says = {"WWW-Authenticate": WWWAuthenticate("bearer", wants).to_header()}
                text = "The token is not good for this.\n"
                raise Forbidden(response=flask.Response(text, 403, says, mimetype="text/plain"))
            return view(*args, **kwargs)

        return guarded

    return decorate


# ---- for rules
EVENTS = ("login.succeeded", "login.failed")
"""What comes with each: ``user.id``, where the user of the application's own is known and has a number."""


def known(tenancy: Any) -> None:
    """Tell rules who is logged in, unless the application does."""
    tenancy.facts.offer("roles", Kind.TEXTS, _roles)
    tenancy.facts.offer("user.id", Kind.INT, _user_id)
    for name in EVENTS:
        if name not in tenancy.events:
            tenancy.events.declare(name, {"user.id": Kind.INT})


def _roles() -> list[str] | None:
    member = _known_member()
    return None if member is None else sorted(member.roles)


def _known_member() -> Member | None:
    """Who is logged in; ``None`` also in an application of the same process in which nobody logs in through us."""
    here = flask.has_request_context() and flask.current_app.extensions["tenancy"].settings.login
    return current_member() if here else None


def _user_id() -> Any:
    if not flask.has_request_context():
        return None
    if not hasattr(flask.current_app, "login_manager"):
        member = _known_member()
        return None if member is None else member.person_id
    from flask_login import current_user

    return getattr(current_user, "id", None) if current_user.is_authenticated else None
