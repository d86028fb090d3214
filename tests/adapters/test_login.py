"""Flask-Login's remember-me cookie. Its session is tested with sessions, and over a database in integrations."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, current_user, decode_cookie, encode_cookie, login_user

from flask_tenant import tenant_context
from tests.adapters.conftest import MakeApp, at, carry, domain


class User(UserMixin):
    def __init__(self, user_id: str) -> None:
        self.id = user_id


def with_login(app: Flask) -> None:
    LoginManager(app).user_loader(User)

    @app.post("/login")
    def login() -> str:
        login_user(User("7"), remember=True)
        return "welcome"

    @app.get("/")
    def me() -> dict[str, Any]:
        return {"user": current_user.get_id()}


def remembered(client: FlaskClient, slug: str) -> Any:
    """Who the remember-me cookie alone says it is."""
    client.delete_cookie("session", domain=domain(slug))
    return client.get(at(slug)).json["user"]


def test_a_remember_me_cookie_is_its_tenants_own(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    client = make_app(with_login).test_client()
    client.post(at("acme", "/login"))
    carry(client, "remember_token", "acme", "bella")
    carry(client, "remember_token", "acme", "")
    assert remembered(client, "acme") == "7"
    assert remembered(client, "bella") is None
    assert remembered(client, "") is None
    assert "A remember-me cookie of tenant 1 was replayed at tenant 2" in caplog.text


def test_flask_login_registered_after_the_first_request(make_app: MakeApp) -> None:
    """It leaves nothing but an attribute of the application: no module is imported, no extension noted."""
    make_app(with_login).test_client().post(at("acme", "/login"))  # imports whatever a log-in needs
    app = make_app()
    app.test_client().get(at("acme", "/nowhere"))
    app._got_first_request = False  # as behind a server that has not come to Flask yet
    with tenant_context("acme", app):
        with_login(app)
    client = app.test_client()
    client.post(at("acme", "/login"))
    carry(client, "remember_token", "acme", "bella")
    assert remembered(client, "acme") == "7"
    assert remembered(client, "bella") is None
    assert "flask-login" in app.extensions["tenancy"].surroundings.placed


def test_one_from_before_registration(make_app: MakeApp) -> None:
    """Also when the user's id looks like what we put before it."""
    app = make_app(with_login)
    client = app.test_client()
    with app.app_context():
        cookies = [encode_cookie(user) for user in ("7", "2|7x")]
    for cookie in cookies:
        client.set_cookie("remember_token", cookie, domain="acme.localhost")
        assert remembered(client, "acme") is None


def test_other_uses_of_its_functions_are_left_alone(make_app: MakeApp) -> None:
    app = make_app(with_login)
    app.test_client().get(at("acme"))
    with app.app_context():
        assert decode_cookie(encode_cookie("x")) == "x"
        assert encode_cookie("x").startswith("x|")


def test_an_application_without_tenancy_in_the_same_process(make_app: MakeApp) -> None:
    make_app(with_login).test_client().get(at("acme"))
    other = Flask("other")
    other.config["SECRET_KEY"] = "x"
    with_login(other)
    client = other.test_client()
    client.post("/login")
    cookie = client.get_cookie("remember_token")
    assert cookie is not None
    assert cookie.value.startswith("7|")
    client.delete_cookie("session")
    assert client.get("/").json == {"user": "7"}


def test_no_adapter_without_flask_login(app: Flask) -> None:
    app.test_client().get(at("acme"))
    assert "flask-login" not in app.extensions["tenancy"].surroundings.placed
