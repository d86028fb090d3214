"""Logging in and out, step by step."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cachelib.file import FileSystemCache
from flask import Flask
from flask.testing import FlaskClient
from flask_session import Session

from flask_tenant.accounts import current_member
from flask_tenant.errors import AuditError
from flask_tenant.expressions import Kind
from flask_tenant.identity import Provider
from tests.accounts.app.conftest import PASSWORD, MakeSite, Site, at, me

pytestmark = pytest.mark.databases("sqlite")


def cookie(client: FlaskClient, slug: str, name: str = "session") -> str:
    found = client.get_cookie(name, domain=f"{slug}.example.test")
    assert found is not None
    return found.value


def corp(site: Site, slug: str, issuer: str = "https://idp.example", **more: Any) -> Provider:
    """Let a tenant have a provider beside passwords."""
    tenant = site.tenant(slug)
    found = Provider(tenant.id, tenant.id, "corp", "oidc", "Corp", issuer, **more)
    site.ways.rows[tenant.id] = [*site.ways.of(tenant), found]
    return found


def test_in_and_out(site: Site, browser: FlaskClient) -> None:
    ada = site.member("ada", "acme", roles=("clerk",))
    assert me(browser, "acme") is None
    assert site.log_in(browser, "acme", "ada") == 200
    found = me(browser, "acme")
    assert (found["person"], found["tenant"], found["roles"]) == (ada, site.tenant("acme").id, ["clerk"])
    assert me(browser, "bella") is None
    assert browser.post(at("acme", "/out")).json is True
    assert me(browser, "acme") is None
    assert browser.post(at("acme", "/out")).json is False
    assert site.trail.actions()[-2:] == ["login.succeeded", "logout"]
    with site.app.app_context():
        assert current_member() is None  # nobody, and no error


def test_what_was_in_the_browser_before_is_gone(site: Site, browser: FlaskClient) -> None:
    """Session fixation: who has planted a session does not have the one that is logged in."""
    site.member("ada", "acme")
    assert "planted" in browser.post(at("acme", "/planted")).json
    planted = cookie(browser, "acme")
    site.log_in(browser, "acme", "ada")
    assert "planted" not in browser.get(at("acme", "/planted")).json
    assert cookie(browser, "acme") != planted
    thief = site.app.test_client()
    thief.set_cookie("session", planted, domain="acme.example.test")
    assert me(thief, "acme") is None


def test_a_session_that_a_server_keeps_gets_another_id(make_site: MakeSite, tmp_path: Any) -> None:
    def kept(app: Flask) -> None:
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path)))
        Session(app)

    site = make_site(kept)
    site.member("ada", "acme")
    browser, thief = site.app.test_client(), site.app.test_client()
    assert "planted" in browser.post(at("acme", "/planted")).json
    planted = cookie(browser, "acme")
    thief.set_cookie("session", planted, domain="acme.example.test")
    assert site.log_in(browser, "acme", "ada") == 200
    assert cookie(browser, "acme") != planted
    assert me(browser, "acme") is not None
    assert me(thief, "acme") is None
    logged_in = cookie(browser, "acme")
    browser.post(at("acme", "/out"))
    thief.set_cookie("session", logged_in, domain="acme.example.test")
    assert me(thief, "acme") is None


def test_a_cookie_from_before_the_log_out_is_nobodys(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.log_in(browser, "acme", "ada")
    stolen = cookie(browser, "acme")
    thief = site.app.test_client()
    thief.set_cookie("session", stolen, domain="acme.example.test")
    assert me(thief, "acme") is not None  # that is what a stolen cookie is, until it is ended
    browser.post(at("acme", "/out"))
    assert me(thief, "acme") is None


def test_a_cookie_is_nobodys_at_another_tenant(
    site: Site, browser: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Even of somebody who belongs to both."""
    site.member("ada", "acme", "bella")
    site.log_in(browser, "acme", "ada")
    for domain in ("bella.example.test", "example.test"):
        browser.set_cookie("session", cookie(browser, "acme"), domain=domain)
    assert me(browser, "acme") is not None
    assert me(browser, "bella") is me(browser, "") is None
    assert "replayed" in caplog.text


