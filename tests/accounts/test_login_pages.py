"""Logging in and out with a password: what strangers learn, what is left of the session before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache
from flask import Flask
from flask_session import Session

from tests.accounts.site import ANNA, BERT, CARL, PASSWORD, Browser, accounts_of, box_of, make_site
from tests.statements import statements_of


@contextmanager
def counted(app: Flask) -> Iterator[dict[str, Any]]:
    """Count what is done for a request: statements by kind, and hashes that are compared."""
    engine = app.extensions["sqlalchemy"].engine
    found: dict[str, Any] = {"sql": []}
    passwords = accounts_of(app).people.passwords
    before = passwords.compared

    try:
        with statements_of(engine) as found["sql"]:
            yield found
    finally:
        found["hashes"] = passwords.compared - before


def _clean(text: str, typed: str) -> str:
    """A page without what differs from visitor to visitor."""
    return re.sub(r'name="csrf" value="[^"]+"', "", text.replace(typed, "…"))


def test_a_refused_log_in_tells_nothing(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Unknown address, member of another tenant, wrong password: the same page, the same work."""
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    assert engine is not None
    tries = [("nobody@mail.example", "wrong" * 3), (ANNA, "wrong" * 3), (CARL, "wrong" * 3)]
    seen = []
    for email, password in tries:
        browser = Browser(app)
        token = browser.csrf("/login")
        with app.app_context(), counted(app) as work:
            answer = browser.raw("/login/local", {"csrf": token, "username": email, "password": password})
        seen.append((answer.status_code, _clean(answer.text, email), len(work["sql"]), work["hashes"]))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == 403
    assert seen[0][3] == 1
    assert len(seen[0][1]) > 500
    assert caplog.text.count("Log-in refused at tenant 1") == 3


def test_somebody_elses_member_is_refused_with_the_right_password(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(app)
    answer = browser.log_in(CARL)
    assert answer.status_code == 403
    assert _clean(answer.text, CARL) == _clean(
        Browser(app).log_in("nobody@mail.example").text, "nobody@mail.example"
    )
    assert "no-member" in caplog.text
    assert browser.get("//").status_code == 401


def test_too_many_attempts(app: Flask) -> None:
    browser = Browser(app)
    answers = [browser.log_in(BERT, f"wrong number {n}").status_code for n in range(11)]
    assert answers == [403] * 10 + [429]
    late = browser.log_in(BERT)
    assert late.status_code == 429  # even with the right one
    assert int(late.headers["Retry-After"]) > 0
    assert Browser(app, "bella.localhost").log_in(BERT).status_code == 429  # it is the same password there
    unknown = Browser(app)
    for n in range(10):
        unknown.log_in("nobody@mail.example", f"wrong number {n}")
    strange = unknown.log_in("nobody@mail.example")
    assert (strange.status_code, _clean(strange.text, "nobody@mail.example")) == (
        429,
        _clean(late.text, BERT),
    )


def test_a_log_in_leaves_nothing_of_the_session_before(app: Flask) -> None:
    browser = Browser(app)
    token = browser.csrf("/login")
    browser.log_in()
    kept = browser.get("//session").json
    assert set(kept) == {"_tenancy_login"}
    refused = browser.raw("/logout", {"csrf": token})
    assert refused.status_code == 400  # the token of the session before
    assert browser.get("//").status_code == 200


@pytest.fixture
def stored(tmp_path: Path) -> Flask:
    """An application whose server keeps the sessions."""
    app = make_site(tmp_path)
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path / "sessions")))
    Session(app)
    return app


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_session_that_somebody_else_has_chosen_is_not_logged_in(stored: Flask) -> None:
    attacker, victim = Browser(stored), Browser(stored)
    attacker.get("/login")
    planted = attacker.client.get_cookie("session", domain="acme.localhost")
    assert planted is not None
    victim.client.set_cookie("session", planted.value, domain="acme.localhost")
    assert victim.log_in().status_code == 303
    assert victim.get("//").status_code == 200
    mine = victim.client.get_cookie("session", domain="acme.localhost")
    assert mine is not None
    assert mine.value != planted.value
    assert attacker.get("//").status_code == 401


def test_a_cookie_is_worth_nothing_at_another_tenant(app: Flask) -> None:
    browser = Browser(app)
    browser.log_in()
    cookie = browser.client.get_cookie("session", domain="acme.localhost")
    assert cookie is not None
    for host in ("bella.localhost", "localhost"):
        thief = Browser(app, host)
        thief.client.set_cookie("session", cookie.value, domain=host)
        assert thief.get("/sessions").headers["Location"].startswith("/_tenant/login")
    again = Browser(app)
    again.client.set_cookie("session", cookie.value, domain="acme.localhost")
    assert again.get("/sessions").status_code == 200  # or the test above would prove nothing


