"""The way from an e-mail address to where its owner logs in. Only its owner is told, by mail."""

from __future__ import annotations

from werkzeug.wrappers import Response

from .asking import ask_for_address, take_address
from .routes import At, For, Pages
from .visit import Visit

pages = Pages()


@pages.get("/find", For.ANYBODY, At.CENTRAL)
def find(visit: Visit) -> Response:
    """Ask for the address."""
    return ask_for_address(visit, "find")


@pages.post("/find", For.ANYBODY, At.CENTRAL)
def find_send(visit: Visit) -> Response:
    """Mail the way. The answer is the same for every address, and sent before anybody looks."""
    return take_address(visit, "find", "discovery", visit.accounts.finding.tell)
