"""Checks of what browsers send: forms that we have handed out, and where to go on afterwards."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import MutableMapping
from typing import Any

from werkzeug.wrappers import Request

CSRF = "_tenancy_csrf"
"""Under which key the session keeps what our forms carry."""

_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f]*\Z")


def token(session: MutableMapping[str, Any]) -> str:
    """Return what forms of this session carry."""
    if not isinstance(session.get(CSRF), str):
        session[CSRF] = secrets.token_urlsafe(32)
    return str(session[CSRF])


def genuine(request: Request, session: MutableMapping[str, Any]) -> bool:
    """Whether a form is one that we have handed out to this browser, and was sent from our own page.

    A token alone would do against other sites. ``Origin`` (RFC 6454, section 7) also tells a sibling's host that has
    set a cookie for the domain that both share: that one knows the token of a session of its own.
    """
    kept = session.get(CSRF)
    sent = request.form.get("csrf", "")
    known = isinstance(kept, str) and hmac.compare_digest(kept.encode(), sent.encode())
    return known and not foreign(request)


def foreign(request: Request) -> bool:
    """Whether another site's page has sent the browser here. A client that does not say where it comes from has not."""
    origin = request.headers.get("Origin")
    # The host is compared, and not the scheme: before a proxy it may be https where we see http.
    if origin is not None and origin.lower().partition("://")[2] != request.host.lower():
        return True
    return request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def safe_path(wanted: str, root: str) -> str | None:
    """Return a path of this tenant's, ``None`` for anything that may lead elsewhere.

    Browsers take ``\\`` for ``/``, and drop tabs and line ends (WHATWG URL, "basic URL parser"): what holds one of
    these is refused, and so is what begins with two slashes.

    :param root: the mount point that the tenant is told by, if any
    """
    if len(wanted) > 2000 or not _PATH.match(wanted):
        return None
    if root and not wanted.startswith(f"{root}/"):
        return None
    steps = wanted.split("?", 1)[0].split("#", 1)[0].lower().replace("%2e", ".").split("/")
    if root and ".." in steps:
        return None  # back over the mount point, to somebody else's
    return wanted
