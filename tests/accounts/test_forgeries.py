"""A hostile provider and a whole site: what is refused is refused on the page, with one sentence for all, and the log
has the reason.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from werkzeug.test import TestResponse

from flask_tenant.accounts.pages.login import REFUSED
from flask_tenant.registry import state_of
from tests.accounts.site import Browser, accounts_of, make_site
from tests.login.oidc.hostile import CLIENT, SECRET, SUBJECT, Hostile, said
from tests.login.oidc.test_claims import CLAIMS
from tests.login.oidc.test_signatures import _encoded


@pytest.fixture(scope="module")
def hostile_server() -> Iterator[Hostile]:
    server = Hostile()
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory, hostile_server: Hostile) -> Iterator[Flask]:
    limits = {"login.network": "1000 per hour", "begin.network": "1000 per hour"}
    app = make_site(tmp_path_factory.mktemp("forgeries"), TENANT_LOGIN_LIMITS=limits)
    tenant, issuer = state_of(app).directory.get("acme"), hostile_server.issuer
    settings = {"issuer": issuer, "client_id": CLIENT}
    accounts_of(app).providers.add(
        tenant, "corp", "oidc", settings, {"client_secret": SECRET}, label="Corp", joins=True
    )
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def hostile(hostile_server: Hostile) -> Hostile:
    hostile_server.reset()
    return hostile_server


def log_in(app: Flask, hostile: Hostile, **bent: str) -> tuple[TestResponse, Browser]:
    """Begin at our page, and come back with what the provider makes of it."""
    browser = Browser(app)
    begun = browser.get("/login/corp")
    assert begun.status_code == 302, begun.text
    sent = {name: value[0] for name, value in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
    hostile.nonce = sent["nonce"]
    answer = {"code": "c0de", "state": sent["state"], "iss": hostile.issuer, **bent}
    return browser.get("/callback/corp", query_string=answer), browser


def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_encoded({**header, 'alg': 'none'})}.{_encoded(claims)}."


def _with_the_secret(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode({**header, "alg": "HS256"}, claims, OctKey.import_key(SECRET), ["HS256"])


def _by_a_stranger(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode(header, claims, ECKey.generate_key("P-256"), ["ES256"])


SIGNATURES: list[tuple[str, Callable[..., str], str]] = [
    ("alg none", _unsigned, "algorithm"),
    ("HS256 with the client's secret", _with_the_secret, "algorithm"),
    ("somebody else's signature", _by_a_stranger, "signature"),
]


def test_what_is_forged_is_refused_on_the_page_and_told_to_the_log_alone(
    app: Flask, hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    answer, browser = log_in(app, hostile)
    assert (answer.status_code, browser.get("//").status_code) == (303, 200), "it works without an attack"
    tried: list[tuple[str, dict[str, Any], str]] = [
        *((name, {"claims": said(claims, hostile)}, reason) for name, claims, reason in CLAIMS),
        *((name, {"sign": sign}, reason) for name, sign, reason in SIGNATURES),
        ("another state", {"answer": {"state": "another"}}, "state"),
        ("mix-up", {"answer": {"iss": "https://evil.example"}}, "issuer-parameter"),
    ]
    told = set()
    before = accounts_of(app).sessions.of(1)
    for name, bent, reason in tried:
        hostile.reset()
        hostile.claims, hostile.sign = bent.get("claims", {}), bent.get("sign", hostile.honestly)
        caplog.clear()
        answer, browser = log_in(app, hostile, **bent.get("answer", {}))
        assert answer.status_code == 403, name
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith(f"Log-in refused at tenant 1 through 'corp' from 127.0.0.1: {reason} ("), name
        assert browser.get("//").status_code == 401, name
        told.add(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(tried) > 35
    assert len(told) == 1, "somebody is told more than others"
    assert REFUSED in told.pop()
    assert accounts_of(app).sessions.of(1) == before


def test_nobody_writes_lines_into_the_log(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may send a token to where a provider's server sends them, and name any key in it."""
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    evil = "x\nWARNING root: all is well\x1b[2J"
    for header in ({"alg": "ES256", "kid": evil}, {"alg": evil}, {"alg": "ES256", "typ": evil}):
        token = f"{_encoded(header)}.{_encoded({'sub': SUBJECT})}.AAAA"
        assert Browser(app).raw("/backchannel/corp", {"logout_token": token}).status_code == 400
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert [line for line in lines if "all is well" in line]
    assert all(line.isprintable() for line in lines)


def test_beginning_too_often(app: Flask, hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = accounts_of(app).throttle
    monkeypatch.setitem(throttle._limits, "begin.network", type(throttle)(
        state_of(app).directory.connect, state_of(app).directory.tables, {"begin.network": "2 per hour"}
    )._limits["begin.network"])  # fmt: skip
    answers = [Browser(app).get("/login/corp") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [302, 302, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "too many" in answers[-1].text


def test_a_cookie_that_no_other_site_brings_along(
    app: Flask, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SameSite=Strict, what follows a provider's redirect comes without it: the way has to begin anew, here."""
    monkeypatch.setitem(app.config, "SESSION_COOKIE_SAMESITE", "Strict")
    answer, browser = log_in(app, hostile)
    assert (answer.status_code, answer.headers["Refresh"]) == (200, "0; url=/")
    assert 'href="/"' in answer.text
    assert "SameSite=Strict" in str(answer.headers.getlist("Set-Cookie"))
    assert browser.get("//").status_code == 200
    answer, _ = log_in(app, hostile, state="another")
    assert answer.status_code == 403


def test_an_invitation_goes_along_and_cannot_be_read_on_the_way(app: Flask, hostile: Hostile) -> None:
    """Whoever reads the database could accept it: of secrets of ours it has hashes, or what nobody else can decrypt."""
    people, directory = accounts_of(app).people, state_of(app).directory
    _, secret = people.invite(1, "new@mail.example", ["agent"])
    hostile.claims = {"sub": "somebody-new", "name": "New"}
    browser = Browser(app)
    sent = parse_qs(urlsplit(browser.get(f"/login/corp?invitation={secret}").headers["Location"]).query)
    with directory.connect() as connection:
        # Each value by itself: a row that is shown as a whole is cut short.
        rows = [
            str(value) for row in connection.execute(directory.tables.people.ticket.select()) for value in row
        ]
    assert any(sent["nonce"][0] in value for value in rows), "the row is not there"
    assert not any(secret in value for value in rows)
    hostile.nonce = sent["nonce"][0]
    answer = {"code": "c0de", "state": sent["state"][0], "iss": hostile.issuer}
    assert browser.get("/callback/corp", query_string=answer).status_code == 303
    assert [member.roles for member in people.members(1) if member.name == "New"] == [{"agent"}]
