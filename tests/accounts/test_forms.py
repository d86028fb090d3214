"""CSRF on every form, and where `next` may lead."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from flask_tenant.accounts.pages.routes import Page
from flask_tenant.accounts.pages.safety import safe_path
from flask_tenant.accounts.pages.serving import _MODULES
from flask_tenant.registry import state_of
from tests.accounts.site import OLGA, PASSWORD, Browser

FORMS = [page for module in _MODULES for page in module.all if page.method == "POST"]
GUARDED = [page for page in FORMS if not page.forged]


@pytest.fixture(scope="module")
def browsers(shared_app: Flask) -> dict[bool, Browser]:
    """An administrator at acme, an operator at the central host, both logged in."""
    found = {True: Browser(shared_app), False: Browser(shared_app, "localhost")}
    assert found[True].log_in().status_code == found[False].log_in(OLGA).status_code == 303
    return found


def _hosts(page: Page) -> list[bool]:
    return [tenant for tenant in (True, False) if page.at.holds(tenant=tenant)]


def _send(browsers: dict[bool, Browser], page: Page, change: str, tenant: bool = True) -> int:
    browser = browsers[tenant and page.at.holds(tenant=True)]
    fields = {
        "csrf": browser.csrf("/logout"),
        "email": "x@mail.example",
        "username": "x",
        "password": PASSWORD,
    }
    headers = {"Origin": browser.base}
    if change == "no token":
        del fields["csrf"]
    elif change == "somebody else's token":
        fields["csrf"] = Browser(browser.app, browser.base.removeprefix("http://")).csrf("/login")
    elif change == "no origin, from a sibling":
        headers = {"Sec-Fetch-Site": "same-site"}
    else:
        headers = {"Origin": change}
    return browser.raw(re.sub(r"<[^>]*>", "1", page.path), fields, **headers).status_code


@pytest.mark.parametrize(
    "change",
    [
        "no token",
        "somebody else's token",
        "http://evil.example",
        "http://bella.localhost",
        "http://[",
        "null",
        "no origin, from a sibling",
    ],
)
def test_no_form_is_taken_that_we_have_not_handed_out(
    app: Flask, browsers: dict[bool, Browser], change: str
) -> None:
    assert len(GUARDED) >= 15
    directory = state_of(app).directory
    people = directory.tables.people

    def kept() -> list[list[tuple[object, ...]]]:
        with directory.connect() as connection:
            tables = (people.membership, people.member_role, people.invitation, people.ticket)
            return [sorted(map(tuple, connection.execute(table.select()))) for table in tables]

    before = kept()
    found = {
        (page.name, tenant): _send(browsers, page, change, tenant)
        for page in GUARDED
        for tenant in _hosts(page)
    }
    assert set(found.values()) == {400}, found
    assert kept() == before


def test_the_same_forms_are_taken_as_we_hand_them_out(app: Flask, browsers: dict[bool, Browser]) -> None:
    """Or else the test above would not notice pages that refuse everything."""
    found = [
        _send(browsers, page, browsers[page.at.holds(tenant=True)].base)
        for page in GUARDED
        if page.name in ("invite", "reset_send", "end_session", "switch")
    ]
    assert found == [200, 303, 303, 303]


def test_only_what_a_providers_server_sends_is_exempt() -> None:
    assert [page.name for page in FORMS if page.forged] == ["backchannel"]


EVIL = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\r\n/evil.example",
    " //evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/ok\x00",
    "/a\\b",
    "/" + "a" * 3000,
]


@pytest.mark.parametrize("wanted", EVIL)
def test_next_leads_nowhere_else(app: Flask, wanted: str) -> None:
    assert safe_path(wanted, "") is None
    browser = Browser(app)
    answer = browser.client.post(
        "/_tenant/login/local",
        base_url=browser.base,
        query_string={"next": wanted},
        data={"csrf": browser.csrf("/login"), "username": "anna@mail.example", "password": PASSWORD},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("wanted", ["/", "/orders?state=open&page=2#top", "/a//b", "/ü"])
def test_next_leads_on(wanted: str) -> None:
    assert safe_path(wanted, "") == wanted


def test_next_stays_below_the_tenants_path() -> None:
    assert safe_path("/t/acme/x", "/t/acme") == "/t/acme/x"
    for wanted in ("/t/bella/x", "/t/acme", "/t/acme/../bella/", "/t/acme/%2e%2E/bella", "/t/acmeX/"):
        assert safe_path(wanted, "/t/acme") is None


def test_whoever_had_to_log_in_first_comes_back(app: Flask) -> None:
    browser = Browser(app)
    location = browser.get("/sessions?x=1").headers["Location"]
    assert location == "/_tenant/login?next=/_tenant/sessions?x%3D1"
    page = browser.client.get(location, base_url=browser.base).text
    action = re.search(r'action="([^"]+)"', page)
    assert action is not None
    fields = {"csrf": browser.csrf("/login"), "username": "anna@mail.example", "password": PASSWORD}
    answer = browser.client.post(action[1].replace("&amp;", "&"), base_url=browser.base, data=fields)
    assert answer.headers["Location"] == "/_tenant/sessions?x=1"
