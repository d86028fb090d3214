"""What is answered instead of the application: a page for people, RFC 9457 problem details for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from ..model import Answer, Refusal, RequestFacts, Resolution
from ..translations import ENGLISH, Language, speaking
from ..translations.templates import install

TYPE = "urn:problem-type:flask-tenant:"
"""What problem types begin with; the refusal's code follows."""


class _State(NamedTuple):
    status: int
    title: str
    detail: str


_STATES = {
    Refusal.UNKNOWN: _State(404, "No such tenant", "No tenant lives at this address."),
    Refusal.NOBODY: _State(404, "No tenant named", "This address names no tenant, and is not a central one."),
    Refusal.SUSPENDED: _State(403, "Tenant suspended", "This tenant is suspended at the moment."),
    Refusal.ARCHIVED: _State(410, "Tenant archived", "This tenant has been closed for good."),
    Refusal.MAINTENANCE: _State(
        503, "Tenant in maintenance", "This tenant is being worked on. Try again soon."
    ),
    Refusal.CONFLICT: _State(
        403,
        "Belongs to another tenant",
        "The token, session or header belongs to another tenant than the address.",
    ),
    Refusal.CREDENTIAL: _State(401, "Token refused", "The token is unknown, expired, revoked or not valid."),
    Refusal.MOVED: _State(308, "Tenant has moved", "This tenant has another address now."),
}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_COMMON = (
    ("Cache-Control", "no-store"),
    ("Vary", "Accept, Accept-Language"),
    ("X-Content-Type-Options", "nosniff"),
)


def status_of(refusal: Refusal) -> int:
    """The HTTP status that a refusal is answered with."""
    return _STATES[refusal].status


def answer(
    resolution: Resolution,
    facts: RequestFacts,
    retry_after: int,
    language: Language = ENGLISH,
    find: str = "",
) -> Answer:
    """Answer a request that is not served.

    :param resolution: says why
    :param retry_after: seconds after which to ask again, for a tenant in maintenance
    :param language: of the page; what programs get is English
    :param find: path of the page on which people find their tenant, if there is one
    """
    why = resolution.refused or Refusal.UNKNOWN
    state = _STATES[why]
    headers = [*_COMMON]
    if why is Refusal.MAINTENANCE:
        headers.append(("Retry-After", str(retry_after)))
    if why is Refusal.CREDENTIAL:
        headers.append(("WWW-Authenticate", 'Bearer error="invalid_token"'))
    if why is Refusal.MOVED:
        headers.append(("Location", resolution.location))
    if _wants_problem(facts.headers.get("accept"), by_token=why is Refusal.CREDENTIAL):
        headers.append(("Content-Type", "application/problem+json"))
        body = json.dumps(
            {
                "type": TYPE + why,
                "title": state.title,
                "status": state.status,
                "detail": state.detail,
                "code": why,
            }
        ).encode()
    else:
        # No header is sure to be text, and no address is sure to be short.
        values = {"status": state.status, "host": facts.host[:253], "location": resolution.location}
        values["find"] = find
        more, body = page(why, language, values)
        headers += more
    headers.append(("Content-Length", str(len(body))))
    return Answer(state.status, tuple(headers), body)


def page(name: str, language: Language, values: Mapping[str, object]) -> tuple[list[tuple[str, str]], bytes]:
    """Return a page and its headers.

    :param name: of its template
    :param values: what it needs
    """
    with speaking(language):
        text = _environment().get_template(f"{name}.html").render(values)
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Language", language.tag),
        ("Content-Security-Policy", _POLICY),
    ]
    return headers, text.encode(errors="replace")


def _wants_problem(accept: str | None, *, by_token: bool) -> bool:
    """Whether a client would rather have JSON. Who takes anything gets the page, unless it has sent a token."""
    if accept is None:
        return by_token
    wanted = parse_accept_header(accept, MIMEAccept)
    page = wanted.quality("text/html")
    problem = max(wanted.quality("application/problem+json"), wanted.quality("application/json"))
    return problem > page or (problem == page > 0 and by_token)


@lru_cache(1)
def _environment() -> Environment:
    made = Environment(loader=PackageLoader("flask_tenant.pages"), autoescape=True, undefined=StrictUndefined)
    install(made)
    return made
