"""The way from an e-mail address to where its owner logs in. Only its owner is told, by mail."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...errors import TooManyAttemptsError
from .routes import At, For, Pages
from .visit import Visit

pages = Pages()


@pages.get("/find", For.ANYBODY, At.CENTRAL)
def find(visit: Visit) -> Response:
    """Ask for the address."""
    return _page(visit)


@pages.post("/find", For.ANYBODY, At.CENTRAL)
def find_send(visit: Visit) -> Response:
    """Mail the way. The answer is the same for every address, and sent before anybody looks."""
    email = visit.field("email")
    if "@" not in email:
        return _page(visit, 400, email, {"email": "This is no e-mail address."})
    try:
        visit.throttle("discovery", email)
    except TooManyAttemptsError as error:
        response = _page(visit, 429, email, {"email": "There were too many attempts. Try again later."})
        response.headers["Retry-After"] = str(error.seconds)
        return response
    response = _page(visit, sent=True)
    visit.afterwards(response, lambda: visit.accounts.finding.tell(email))
    return response


def _page(
    visit: Visit, status: int = 200, typed: str = "", errors: dict[str, str] | None = None, sent: bool = False
) -> Response:
    return visit.show("find", status, typed=typed, errors=errors or {}, sent=sent)