def test_a_log_out_is_one_everywhere(app: Flask) -> None:
    browser = Browser(app)
    browser.log_in()
    cookie = browser.client.get_cookie("session", domain="acme.localhost")
    assert cookie is not None
    assert browser.post("/logout", page="/logout").headers["Location"] == "/_tenant/logged-out"
    assert browser.get("/logged-out").status_code == 200
    copy = Browser(app)
    copy.client.set_cookie("session", cookie.value, domain="acme.localhost")
    assert copy.get("//").status_code == 401


def test_a_link_logs_nobody_out(anna: Browser) -> None:
    assert anna.get("/logout").status_code == 200
    assert anna.get("//").status_code == 200


# ---- a new password
def test_a_new_password(app: Flask) -> None:
    accounts = accounts_of(app)
    person = accounts.people.create("dora@mail.example", "Dora", PASSWORD)
    accounts.people.add(1, person.id, name="Dora", email="dora@mail.example")
    old, browser = Browser(app), Browser(app)
    old.log_in("dora@mail.example")
    browser.post("/reset", page="/reset", email="Dora@Mail.example")
    (mail,) = box_of(app).mails
    assert (mail["to"], mail["template"], mail["tenant"]) == ("dora@mail.example", "reset", "acme")
    assert mail["url"].startswith("http://acme.localhost/_tenant/reset/")
    path = mail["url"].removeprefix("http://acme.localhost/_tenant")
    assert browser.get(path).status_code == 200
    assert browser.get(path).status_code == 200  # programs look at links in mails
    assert Browser(app, "bella.localhost").get(path).status_code == 410
    short = browser.post(path, page=path, password="short")
    assert short.status_code == 400
    assert "12" in short.text
    again = re.search(r'action="/_tenant(/reset/[^"]+)"', short.text)
    assert again is not None
    done = browser.post(again[1], page=again[1], password="a quite different one")
    assert done.headers["Location"] == "/_tenant/login"
    assert old.get("//").status_code == 401
    assert browser.get(path).status_code == 410
    assert browser.post(again[1], page="/login", password="somebody else's one").status_code == 410
    assert browser.log_in("dora@mail.example").status_code == 403
    assert browser.log_in("dora@mail.example", "a quite different one").status_code == 303


def test_links_from_before_a_new_password_are_not_good_any_more(app: Flask) -> None:
    """Whoever reads somebody's mail keeps no way back in."""
    accounts = accounts_of(app)
    person = accounts.people.create("nina@mail.example", "Nina", PASSWORD)
    accounts.people.add(1, person.id, name="Nina", email="nina@mail.example")
    browser = Browser(app)
    for _ in range(3):
        browser.post("/reset", page="/reset", email="nina@mail.example")
    first, second, third = (
        mail["url"].removeprefix("http://acme.localhost/_tenant") for mail in box_of(app).mails
    )
    assert browser.post(second, page=second, password="a quite different one").status_code == 303
    assert browser.get(first).status_code == browser.post(third, password="mine, all mine").status_code == 410
    assert Browser(app).log_in("nina@mail.example", "a quite different one").status_code == 303
    accounts.people.set_password(person.id, PASSWORD)  # by other means
    assert browser.get(first).status_code == 410


def test_asking_for_a_new_password_tells_nothing(app: Flask) -> None:
    """The answer is complete before anybody looks whether there is an account."""
    seen = []
    for email in (BERT, "nobody@mail.example", CARL):
        browser = Browser(app)
        token = browser.csrf("/reset")
        with app.app_context(), counted(app) as work:
            answer = browser.client.post(
                "/_tenant/reset", data={"csrf": token, "email": email}, base_url=browser.base
            )
            until_sent = len(work["sql"])
            text = answer.text
            answer.close()
        seen.append((answer.status_code, _clean(text, email), until_sent))
    assert seen[0] == seen[1] == seen[2]
    assert [mail["to"] for mail in box_of(app).mails] == [BERT]


@pytest.mark.parametrize("host", ["acme.evil.example", "acme.localhost.evil.example"])
def test_no_secret_is_mailed_with_a_link_that_leads_elsewhere(tmp_path: Path, host: str) -> None:
    """Without a base domain, any host with the tenant's label in front is the tenant's."""
    app = make_site(tmp_path, TENANT_BASE_DOMAIN=None)
    browser = Browser(app, host)
    browser.post("/reset", page="/reset", email=BERT)
    assert box_of(app).mails == []
    local = Browser(app)
    local.post("/reset", page="/reset", email=BERT)
    assert [mail["url"].split("/_tenant")[0] for mail in box_of(app).mails] == ["http://acme.localhost"]
