"""A provider that is down, hangs, drips, floods or talks nonsense costs its own log-ins a bounded time."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from flask_tenant.errors import ProviderUnavailableError
from flask_tenant.identity import Attempt
from flask_tenant.login.breaker import FAILURES, REST_SECONDS
from flask_tenant.login.oidc import Oidc, client, transport
from tests.login.oidc.hostile import CALLBACK, SUBJECT, Hostile, Login, refuse, reply
from tests.services.redis import free_port

pytestmark = pytest.mark.timed

LIMIT = 0.25
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hanging answers wait for; opened in the end."""
    event = threading.Event()
    yield event
    event.set()


def unavailable(work: Callable[[], Any], match: str | None = None) -> None:
    """Make sure that it is refused, and in time: only what is attacked is short of it, or a busy machine would be."""
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "SECONDS", LIMIT)
        with pytest.raises(ProviderUnavailableError, match=match):
            work()
    assert time.monotonic() - began < LIMIT + 3


def begins(handler: BaseHTTPRequestHandler, **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


PATHS = ["/.well-known/openid-configuration", "/token", "/keys", "/me"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", ["hangs", "drips", "drips its headers", "hangs up", "500", "429", "redirects",
                                 "floods", "compressed", "no JSON", "a list", "no HTTP"])  # fmt: skip
def test_whatever_it_does(hostile: Hostile, kind: Oidc, gate: threading.Event, path: str, how: str) -> None:
    def drip(handler: BaseHTTPRequestHandler, part: bytes) -> None:
        while not gate.wait(0.05):
            try:
                handler.wfile.write(part)
                handler.wfile.flush()
            except OSError:
                return

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        begins(handler, Content_Length="100000")
        drip(handler, b" ")

    def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        drip(handler, b"X: y\r\n")

    def flooding(handler: BaseHTTPRequestHandler) -> None:
        begins(handler, Connection="close")
        try:
            while not gate.is_set():
                handler.wfile.write(b" " * 65536)
        except OSError:
            pass
        handler.close_connection = True

    def raw(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\0\1\2 hello\r\n\r\n")
        handler.close_connection = True

    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    answers: dict[str, Answer] = {
        "hangs": lambda handler: (gate.wait(), None)[1],
        "drips": dripping,
        "drips its headers": dripping_headers,
        "hangs up": hang_up,
        "500": lambda handler: reply(handler, 500, b"{}"),
        "429": lambda handler: reply(handler, 429, b"{}"),
        "redirects": lambda handler: reply(handler, 307, b"", Location=f"{hostile.issuer}/elsewhere"),
        "floods": flooding,
        "compressed": lambda handler: reply(handler, 200, b"x" * 10, Content_Encoding="gzip"),
        "no JSON": lambda handler: reply(handler, 200, b"<html>"),
        "a list": lambda handler: reply(handler, 200, b"[" * 5000 + b"]" * 5000),
        "no HTTP": raw,
    }
    row = hostile.provider()
    hostile.claims = {"email": None}  # so that userinfo is asked
    if path == PATHS[0]:
        hostile.answers[path] = answers[how]
        unavailable(lambda: Login(hostile, kind.open(row)))
    else:
        login = Login(hostile, kind.open(row))
        hostile.answers[path] = answers[how]
        unavailable(login.finish)
    assert "/elsewhere" not in [asked[0] for asked in hostile.asked]
    # and it works again by itself
    gate.set()
    hostile.answers.clear()
    assert Login(hostile, kind.open(row)).finish().identity.subject == SUBJECT


@pytest.mark.parametrize("status", [400, 403, 406, 414])
def test_what_a_visitor_sends_as_a_code_takes_no_provider_down(
    hostile: Hostile, kind: Oidc, status: int
) -> None:
    """A guard before it that refuses strange codes with a page of its own: everybody else goes on logging in."""
    row = hostile.provider()
    hostile.answers["/token"] = lambda handler: reply(
        handler, status, b"<html>Blocked", Content_Type="text/html"
    )
    for _ in range(FAILURES + 1):
        login = Login(hostile, kind.open(row))
        login.answer["code"] = "' OR 1=1 --"
        refuse(login, "code")
    hostile.answers.clear()
    assert Login(hostile, kind.open(row)).finish().identity.subject == SUBJECT


def test_a_chunked_answer_is_read(hostile: Hostile, kind: Oidc) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        begins(handler, Transfer_Encoding="chunked")
        for part in json.dumps(hostile.document()).partition(","):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part.encode()))
        handler.wfile.write(b"0\r\n\r\n")

    hostile.answers[PATHS[0]] = chunked
    assert Login(hostile, kind.open(hostile.provider())).finish().identity.subject == SUBJECT


