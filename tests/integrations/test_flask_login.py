"""Flask-Login over the application's own users: each tenant has its own, under the same ids and names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, request
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

from flask_tenant import Tenancy, tenant_context
from tests.integrations.helpers import at, table, with_tenants

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def create_app(url: str, **config: Any) -> tuple[Flask, Any]:
    """The application as its authors wrote it, but for one line."""
    app = Flask("portal")
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SECRET_KEY="test", **config)
    db = SQLAlchemy(app)
    Tenancy(app)
    manager = LoginManager(app)
    manager.login_view = "login"

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(50), unique=True, nullable=False)
        password = db.Column(db.String(200), nullable=False)

    @manager.user_loader
    def load(user_id: str) -> Any:
        return db.session.get(User, int(user_id))

    @app.post("/register")
    def register() -> str:
        hashed = generate_password_hash(request.form["password"], method="pbkdf2:sha256:1")
        user = User(name=request.form["name"], password=hashed)
        db.session.add(user)
        db.session.commit()
        return str(user.id)

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        if request.method == "GET":
            return "please log in", 401
        user = db.session.scalar(sa.select(User).where(User.name == request.form["name"]))
        if user is None or not check_password_hash(user.password, request.form["password"]):
            return "wrong", 403
        login_user(user, remember="remember" in request.form)
        return "welcome"

    @app.post("/logout")
    @login_required
    def logout() -> str:
        logout_user()
        return "bye"

    @app.get("/me")
    @login_required
    def me() -> dict[str, Any]:
        return {"id": current_user.id, "name": current_user.name}

    with app.app_context():
        db.create_all()
    return app, db


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app, db = create_app(database_url)
    yield with_tenants(app)
    with app.app_context():
        db.engine.dispose()


def register(client: FlaskClient, slug: str, name: str, password: str) -> str:
    return client.post(at(slug, "/register"), data={"name": name, "password": password}).text


def login(client: FlaskClient, slug: str, name: str, password: str, **more: str) -> int:
    return client.post(at(slug, "/login"), data={"name": name, "password": password, **more}).status_code


def test_users_of_the_same_name_and_id_are_different_people(app: Flask, database_url: str) -> None:
    clients = {slug: app.test_client() for slug in ("acme", "bella")}
    register(clients["acme"], "acme", "only-at-acme", "x")
    for slug, client in clients.items():
        register(client, slug, "ada", f"{slug}'s secret")
    assert len(table(database_url, '"user"')) == 3

    assert login(clients["bella"], "bella", "ada", "acme's secret") == 403
    assert login(clients["bella"], "bella", "only-at-acme", "x") == 403
    for slug, client in clients.items():
        assert client.get(at(slug, "/me")).status_code == 302
        assert login(client, slug, "ada", f"{slug}'s secret", remember="yes") == 200
        client.delete_cookie("session", domain=f"{slug}.example.test")  # the remember-me cookie alone
        assert client.get(at(slug, "/me")).json["name"] == "ada"
        assert client.post(at(slug, "/logout")).text == "bye"
        assert client.get(at(slug, "/me")).status_code == 302


def test_a_browser_keeps_each_tenants_cookie_to_its_host(app: Flask) -> None:
    client = app.test_client()
    for slug in ("acme", "bella"):
        register(client, slug, "ada", "secret")
    assert login(client, "acme", "ada", "secret") == 200
    assert client.get(at("acme", "/me")).status_code == 200
    assert client.get(at("bella", "/me")).status_code == 302


@pytest.mark.databases("sqlite")  # on PostgreSQL no two tenants' automatic ids are the same
def test_a_stolen_cookie_is_nobodys_at_another_tenant(app: Flask) -> None:
    """Both tenants have a user of id 1: a session or remember-me cookie of the one is nobody's at the other."""
    acme, thief = app.test_client(), app.test_client()
    assert register(acme, "acme", "ada", "secret") == register(thief, "bella", "bob", "secret") == "1"
    assert login(acme, "acme", "ada", "secret", remember="yes") == 200
    assert acme.get(at("acme", "/me")).json["name"] == "ada"
    for name in ("session", "remember_token"):
        cookie = acme.get_cookie(name, domain="acme.example.test")
        assert cookie is not None
        thief.set_cookie(name, cookie.value, domain="bella.example.test")
        assert thief.get(at("bella", "/me")).status_code == 302
        thief.delete_cookie(name, domain="bella.example.test")


def test_a_script_sees_the_users_of_its_tenant(app: Flask) -> None:
    register(app.test_client(), "acme", "ada", "secret")
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        for slug, count in (("acme", 1), ("bella", 0)):
            with tenant_context(slug):
                assert db.session.scalar(sa.text('SELECT count(*) FROM "user"')) == count
