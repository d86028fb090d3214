"""Logging in and out: through the tenant's providers, or with a password of ours."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import NotFound
from werkzeug.urls import iri_to_uri
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from ...errors import LoginRefusedError, ProviderError, ProviderUnavailableError, TooManyAttemptsError
from ...identity import GoTo, LoginSession, Provider
from ...translations import Message, ngettext
from ..entry import WAY, WAY_SECONDS
from .routes import At, For, Pages
from .safety import foreign
from .visit import Visit, bad

if TYPE_CHECKING:
    from ..entry import Arrived

log = logging.getLogger("flask_tenant.login")

pages = Pages()

REFUSED = Message(
    "That did not work. Check what you typed and try again; if it stays so, ask an administrator."
)
"""What everybody is told whose log-in is refused, whatever the reason: the log has it."""


FORMS = ("local", "ldap")
"""Kinds that ask with a form of ours, which stands on the page at once. Another kind that does so is one click away."""


# ---- which ways there are
def way(visit: Visit, name: str) -> Provider:
    """The provider of that name here."""
    found = next(
        (provider for provider in visit.entry.providers(visit.tenant) if provider.name == name), None
    )
    if found is None:
        raise NotFound
    return found


def ways(visit: Visit) -> tuple[list[Provider], list[Provider]]:
    """The providers to which one goes, and those that a form of ours asks for."""
    elsewhere: list[Provider] = []
    forms: list[Provider] = []
    for provider in visit.entry.providers(visit.tenant):
        (forms if provider.kind in FORMS else elsewhere).append(provider)
    return elsewhere, forms


# ---- logging in
@pages.get("/login", For.ANYBODY, At.BOTH)
def log_in(visit: Visit) -> Response:
    """All ways to log in."""
    if visit.login is not None:
        return visit.go(visit.target or visit.home)
    return _page(visit)


@pages.get("/login/<name>", For.ANYBODY, At.BOTH)
def log_in_through(visit: Visit, name: str) -> Response:
    """Begin a log-in. From another site's page it does not begin by itself."""
    provider = way(visit, name)
    if foreign(visit.request):
        return visit.go(visit.path("log_in", **_more(visit)))
    try:
        step = visit.entry.begin(
            provider,
            visit.url("callback", name=name),
            hint=visit.request.args.get("hint", "")[:254],
            after=visit.target or visit.home,
            invitation=_invitation(visit),
        )
    except (ProviderUnavailableError, ProviderError) as error:
        return _unavailable(visit, provider, error)
    except TooManyAttemptsError as error:
        return _too_many(visit, provider, error)
    if not isinstance(step, GoTo):
        return _page(visit, provider)
    response = redirect(step.url, 302, Response)
    _remember(visit, response, name, str(visit.session.pop(WAY, "")))
    return response


@pages.post("/login/<name>", For.ANYBODY, At.BOTH)
def log_in_send(visit: Visit, name: str) -> Response:
    """Log in with what was typed."""
    provider = way(visit, name)
    answer = {"username": visit.field("username"), "password": visit.request.form.get("password", "")}
    return _finish(
        visit,
        provider,
        lambda: visit.entry.answer(
            provider,
            visit.url("callback", name=name),
            answer,
            after=visit.target or visit.home,
            invitation=_invitation(visit),
        ),
        typed=answer["username"],
    )


@pages.get("/callback/<name>", For.ANYBODY, At.BOTH)
def callback(visit: Visit, name: str) -> Response:
    """A provider has sent the browser back."""
    provider = way(visit, name)
    sent = Counter(key for key, _ in visit.request.args.items(multi=True))
    # RFC 6749, section 3.1: parameters must not come twice. Which of the two would count?
    answer = {} if max(sent.values(), default=0) > 1 else visit.request.args.to_dict()
    visit.session[WAY] = visit.request.cookies.get(_way_cookie(visit, name), "")
    response = _finish(visit, provider, lambda: visit.entry.come_back(provider, answer))
    strict = str(visit.app.config["SESSION_COOKIE_SAMESITE"]).lower() == "strict"
    if strict and response.status_code == 303:
        # Browsers leave such a cookie out all along the way from the provider's site: here the way begins anew.
        response = visit.onward(iri_to_uri(response.headers["Location"]), visit.place)
    _remember(visit, response, name, "")
    return response


def _way_cookie(visit: Visit, name: str) -> str:
    # With this prefix, browsers take it from this very host alone, and not from a sibling (RFC 6265bis, 4.1.3.2).
    return f"{'__Host-' if visit.request.is_secure else ''}tenancy-way-{name}"


def _remember(visit: Visit, response: Response, name: str, secret: str) -> None:
    """Let the browser keep what tells its log-in from all others, or forget it with ``""``.

    Not in the session: that is one cookie for all, and an answer that was on its way already (such as to the browser's
    own request for an icon) would bring the old one back.
    """
    response.set_cookie(
        _way_cookie(visit, name),
        secret,
        max_age=int(WAY_SECONDS) if secret else 0,
        secure=visit.request.is_secure,
        httponly=True,
        samesite="Lax",  # a provider sends the browser back from another site
    )


