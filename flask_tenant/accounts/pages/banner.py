"""Above every page of the application, while an operator acts as somebody: who acts as whom, and a way to stop."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask
from flask import Flask, Response
from markupsafe import Markup

from ...translations import Language, gettext, language, speaking
from ..presence import ACTING, KEY

_PLACES = re.compile(
    rb"<!--(?:-?>|.*?--!?>|.*\Z)"  # what stands in comments, scripts and the like is no tag (HTML, section 13.2.5)
    rb"|<(script|style|title|textarea|template)\b.*?(?:</\1\s*>|\Z)"
    rb"|(?P<body><body\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>)"
    rb"|<body\b(?:[^>\"']|\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))*+\Z"  # so that it is gone through once
    rb"|(?P<head></head\s*>)",
    re.IGNORECASE | re.DOTALL,
)
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*+<(?:!doctype|html|head|title|body)\b", re.IGNORECASE | re.DOTALL)

_INFLATED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib calls the encodings that it can undo."""

_PLAIN = ("ACCEPT_ENCODING", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "RANGE")
"""Headers of a request that lead to what has no place for a banner: compressed, from before, or in part."""

_UNREADABLE = Markup(
    '<!doctype html><html lang="{lang}"><title>{heading}</title><body>{banner}<main>'
    "<h1>{heading}</h1><p>{text}</p></main>"
)

FAR_ENOUGH = 64 * 1024
"""Bytes of a streamed page that are held back at most, until its body begins."""


def put_in_place(
    app: Flask, render: Callable[[], str | None], spoken: Callable[[], Language] = language
) -> None:
    """Let an application's pages carry the banner.

    Called when the first request comes: what was registered last sees a response first, before others compress it.

    :param render: returns the banner for this request, or ``None``
    :param spoken: the language of what stands in place of a page that cannot carry it
    """

    def ask() -> None:
        if _kept(ACTING):
            for name in _PLAIN:
                flask.request.environ.pop(f"HTTP_{name}", None)

    def add(response: Response) -> Response:
        if _kept(KEY) and response.mimetype in ("text/html", "application/xhtml+xml"):
            banner = render()
            if banner is not None:
                # Whether a page is asked for, or by a script a part of one, browsers say (Fetch Metadata, section 2.1).
                page = flask.request.headers.get("Sec-Fetch-Dest") == "document"
                with speaking(spoken()):
                    _insert(response, banner.encode("ascii", "xmlcharrefreplace"), page)
        return response

    app.before_request_funcs.setdefault(None, []).insert(0, ask)
    app.after_request_funcs.setdefault(None, []).append(add)


def _kept(name: str) -> Any:
    """What the session keeps, past its own methods: looking is not using. Pages that do not use it may be cached."""
    session: Any = flask.session._get_current_object()  # type: ignore[attr-defined]
    return dict.get(session, name) if isinstance(session, dict) else session.get(name)


def _insert(response: Response, banner: bytes, page: bool) -> None:
    # Neither kept from before, nor shown afterwards.
    response.headers["Cache-Control"] = "no-store"
    for name in ("ETag", "Last-Modified", "Expires"):
        response.headers.pop(name, None)
    encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
    response.direct_passthrough = False
    if encoding != "identity":
        found = _inflated(response.get_data(), encoding)
        response.set_data(_unreadable(banner) if found is None else with_banner(found, banner, page))
    elif response.is_streamed:
        response.headers.pop("Content-Length", None)
        response.response = _streamed(response.response, banner, page)
    else:
        response.set_data(with_banner(response.get_data(), banner, page))


def _unreadable(banner: bytes) -> bytes:
    """What is shown in place of a page that cannot carry the banner."""
    text = gettext(
        "The application has compressed this page by itself, and it cannot be shown while you act as somebody."
    )
    ours = Markup(banner.decode())  # noqa: S704 - rendered by a template that escapes
    page = _UNREADABLE.format(lang=language().tag, heading=gettext("Not to be shown"), text=text, banner=ours)
    return page.encode("ascii", "xmlcharrefreplace")


def _inflated(data: bytes, encoding: str) -> bytes | None:
    """Return what an application has compressed although it was not asked to; ``None`` when that cannot be read."""
    try:
        return zlib.decompress(data, _INFLATED[encoding]) if data else b""
    except (KeyError, zlib.error):
        return None


def with_banner(page: bytes, banner: bytes, whole: bool = False) -> bytes:
    """Return a page with the banner at the beginning of its body. What is no page but a part of one stays as it is.

    :param whole: whether it is known to be a page, whatever it looks like
    """
    found, _ = _place(page)
    if found is not None:
        return page[:found] + banner + page[found:]
    return page + banner if whole or _PAGE.match(page) else page


def _place(page: bytes) -> tuple[int | None, bool]:
    """Return where the body begins, else where the head ends; and whether that is the body."""
    end = None
    for found in _PLACES.finditer(page):
        if found["body"]:
            return found.end(), True
        if found["head"] and end is None:
            end = found.end()
    return end, False


def _streamed(chunks: Iterable[Any], banner: bytes, page: bool) -> Iterator[bytes]:
    held, waiting = b"", True
    try:
        for chunk in chunks:
            chunk = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
            if not waiting:
                yield chunk
                continue
            held += chunk
            if _place(held)[1] or len(held) > FAR_ENOUGH:
                waiting = False
                yield with_banner(held, banner, page)
        if waiting:
            yield with_banner(held, banner, page)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