def test_two_tenants_side_by_side_in_one_browser(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.member("bob", "bella")
    site.log_in(browser, "acme", "ada")
    site.log_in(browser, "bella", "bob")
    assert me(browser, "acme")["person"] != me(browser, "bella")["person"]
    browser.post(at("acme", "/out"))
    assert me(browser, "acme") is None
    assert me(browser, "bella") is not None


def test_a_second_log_in_ends_the_first(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.member("bob", "acme")
    site.log_in(browser, "acme", "ada")
    first = cookie(browser, "acme")
    site.log_in(browser, "acme", "bob")
    assert len(site.accounts.sessions.of(site.tenant("acme").id)) == 1
    thief = site.app.test_client()
    thief.set_cookie("session", first, domain="acme.example.test")
    assert me(thief, "acme") is None


def test_what_another_server_does_holds_at_once(make_site: MakeSite) -> None:
    site, other = make_site(), make_site()
    ada = site.member("ada", "acme", roles=("clerk",))
    acme, browser = site.tenant("acme").id, site.app.test_client()
    site.log_in(browser, "acme", "ada")
    other.accounts.people.set_roles(acme, ada, ["chief"])
    assert me(browser, "acme")["roles"] == ["chief"]
    other.accounts.sessions.end(me(browser, "acme")["digest"], acme)
    assert me(browser, "acme") is None
    site.log_in(browser, "acme", "ada")
    other.accounts.people.suspend(acme, ada)
    assert me(browser, "acme") is None
    assert site.log_in(browser, "acme", "ada") == 403
    other.accounts.people.resume(acme, ada)
    site.log_in(browser, "acme", "ada")
    other.accounts.people.set_password(ada, "another password")
    assert me(browser, "acme") is None
    assert site.log_in(browser, "acme", "ada") == 403
    assert site.log_in(browser, "acme", "ada", "another password") == 200
    other.accounts.people.remove(acme, ada)
    assert me(browser, "acme") is None


def test_requests_in_one_application_context_are_told_apart(site: Site, browser: FlaskClient) -> None:
    """As test-suites make them."""
    site.member("ada", "acme")
    with site.app.app_context():
        site.log_in(browser, "acme", "ada")
        digest = me(browser, "acme")["digest"]
        site.accounts.sessions.end(digest)
        assert me(browser, "acme") is None


def test_a_log_in_that_cannot_be_written_down_is_none(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")

    def broken(*args: Any, **more: Any) -> None:
        raise AuditError("The trail is full")

    site.accounts.audit = broken
    assert site.log_in(browser, "acme", "ada") == 500
    assert me(browser, "acme") is None


def test_a_log_out_does_not_fail_for_a_key_that_is_gone(site: Site, browser: FlaskClient) -> None:
    corp(site, "acme", joins=True)
    state = browser.get(at("acme", "/to/corp")).text
    answer = {"state": state, "subject": "ada", "name": "Ada", "hint": "the ID token"}
    browser.get(at("acme", "/back/corp"), query_string=answer)
    digest = me(browser, "acme")["digest"]
    assert site.accounts.sessions.hint(digest) == "the ID token"
    with site.state.directory.connect() as connection:
        assert "the ID token" not in str(
            connection.execute(sa.text("SELECT hint FROM tenancy_login_session")).all()
        )
        connection.execute(sa.text("UPDATE tenancy_login_session SET hint = 'of another key'"))
    assert browser.post(at("acme", "/out")).json is True
    assert me(browser, "acme") is None


def test_a_session_that_is_used_goes_on(
    site: Site, browser: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    site.member("ada", "acme")
    site.log_in(browser, "acme", "ada")
    sessions, acme = site.accounts.sessions, site.tenant("acme").id
    (opened,) = sessions.of(acme)
    late = opened.opened_at + timedelta(minutes=119)
    sessions._clock = lambda: late
    assert me(browser, "acme") is not None
    (used,) = sessions.of(acme)
    assert used.seen_at == late
    sessions._clock = lambda: late + timedelta(minutes=119)
    with pytest.MonkeyPatch.context() as patch:
        failing = sa.exc.OperationalError("UPDATE", {}, Exception("database is locked"))
        patch.setattr(sessions, "touch", lambda session: (_ for _ in ()).throw(failing))
        assert me(browser, "acme") is not None  # a request does not fail for it
        assert "could not be noted" in caplog.text
    sessions._clock = lambda: late + timedelta(minutes=120)
    assert me(browser, "acme") is None


def test_refusals_are_alike_outside_and_told_apart_inside(
    site: Site, browser: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong password, nobody's address, somebody else's tenant: the same work, and a reason in the log."""
    site.member("ada", "acme")
    site.member("bob", "bella")
    passwords = site.accounts.people.passwords
    heard: list[Any] = []
    site.state.tenancy.events._observe = lambda name, facts, tenant: heard.append((name, facts, tenant.slug))
    for name, password, reason in (
        ("ada", "wrong password", "password"),
        ("nobody", PASSWORD, "password"),
        ("bob", PASSWORD, "no-member"),
    ):
        caplog.clear()
        before = passwords.compared
        assert site.log_in(browser, "acme", name, password) == 403
        assert passwords.compared == before + 1
        (refused,) = (r for r in caplog.records if r.name == "flask_tenant.login")
        assert refused.levelno == logging.WARNING
        assert reason in refused.getMessage()
        assert password not in caplog.text
    failed = [entry for entry in site.trail if entry["action"] == "login.failed"]
    assert [entry["reason"] for entry in failed] == ["password", "password", "no-member"]
    assert heard == [("login.failed", {"user.id": None}, "acme")] * 3
    assert me(browser, "acme") is None


def test_event_rules_hear_which_user_it_was(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    heard: list[Any] = []
    site.state.tenancy.events._observe = lambda name, facts, tenant: heard.append((name, facts["user.id"]))
    site.log_in(browser, "acme", "ada")
    site.log_in(browser, "acme", "ada", "wrong password")
    assert [name for name, _ in heard] == ["login.succeeded", "login.failed"]
    assert heard[0][1] == heard[1][1] is not None


def test_an_account_is_throttled_at_all_tenants_together(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme", "bella")
    answers = [site.log_in(browser, slug, "ada", "wrong") for slug in ("acme", "bella") * 6]
    assert answers == [403] * 10 + [429] * 2
    assert site.log_in(browser, "acme", "ada") == 429
    assert [entry["action"] for entry in site.trail].count("login.failed") == 10


def test_who_knows_the_password_is_not_throttled(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    for _ in range(12):
        assert site.log_in(browser, "acme", "ada", "wrong") == 403
        assert site.log_in(browser, "acme", "ada") == 200


# ---- through a provider elsewhere
def test_through_a_provider(site: Site, browser: FlaskClient) -> None:
    corp(site, "acme", joins=True)
    state = browser.get(at("acme", "/to/corp")).text
    answer = {"state": state, "subject": "ada", "name": "Ada"}
    assert browser.get(at("acme", "/back/corp"), query_string=answer).text == "/there"
    assert me(browser, "acme")["tenant"] == site.tenant("acme").id


def test_an_answer_is_good_once_and_for_the_browser_that_asked(site: Site, browser: FlaskClient) -> None:
    corp(site, "acme", joins=True)
    corp(site, "bella", joins=True)
    answer = {"state": browser.get(at("acme", "/to/corp")).text, "subject": "ada"}

    def back(client: FlaskClient, slug: str = "acme", name: str = "corp") -> tuple[int, str]:
        response = client.get(at(slug, f"/back/{name}"), query_string=answer)
        return response.status_code, response.text

    assert back(site.app.test_client()) == (403, "not-begun")  # another browser: log-in CSRF
    assert back(browser, "bella") == (403, "not-begun")  # the callback moved to another tenant
    assert back(browser) == (200, "/there")
    digest = me(browser, "acme")["digest"]
    assert back(browser) == (403, "not-begun")  # a replay
    assert me(browser, "acme")["digest"] == digest  # which logs nobody out either


def test_an_answer_of_one_provider_is_nothing_to_another(site: Site, browser: FlaskClient) -> None:
    """Mix-up: begun at one, brought back to the other."""
    one = corp(site, "acme", joins=True)
    tenant = site.tenant("acme")
    evil = Provider(77, tenant.id, "evil", "oidc", "Evil", "https://evil.example", joins=True)
    site.ways.rows[tenant.id].append(evil)
    state = browser.get(at("acme", "/to/evil")).text
    response = browser.get(at("acme", "/back/corp"), query_string={"state": state, "subject": "ada"})
    assert (response.status_code, response.text) == (403, "not-begun")
    state = browser.get(at("acme", "/to/corp")).text
    forged = {"state": state, "subject": "ada", "issuer": evil.authority}
    response = browser.get(at("acme", "/back/corp"), query_string=forged)
    assert (response.status_code, response.text) == (403, "authority")
    assert site.accounts.people.members(tenant.id) == []
    assert one.joins


def test_bs_provider_is_nothing_at_a(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    corp(site, "bella", "https://evil.example", joins=True)
    state = browser.get(at("bella", "/to/corp")).text
    answer = {"state": state, "subject": "ada", "email": "ada@example.com", "name": "Ada"}
    assert browser.get(at("bella", "/back/corp"), query_string=answer).status_code == 200
    assert me(browser, "bella") is not None
    assert me(browser, "acme") is None
    assert len(site.accounts.people.members(site.tenant("acme").id)) == 1


def test_who_came_through_a_provider_that_is_gone_is_nobody(site: Site, browser: FlaskClient) -> None:
    """Also when the log-in ended just after the provider was removed."""
    provider = corp(site, "acme", joins=True)
    state = browser.get(at("acme", "/to/corp")).text
    browser.get(at("acme", "/back/corp"), query_string={"state": state, "subject": "ada"})
    assert me(browser, "acme") is not None
    tenant = site.tenant("acme")
    site.ways.rows[tenant.id].remove(provider)
    assert len(site.accounts.sessions.of(tenant.id)) == 1
    assert me(browser, "acme") is None


# ---- what views ask
def test_roles_required(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme", roles=("clerk",))
    site.member("bob", "acme", roles=("guest",))
    html = {"Accept": "text/html"}
    asked = browser.get(at("acme", "/clerks?page=2"), headers=html)
    assert asked.status_code == 302
    assert asked.location == "/_tenant/login?next=%2Fclerks%3Fpage%3D2"
    assert browser.get(at("acme", "/clerks"), headers={"Accept": "application/json"}).status_code == 401
    assert browser.post(at("acme", "/clerks"), headers=html).status_code == 401
    site.log_in(browser, "acme", "bob")
    assert browser.get(at("acme", "/clerks")).status_code == 403
    site.log_in(browser, "acme", "ada")
    assert browser.get(at("acme", "/clerks")).text == "clerks only"
    assert browser.get(at("bella", "/clerks")).status_code in (302, 401)


def test_scopes_required(site: Site, browser: FlaskClient) -> None:
    directory = site.state.directory
    acme, bella = site.tenant("acme"), site.tenant("bella")

    def asked(secret: str, slug: str = "acme") -> Any:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return browser.get(at(slug, "/export"), headers=headers)

    _, whole = directory.create_token(acme, "everything")
    _, right = directory.create_token(acme, "export", scopes=["notes:read", "notes:export", "x"])
    token, half = directory.create_token(acme, "read", scopes=["notes:read"])
    _, none = directory.create_token(acme, "nothing", scopes=[])
    _, foreign = directory.create_token(bella, "everything")
    assert [asked(secret).status_code for secret in (whole, right)] == [200, 200]
    for secret in (half, none):
        assert asked(secret).status_code == 403
        assert "insufficient_scope" in asked(secret).headers["WWW-Authenticate"]
        assert "notes:export notes:read" in asked(secret).headers["WWW-Authenticate"]
    for secret in ("", "ft_wrong", foreign, "ft_é"):
        assert asked(secret).status_code == 401
        assert asked(secret).headers["WWW-Authenticate"].startswith("Bearer")
    assert asked(foreign, "bella").status_code == 200
    directory.revoke_token(token.id)
    assert asked(half).status_code == 401
    assert [t.scopes for t in directory.tokens(acme)][:3] == [
        None, {"notes:read", "notes:export", "x"}, {"notes:read"},
    ]  # fmt: skip
    site.member("ada", "acme")
    site.log_in(browser, "acme", "ada")
    assert asked("").status_code == 401  # somebody who is logged in has no token


def test_rules_may_ask_for_roles_and_the_user(site: Site, browser: FlaskClient) -> None:
    tenancy = site.state.tenancy
    assert tenancy.facts.kinds["roles"] is Kind.TEXTS
    told: list[Any] = []

    @site.app.get("/facts")
    def facts() -> str:
        told.append(
            [tenancy.facts.reader(n, k)(None) for n, k in (("roles", Kind.TEXTS), ("user.id", Kind.INT))]
        )
        return ""

    browser.get(at("acme", "/facts"))
    site.member("ada", "acme", roles=("clerk", "chief"))
    site.log_in(browser, "acme", "ada")
    browser.get(at("acme", "/facts"))
    assert told[0] == [None, None]
    assert list(told[1][0]) == ["chief", "clerk"]
    assert isinstance(told[1][1], int)
