"""A request is served for the tenant of its host name, and for nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_tenant.context import current_scope
from flask_tenant.errors import NoTenantError
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows


def get(client: FlaskClient, slug: str, path: str) -> Any:
    return client.get(path, base_url=f"http://{slug}.example.test:8000")


def add(client: FlaskClient, slug: str, title: str) -> Any:
    return client.post(f"/notes/{title}", base_url=f"http://{slug}.example.test:8000")


def test_each_host_sees_its_own_rows(app: Flask, notes: Notes) -> None:
    client = app.test_client()
    for slug, title in (("acme", "anvil"), ("bella", "bouquet"), ("acme", "arrow")):
        assert add(client, slug, title).status_code == 201
    assert get(client, "acme", "/notes").json == ["anvil", "arrow"]
    assert get(client, "bella", "/notes").json == ["bouquet"]
    assert len(rows(notes.url, "note")) == 3


def test_a_title_is_unique_within_its_tenant_only(app: Flask) -> None:
    client = app.test_client()
    assert add(client, "acme", "same").status_code == 201
    assert add(client, "bella", "same").status_code == 201
    assert add(client, "acme", "same").status_code == 500


def test_the_host_name_is_read_as_the_browser_means_it(app: Flask) -> None:
    client = app.test_client()
    add(client, "acme", "anvil")
    for host in ("ACME.example.test", "acme.example.test.", "acme.example.test:8000", "acme.localhost"):
        assert client.get("/notes", headers={"Host": host}).json == ["anvil"], host


@pytest.mark.parametrize(
    "host",
    [
        "nobody.example.test",
        "acme-.example.test",
        "<script>.example.test",
        "%61cme.example.test",
        "0.example",
        "\udcff.example.test",  # as a server hands over what is no text
    ],
)
def test_an_unknown_host_gets_a_proper_404(app: Flask, host: str) -> None:
    answer = app.test_client().get("/notes", headers={"Host": host})
    assert answer.status_code == 404
    assert answer.content_type == "text/html; charset=utf-8"
    assert "<script>" not in answer.text
    assert "Nobody lives here" in answer.text


def test_without_a_tenant_there_is_no_tenant_data(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/countries", headers={"Host": "localhost"}).json == ["DE"]
    assert client.get("/notes", headers={"Host": "localhost"}).status_code == 404  # nobody has declared it
    state_of(app).tenancy.central("notes", reason="a mistake")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(NoTenantError, match="no tenant is active"):
        client.get("/notes", headers={"Host": "localhost"})


def test_with_a_base_domain_only_its_own_hosts_are_served(notes: Notes) -> None:
    app = notes.create_app(TENANT_BASE_DOMAIN="example.test")
    state_of(app).create("acme", "Acme")
    client = app.test_client()
    answers = {
        host: client.get("/countries", headers={"Host": host}).status_code
        for host in (
            "acme.example.test",
            "example.test",
            "acme.evil.test",
            "a.acme.example.test",
            "acmeexample.test",
        )
    }
    assert answers == {
        "acme.example.test": 200,
        "example.test": 200,
        "acme.evil.test": 404,
        "a.acme.example.test": 404,
        "acmeexample.test": 404,
    }


def test_a_streamed_response_keeps_its_tenant_until_it_is_closed(app: Flask) -> None:
    client = app.test_client()
    for number in range(3):
        add(client, "acme", f"a{number}")
        add(client, "bella", f"b{number}")
    one = app.test_client().get("/stream", base_url="http://acme.example.test", buffered=False)
    other = app.test_client().get("/stream", base_url="http://bella.example.test", buffered=False)
    mixed = list(zip(one.iter_encoded(), other.iter_encoded(), strict=True))
    assert mixed == [(b"a0\n", b"b0\n"), (b"a1\n", b"b1\n"), (b"a2\n", b"b2\n")]
    other.close()
    one.close()
    assert current_scope() is None


def test_a_default_tenant_serves_hosts_that_name_nobody(notes: Notes) -> None:
    app = notes.create_app(TENANT_DEFAULT="acme")
    state_of(app).create("acme", "Acme")
    client = app.test_client()
    client.post("/notes/anvil", headers={"Host": "localhost"})
    assert json.loads(client.get("/notes", headers={"Host": "127.0.0.1:5000"}).text) == ["anvil"]
    assert client.get("/notes", headers={"Host": "nobody.localhost"}).status_code == 404
