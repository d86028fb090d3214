"""What is answered when a tenant's rules have refused something, and the application has no handler of its own."""

from __future__ import annotations

import json

from ..errors import RuleDeniedError
from ..model import Answer
from . import _POLICY, TYPE, _environment, _wants_problem


def denied(error: RuleDeniedError, accept: str | None, *, by_token: bool) -> Answer:
    """Answer a request that a rule has refused. It says the rule's message and its code, and nothing else.

    :param accept: the request's Accept header
    :param by_token: whether the request came with a token, as programs do
    """
    headers = [("Cache-Control", "no-store"), ("Vary", "Accept"), ("X-Content-Type-Options", "nosniff")]
    title = "Not allowed"
    if _wants_problem(accept, by_token=by_token):
        headers.append(("Content-Type", "application/problem+json"))
        problem = {
            "type": TYPE + error.code,
            "title": title,
            "status": 403,
            "detail": error.message,
            "code": error.code,
        }
        return Answer(403, tuple(headers), json.dumps(problem).encode())
    headers += [("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", _POLICY)]
    page = _environment().get_template("rule-denied.html")
    body = page.render(status=403, title=title, message=error.message)
    return Answer(403, tuple(headers), body.encode(errors="replace"))
