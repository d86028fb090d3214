"""`flask tenant member` and `flask tenant operator`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from flask_tenant.registry import state_of
from tests.cli.conftest import Type, error
from tests.extension.notes import Notes

pytestmark = pytest.mark.databases("sqlite")

PASSWORD = "a password of the tests"


@pytest.fixture
def app(notes: Notes) -> Flask:
    """The small application, in which members log in through us."""
    app = notes.create_app(TENANT_LOGIN=True)
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    return app


def data(result: Any) -> Any:
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_from_an_invitation_to_the_last_administrator(cli: Type, app: Flask) -> None:
    people, acme = state_of(app).accounts.people, state_of(app).directory.get("acme")
    made = data(cli("member", "invite", "acme", "Ada@Example.com", "--role", "administrator", "--json"))
    assert (made["email"], made["roles"]) == ("ada@example.com", ["administrator"])
    base, _, secret = made["path"].rpartition("/")
    assert base == "/_tenant/invitation"
    people.accept_with_password(acme.id, secret, "Ada", PASSWORD)
    assert "Ada" in cli("member", "list", "acme").stdout
    (ada,) = data(cli("member", "list", "acme", "--json"))
    assert (ada["email"], ada["roles"], ada["state"]) == ("ada@example.com", ["administrator"], "active")
    number = str(ada["person"])
    for words in (
        ("suspend", "acme", number),
        ("remove", "acme", number, "--yes"),
        ("roles", "acme", number),
    ):
        refused = cli("member", *words, "--json")
        assert (refused.exit_code, error(refused)["error"]) == (1, "last-administrator")
    bob = people.create("bob@example.com", "Bob", PASSWORD)
    people.add(acme.id, bob.id)
    assert data(cli("member", "roles", "acme", "bob@example.com", "clerk", "administrator", "--json"))["roles"] == [
        "administrator", "clerk",
    ]  # fmt: skip
    assert data(cli("member", "suspend", "acme", number, "--json"))["state"] == "suspended"
    assert data(cli("member", "resume", "acme", number, "--json"))["state"] == "active"
    assert cli("member", "remove", "acme", number).exit_code == 1  # nobody answers
    assert (
        cli("member", "remove", "acme", number, input="y\n").stdout == "Ada is no member of acme any more.\n"
    )
    assert [m.name for m in people.members(acme.id)] == ["Bob"]


def test_nobody_is_meant_by_accident(cli: Type, app: Flask) -> None:
    people = state_of(app).accounts.people
    for slug in ("acme", "bella"):
        tenant = state_of(app).directory.get(slug)
        for name in ("ada", "eve"):
            person = people.by_email(f"{name}@example.com") or people.create(
                f"{name}@example.com", name, PASSWORD
            )
            people.add(tenant.id, person.id, email="same@example.com")
    outsider = people.create("bob@example.com", "Bob", PASSWORD)
    for person in ("same@example.com", str(outsider.id), "bob@example.com", ""):
        refused = cli("member", "suspend", "acme", person, "--json")
        assert (refused.exit_code, error(refused)["error"]) == (3, "member-not-found")
    assert cli("member", "list", "nobody").exit_code == 3
    assert cli("member", "invite", "acme", "no address").exit_code == 1
    assert cli("member", "invite", "acme", "x@example.com", "--role", "Not A Role").exit_code == 1
    assert people.invitations(state_of(app).directory.get("acme").id) == []


def test_operators(cli: Type, app: Flask) -> None:
    people = state_of(app).accounts.people
    typed = f"Root\n{PASSWORD}\n{PASSWORD}\n"
    assert cli("operator", "add", "root@example.com", input=typed).stdout == "Root is an operator.\n"
    assert people.matches("root@example.com", PASSWORD) is not None
    ada = people.create("ada@example.com", "Ada", PASSWORD)
    assert data(cli("operator", "add", "ada@example.com", "--json"))["person"] == ada.id
    assert [row["name"] for row in data(cli("operator", "list", "--json"))] == ["Root", "Ada"]
    assert cli("operator", "remove", "ada@example.com", "--yes").stdout == "Ada is no operator any more.\n"
    assert cli("operator", "remove", "ada@example.com", "--yes").exit_code == 1
    assert [person.name for person in people.operators()] == ["Root"]


def test_where_nobody_logs_in_through_us(notes: Notes) -> None:
    app = notes.create_app()
    state_of(app).create("acme", "Acme")
    refused = app.test_cli_runner().invoke(args=["tenant", "member", "list", "acme"])
    assert refused.exit_code == 1
    assert "TENANT_LOGIN" in refused.stderr
