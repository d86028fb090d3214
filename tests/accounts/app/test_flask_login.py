"""An unmodified Flask-Login application: `login_required` and `current_user` are about members."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_tenant.errors import ConfigurationError
from tests.accounts.app.conftest import Site, at, me, users
from tests.integrations.test_flask_login import create_app

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def test_a_member_is_one_of_its_users(site: Site, browser: FlaskClient) -> None:
    ada = site.member("ada", "acme", "bella")
    asked = browser.get(at("acme", "/me"))
    assert asked.status_code == 302
    page = browser.get(at("acme", asked.location))  # its own page for logging in leads to ours
    assert (page.status_code, page.location) == (302, "/_tenant/login?next=%2Fme")
    site.log_in(browser, "acme", "ada")
    assert browser.get(at("acme", "/me")).json["name"] == f"Ada ({ada})"
    assert browser.get(at("bella", "/me")).status_code == 302
    site.log_in(browser, "bella", "ada")
    assert browser.get(at("bella", "/me")).json["name"] == f"Ada ({ada})"
    assert len(users(site)) == 2  # one in each tenant
    browser.post(at("acme", "/out"))
    assert browser.get(at("acme", "/me")).status_code == 302
    site.log_in(browser, "acme", "ada")
    assert browser.get(at("acme", "/me")).status_code == 200
    assert len(users(site)) == 2  # and the same one again


def test_its_own_log_out_logs_out_here(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.log_in(browser, "acme", "ada")
    cookie = browser.get_cookie("session", domain="acme.example.test")
    assert cookie is not None
    assert browser.post(at("acme", "/logout")).text == "bye"
    assert me(browser, "acme") is None
    assert site.accounts.sessions.of(site.tenant("acme").id) == []
    browser.set_cookie("session", cookie.value, domain="acme.example.test")
    assert browser.get(at("acme", "/me")).status_code == 302


@pytest.mark.databases("sqlite")
def test_nobody_gets_in_past_us(site: Site, browser: FlaskClient, database_url: str) -> None:
    """Neither by the application's own form nor by cookies that it has made before members logged in through us."""
    before, db = create_app(database_url, TENANT_BASE_DOMAIN="example.test")
    client = before.test_client()
    form = {"name": "eve", "password": "secret", "remember": "yes"}
    assert client.post(at("acme", "/register"), data=form).status_code == 200
    assert client.post(at("acme", "/login"), data=form).text == "welcome"
    assert client.get(at("acme", "/me")).json["name"] == "eve"
    for name in ("session", "remember_token"):
        genuine = client.get_cookie(name, domain="acme.example.test")
        assert genuine is not None
        browser.set_cookie(name, genuine.value, domain="acme.example.test")
    with before.app_context():
        db.engine.dispose()
    assert "_user_id" in browser.get(at("acme", "/planted")).json
    assert browser.get(at("acme", "/me")).status_code == 302
    assert browser.post(at("acme", "/login"), data=form).location == "/_tenant/login"
    assert browser.get(at("acme", "/me")).status_code == 302


def test_what_ends_with_us_ends_there(site: Site, browser: FlaskClient) -> None:
    ada, acme = site.member("ada", "acme"), site.tenant("acme").id
    site.log_in(browser, "acme", "ada")
    assert browser.get(at("acme", "/me")).status_code == 200
    site.accounts.people.suspend(acme, ada)
    assert browser.get(at("acme", "/me")).status_code == 302
    site.accounts.people.resume(acme, ada)
    site.log_in(browser, "acme", "ada")
    site.accounts.sessions.end_all(acme, ada)
    assert browser.get(at("acme", "/me")).status_code == 302


def test_two_members_are_not_the_same_user(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.member("bob", "acme")
    first: list[Any] = []
    real = site.state.tenancy.users.made_by
    site.state.tenancy.users.create(
        lambda member: first[0] if first else first.append(real(member)) or first[0]
    )
    site.log_in(browser, "acme", "ada")
    assert browser.get(at("acme", "/me")).status_code == 200
    other = site.app.test_client()
    refused = other.post(
        at("acme", "/in/local"), data={"username": "bob@example.com", "password": "a password of the tests"}
    )
    assert (refused.status_code, refused.text) == (403, "app-user-taken")
    assert site.trail[-1]["reason"] == "app-user-taken"
    assert me(other, "acme") is None
    assert other.get(at("acme", "/me")).status_code == 302


def test_users_are_brought_up_to_date(site: Site, browser: FlaskClient) -> None:
    ada = site.member("ada", "acme")
    seen: list[Any] = []
    site.state.tenancy.users.update(lambda user, member: seen.append((user.name, member.name)))
    site.log_in(browser, "acme", "ada")
    assert seen == []
    site.log_in(browser, "acme", "ada")
    assert seen == [(f"Ada ({ada})", "Ada")]


def test_a_user_that_the_application_has_deleted_is_made_again(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.log_in(browser, "acme", "ada")
    with site.state.directory.connect() as connection:
        connection.execute(sa.text('DELETE FROM "user"'))
    assert browser.get(at("acme", "/me")).status_code == 302
    assert site.log_in(browser, "acme", "ada") == 200
    assert browser.get(at("acme", "/me")).status_code == 200
    assert len(users(site)) == 1


def test_a_user_whom_the_application_has_locked_stays_outside(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    real = site.state.tenancy.users.made_by

    def locked(member: Any) -> Any:
        user = real(member)
        type(user).is_active = property(lambda self: False)
        return user

    site.state.tenancy.users.create(locked)
    assert site.log_in(browser, "acme", "ada") == 403
    assert me(browser, "acme") is None


def test_without_a_word_about_its_users_nobody_gets_in(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme")
    site.state.tenancy.users.made_by = None
    site.app.testing = True
    with pytest.raises(ConfigurationError, match=r"tenancy\.users\.create"):
        site.log_in(browser, "acme", "ada")
    assert me(browser, "acme") is None
