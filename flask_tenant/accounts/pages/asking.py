"""Pages that ask for an e-mail address, to which something is mailed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from ...errors import TooManyAttemptsError
from ...translations import Message
from .visit import TOO_MANY, Visit


def ask_for_address(visit: Visit, template: str, **more: Any) -> Response:
    """Show the page.

    :param more: what its template needs beside the address
    """
    return _page(visit, template, more)


def take_address(
    visit: Visit, template: str, kind: str, mail: Callable[[str], object], **more: Any
) -> Response:
    """Take the address. The answer is the same for every one, and sent before anybody looks whether it is known.

    :param kind: as what attempts are counted
    :param mail: is called with the address when the answer has been sent
    :param more: what the template needs beside the address
    """
    email = visit.field("email")
    if "@" not in email:
        return _page(visit, template, more, 400, email, Message("This is no e-mail address."))
    try:
        visit.throttle(kind, email)
    except TooManyAttemptsError as error:
        response = _page(visit, template, more, 429, email, TOO_MANY)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    response = _page(visit, template, more, sent=True)
    visit.afterwards(response, lambda: mail(email))
    return response


def _page(
    visit: Visit,
    template: str,
    more: dict[str, Any],
    status: int = 200,
    typed: str = "",
    wrong: str = "",
    *,
    sent: bool = False,
) -> Response:
    errors = {"email": wrong} if wrong else {}
    return visit.show(template, status, typed=typed, errors=errors, sent=sent, **more)
