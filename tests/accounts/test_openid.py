"""Two tenants whose people log in through two certified OpenID providers: the application, its pages and all."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from flask_tenant.login.oidc import client
from flask_tenant.registry import state_of
from tests.accounts.corp import SECRET, SLUGS, Person, provide
from tests.accounts.site import ANNA, Browser, accounts_of, make_site
from tests.services.browser import served
from tests.services.oidc import Listener, OidcServer
from tests.services.redis import RedisServer


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    oidc_servers: list[OidcServer],
    listener: Listener,
    redis_server: RedisServer,
) -> Iterator[Flask]:
    app = make_site(
        tmp_path_factory.mktemp("openid"),
        TENANT_LOGIN_LIMITS={"login.network": "1000 per hour"},
        TENANT_REDIS_URL=redis_server.url(),
    )
    provide(app, oidc_servers, listener=listener)
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def anna(site: Flask, oidc_servers: list[OidcServer]) -> Person:
    return Person(site, oidc_servers)


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The reasons in the log, and nothing of them elsewhere."""
    lines = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    caplog.clear()
    return lines


def test_side_by_side_in_one_browser(anna: Person, site: Flask) -> None:
    for slug in SLUGS:
        response = anna.log_in(slug)
        assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert [anna.sees(slug) for slug in SLUGS] == ["Anna Adler", "Anna Adler"]
    people, directory = accounts_of(site).people, state_of(site).directory
    members = [
        next(m for m in people.members(directory.get(slug).id) if m.name == "Anna Adler") for slug in SLUGS
    ]
    # The same address and the same `sub`, of two providers: two people.
    assert members[0].email == members[1].email == "anna@example.com"
    assert members[0].person_id != members[1].person_id
    assert all(member.roles == {"administrator"} for member in members), "of their group"
    # out here, and still in there
    assert anna.at("acme").post("/logout", page="/logout").status_code == 200
    assert [anna.sees(slug) for slug in SLUGS] == ["", "Anna Adler"]


def test_the_cookie_of_one_is_worthless_at_the_other(anna: Person, site: Flask) -> None:
    anna.log_in("acme")
    cookie = anna.ours.client.get_cookie("session", domain="acme.localhost")
    assert cookie is not None
    thief = Browser(site, "bella.localhost")
    thief.client.set_cookie("session", cookie.value, domain="bella.localhost")
    assert thief.get("//").status_code == 401
    thief.client.set_cookie("session", cookie.value, domain="acme.localhost")
    assert thief.at("acme.localhost").get("//").status_code == 200, "it was a good one"


def test_a_log_in_rotates_the_session(anna: Person, site: Flask) -> None:
    # Somebody has planted a cookie of theirs, and waits until somebody logs in with it.
    planted = Browser(site)
    planted.get("/login")
    before = planted.client.get_cookie("session", domain="acme.localhost")
    assert before is not None
    anna.ours.client.set_cookie("session", before.value, domain="acme.localhost")
    anna.log_in("acme")
    after = anna.ours.client.get_cookie("session", domain="acme.localhost")
    assert after is not None
    assert after.value != before.value
    assert planted.get("//").status_code == 401
    assert anna.sees("acme") == "Anna Adler"


