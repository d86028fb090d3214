"""Our pages are served past the application, with headers that let nothing else in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy
from flask_tenant.accounts.pages.serving import _MODULES, LARGEST_FORM
from tests.accounts.site import ANNA, Browser, accounts_of, make_site

PAGES = [page for module in _MODULES for page in module.all]


def test_an_application_that_shuts_everybody_out_does_not_shut_our_pages(browser: Browser) -> None:
    assert browser.get("//").status_code == 401
    page = browser.get("/login")
    assert page.status_code == 200
    assert "the application's own page" not in page.text  # its route of the same path
    assert (
        browser.log_in().headers["Location"] == "/"
    )  # and its CSRFProtect does not ask for a token of its own
    assert "Hello Anna" in browser.get("//").text


def test_without_the_setting_the_path_is_the_applications(tmp_path: Path) -> None:
    app = Flask("plain")
    app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'plain.db'}", TENANT_DEFAULT="acme")
    SQLAlchemy(app)
    Tenancy(app)
    from flask_tenant.registry import state_of

    with app.app_context():
        state_of(app).create("acme", "Acme")
    app.add_url_rule("/_tenant/login", "own", lambda: "mine")
    assert app.test_client().get("/_tenant/login").text == "mine"


@pytest.mark.parametrize("host", ["acme.localhost", "localhost"])
def test_headers(app: Flask, host: str) -> None:
    """Of every page and every answer to a form, whether it is there, refused, or leads on."""
    browser, seen = Browser(app, host), set()
    for page in PAGES:
        if not page.at.holds(tenant=host != "localhost"):
            continue
        path = re.sub(r"<[^>]*>", "1", page.path)
        answer = browser.get(path) if page.method == "GET" else browser.raw(path, {})
        headers = answer.headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'", page
        assert policy["form-action"] == policy["style-src"] == "'self'", page
        assert policy["base-uri"] == policy["frame-ancestors"] == "'none'", page
        assert not set(policy) & {"script-src", "connect-src", "object-src"}, page
        assert headers["Cache-Control"] == "no-store", page
        assert headers["X-Content-Type-Options"] == "nosniff", page
        assert headers["X-Frame-Options"] == "DENY", page
        assert headers["Referrer-Policy"] == "same-origin", page
        seen.add(answer.status_code)
    assert {200, 303, 400, 404} <= seen


def test_no_page_needs_what_the_policy_forbids(anna: Browser) -> None:
    seen = 0
    for page in PAGES:
        if page.method == "GET" and "<" not in page.path:
            text = anna.get(page.path).text
            assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", text), page.path
            seen += 1
    assert seen > 6


def test_other_methods_and_paths(browser: Browser) -> None:
    refused = browser.client.put("/_tenant/login", base_url=browser.base)
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) >= {"GET", "HEAD"}
    assert browser.get("/nowhere").status_code == 404
    assert browser.client.head("/_tenant/login", base_url=browser.base).text == ""
    assert browser.get("//_tenantry/login").status_code == 401  # the application's


def test_a_form_that_is_too_large_is_not_read(browser: Browser) -> None:
    answer = browser.post("/login/local", username="x" * LARGEST_FORM, password="y")
    assert answer.status_code == 413


def test_the_stylesheet_may_be_kept_and_needs_no_session(browser: Browser) -> None:
    address = re.search(r'href="(/_tenant/style.css[^"]*)"', browser.get("/login").text)
    assert address is not None
    sheet = browser.app.test_client().get(address[1], base_url=browser.base)
    assert "immutable" in sheet.headers["Cache-Control"]
    assert "Set-Cookie" not in sheet.headers
    assert (
        browser.app.test_client().get("/_tenant/style.css", base_url=browser.base).headers["Cache-Control"]
        == "no-cache"
    )


def test_the_central_host_has_pages_of_its_own(app: Flask) -> None:
    central = Browser(app, "localhost")
    assert central.get("/login").status_code == 200
    assert central.get("/members").status_code == 404
    assert Browser(app).get("/signup").status_code == 404
    assert central.log_in().headers["Location"] == "/_tenant/tenants"
    page = central.get("/tenants").text
    assert "Acme Tools" in page
    assert "Bella Bakery" in page


def test_whom_a_page_is_not_for(app: Flask) -> None:
    nobody, bert = Browser(app), Browser(app)
    bert.log_in("bert@mail.example")
    kinds = set()
    for page in PAGES:
        if page.method != "GET" or "<" in page.path or not page.at.holds(tenant=True):
            continue
        kinds.add(page.audience.name)
        answer = nobody.get(page.path)
        if page.audience.name != "ANYBODY":
            assert answer.status_code == 303, page
            assert answer.headers["Location"].startswith("/_tenant/login?next="), page
        if page.audience.name == "ADMINISTRATORS":
            assert bert.get(page.path).status_code == 403, page
    assert kinds >= {"ANYBODY", "MEMBERS", "ADMINISTRATORS"}


def test_forms_of_administrators_are_not_taken_from_others(app: Flask) -> None:
    bert = Browser(app)
    bert.log_in("bert@mail.example")
    tried = 0
    for page in PAGES:
        if page.method == "POST" and page.audience.name == "ADMINISTRATORS":
            path = re.sub(r"<[^>]*>", "1", page.path)
            answer = bert.post(path, page="/logout", email="x@mail.example", role="administrator")
            assert answer.status_code == 403, page
            tried += 1
    assert tried >= 6
    anna = accounts_of(app).people.by_email(ANNA)
    assert anna is not None
    assert accounts_of(app).people.member(1, anna.id).roles == {"administrator"}


def test_templates_can_be_put_in_place_of_ours(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "tenancy"
    own.mkdir(parents=True)
    (own / "_brand.html").write_text("<p>own brand</p>")
    theirs = tmp_path / "themes" / "templates" / "tenants" / "acme" / "tenancy"
    theirs.mkdir(parents=True)
    (theirs / "login.html").write_text(
        "{% extends 'original:tenancy/login.html' %}{% block intro %}<p>for acme</p>{% endblock %}"
    )
    app = make_site(tmp_path)
    page = Browser(app).get("/login").text
    assert "for acme" in page
    assert "own brand" in page
    other = Browser(app, "bella.localhost").get("/login").text
    assert "for acme" not in other
    assert "own brand" in other


def test_an_error_is_told_to_the_log_and_not_to_the_visitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_site(tmp_path)
    monkeypatch.setattr(type(accounts_of(app).entry), "providers", lambda *_: 1 / 0)
    answer = Browser(app).get("/login")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "ZeroDivisionError" in caplog.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
