"""External URLs made outside a request lead to the tenant's own host."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, url_for

from flask_tenant import central_context, tenant_context
from flask_tenant.errors import ConfigurationError
from tests.adapters.conftest import MakeApp


def pages(app: Flask) -> Flask:
    app.add_url_rule(
        "/invoices/<int:number>", "invoice", lambda number: url_for("invoice", number=number, _external=True)
    )

    @app.get("/sends-a-mail-to-bella")
    def mail() -> dict[str, str]:
        with tenant_context("bella"):
            return {
                "mail": url_for("invoice", number=1, _external=True),
                "secure": url_for("invoice", number=1, _scheme="https", _external=True),
                "link": url_for("invoice", number=1),
            }

    return app


def external(app: Flask, slug: str, **values: Any) -> str:
    with app.app_context(), tenant_context(slug):
        return url_for("invoice", number=7, **values)


def test_jobs_link_to_the_tenants_host(make_app: MakeApp) -> None:
    app = pages(make_app(TENANT_BASE_DOMAIN="example.com"))
    assert external(app, "acme") == "http://acme.example.com/invoices/7"
    assert external(app, "bella", _external=True) == "http://bella.example.com/invoices/7"
    assert external(app, "acme", _external=False) == "/invoices/7"
    assert (
        external(app, "acme", _external=True, _scheme="https", _anchor="x")
        == "https://acme.example.com/invoices/7#x"
    )


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"TENANT_EXTERNAL_SCHEME": "https"}, "https://acme.example.com/invoices/7"),
        ({"PREFERRED_URL_SCHEME": "https"}, "https://acme.example.com/invoices/7"),
        (
            {"PREFERRED_URL_SCHEME": "https", "TENANT_EXTERNAL_SCHEME": "http"},
            "http://acme.example.com/invoices/7",
        ),
        ({"APPLICATION_ROOT": "/shop"}, "http://acme.example.com/shop/invoices/7"),
        ({"SERVER_NAME": "elsewhere.org"}, "http://acme.example.com/invoices/7"),
    ],
)
def test_scheme_and_root(make_app: MakeApp, config: dict[str, str], wanted: str) -> None:
    assert external(pages(make_app(TENANT_BASE_DOMAIN="example.com", **config)), "acme") == wanted


def test_ports_and_server_name(make_app: MakeApp) -> None:
    app = pages(make_app(SERVER_NAME="localhost:8000"))
    assert external(app, "acme") == "http://acme.localhost:8000/invoices/7"


def test_without_a_host_it_says_what_to_set(make_app: MakeApp) -> None:
    app = pages(make_app())
    with pytest.raises(ConfigurationError, match="TENANT_BASE_DOMAIN"):
        external(app, "acme")


def test_in_a_request_its_host_as_ever(make_app: MakeApp) -> None:
    app = pages(make_app(TENANT_BASE_DOMAIN="example.com", PREFERRED_URL_SCHEME="https"))
    client = app.test_client()
    assert client.get("/invoices/1", base_url="http://acme.example.com:8000").text == (
        "http://acme.example.com:8000/invoices/1"
    )
    with app.test_request_context(base_url="http://elsewhere"), tenant_context("acme"):
        assert url_for("invoice", number=1, _external=True) == "http://elsewhere/invoices/1"


def test_a_request_that_works_for_another_tenant(make_app: MakeApp) -> None:
    """Its own host would lead the other tenant's people to a neighbour."""
    app = pages(make_app(TENANT_BASE_DOMAIN="example.com"))
    answer = app.test_client().get("/sends-a-mail-to-bella", base_url="http://acme.example.com:8000")
    assert answer.json == {
        "mail": "http://bella.example.com/invoices/1",
        "secure": "https://bella.example.com/invoices/1",
        "link": "/invoices/1",
    }


def test_nothing_changes_outside_tenants(make_app: MakeApp) -> None:
    app = pages(make_app(SERVER_NAME="example.com"))
    with app.app_context():
        assert url_for("invoice", number=1) == "http://example.com/invoices/1"
        with central_context(reason="a test"):
            assert url_for("invoice", number=1) == "http://example.com/invoices/1"
        with tenant_context("acme"):
            assert url_for("invoice", number=1) == "http://acme.example.com/invoices/1"
        assert url_for("invoice", number=1) == "http://example.com/invoices/1"


def test_switched_off(make_app: MakeApp) -> None:
    app = pages(make_app(SERVER_NAME="example.com", TENANT_ADAPTERS_OFF=["urls"]))
    assert external(app, "acme") == "http://example.com/invoices/7"
