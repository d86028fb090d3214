"""What the WSGI edge costs a request: the same trivial view, bare and with Tenancy, everything in memory.

``python -m bench.edges`` prints microseconds and Python calls a request for each way to name a tenant. The sides take
turns, and the fastest turn of each counts: what is slower was disturbed. Calls depend on no load. All sides have
Flask-SQLAlchemy, which closes its session after each request.

``--calls`` lists the calls that Tenancy adds, by function.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import EnvironBuilder

from flask_tenant import Tenancy
from flask_tenant.registry import state_of

TENANTS = 50
LIMIT_US = 10.0
"""What the edge may cost a request, in microseconds."""


def _app(url: str, tenanted: bool = True, **config: Any) -> Flask:
    app = Flask("edges")
    app.config.update(config, SECRET_KEY="bench", SQLALCHEMY_DATABASE_URI=url)
    SQLAlchemy(app)

    @app.get("/")
    def index() -> str:
        return "hello"

    if tenanted:
        Tenancy(app)
        state = state_of(app)
        for number in range(TENANTS):
            slug = f"tenant-{number}"
            if state.directory.find(slug) is None:
                state.create(slug, slug)
    return app


def _asker(app: Flask, host: str, path: str) -> Callable[[], None]:
    sample: dict[str, Any] = EnvironBuilder(path=path).get_environ()
    sample["HTTP_HOST"] = host

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        assert status.startswith("200"), status

    def ask() -> None:
        body: Any = app.wsgi_app(dict(sample), start)
        assert b"".join(body) == b"hello"
        close = getattr(body, "close", None)
        if close is not None:
            close()

    return ask


def _best(ask: Callable[[], None], requests: int) -> float:
    start = time.thread_time()  # not what others of the machine take
    for _ in range(requests):
        ask()
    return (time.thread_time() - start) / requests * 1e6


def calls(ask: Callable[[], None]) -> Counter[str]:
    """Return what a request calls: functions written in Python, by file and name.

    The shortest of three: once a second, some request asks the directory for changes.
    """
    found: Counter[str]

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            where = "/".join(Path(code.co_filename).parts[-3:])
            found[f"{where}: {code.co_qualname}"] += 1

    for _ in range(3):
        ask()  # what is looked up once
    requests: list[Counter[str]] = []
    for _ in range(3):
        found = Counter()
        sys.setprofile(note)
        try:
            ask()
        finally:
            sys.setprofile(None)
        requests.append(found)
    return min(requests, key=Counter.total)


@contextmanager
def sides() -> Iterator[dict[str, Callable[[], None]]]:
    """The bare application and those with Tenancy: what sends a request to each."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'edges.db'}"
        host = "tenant-7.example.com"
        yield {
            "bare": _asker(_app(url, tenanted=False), host, "/"),
            "subdomain": _asker(_app(url, TENANT_BASE_DOMAIN="example.com"), host, "/"),
            "path": _asker(
                _app(url, TENANT_BASE_DOMAIN="example.com", TENANT_STRATEGIES=["subdomain", "path"]),
                "example.com",
                "/t/tenant-7/",
            ),
        }


def measure(turns: int, requests: int) -> dict[str, float]:
    """Return microseconds a request: bare, and with each strategy."""
    with sides() as asked:
        for ask in asked.values():
            ask()
        best = dict.fromkeys(asked, float("inf"))
        for _ in range(turns):
            for name, ask in asked.items():
                best[name] = min(best[name], _best(ask, requests))
    return best


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.edges", description=__doc__)
    parser.add_argument("--turns", type=int, default=40, help="of each side")
    parser.add_argument("--requests", type=int, default=300, help="in each turn")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--calls", action="store_true", help="list the calls that are added")
    given = parser.parse_args(arguments)
    with sides() as asked:
        called = {name: calls(ask) for name, ask in asked.items()}
    if given.calls:
        for name, times in (called["subdomain"] - called["bare"]).most_common():
            print(f"{times:4}  {name}")
        print(f"{called['subdomain'].total()} calls, {called['bare'].total()} of them bare")
        return {}
    found = measure(given.turns, given.requests)
    if given.json:
        print(json.dumps(found))
        return found
    for name, micros in found.items():
        more = f"  +{micros - found['bare']:.1f}" if name != "bare" else ""
        times = called[name].total()
        added = f"  +{times - called['bare'].total()}" if name != "bare" else ""
        print(f"{name:12} {micros:7.1f} us{more:8}  {times:4} calls{added}")
    return found


if __name__ == "__main__":
    main()
