"""What rules tell a request: a page for what they deny, and a header for results that they have cut."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, after_this_request, current_app, has_request_context, request

from .context import current_scope
from .errors import RuleDeniedError
from .pages.denied import denied
from .signals import rows_capped

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
        language=state.catalogues.choose(
            state.theming.own().value("language") or "", request.headers.get("Accept-Language")
        ),
    )
    return Response(found.body, found.status, list(found.headers))


def _capped(response: Response) -> Response:
    scope = current_scope()
    if scope is not None and scope.capped:
        cut = dict.fromkeys(f"{table}={rows}" for table, rows, _ in scope.capped)
        response.headers[CAPPED] = ", ".join(cut)
    return response


def _cut(sender: Any, **_: Any) -> None:
    """Let the response tell of it: once for each scope, and nothing is asked of requests whose results are whole."""
    scope = current_scope()
    if has_request_context() and scope is not None and len(scope.capped) == 1:
        after_this_request(_capped)


rows_capped.connect(_cut)


def listen(app: Flask) -> None:
    """Answer for the rules, where the application does not itself: its own handler of the error comes first."""
    app.error_handler_spec[None][None].setdefault(RuleDeniedError, _denied)