def test_a_compressed_answer_is_not_read(hostile: Hostile, kind: Oidc) -> None:
    body = json.dumps(hostile.document()).encode()
    hostile.answers[PATHS[0]] = lambda handler: reply(handler, 200, body, Content_Encoding="br")
    unavailable(lambda: kind.open(hostile.provider()).begin(Attempt(CALLBACK)), "compressed")


def test_what_drips_is_left_alone_in_the_end(hostile: Hostile, kind: Oidc, gate: threading.Event) -> None:
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        begins(handler, Content_Length="100000")
        with contextlib.suppress(OSError):
            while not gate.wait(0.05):
                handler.wfile.write(b" ")

    hostile.answers[PATHS[0]] = dripping
    unavailable(lambda: kind.open(hostile.provider()).begin(Attempt(CALLBACK)))
    deadline = time.monotonic() + 5
    while any(thread.name == "flask_tenant-login" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "it is still being read"
        time.sleep(0.01)


def test_it_has_moved(hostile: Hostile, kind: Oidc) -> None:
    row = hostile.provider()
    login = Login(hostile, kind.open(row))
    hostile.discovery = {"jwks_uri": f"{hostile.issuer}/elsewhere/keys"}
    hostile.answers["/keys"] = lambda handler: reply(handler, 404, b"{}")
    hostile.answers["/elsewhere/keys"] = lambda handler: reply(
        handler, 200, json.dumps(hostile.keys).encode()
    )
    unavailable(login.finish, "404")
    assert Login(hostile, kind.open(row)).finish().identity.subject == SUBJECT


def test_nobody_listens(hostile: Hostile, kind: Oidc) -> None:
    issuer = f"http://127.0.0.1:{free_port()}"
    row = hostile.provider(authority=issuer, settings={"issuer": issuer})
    unavailable(lambda: kind.open(row).begin(Attempt(CALLBACK)), "cannot be reached")


def test_looking_up_its_name_hangs(
    hostile: Hostile, kind: Oidc, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_more: gate.wait())
    unavailable(lambda: kind.open(hostile.provider()).begin(Attempt(CALLBACK)), "has not answered within")


def test_a_dead_provider_is_not_asked_by_everybody(
    hostile: Hostile, kind: Oidc, gate: threading.Event, clock: Any
) -> None:
    row = hostile.provider()
    hostile.answers[PATHS[0]] = lambda handler: (gate.wait(), None)[1]
    for _ in range(FAILURES):
        unavailable(lambda: kind.open(row).begin(Attempt(CALLBACK)))
    asked = len(hostile.asked)
    began = time.monotonic()
    for _ in range(50):
        unavailable(lambda: kind.open(row).begin(Attempt(CALLBACK)), "tried again in")
    assert time.monotonic() - began < 10 * LIMIT, "nobody waits"
    assert len(hostile.asked) == asked
    # another tenant's provider at the very same server has a fate of its own
    gate.set()
    hostile.answers.clear()
    other = kind.open(hostile.provider(tenant_id=2, id=8))
    assert Login(hostile, other).finish().identity.subject == SUBJECT
    unavailable(lambda: kind.open(row).begin(Attempt(CALLBACK)), "tried again in")
    clock.ahead += REST_SECONDS + 1
    assert Login(hostile, kind.open(row)).finish().identity.subject == SUBJECT


def test_logging_out_does_not_wait_for_a_dead_provider(
    hostile: Hostile, kind: Oidc, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LEAVE_SECONDS", LIMIT)
    hostile.answers[PATHS[0]] = lambda handler: (gate.wait(), None)[1]
    began = time.monotonic()
    assert kind.open(hostile.provider()).leave("hint", "https://acme.example.com/") is None
    assert time.monotonic() - began < LIMIT + 1


def test_an_answer_may_be_as_long_as_it_may_be(
    hostile: Hostile, kind: Oidc, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = len(json.dumps(hostile.document()))
    monkeypatch.setattr(transport, "LARGEST", length)
    kind.open(hostile.provider()).begin(Attempt(CALLBACK))
    monkeypatch.setattr(transport, "LARGEST", length - 1)
    unavailable(lambda: kind.open(hostile.provider(id=9)).begin(Attempt(CALLBACK)), "more than")
