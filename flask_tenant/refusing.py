"""What rules tell a request: a page for what they deny, and a header for results that they have cut."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app, request

from .context import current_scope
from .errors import RuleDeniedError
from .pages.denied import denied

CAPPED = "X-Tenant-Rows-Capped"
"""Names the tables whose results were cut, and to how many rows: ``invoice=1000``."""


def _denied(error: RuleDeniedError) -> Any:
    theirs = current_app.error_handler_spec[None][None]
    for kind in RuleDeniedError.__mro__[1:]:
        if kind in theirs:  # the application's own, for more than this error
            return current_app.ensure_sync(theirs[kind])(error)
    state = current_app.extensions["tenancy"]
    found = denied(
        error,
        request.headers.get("Accept"),
        by_token="Authorization" in request.headers,
        language=state.catalogues.choose(state.theming.look.language, request.headers.get("Accept-Language")),
    )
    return Response(found.body, found.status, list(found.headers))


def _capped(response: Response) -> Response:
    scope = current_scope()
    if scope is not None and scope.capped:
        cut = dict.fromkeys(f"{table}={rows}" for table, rows, _ in scope.capped)
        response.headers[CAPPED] = ", ".join(cut)
    return response


def listen(app: Flask) -> None:
    """Answer for the rules, where the application does not itself: its own handler of the error comes first."""
    app.error_handler_spec[None][None].setdefault(RuleDeniedError, _denied)
    app.after_request(_capped)
