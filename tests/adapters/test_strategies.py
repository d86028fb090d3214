"""Adapters beside the other ways in: tenants told by their path, and by what somebody chose when logging in."""

from __future__ import annotations

from flask import Flask, session, url_for

from flask_tenant import tenant_context
from tests.adapters.conftest import MakeApp


def pages(app: Flask) -> Flask:
    @app.get("/")
    def show() -> dict[str, object]:
        return dict(session)

    @app.post("/put/<key>/<value>")
    def put(key: str, value: str) -> str:
        session[key] = int(value)
        return "put"

    return app


def test_tenants_told_by_their_path_share_a_browser(make_app: MakeApp) -> None:
    app = pages(make_app(TENANT_STRATEGIES=["path"], TENANT_BASE_DOMAIN="example.com"))
    client = app.test_client()
    for slug, user in (("acme", 1), ("bella", 2)):
        assert client.post(f"http://example.com/t/{slug}/put/user/{user}").status_code == 200
    assert client.get("http://example.com/t/acme/").json == {"user": 1}
    assert client.get("http://example.com/t/bella/").json == {"user": 2}
    with app.app_context(), tenant_context("acme"):
        assert url_for("show", _external=True) == "http://example.com/t/acme/"
    stolen = client.get_cookie("session", domain="example.com", path="/t/acme")
    assert stolen is not None
    client.set_cookie("session", stolen.value, domain="example.com", path="/t/bella")
    assert client.get("http://example.com/t/bella/").json == {}


def test_a_session_that_chose_its_tenant(make_app: MakeApp) -> None:
    """One host for all: people log in at no tenant's address, and the session says whose they are."""

    def declare(app: Flask) -> None:
        pages(app)

    app = make_app(declare, TENANT_STRATEGIES=["session"], TENANT_CENTRAL_HOSTS=["example.com"])
    tenancy = app.extensions["tenancy"].tenancy
    tenancy.central("put", reason="people log in here")
    client = app.test_client()
    client.post("http://example.com/put/user/7")
    client.post("http://example.com/put/tenant_id/2")
    assert client.get("http://example.com/").json == {"user": 7, "tenant_id": 2}
    client.post("http://example.com/put/colour/3")
    assert client.get("http://example.com/").json == {"user": 7, "tenant_id": 2, "colour": 3}
    # Going over to another tenant takes logging in again: user 7 is somebody else there.
    client.post("http://example.com/put/tenant_id/1")
    assert client.get("http://example.com/").json in ({}, None)