def _finish(visit: Visit, provider: Provider, arrive: Callable[[], Arrived], typed: str = "") -> Response:
    try:
        arrived = arrive()
        visit.entry.open(arrived)
    except TooManyAttemptsError as error:
        return _too_many(visit, provider, error, typed)
    except LoginRefusedError:
        return _page(visit, provider, 403, REFUSED, typed)
    except (ProviderUnavailableError, ProviderError) as error:
        return _unavailable(visit, provider, error)
    return visit.go(arrived.after)


def _too_many(visit: Visit, provider: Provider, error: TooManyAttemptsError, typed: str = "") -> Response:
    minutes = -(-error.seconds // 60)
    text = ngettext(
        "There were too many attempts. Try again in %(num)d minute.",
        "There were too many attempts. Try again in %(num)d minutes.",
        minutes,
    )
    response = _page(visit, provider, 429, text, typed)
    response.headers["Retry-After"] = str(error.seconds)
    return response


def _page(
    visit: Visit, chosen: Provider | None = None, status: int = 200, problem: str = "", typed: str = ""
) -> Response:
    elsewhere, forms = ways(visit)
    name = chosen.name if chosen is not None else ""
    form = next((p for p in forms if p.name == name), next(iter(forms), None))
    return visit.show(
        "login",
        status,
        elsewhere=elsewhere,
        form=form,
        others=[p for p in forms if p is not form],
        typed=typed,
        more=_more(visit),
        notice=bad(problem) if problem else None,
    )


def _unavailable(visit: Visit, provider: Provider, error: Exception) -> Response:
    log.warning("Nobody can log in through %r at the moment: %s", provider.name, error)
    text = Message(
        "“%(provider)s” does not answer at the moment. Try again in a minute, or log in another way.",
        provider=provider.label,
    )
    return _page(visit, provider, 503, text)


def _invitation(visit: Visit) -> str:
    return visit.request.args.get("invitation", "")[:100]


def _more(visit: Visit) -> dict[str, Any]:
    """What goes along from page to page until somebody is logged in."""
    found = {"next": visit.target, "invitation": _invitation(visit)}
    return {name: value for name, value in found.items() if value}


# ---- logging out
@pages.get("/logout", For.MEMBERS, At.BOTH)
def log_out(visit: Visit) -> Response:
    """Ask: a link alone, which any site may have, logs nobody out."""
    return visit.show("log_out", name=visit.me.name)


@pages.post("/logout", For.ANYBODY, At.BOTH, acting=True)
def log_out_send(visit: Visit) -> Response:
    """Log out: here, on all servers, and at the provider if it wants to hear of it."""
    session, hint = visit.entry.log_out()
    provider = _provider_of(visit, session)
    url = None
    if provider is not None:
        try:
            leave = getattr(visit.accounts.providers.open(provider), "leave", None)
            url = leave(hint, visit.url("logged_out")) if leave is not None else None
        except (ProviderUnavailableError, ProviderError) as error:
            log.warning("%r was not told of a log-out: %s", provider.name, error)
    visit.forget()
    return visit.onward(url, provider.label) if url and provider else visit.go(visit.path("logged_out"))


def _provider_of(visit: Visit, session: LoginSession | None) -> Provider | None:
    if session is None or session.provider_id is None:
        return None
    known = visit.entry.providers(visit.tenant)
    return next((provider for provider in known if provider.id == session.provider_id), None)


@pages.get("/logged-out", For.ANYBODY, At.BOTH)
def logged_out(visit: Visit) -> Response:
    """Whoever comes here is logged out, or was not logged in."""
    return visit.show("logged_out") if visit.login is None else visit.go(visit.home)


@pages.post("/backchannel/<name>", For.ANYBODY, forged=True)
def backchannel(visit: Visit, name: str) -> Response:
    """A provider's server says that somebody has logged out there (OpenID Connect Back-Channel Logout 1.0, 2.5)."""
    provider = way(visit, name)
    try:
        ended: Any = getattr(visit.accounts.providers.open(provider), "ended", None)
        if ended is None:
            raise NotFound
        what = ended(visit.request.form.to_dict())
    except LoginRefusedError as error:
        log.warning("A log-out by %r was refused (%s): %s", name, error.reason, error)
        return _to_a_server(400, "invalid_request")
    except (ProviderUnavailableError, ProviderError) as error:
        log.warning("A log-out by %r could not be looked at: %s", name, error)
        return _to_a_server(503, "temporarily_unavailable")  # it may try again
    visit.accounts.sessions.ended_by_provider(provider, what.session, what.subject)
    return _to_a_server(200)


def _to_a_server(status: int, error: str = "") -> Response:
    """Answer a provider's server, as Back-Channel Logout 1.0, section 2.8, has it."""
    body = f'{{"error": "{error}"}}' if error else ""
    return Response(body, status, {"Cache-Control": "no-store"}, mimetype="application/json")
