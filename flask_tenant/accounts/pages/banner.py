"""Above every page of the application, while an operator acts as somebody: who acts as whom, and a way to stop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask
from flask import Flask, Response

from ..presence import KEY

_BODY = re.compile(rb"<body\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
_HEAD = re.compile(rb"</head\s*>", re.IGNORECASE)
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|title|body)\b", re.IGNORECASE | re.DOTALL)

FAR_ENOUGH = 64 * 1024
"""Bytes of a streamed page that are held back at most, until its body begins."""


def put_in_place(app: Flask, render: Callable[[], str | None]) -> None:
    """Let an application's pages carry the banner.

    Called when the first request comes: what was registered last sees a response first, before others compress it.

    :param render: returns the banner for this request, or ``None``
    """

    def add(response: Response) -> Response:
        # Past the session's own methods: looking is not using, and pages that do not use it may be cached.
        session: Any = flask.session._get_current_object()  # type: ignore[attr-defined]
        logged_in = dict.get(session, KEY) if isinstance(session, dict) else session.get(KEY)
        if logged_in and response.mimetype in ("text/html", "application/xhtml+xml"):
            banner = render()
            if banner is not None:
                _insert(response, banner.encode("ascii", "xmlcharrefreplace"))
        return response

    app.after_request_funcs.setdefault(None, []).append(add)


def _insert(response: Response, banner: bytes) -> None:
    # Neither kept from before, nor shown afterwards.
    response.headers["Cache-Control"] = "no-store"
    for name in ("ETag", "Last-Modified", "Expires"):
        response.headers.pop(name, None)
    if response.is_streamed:
        response.direct_passthrough = False
        response.headers.pop("Content-Length", None)
        response.response = _streamed(response.response, banner)
    else:
        response.set_data(with_banner(response.get_data(), banner))


def with_banner(page: bytes, banner: bytes) -> bytes:
    """Return a page with the banner at the beginning of its body. What is no page but a part of one stays as it is."""
    found = _BODY.search(page) or _HEAD.search(page)
    if found is not None:
        return page[: found.end()] + banner + page[found.end() :]
    return page + banner if _PAGE.match(page) else page


def _streamed(chunks: Iterable[Any], banner: bytes) -> Iterator[bytes]:
    held, waiting = b"", True
    try:
        for chunk in chunks:
            chunk = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
            if not waiting:
                yield chunk
                continue
            held += chunk
            found = _BODY.search(held)
            if found is not None or len(held) > FAR_ENOUGH:
                waiting = False
                yield with_banner(held, banner)
        if waiting:
            yield with_banner(held, banner)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
