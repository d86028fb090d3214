"""The WSGI edge: the tenant is known before Flask's own request handling, and stays until the response is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from contextvars import Context, copy_context
from html import escape
from typing import TYPE_CHECKING, Any, cast

from .model import RequestFacts, Resolution

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RESOLUTION = "flask_tenant.resolution"
"""Key of the request's :class:`~flask_tenant.model.Resolution` in the WSGI environment."""


def facts_of(environ: WSGIEnvironment) -> RequestFacts:
    """Return what an edge may know of a request."""
    headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
    return RequestFacts(
        host=environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
        path=environ.get("PATH_INFO", "/"),
        scheme=environ.get("wsgi.url_scheme", "http"),
        headers=headers,
    )


class TenantMiddleware:
    """Enters the tenant of each request.

    :param app: the application's own WSGI callable
    :param admit: the pipeline: facts to resolution
    :param enter: enters the resolution's scope; what it puts on the stack is undone when the response is closed
    """

    def __init__(
        self,
        app: WSGIApplication,
        admit: Callable[[RequestFacts], Resolution],
        enter: Callable[[ExitStack, Resolution], None],
    ) -> None:
        self._app = app
        self._admit = admit
        self._enter = enter

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A context of its own: whatever becomes of this response, the worker's next request starts clean.
        context = copy_context()
        return context.run(self._serve, context, environ, start_response)

    def _serve(
        self, context: Context, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        resolution = self._admit(facts_of(environ))
        if resolution.tenant is None and resolution.strategy:
            return not_found(environ, start_response, resolution.identifier)
        environ[RESOLUTION] = resolution
        with ExitStack() as stack:
            self._enter(stack, resolution)
            body = self._app(environ, start_response)
            return _Body(body, stack.pop_all(), context)


class _Body:
    """A response body that is made in its tenant, and leaves it when the server closes it."""

    def __init__(self, body: Iterable[bytes], stack: ExitStack, context: Context) -> None:
        self._body = body
        self._stack = stack
        self._context = context
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        end = object()
        chunks = self._context.run(iter, self._body)
        while (chunk := self._context.run(next, chunks, end)) is not end:
            yield cast(bytes, chunk)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._context.run(self._close)

    def __del__(self) -> None:
        # Servers close every response; test clients often do not.
        self.close()

    def _close(self) -> None:
        with self._stack:
            close: Any = getattr(self._body, "close", None)
            if close is not None:
                close()


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nobody lives here</title><style>
:root {{ color-scheme: light dark; font: 1.0625rem/1.6 system-ui, sans-serif; }}
body {{ display: grid; place-items: center; min-height: 100vh; margin: 0;
  background: light-dark(#f6f7f9, #14161a); color: light-dark(#1c2430, #e6e9ee); }}
main {{ max-width: 34rem; padding: 2.5rem; border-radius: 1rem; background: light-dark(#fff, #1d2127);
  box-shadow: 0 1px 3px #0003; }}
h1 {{ margin: 0 0 .5rem; font-size: 1.6rem; }} code {{ font-size: .95em; }}
p {{ margin: .5rem 0 0; color: light-dark(#465063, #aab4c3); }}
</style></head><body><main><p>404</p><h1>Nobody lives here</h1>
<p>There is no workspace at <code>{host}</code>. Check the spelling of the address, or ask whoever invited you for
the right one.</p></main></body></html>
"""


def not_found(environ: WSGIEnvironment, start_response: StartResponse, identifier: str) -> Iterable[bytes]:
    """Answer a request for a tenant that does not exist, with a page that says the same whatever the reason."""
    host = environ.get("HTTP_HOST") or identifier
    page = _PAGE.format(host=escape(host[:255])).encode(errors="replace")  # no header is sure to be text
    start_response(
        "404 Not Found",
        [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(page))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [b""] if environ.get("REQUEST_METHOD") == "HEAD" else [page]