def test_callbacks_codes_and_states_of_others(
    anna: Person, site: Flask, oidc_servers: list[OidcServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    here = anna.identify("acme", anna.begin("acme"))
    there = anna.identify("bella", anna.begin("bella"))
    mallory = Person(site, oidc_servers)
    mine = mallory.identify("acme", mallory.begin("acme"), "bert")
    told = set()
    attacks = {
        "moved to another tenant": (anna, "bella", here),
        "another tenant's code and state": (Person(site, oidc_servers), "acme", there),
        "log-in CSRF: my answer in somebody else's browser": (Person(site, oidc_servers), "acme", mine),
        "mix-up: their code with our state": (
            mallory,
            "acme",
            mine.partition("?")[0] + "?code=" + parse_qs(urlsplit(there).query)["code"][0]
            + "&state=" + parse_qs(urlsplit(mine).query)["state"][0]
            + "&iss=" + oidc_servers[1].issuer,
        ),
    }  # fmt: skip
    for name, (who, slug, path) in attacks.items():
        response = who.come_back(slug, path)
        assert response.status_code == 403, name
        assert who.sees(slug) == "", name
        assert len(refusals(caplog)) == 1, name
        told.add(re.sub(r'value="[^"]*"|nonce="[^"]*"', "", response.text))
    # acme's page and bella's have names of their own, and else all are told the same
    assert len(told) <= 2
    # Moved together with what the browser keeps of it: that is good at acme alone.
    way = anna.ours.client.get_cookie("tenancy-way-corp", domain="acme.localhost")
    assert way is not None
    thief = Person(site, oidc_servers)
    thief.ours.client.set_cookie("tenancy-way-corp", way.value, domain="bella.localhost")
    assert thief.come_back("bella", here).status_code == 403
    assert "not-begun" in refusals(caplog)[0]
    # It has cost Anna her log-in at bella (a state is good once), not the one at acme.
    assert anna.come_back("acme", here).status_code == 303
    assert anna.sees("acme") == "Anna Adler"
    assert anna.come_back("acme", here).status_code == 403, "good once"
    assert "not-begun" in refusals(caplog)[0]


def test_whom_a_provider_does_not_know(anna: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    assert anna.log_in("acme", "nobody").status_code == 403
    assert "denied" in refusals(caplog)[0]


def test_an_address_makes_nobody_somebody_else(
    site: Flask, oidc_servers: list[OidcServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever runs a tenant's provider may claim any address, and say that it is verified: it decides nothing."""
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    people, directory = accounts_of(site).people, state_of(site).directory
    bella, server = directory.get("bella"), oidc_servers[1]
    claims = {"sub": "mallory-1", "name": "Mallory", "email": ANNA, "email_verified": True}
    server.accounts["mallory"] = claims
    server.restart()
    anna_there = people.by_email(ANNA)
    assert anna_there is not None
    assert people.member(bella.id, anna_there.id) is not None, "there is somebody to become"
    assert Person(site, oidc_servers).log_in("bella", "mallory").status_code == 303
    (made,) = [member for member in people.members(bella.id) if member.name == "Mallory"]
    assert made.person_id != anna_there.id
    assert not made.roles
    # nor does it lead to acme, where she is administrator
    mallory = Person(site, oidc_servers)
    mallory.log_in("bella", "mallory")
    assert mallory.sees("bella") == "Mallory"
    assert mallory.sees("acme") == ""
    # and where nobody becomes a member by logging in, it is not enough
    providers = accounts_of(site).providers
    row = providers.get(bella, "corp")
    assert row is not None
    people.remove(bella.id, made.person_id)
    settings = dict(row.settings)
    providers.add(
        bella, "corp", "oidc", settings, {"client_secret": SECRET}, label="Corp", joins=False, replace=True
    )
    try:
        caplog.clear()
        assert Person(site, oidc_servers).log_in("bella", "mallory").status_code == 403
        assert "no-member" in refusals(caplog)[0]
    finally:
        providers.add(
            bella, "corp", "oidc", settings, {"client_secret": SECRET}, label="Corp", joins=True, replace=True
        )


def test_logging_out_here_leads_to_logging_out_there(anna: Person, oidc_servers: list[OidcServer]) -> None:
    anna.log_in("acme")
    response = anna.at("acme").post("/logout", page="/logout")
    url = response.headers["Refresh"].partition("url=")[2]
    assert url.startswith(oidc_servers[0].issuer)
    assert "id_token_hint=" in url, "the provider knows whom to log out"
    assert anna.theirs.go(url, oidc_servers[0], logout="yes") == "http://acme.localhost/_tenant/logged-out"
    assert "error=access_denied" in anna.identify("acme", anna.begin("acme"), ""), "it asks again"


def test_logging_out_there_ends_it_here(
    anna: Person,
    site: Flask,
    oidc_servers: list[OidcServer],
    listener: Listener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    anna.log_in("acme")
    elsewhere = Person(site, oidc_servers)
    elsewhere.log_in("acme")
    other = Person(site, oidc_servers)
    other.log_in("bella")
    listener.tokens.clear()
    out = f"{oidc_servers[0].issuer}/session/end?client_id=acme"
    out += "&post_logout_redirect_uri=http://acme.localhost/_tenant/logged-out"
    anna.theirs.go(out, oidc_servers[0], logout="yes")
    token = listener.token()
    assert anna.sees("acme") == "Anna Adler", "the message has not come yet"
    server = Browser(site)  # the provider's: it has no cookies, and no form of ours
    assert server.at("bella.localhost").raw("/backchannel/corp", {"logout_token": token}).status_code == 400
    assert other.sees("bella") == "Anna Adler"
    assert server.raw("/backchannel/corp", {"logout_token": token}).status_code == 200
    assert anna.sees("acme") == ""
    assert elsewhere.sees("acme") == "Anna Adler", "another session of hers there goes on"
    anna.log_in("acme")
    assert server.raw("/backchannel/corp", {"logout_token": token}).status_code == 400, "once"
    assert server.raw("/backchannel/corp", {}).status_code == 400
    assert server.raw("/backchannel/local", {"logout_token": token}).status_code == 404
    assert anna.sees("acme") == "Anna Adler"
    assert len(refusals(caplog)) == 3


def test_a_dead_provider(anna: Person, site: Flask, oidc_servers: list[OidcServer]) -> None:
    anna.log_in("bella")
    path = anna.identify("acme", anna.begin("acme"))
    oidc_servers[0].stop()
    try:
        response = anna.come_back("acme", path)
        assert response.status_code == 503
        assert "does not answer" in response.text
        # What could prove a log-out cannot be had: its server may try again.
        server = accounts_of(site).providers
        row = server.get(state_of(site).directory.get("acme"), "corp")
        server.open(row)._issuer._keys = None
        assert Browser(site).raw("/backchannel/corp", {"logout_token": "a.b.c"}).status_code == 503
        # Nobody else notices: passwords of ours, another tenant's provider, who is logged in already.
        assert Browser(site).log_in().status_code == 303
        assert anna.sees("bella") == "Anna Adler"
        assert Person(site, oidc_servers).log_in("bella").status_code == 303
    finally:
        oidc_servers[0].start()
    assert anna.log_in("acme").status_code == 303


def test_who_waits_for_a_hung_provider_holds_no_connection(
    anna: Person, site: Flask, oidc_servers: list[OidcServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = anna.identify("acme", anna.begin("acme"))
    with site.app_context():
        pool = site.extensions["sqlalchemy"].engine.pool
    monkeypatch.setattr(client, "SECONDS", 1.0)
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(anna.come_back("acme", path).status_code))
    oidc_servers[0].freeze()
    try:
        thread.start()
        deadline = time.monotonic() + 10
        while not any(other.name == "flask_tenant-login" for other in threading.enumerate()):
            assert time.monotonic() < deadline
        assert pool.checkedout() == 0
        assert thread.is_alive(), "it was looked at too late"
        thread.join()
    finally:
        oidc_servers[0].thaw()
    assert statuses == [503]


def test_operators_try_it_out(site: Flask, oidc_servers: list[OidcServer]) -> None:
    runner = site.test_cli_runner()
    result = runner.invoke(args=["tenant", "sso", "test", "acme", "corp", "--json"])
    assert result.exit_code == 0, result.output
    assert oidc_servers[0].issuer in result.output
    assert SECRET not in result.output
    oidc_servers[0].stop()
    try:
        result = runner.invoke(args=["tenant", "sso", "test", "acme", "corp", "--json"])
    finally:
        oidc_servers[0].start()
    assert result.exit_code != 0
    assert "cannot be reached" in result.output
    shown = runner.invoke(args=["tenant", "sso", "show", "acme", "corp", "--json"])
    assert oidc_servers[0].issuer in shown.output
    assert SECRET not in shown.output


# ---- in a real browser
@pytest.fixture(scope="module")
def live_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return make_site(tmp_path_factory.mktemp("openid-live"))


@pytest.fixture(scope="module")
def live(live_app: Flask, oidc_servers: list[OidcServer]) -> Iterator[int]:
    with served(live_app) as port:
        provide(live_app, oidc_servers, f":{port}")
        yield port


@pytest.mark.parametrize("same_site", ["Lax", "Strict"])
def test_in_a_real_browser(
    live: int,
    live_app: Flask,
    chromium: Any,
    oidc_servers: list[OidcServer],
    monkeypatch: pytest.MonkeyPatch,
    same_site: str,
) -> None:
    """Also with a session cookie that browsers do not send with what another site leads to."""
    monkeypatch.setitem(live_app.config, "SESSION_COOKIE_SAMESITE", same_site)
    context = chromium.new_context()
    page = context.new_page()

    def log_in(slug: str) -> None:
        page.goto(f"http://{slug}.localhost:{live}/_tenant/login")
        page.get_by_role("link", name="Corp").click()
        page.get_by_label("Account").fill("anna")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"http://{slug}.localhost:{live}/")
        assert page.get_by_role("heading", name="Hello Anna Adler").is_visible()

    try:
        for slug in SLUGS:
            log_in(slug)
        page.goto(f"http://acme.localhost:{live}/_tenant/logout")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(lambda url: url.startswith(oidc_servers[0].issuer))
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"http://acme.localhost:{live}/_tenant/logged-out")
        answer = page.goto(f"http://acme.localhost:{live}/")
        assert answer.status == 401
        answer = page.goto(f"http://bella.localhost:{live}/")
        assert answer.status == 200
        log_in("acme")  # the provider asks again
    finally:
        context.close()


def test_an_answer_that_comes_late_does_not_end_a_log_in_under_way(anna: Person, site: Flask) -> None:
    """The session is one cookie for all: an icon that the browser has asked for meanwhile brings the old one back."""
    anna.at("acme").get("/login")
    before = anna.ours.client.get_cookie("session", domain="acme.localhost")
    assert before is not None
    url = anna.begin("acme")
    anna.ours.client.set_cookie("session", before.value, domain="acme.localhost")
    assert anna.come_back("acme", anna.identify("acme", url)).status_code == 303
    assert anna.sees("acme") == "Anna Adler"


@pytest.mark.parametrize(("scheme", "prefix"), [("http", ""), ("https", "__Host-")])
def test_what_a_browser_keeps_of_a_log_in_under_way(site: Flask, scheme: str, prefix: str) -> None:
    answer = site.test_client().get("/_tenant/login/corp", base_url=f"{scheme}://acme.localhost")
    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if "tenancy-way" in c]
    name, _, rest = cookie.partition("=")
    assert name == f"{prefix}tenancy-way-corp"
    attributes = set(rest.split("; ")[1:])
    assert attributes >= {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"}
    assert ("Secure" in attributes) is (scheme == "https")
    assert not any(attribute.startswith("Domain") for attribute in attributes)
