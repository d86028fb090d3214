"""Serves our pages in front of the application: in its request context, and past everything else that is its own.

So a page can neither be shut by the application's ``before_request`` (which may well send everybody to log in) nor be
shadowed by one of its routes, and its own CSRF protection does not ask for tokens that our forms do not have. What
the pages need of the application they get: its session, opened and saved by its own session interface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any

import flask
from flask import Flask
from flask.signals import got_request_exception
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Request, Response

from ...errors import LoginRefusedError, ProviderUnavailableError, TenancyError, TooManyAttemptsError
from . import central, invitations, login, members, sessions, switching
from .routes import For, Page, mapped
from .safety import genuine
from .visit import Visit, problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LARGEST_FORM = 64 * 1024
"""Bytes that a form of ours may have."""

STYLE = resources.files(__package__).joinpath("style.css").read_bytes()
STYLE_DIGEST = hashlib.sha256(STYLE).hexdigest()[:20]

# Nothing of another site's, no script at all. A page that is sent on to a provider goes there by a link or a refresh:
# browsers hold redirects after a form to form-action.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Secrets in addresses are told to nobody. Not "no-referrer": with it, browsers send "Origin: null" with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MODULES = (login.pages, switching.pages, invitations.pages, members.pages, sessions.pages, central.pages)


class PeoplesPages:
    """Answers below one path, in place of the application.

    :param inner: the application's own WSGI callable
    :param path: below which it answers
    :param visit: makes what a page knows, in the request's context
    """

    def __init__(
        self, inner: WSGIApplication, path: str, app: Callable[[], Flask], visit: Callable[[], Visit]
    ) -> None:
        self._inner = inner
        self._path = path
        self._app = app
        self._visit = visit
        self._maps = {tenant: mapped(_MODULES, tenant=tenant) for tenant in (True, False)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path != self._path and not path.startswith(f"{self._path}/"):
            return self._inner(environ, start_response)
        if path == f"{self._path}/style.css":
            return _style(Request(environ))(environ, start_response)
        return self._serve(environ)(environ, start_response)

    def _serve(self, environ: WSGIEnvironment) -> Response:
        app = self._app()
        request = app.request_class(environ)
        request.max_content_length = LARGEST_FORM
        with app.request_context(environ):
            flask.request.max_content_length = LARGEST_FORM
            visit = self._visit()
            try:
                response = self._answer(visit, environ)
            except Exception as error:
                got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)
                if app.debug or app.testing or app.config["PROPAGATE_EXCEPTIONS"]:
                    raise
                app.log_exception((type(error), error, error.__traceback__))
                response = problem(visit, 500)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            if not app.session_interface.is_null_session(flask.session):
                app.session_interface.save_session(app, flask.session, response)
        return response

    def _answer(self, visit: Visit, environ: WSGIEnvironment) -> Response:
        found, pages = self._maps[visit.tenant is not None]
        adapter = found.bind_to_environ({**environ, "PATH_INFO": environ["PATH_INFO"][len(self._path) :] or "/"})
        visit.adapter = adapter
        try:
            name, values = adapter.match()
            return self._show(visit, pages[name], values)
        except MethodNotAllowed as error:
            response = problem(visit, 405)
            response.headers["Allow"] = ", ".join(error.valid_methods or ())
            return response
        except HTTPException as error:
            return problem(visit, error.code or 500)

    def _show(self, visit: Visit, page: Page, values: dict[str, Any]) -> Response:
        if page.method == "POST" and not page.forged and not genuine(visit.request, visit.session):
            log.warning("A form for %s that we have not handed out was refused, from %s", page.path, visit.network)
            return problem(visit, 400)
        refused = _refused(visit, page.audience)
        if refused is not None:
            return refused
        try:
            return page.handler(visit, **values)
        except ProviderUnavailableError as error:
            log.warning("%s", error)
            return problem(visit, 503)


def _refused(visit: Visit, audience: For) -> Response | None:
    """What somebody is told whom a page is not for."""
    if audience is For.ANYBODY:
        return None
    if visit.member is None and visit.login is None:
        here = visit.request.full_path.rstrip("?") if visit.request.method == "GET" else ""
        return visit.go(visit.path("log_in", **({"next": f"{visit.root}{here}"} if here else {})))
    allowed = {
        For.MEMBERS: True,
        For.ADMINISTRATORS: visit.member is not None and visit.member.is_administrator,
        For.OPERATORS: visit.operator,
    }
    return None if allowed[audience] else problem(visit, 403)


def _style(request: Request) -> Response:
    response = Response(STYLE, mimetype="text/css")
    response.set_etag(STYLE_DIGEST)
    named = request.args.get("v") == STYLE_DIGEST
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response.make_conditional(request)
