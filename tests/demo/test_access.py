"""Who may see and do what."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from demo_app.extensions import db
from demo_app.models import User
from demo_app.seeding import PASSWORD
from tests.demo.conftest import log_in, make_app

pytestmark = pytest.mark.databases("sqlite")

OWNER = "owner@acme-tools.example"


def test_every_page_but_the_log_in_asks_for_it(app: Flask) -> None:
    client = app.test_client()
    open_pages = {"auth.login", "auth.logout", "dashboard.brand", "dashboard.favicon", "static"}
    checked = 0
    for rule in app.url_map.iter_rules():
        if rule.endpoint in open_pages:
            continue
        kinds = rule._converters
        values = {name: min(getattr(kinds[name], "items", {1})) for name in rule.arguments}
        with app.test_request_context():
            path = app.url_for(rule.endpoint, **values)
        for method in rule.methods & {"GET", "POST"}:
            response = client.open(path, method=method)
            assert (response.status_code, response.headers["Location"][:6]) == (302, "/login"), (path, method)
            checked += 1
    assert checked > 30


@pytest.mark.parametrize(("email", "password"), [(OWNER, "wrong"), ("nobody@x.example", PASSWORD), ("", "")])
def test_wrong_credentials(app: Flask, email: str, password: str) -> None:
    client = app.test_client()
    response = client.post("/login", data={"email": email, "password": password})
    assert response.status_code == 200
    assert client.get("/").status_code == 302


def test_log_in_ignores_case_and_spaces_of_the_address(app: Flask) -> None:
    response = app.test_client().post("/login", data={"email": f" {OWNER.upper()} ", "password": PASSWORD})
    assert response.status_code == 302


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/invoices/?page=2", "/invoices/?page=2"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_log_in_leads_nowhere_else(app: Flask, wanted: str, target: str) -> None:
    response = app.test_client().post(
        "/login", query_string={"next": wanted}, data={"email": OWNER, "password": PASSWORD}
    )
    assert response.headers["Location"] == target


def test_members_cannot_change_the_company(app: Flask) -> None:
    member = log_in(app, "member")
    assert member.get("/invoices/").status_code == 200
    for path in ("/settings/", "/settings/users", "/settings/users/new", "/settings/tax-rates"):
        assert member.get(path).status_code == 403
    assert "Settings" not in member.get("/").text


def test_locked_users_are_out_at_once(app: Flask) -> None:
    owner = log_in(app)
    new = {
        "name": "Temp",
        "email": "temp@acme-tools.example",
        "role": "member",
        "password": PASSWORD,
        "active": "y",
    }
    assert owner.post("/settings/users/new", data=new).status_code == 302
    assert "Another user has this e-mail address" in owner.post("/settings/users/new", data=new).text
    temp = app.test_client()
    temp.post("/login", data={"email": new["email"], "password": PASSWORD})
    assert temp.get("/").status_code == 200
    with app.app_context():
        key = db.session.scalar(select(User.id).where(User.email == new["email"]))
    locked = {name: value for name, value in new.items() if name not in ("active", "password")}
    assert owner.post(f"/settings/users/{key}", data=locked).status_code == 302
    assert temp.get("/").status_code == 302
    assert temp.post("/login", data={"email": new["email"], "password": PASSWORD}).status_code == 200


def test_owners_cannot_lock_themselves_out(app: Flask) -> None:
    with app.app_context():
        key = db.session.scalar(select(User.id).where(User.email == OWNER))
    response = log_in(app).post(
        f"/settings/users/{key}", data={"name": "x", "email": OWNER, "role": "member"}
    )
    assert "ask another owner" in response.text


def test_log_out(app: Flask) -> None:
    client = log_in(app)
    assert client.get("/logout").status_code == 405
    client.post("/logout")
    assert client.get("/").status_code == 302


def test_forms_need_their_token(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        response = app.test_client().post("/login", data={"email": OWNER, "password": PASSWORD})
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
    assert response.status_code == 400
    assert "This form has expired" in response.text


def test_passwords_are_hashed(app: Flask) -> None:
    with app.app_context():
        hashes = db.session.scalars(select(User.password_hash)).all()
    assert hashes
    assert all(value.startswith("scrypt:") for value in hashes)


def test_secret_key_is_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DEMO_SECRET_KEY", raising=False)
    from demo_app import _stored_secret_key

    first = _stored_secret_key(tmp_path)
    assert len(first) == 64
    assert _stored_secret_key(tmp_path) == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
    assert make_app("sqlite://").config["SECRET_KEY"] == "only for tests"
