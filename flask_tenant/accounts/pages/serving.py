"""Serves our pages in front of the application: in its request context, and past everything else that is its own.

So a page can neither be shut by the application's ``before_request`` (which may well send everybody to log in) nor be
shadowed by one of its routes, and its own CSRF protection does not ask for tokens that our forms do not have. What
the pages need of the application they get: its session, opened and saved by its own session interface.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol, cast

import flask
from flask import Flask
from flask.signals import got_request_exception
from jinja2 import Environment
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from ...errors import ProviderUnavailableError
from ...settings import Settings
from ...theme import Theming
from ...translations import ENGLISH, Catalogues, Language, gettext, speaking
from ..accounts import Accounts
from . import (
    banner,
    finding,
    invitations,
    login,
    members,
    operators,
    passwords,
    sessions,
    signing_up,
    switching,
)
from .environment import environment_of
from .routes import For, Page, mapped
from .safety import genuine
from .visit import Visit, not_acting, problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("flask_tenant.login")

LARGEST_FORM = 64 * 1024
"""Bytes that a form of ours may have."""

SHEETS = {
    name: resources.files(__package__).joinpath(name).read_bytes() for name in ("style.css", "banner.css")
}
DIGESTS = {name: hashlib.sha256(sheet).hexdigest()[:20] for name, sheet in SHEETS.items()}

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
_MODULES = tuple(
    module.pages
    for module in (
        login,
        passwords,
        invitations,
        sessions,
        members,
        switching,
        operators,
        signing_up,
        finding,
    )
)


class Application(Protocol):
    """What pages need of Tenancy's state of an application."""

    settings: Settings
    theming: Theming

    @property
    def app(self) -> Flask:
        """The Flask application."""

    @property
    def accounts(self) -> Accounts:
        """People and their log-ins."""

    @property
    def catalogues(self) -> Catalogues:
        """The languages of our pages."""


class PeoplesPages:
    """Answers below one path, in place of the application.

    :param state: Tenancy's state of the application
    :param inner: the application's own WSGI callable
    """

    def __init__(self, state: Application, inner: WSGIApplication) -> None:
        self._state = state
        self._inner = inner
        self._path = state.settings.login_path
        self._pages: dict[bool, dict[str, Page]] = {}
        self._maps: dict[bool, Map] = {}
        for tenant in (True, False):
            self._maps[tenant], self._pages[tenant] = mapped(_MODULES, tenant=tenant)
        self._paths = {tenant: found.bind("", "/") for tenant, found in self._maps.items()}
        self._environment: Environment | None = None
        self._bannered = False

    def serves(self, path: str) -> bool:
        """Whether a path is one of ours: they are served where no tenant is named, too."""
        return path == self._path or path.startswith(f"{self._path}/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not self.serves(path):
            if not self._bannered:
                self._bannered = True
                banner.put_in_place(self._state.app, self._banner, self._language)
            return self._inner(environ, start_response)
        sheet = path[len(self._path) + 1 :]
        if sheet in SHEETS and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return _style(Request(environ), sheet)(environ, start_response)
        return self._serve(environ)(environ, start_response)

    def _banner(self) -> str | None:
        """What stands above the application's own page, while an operator acts as somebody."""
        session = self._state.accounts.entry.session()
        if session is None or session.impersonator_id is None:
            return None
        visit = self._visit()
        with speaking(self._language()):
            return visit.environment.get_template("tenancy/_banner_alone.html").render(visit=visit)

    def _language(self) -> Language:
        """That of the tenant; else one that the browser wants."""
        state = self._state
        return state.catalogues.choose(
            state.theming.look.language, flask.request.headers.get("Accept-Language")
        )

    def _serve(self, environ: WSGIEnvironment) -> Response:
        app = self._state.app
        with app.request_context(environ):
            flask.request.max_content_length = LARGEST_FORM
            spoken = ENGLISH
            try:
                spoken = self._language()
                with speaking(spoken):
                    response = self._answer()
            except Exception as error:
                got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)
                if app.debug or app.testing or app.config["PROPAGATE_EXCEPTIONS"]:
                    raise
                app.logger.exception("A page for people has failed")  # its address may hold a secret
                with speaking(spoken):
                    text = gettext("Something went wrong. Try again in a moment.")
                return Response(f"{text}\n", 500, _HEADERS)
            for name, value in {**_HEADERS, "Content-Language": spoken.tag}.items():
                response.headers.setdefault(name, value)
            response.vary.add("Accept-Language")
            session = cast(Any, flask.session)._get_current_object()
            if not app.session_interface.is_null_session(session):
                app.session_interface.save_session(app, session, cast("flask.Response", response))
        return response

    def _answer(self) -> Response:
        visit = self._visit()
        try:
            name, values = visit.adapter.match(flask.request.path[len(self._path) :] or "/")
            return self._show(visit, self._pages[visit.tenant is not None][name], values)
        except MethodNotAllowed as error:
            response = problem(visit, 405)
            response.headers["Allow"] = ", ".join(error.valid_methods or ())
            return response
        except HTTPException as error:
            return problem(visit, error.code or 500)

    def _visit(self) -> Visit:
        state = self._state
        request: flask.Request = cast(Any, flask.request)._get_current_object()
        entry = state.accounts.entry
        tenant = entry.tenant()
        if self._environment is None:
            self._environment = environment_of(state.app, state.theming)
        below = f"{request.script_root}{self._path}"
        sheets = {name: f"{below}/{name}?v={digest}" for name, digest in DIGESTS.items()}
        adapter = self._maps[tenant is not None].bind(request.host, below, default_method=request.method)
        return Visit(
            app=state.app,
            accounts=state.accounts,
            environment=self._environment,
            paths=self._paths,
            request=request,
            session=cast(Any, flask.session)._get_current_object(),
            tenant=tenant,
            adapter=adapter,
            style_url=sheets["style.css"],
            banner_url=sheets["banner.css"],
            login=entry.session(),
            member=entry.member(),
        )

    def _show(self, visit: Visit, page: Page, values: Mapping[str, Any]) -> Response:
        if page.method == "POST" and not page.forged and not genuine(visit.request, visit.session):
            log.warning(
                "A form for %s that we have not handed out was refused, from %s",
                page.path,
                visit.entry.network(),
            )
            return problem(visit, 400)
        refused = _refused(visit, page.audience)
        if refused is not None:
            return refused
        if page.method == "POST" and visit.impersonated and not page.acting:
            return not_acting(visit)
        try:
            return page.handler(visit, **values)
        except ProviderUnavailableError as error:
            log.warning("%s", error)
            return problem(visit, 503)


def _refused(visit: Visit, audience: For) -> Response | None:
    """What somebody is told whom a page is not for."""
    if audience is For.ANYBODY:
        return None
    if visit.login is None:
        here = visit.request.full_path.rstrip("?") if visit.request.method == "GET" else ""
        return visit.go(visit.path("log_in", **({"next": f"{visit.root}{here}"} if here else {})))
    allowed = {
        For.MEMBERS: visit.member is not None,
        For.ADMINISTRATORS: visit.member is not None and visit.member.is_administrator,
        For.OPERATORS: visit.operator,
    }
    return None if allowed[audience] else problem(visit, 403)


def _style(request: Request, name: str) -> Response:
    response = Response(SHEETS[name], mimetype="text/css")
    response.set_etag(DIGESTS[name])
    named = request.args.get("v") == DIGESTS[name]
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response.make_conditional(request)
