"""A tenant that gets another slug keeps what it has: everything is kept under its id, which never changes."""

from __future__ import annotations

import os
from typing import Any

import cachelib
import pytest
from flask import Flask, session, url_for

from flask_tenant import tenant_context
from flask_tenant.adapters import jobs
from flask_tenant.registry import state_of
from tests.adapters.conftest import MakeApp


@pytest.fixture
def app(make_app: MakeApp, tmp_path: Any) -> Flask:
    app = make_app(
        UPLOAD_FOLDER=str(tmp_path / "uploads"),
        TENANT_UPLOAD_FOLDERS=["UPLOAD_FOLDER"],
        TENANT_BASE_DOMAIN="example.com",
    )
    app.add_url_rule("/", "show", lambda: dict(session))
    app.add_url_rule("/in", "enter", lambda: session.update(user=7) or "in", methods=["POST"])
    return app


def test_rename(app: Flask) -> None:
    state, client, cache = state_of(app), app.test_client(), cachelib.SimpleCache()
    client.post("http://acme.example.com/in")
    cookie = client.get_cookie("session", domain="acme.example.com")
    assert cookie is not None
    with app.app_context(), tenant_context("acme"):
        cache.set("a", 1)
        with open(os.path.join(app.config["UPLOAD_FOLDER"], "a.txt"), "w") as file:
            file.write("x")
        sealed = jobs.seal(state.around, "job", "work")

    renamed = state.directory.rename(state.directory.get("acme"), "acme-inc")

    client.set_cookie("session", cookie.value, domain="acme-inc.example.com")
    assert client.get("http://acme-inc.example.com/").json == {"user": 7}
    with app.app_context(), tenant_context("acme-inc"):
        assert cache.get("a") == 1
        assert os.listdir(app.config["UPLOAD_FOLDER"]) == ["a.txt"]
        assert url_for("show") == "http://acme-inc.example.com/"
    assert jobs.unseal(state.around, sealed, "job", "work") == renamed


def test_a_domain_of_its_own_is_where_links_lead(app: Flask) -> None:
    directory = state_of(app).directory
    acme = directory.get("acme")
    directory.add_domain(acme, "billing.acme.org")
    with app.app_context(), tenant_context("acme"):
        assert url_for("show") == "http://acme.example.com/", "nobody has confirmed it yet"
    directory.confirm_domain("billing.acme.org")
    with app.app_context(), tenant_context("acme"):
        assert url_for("show") == "http://billing.acme.org/"
