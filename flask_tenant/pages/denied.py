"""What is answered when a tenant's rules have refused something, and the application has no handler of its own."""

from __future__ import annotations

import json

from ..errors import RuleDeniedError
from ..model import Answer
from ..translations import ENGLISH, Language, speaking, translated
from . import _COMMON, TYPE, _wants_problem, page


def denied(
    error: RuleDeniedError, accept: str | None, *, by_token: bool, language: Language = ENGLISH
) -> Answer:
    """Answer a request that a rule has refused. It says the rule's message and its code, and nothing else.

    :param accept: the request's Accept header
    :param by_token: whether the request came with a token, as programs do
    :param language: of the page and of our own messages; a rule's message is as its author wrote it
    """
    headers = [*_COMMON]
    with speaking(language):
        message = translated(error.message)
    if _wants_problem(accept, by_token=by_token):
        headers.append(("Content-Type", "application/problem+json"))
        problem = {
            "type": TYPE + error.code,
            "title": "Not allowed",
            "status": 403,
            "detail": message,
            "code": error.code,
        }
        return Answer(403, tuple(headers), json.dumps(problem).encode())
    more, body = page("rule-denied", language, {"status": 403, "message": message})
    return Answer(403, (*headers, *more), body)
