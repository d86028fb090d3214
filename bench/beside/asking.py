"""Asks a WSGI application for its views, as often as standard input says. Standard library only: both sides use it."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

HOST = "t7.example.com"
TENANTS = 50
VIEWS = ("/nothing", "/row")


def environ_of(path: str) -> dict[str, Any]:
    """Return what a WSGI server hands over."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": HOST,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def ask(application: Callable[..., Iterable[bytes]], path: str) -> bytes:
    """Send one request, and read and close its response."""
    seen: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append(status)

    body = application(environ_of(path), start_response)
    found = b"".join(body)
    close = getattr(body, "close", None)
    if close is not None:
        close()
    if seen != ["200 OK"]:
        raise RuntimeError(f"{path}: {seen}: {found[:300]!r}")
    return found


def serve(application: Callable[..., Iterable[bytes]]) -> None:
    """Answer lines such as ``/row 100`` with microseconds a request, until there are no more."""
    for path in VIEWS:
        wanted = b"7" if path == "/row" else b"hello"
        if ask(application, path) != wanted:
            raise RuntimeError(f"{path} answers {ask(application, path)!r}")
    print("ready", flush=True)
    for line in sys.stdin:
        path, many = line.split()
        start = time.perf_counter()
        for _ in range(int(many)):
            ask(application, path)
        print((time.perf_counter() - start) / int(many) * 1e6, flush=True)
