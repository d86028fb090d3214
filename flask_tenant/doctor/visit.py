"""Calls one route as one tenant, and looks for the other tenant's canaries in everything that comes of it."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlencode

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from ..model import Tenant
from .advice import advice
from .canary import Canaries, Mark, Owner, other
from .findings import Leak, RouteResult
from .plan import RoutePlan
from .unpack import unzipped
from .watch import Traces, Watch

SECONDS = 10.0
"""How long one call may take."""

MOST_BODY = 5_000_000
"""Bytes of an answer that are read: some never end."""

_LINK = re.compile(r"""["'(=\s>](?:https?://[^/\s"'<>]+)?(/[^"'\s<>)]*)""")
_TOKEN = re.compile(r"[\w-]{4,}\.[\w.-]{10,}|[0-9a-f]{32,}")


class TooLongError(Exception):
    """A call took too long."""


@dataclass(slots=True)
class Answer:
    """What a call came to.

    :param status: 0 when there was none
    """

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header, empty where it is missing."""
        return next((v for k, v in self.headers if k.lower() == name), "")


class Visitor:
    """Calls routes.

    :param hosts: the host name of each tenant
    """

    def __init__(
        self,
        app: Flask,
        tenants: dict[Owner, Tenant],
        hosts: dict[Owner, str],
        canaries: Canaries,
        watch: Watch,
    ) -> None:
        self.app, self.tenants, self.hosts = app, tenants, hosts
        self.canaries, self.watch = canaries, watch
        self.leaks: dict[tuple[str, str], Leak] = {}
        self.marked_files: set[str] = set()
        self.links: dict[Owner, dict[str, None]] = {"A": {}, "B": {}}
        self.tokens: dict[Owner, dict[str, None]] = {"A": {}, "B": {}}
        self.cookies: dict[Owner, dict[Any, Any]] = {"A": {}, "B": {}}

    def client(self, owner: Owner) -> FlaskClient:
        """A browser of a tenant's user, as it was right after logging in."""
        client = self.app.test_client()
        client.environ_base["flask_tenant.doctor.host"] = self.hosts[owner]
        client._cookies = dict(self.cookies[owner])
        return client

    def call(
        self,
        result: RouteResult,
        rule: Rule,
        method: str,
        owner: Owner,
        args: dict[str, Any],
        how: str,
        plan: RoutePlan,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        *,
        anonymous: bool = False,
        quiet: bool = False,
    ) -> Answer:
        """Call a route and look through all that comes of it.

        :param how: what this call is, for the report
        :param quiet: whether to look for leaks at all
        """
        built = rule.build({**(rule.defaults or {}), **args}, append_unknown=False)
        if built is None:
            result.remark(f"no URL could be built with {args}")
            return Answer()
        path = built[1]
        asked = "&".join(part for part in (plan.query, urlencode(query or {})) if part)
        url = f"{path}?{asked}" if asked else path
        client = self.client(owner)
        if anonymous:
            client = self.app.test_client(use_cookies=False)
        sent: dict[str, Any] = {"headers": {**plan.headers, **(headers or {})}}
        if method not in ("GET", "HEAD") and plan.data is not None:
            sent["data"] = plan.data
        if method not in ("GET", "HEAD") and plan.json is not None:
            sent["json"] = plan.json
        before = set(threading.enumerate())
        with self.watch.call(owner, result.route) as traces:
            answer = self._answer(client, owner, method, url, sent, traces)
            _wait_for(set(threading.enumerate()) - before)
        result.calls += 1
        status = str(answer.status or "none")
        result.statuses[status] = result.statuses.get(status, 0) + 1
        for text in traces.refused:
            result.remark(f"the doctor refused {text}")
        for text in (*traces.walls, *traces.errors):
            result.remark(text)
        if not quiet:
            words = unquote_plus(url).lower() + repr(sent).lower()
            self._search(result, owner, f"{method} {url} {how}", words, answer, traces)
        if not anonymous and not quiet:
            self._harvest(owner, answer)
        return answer

    def _answer(
        self, client: FlaskClient, owner: Owner, method: str, url: str, sent: dict[str, Any], traces: Traces
    ) -> Answer:
        response: Any = None
        try:
            with _at_most(SECONDS):
                response = client.open(
                    url,
                    method=method,
                    base_url=f"http://{self.hosts[owner]}/",
                    follow_redirects=False,
                    **sent,
                )
                body = bytearray()
                for chunk in response.iter_encoded():
                    body += chunk
                    if len(body) > MOST_BODY:
                        break
                return Answer(response.status_code, list(response.headers), bytes(body))
        except TooLongError:
            traces.errors.append(f"longer than {SECONDS:.0f} s")
        except HTTPException as error:
            traces.errors.append(f"{type(error).__name__}: {error}")
        except Exception as error:  # the application's own, under PROPAGATE_EXCEPTIONS
            traces.errors.append(f"{type(error).__name__}: {str(error)[:200]}")
        finally:
            if response is not None:
                response.close()
        return Answer()

    # ---- looking for canaries
    def _search(
        self, result: RouteResult, owner: Owner, how: str, sent: str, answer: Answer, traces: Traces
    ) -> None:
        hits = [
            (where, marks)
            for where, data in self._places(answer, traces)
            if (marks := self.canaries.find(data, other(owner), sent))
        ]
        cached = [hit for hit in hits if hit[0].startswith("cache ")]
        if cached:  # what the answer shows came from there
            where = ", ".join(
                where for where, _ in [*cached[:1], *(hit for hit in hits if hit not in cached)]
            )
            hits = [(where, cached[0][1])]
        for where, marks in hits:
            self.leak(result, how, where, marks, advice(where, traces))
        for name in traces.written:
            path = Path(name)
            if path.is_file() and path.stat().st_size < MOST_BODY:
                data = path.read_bytes()
                if self.canaries.find(data, owner):
                    self.marked_files.add(name)
                marks = self.canaries.find(data, other(owner), sent)
                if marks:
                    self.leak(result, how, f"file {path.name}", marks, advice("file", traces))

    @staticmethod
    def _places(answer: Answer, traces: Traces) -> Iterator[tuple[str, bytes | str]]:
        body = unzipped(answer.body, answer.header("content-encoding"))
        if "attachment" in answer.header("content-disposition"):
            yield "download", body
        else:
            yield "body", body
        for name, value in answer.headers:
            if name.lower() == "location":
                yield "redirect", value
            elif name.lower() == "set-cookie":
                yield f"cookie {value.partition('=')[0]}", value
            else:
                yield f"header {name}", value
        yield from traces.texts

    def leak(self, result: RouteResult, how: str, where: str, marks: list[Mark], do: str) -> None:
        """Write a leak down, once for each route and place."""
        words = list(dict.fromkeys(str(mark) for mark in marks))
        what = ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
        self.found(result, how, where, f"canary of {what}", do)

    def has_leaked(self, result: RouteResult) -> bool:
        """Whether a leak of this route is known already."""
        return any(route == result.route for route, _ in self.leaks)

    def found(self, result: RouteResult, how: str, where: str, what: str, do: str) -> None:
        """Write a leak down, once for each route and place."""
        kind = where.partition(" ")[0] if where.startswith(("cache", "file")) else where
        self.leaks.setdefault((result.route, kind), Leak(result.route, result.endpoint, how, where, what, do))

    def _harvest(self, owner: Owner, answer: Answer) -> None:
        if len(self.links[owner]) > 2000 or len(answer.body) > 500_000:
            return
        text = answer.body.decode("utf-8", "replace") + f" {answer.header('location')} "
        for match in _LINK.finditer(text):
            self.links[owner][match.group(1).partition("?")[0]] = None
        for token in _TOKEN.findall(text)[:20]:
            self.tokens[owner][token] = None


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def over(*_: Any) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _wait_for(threads: set[threading.Thread]) -> None:
    """Let background work of a call end, so that what it does is seen."""
    until = time.monotonic() + 2
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
