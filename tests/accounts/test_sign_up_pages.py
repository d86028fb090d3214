"""Signing up for a tenant, as visitors see it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.accounts.site import ANNA, PASSWORD, Browser, accounts_of, box_of, make_site

WANTED = {"tenant_name": "Dora's Dairy", "slug": "dairy", "person_name": "Dora", "email": "dora@mail.example"}


@pytest.fixture
def open_app(tmp_path: Path) -> Flask:
    """An application in which anybody may sign up."""
    return make_site(tmp_path, TENANT_SIGNUP="open")


@pytest.fixture
def central(open_app: Flask) -> Browser:
    return Browser(open_app, "localhost")


def sign_up(browser: Browser, **other: str) -> Any:
    return browser.post("/sign-up", page="/sign-up", **{**WANTED, **other})


def link(app: Flask) -> str:
    """The path in the last mail."""
    url = box_of(app).mails[-1]["url"]
    assert url.startswith("http://localhost/_tenant/")
    return str(url.removeprefix("http://localhost/_tenant"))


def test_from_a_form_to_a_tenant(open_app: Flask, central: Browser) -> None:
    assert 'href="/_tenant/sign-up"' in central.get("/login").text
    assert sign_up(central).status_code == 200
    (mail,) = box_of(open_app).mails
    assert (mail["to"], mail["template"]) == ("dora@mail.example", "signup-verify")
    path = link(open_app)
    assert "dora@mail.example" in central.get(path).text
    assert (
        Browser(open_app, "dairy.localhost").get("/login").status_code == 404
    )  # looking at the link made nothing
    assert central.post(path, page=path, password="short").status_code == 400
    done = central.post(path, page=path, password=PASSWORD)
    assert "Your workspace is ready" in done.text
    url = re.search(r'href="(http://dairy\.localhost/_tenant/login)"', done.text)
    assert url is not None
    dora = Browser(open_app, "dairy.localhost")
    assert dora.log_in("dora@mail.example").status_code == 303
    assert "Hello Dora" in dora.get("//").text
    assert dora.get("/members").status_code == 200  # the first administrator
    assert "Your workspace is ready" in central.get(path).text  # the link still says what has become of it


def test_a_known_address_makes_no_difference_until_it_is_proven(open_app: Flask, central: Browser) -> None:
    stranger = sign_up(central, email="stranger@mail.example", slug="strange").text
    known = sign_up(central, email=ANNA, slug="second").text
    assert stranger.replace("stranger@mail.example", "…") == known.replace(ANNA, "…")
    page = central.get(link(open_app)).text
    assert "the password that you have" in page
    assert 'name="password"' not in page
    done = central.post(link(open_app), page=link(open_app))
    assert "Your workspace is ready" in done.text
    assert Browser(open_app, "second.localhost").log_in(ANNA).status_code == 303


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "www"),
        ("slug", "acme"),
        ("slug", "acrne"),
        ("slug", "Ümlaut"),
        ("email", "nobody"),
        ("person_name", ""),
        ("person_name", "Do\0ra"),
        ("person_name", "Dora\u202e"),
        ("tenant_name", "Dairy\x1b[2J"),
        ("tenant_name", ""),
    ],
)
def test_what_cannot_be_is_said_with_its_field(
    open_app: Flask, central: Browser, field: str, value: str
) -> None:
    answer = sign_up(central, **{field: value})
    assert answer.status_code == 400
    assert f'id="field-{field.replace("_", "_")}-error"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert re.findall(r'<input id="field-([a-z_]+)"[^>]* autofocus', answer.text) == [field]
    assert "<title>Problem: " in answer.text
    assert "Dora&#39;s Dairy" in answer.text or field == "tenant_name"  # what was typed is still there
    assert box_of(open_app).mails == []


def test_with_approval_somebody_has_to_look_first(tmp_path: Path) -> None:
    app = make_site(tmp_path, TENANT_SIGNUP="approval")
    central = Browser(app, "localhost")
    sign_up(central)
    path = link(app)
    assert "Somebody looks at your request" in central.post(path, page=path, password=PASSWORD).text
    assert Browser(app, "dairy.localhost").get("/login").status_code == 404


def test_links_that_are_not_good(open_app: Flask, central: Browser) -> None:
    assert central.get("/sign-up/verify/guess").status_code == 410
    assert central.post("/sign-up/verify/guess", page="/login", password=PASSWORD).status_code == 410


def test_too_many(open_app: Flask, central: Browser) -> None:
    answers = [
        sign_up(central, slug=f"dairy-{word}").status_code for word in ("aa", "bb", "cc", "dd", "ee", "ff")
    ]
    assert answers == [200] * 5 + [429]
    assert len(box_of(open_app).mails) == 5


def test_without_the_setting_there_is_no_page(app: Flask) -> None:
    central = Browser(app, "localhost")
    assert central.get("/sign-up").status_code == 404
    assert "sign-up" not in central.get("/login").text
    assert accounts_of(app).application.settings.signup is None
