"""Serves stylesheets, logos and fonts, before the application sees the request.

So a page that asks for a log-in, in a ``before_request`` or elsewhere, is not without its looks. An address names the
content that it had when the page was made: with that content the answer may be kept for good, with any other it is
asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response

from .composing import ASSETS, Theme

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BELOW = re.compile(
    r"/(?:(?P<name>[a-z0-9-]{1,63})/)?(?P<what>style\.css|logo-light|logo-dark|font-body|font-heading)\Z"
)
_FILES = {token.replace(".", "-"): token for token in ASSETS}

KEEP = "public, max-age=31536000, immutable"
ASK = "private, no-cache"

# Even where somebody opens a logo by itself, nothing in it may run.
_POLICY = "default-src 'none'; style-src 'none'; sandbox"


class ThemeFiles:
    """Answers below one path, in place of the application.

    :param app: the application's own WSGI callable
    :param path: below which it answers
    :param theme: gives the theme of the tenant whose turn it is, with that named theme on top
    :param vary: request headers that say who the tenant is
    """

    def __init__(
        self, app: WSGIApplication, path: str, theme: Callable[[str], Theme], vary: Iterable[str] = ()
    ) -> None:
        self._app = app
        self._path = path
        self._theme = theme
        self._vary = ", ".join(vary)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(self._path):
            return self._app(environ, start_response)
        found = _BELOW.match(environ["PATH_INFO"][len(self._path) :])
        if found is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._app(environ, start_response)
        response = self._answer(found["name"] or "", found["what"], environ.get("QUERY_STRING", ""))
        return response.make_conditional(Request(environ))(environ, start_response)

    def _answer(self, name: str, what: str, query: str) -> Response:
        theme = self._theme(name)
        if what == "style.css":
            content, media, version = theme.stylesheet.encode(), "text/css", theme.digest
        else:
            asset = theme.assets.get(_FILES[what])
            if asset is None:
                return Response("There is no such file in the theme.\n", 404, {"Cache-Control": "no-store"})
            content, media, version = asset.content, asset.type, asset.digest
        response = Response(content, mimetype=media)
        response.set_etag(version)
        response.headers["Cache-Control"] = KEEP if parse_qs(query[:200]).get("v") == [version] else ASK
        response.headers["X-Content-Type-Options"] = "nosniff"
        if self._vary:
            response.headers["Vary"] = self._vary
        if media.startswith("image/"):
            response.headers["Content-Security-Policy"] = _POLICY
        return response
