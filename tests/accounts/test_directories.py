"""Two tenants whose people log in through two directories on one LDAP server: the application, its pages and all."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from flask_tenant.identity import Identity
from flask_tenant.registry import state_of
from tests.accounts.site import ANNA, PASSWORD, Browser, accounts_of, make_site
from tests.services.authority import CertificateAuthority
from tests.services.slapd import ACME, BELLA, READER_PASSWORD, Slapd, password_of, slapd_running, uuid_of

LIMIT = 8
"""How often an account may be tried."""


def provide(app: Flask, slug: str, server: Slapd, authority: CertificateAuthority, suffix: str) -> None:
    """Give a tenant its directory, whose people become members."""
    settings = {
        "url": server.url("127.0.0.1", tls=True),
        "base": f"ou=people,{suffix}",
        "bind_dn": f"cn=reader,{suffix}",
        "group_base": f"ou=groups,{suffix}",
        "ca_file": str(authority.file),
        "timeout": 1,
        "roles": {"chiefs": ["administrator"], "staff": ["agent"]},
    }
    secrets = {"bind_password": READER_PASSWORD}
    tenant = state_of(app).directory.get(slug)
    accounts_of(app).providers.add(tenant, "corp", "ldap", settings, secrets, joins=True, replace=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    limits = {"login.network": "1000 per hour", "login.account": f"{LIMIT} per hour"}
    app = make_site(tmp_path_factory.mktemp("directories"), TENANT_LOGIN_LIMITS=limits)
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def site(built: Flask, slapd: Slapd, authority: CertificateAuthority) -> Flask:
    """The application with both directories; attempts are forgotten."""
    provide(built, "acme", slapd, authority, ACME)
    provide(built, "bella", slapd, authority, BELLA)
    directory = state_of(built).directory
    with directory.connect() as connection:
        connection.execute(directory.tables.people.attempt.delete())
    return built


def log_in(browser: Browser, username: str, password: str = "") -> int:
    typed = {"username": username, "password": password or password_of(username)}
    return browser.post("/login/corp", **typed).status_code


def greeted(browser: Browser) -> str:
    """Whom the application greets, ``""`` for nobody."""
    return browser.get("//").text.partition("Hello ")[2].partition("<")[0]


def test_side_by_side_in_one_browser(site: Flask) -> None:
    acme = Browser(site)
    bella = acme.at("bella.localhost")
    assert log_in(acme, "ann") == 303
    assert greeted(bella) == ""
    assert log_in(bella, "ann") == 303
    assert (greeted(acme), greeted(bella)) == ("Ann Archer", "Annabel Bell")
    assert acme.post("/logout", page="/logout").status_code == 303
    assert (greeted(acme), greeted(bella)) == ("", "Annabel Bell")


def test_groups_give_roles(site: Flask) -> None:
    people, tenant = accounts_of(site).people, state_of(site).directory.get("acme")
    for name in ("ann", "bob", "kim"):
        assert log_in(Browser(site), name) == 303
    roles = {member.email: member.roles for member in people.members(tenant.id)}
    assert roles["ann@acme.test"] == {"administrator", "agent"}
    assert roles["bob@acme.test"] == {"agent"}
    assert roles["kim@acme.test"] == frozenset()


def test_one_tenants_people_are_nobody_at_another(site: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flask_tenant.login")
    bella = Browser(site, "bella.localhost")
    pages = []
    for name, password in (
        ("bob", password_of("bob")),
        ("ann", "wrong"),
        ("nobody", "x"),
        ("*", "x"),
        ("ann", ""),
    ):
        response = bella.post("/login/corp", username=name, password=password)
        assert response.status_code == 403
        pages.append(response.text.replace(f'value="{name}"', 'value=""'))
    without_token = {page.partition('name="csrf"')[0] for page in pages}
    assert len(without_token) == 1, "the page tells them apart"
    reasons = [record.getMessage().split(": ")[1].split(" ")[0] for record in caplog.records]
    assert reasons == ["unknown", "password", "unknown", "unknown", "password"]
    assert password_of("bob") not in caplog.text
    assert greeted(bella) == ""


def test_the_address_of_a_person_of_ours_is_no_identity(site: Flask, authority: CertificateAuthority) -> None:
    """Whoever runs a directory can give anybody any address."""
    people = accounts_of(site).people
    with slapd_running(authority, mail_of_bob=ANNA) as server:
        provide(site, "acme", server, authority, ACME)
        browser = Browser(site)
        assert log_in(browser, "bob") == 303
        tenant = state_of(site).directory.get("acme")
        anna = next(m for m in people.members(tenant.id) if m.name == "Anna")
        bob = next(m for m in people.members(tenant.id) if m.name == "Bob Baker")
        assert bob.email == anna.email == ANNA, "the directory does not lie"
        assert bob.person_id != anna.person_id
        assert not bob.is_administrator


def test_local_and_the_directory_are_two_doors(site: Flask) -> None:
    browser = Browser(site)
    assert browser.post("/login/local", username="ann", password=password_of("ann")).status_code == 403
    assert browser.post("/login/corp", username=ANNA, password=PASSWORD).status_code == 403
    assert browser.log_in().status_code == 303


def test_spraying_one_account_ends_under_all_its_spellings(site: Flask, slapd: Slapd) -> None:
    browser = Browser(site)
    spellings = ["bob", "BOB", " bob ", "ｂｏｂ", "𝒃ob", "ⓑob", "Bob", "bOb"]
    before = slapd.log().count(f'BIND dn="uid=bob,ou=people,{ACME}"')
    for number in range(2 * LIMIT):
        status = log_in(browser, spellings[number % len(spellings)], f"guess {number}")
        assert status == (403 if number < LIMIT else 429)
    tried = slapd.log().count(f'BIND dn="uid=bob,ou=people,{ACME}"') - before
    assert tried == LIMIT, "the server takes these for one name"
    assert log_in(browser, "bob") == 429
    assert log_in(browser, "ann") == 303


@pytest.mark.timed
def test_a_directory_that_hangs_keeps_nobody_else_waiting(
    site: Flask, authority: CertificateAuthority
) -> None:
    with slapd_running(authority) as server:
        provide(site, "acme", server, authority, ACME)
        acme, bella = Browser(site), Browser(site, "bella.localhost")
        assert log_in(acme, "bob") == 303
        server.freeze()
        begun = time.monotonic()
        assert log_in(Browser(site), "bob") == 503
        assert time.monotonic() - begun < 5
        begun = time.monotonic()
        assert log_in(bella, "zoe") == 303
        assert greeted(acme) == "Bob Baker", "who is logged in already"
        assert Browser(site).log_in().status_code == 303, "acme's other door"
        assert time.monotonic() - begun < 5
        server.thaw()
        assert log_in(Browser(site), "bob") == 303


def test_who_is_removed_there_is_nobody_here(
    site: Flask, slapd: Slapd, authority: CertificateAuthority
) -> None:
    tenant, accounts = state_of(site).directory.get("acme"), accounts_of(site)
    browser = Browser(site)
    assert log_in(browser, "bob") == 303
    assert greeted(browser) == "Bob Baker"
    accounts.providers.remove(tenant, "corp")
    assert greeted(browser) == "", "sessions live on without their provider"
    assert browser.post("/login/corp", username="bob", password=password_of("bob")).status_code == 404
    provide(site, "acme", slapd, authority, ACME)
    assert log_in(browser, "bob") == 303
    identity = accounts.people.by_identity
    again = accounts.providers.get(state_of(site).directory.get("acme"), "corp")
    assert again is not None
    assert identity(Identity(again.authority, uuid_of(ACME, "bob"))) is not None
