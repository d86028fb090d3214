"""Who is logged in, for an application's views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import flask

from ..identity import Member

if TYPE_CHECKING:
    from .accounts import Accounts

P = ParamSpec("P")
R = TypeVar("R")


def _accounts() -> Accounts:
    return cast("Accounts", flask.current_app.extensions["tenancy"].accounts)


def current_member() -> Member | None:
    """Return who is logged in, as a member of the request's tenant; ``None`` when nobody is."""
    return _accounts().entry.member() if flask.has_request_context() else None


def roles_required(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only members see a view who have one of these roles: a decorator.

    Nobody: 401. Somebody else: 403.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            member = current_member()
            if member is None:
                flask.abort(401)
            if not member.roles.intersection(roles):
                flask.abort(403)
            return view(*args, **kwargs)

        return guarded

    return decorate
