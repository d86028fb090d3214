"""``flask tenant``: what operators type, what they read, and what a script can tell from the exit code."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import TenancyError, signals, tenant_context
from flask_tenant.engines import exempt_engine
from flask_tenant.errors import InvalidSlugError, TenantExistsError
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows

ONE_EACH = pytest.mark.databases("sqlite", "postgresql+psycopg")


@ONE_EACH
def test_create_and_list(notes: Notes) -> None:
    runner = notes.create_app().test_cli_runner()
    assert json.loads(runner.invoke(args=["tenant", "list", "--json"]).output) == []
    made = runner.invoke(args=["tenant", "create", "acme"])
    assert (made.exit_code, made.output) == (0, "Created tenant acme (id 1).\n")
    named = runner.invoke(args=["tenant", "create", "blue-sky-2", "--name", "Blue Sky Ltd"])
    assert (named.exit_code, named.output) == (0, "Created tenant blue-sky-2 (id 2).\n")
    listed = runner.invoke(args=["tenant", "list", "--json"])
    assert listed.exit_code == 0
    found = json.loads(listed.output)
    assert [(t["id"], t["slug"], t["name"], t["state"]) for t in found] == [
        (1, "acme", "Acme", "active"),
        (2, "blue-sky-2", "Blue Sky Ltd", "active"),
    ]
    table = runner.invoke(args=["tenant", "list"])
    assert table.exit_code == 0
    assert all(word in table.output for word in ("acme", "blue-sky-2", "Blue Sky Ltd", "active"))


@ONE_EACH
def test_a_slug_that_is_taken(app: Flask, notes: Notes) -> None:
    before = rows(notes.url, "setting")
    result = app.test_cli_runner().invoke(args=["tenant", "create", "acme"])
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr == "Error: There is a tenant 'acme' already. Choose another slug\n"
    assert rows(notes.url, "setting") == before
    with pytest.raises(TenantExistsError) as caught:
        state_of(app).create("acme", "Another")
    assert (caught.value.code, caught.value.value) == ("tenant-exists", "acme")


REFUSED = [
    "", " ", "Acme", "acme ", "-acme", "acme-", "a_b", "a.b", "a" * 64, "café", "acme\n", "a\0b", "a/b", "%61", "..",
    "<script>", "'; DROP TABLE note; --", "аcme",
]  # fmt: skip
"""The last has a Cyrillic letter."""


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("slug", REFUSED)
def test_what_cannot_be_a_host_name_is_refused(notes: Notes, slug: str) -> None:
    app = notes.create_app()
    with pytest.raises(InvalidSlugError) as caught:
        state_of(app).create(slug, "Name")
    assert caught.value.value == slug
    assert "lower-case letters, digits and inner hyphens" in caught.value.hint
    if "\0" not in slug:
        result = app.test_cli_runner().invoke(args=["tenant", "create", "--", slug])
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: ")
    assert state_of(app).directory.all() == []


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("slug", ["a", "7", "a" * 63, "xn--caf-dma", "a--b"])
def test_what_can_be_one_is_accepted(notes: Notes, slug: str) -> None:
    app = notes.create_app()
    assert state_of(app).create(slug, "Name").slug == slug
    answer = app.test_client().get("/notes", headers={"Host": f"{slug}.example.test"})
    assert (answer.status_code, answer.json) == (200, [])


@ONE_EACH
def test_a_tenant_is_created_with_its_seeds_or_not_at_all(notes: Notes) -> None:
    def seed() -> None:
        notes.db.session.add_all([notes.Note(title="welcome"), notes.Setting(key="paper", value="A4")])

    app = notes.create_app(seed=seed)
    state = state_of(app)
    state.create("acme", "Acme")
    heard: list[str] = []

    def created(sender: object, **_: object) -> None:
        heard.append("created")

    blocked = sa.create_engine(notes.url)
    exempt_engine(blocked)
    with blocked.begin() as connection:  # a row that cannot be there is in the way of the last seed
        connection.execute(sa.text("INSERT INTO setting (tenant_id, key, value) VALUES (2, 'theme', 'x')"))
    with signals.tenant_created.connected_to(created), pytest.raises(sa.exc.IntegrityError):
        state.create("bella", "Bella")
    assert heard == []
    assert [t.slug for t in state.directory.all()] == ["acme"]
    assert len(rows(notes.url, "tenancy_tenant")) == 1
    assert [row[0] for row in rows(notes.url, "note")] == [0, 1]
    with blocked.begin() as connection:
        connection.execute(sa.text("DELETE FROM setting WHERE tenant_id = 2"))
    blocked.dispose()
    if notes.url.startswith("postgresql"):  # the id 2 is spent there: a sequence does not go back
        assert state.create("bella", "Bella").id == 3
    else:
        assert state.create("bella", "Bella").id == 2
    with app.app_context(), tenant_context("bella"):
        assert notes.db.session.scalars(sa.select(notes.Note.title)).all() == ["welcome"]
        assert len(notes.db.session.scalars(sa.select(notes.Setting)).all()) == 2


@pytest.mark.databases("sqlite")
def test_commands_of_an_application_without_tenancy() -> None:
    plain = Flask("plain")
    assert "tenant" not in plain.cli.commands
    from flask_tenant.cli import tenant_cli

    result = plain.test_cli_runner().invoke(tenant_cli, ["list"])
    assert result.exit_code == 1
    assert "Tenancy is not registered with 'plain'" in result.stderr


@pytest.mark.databases("sqlite")
def test_commands_of_an_application_without_a_database() -> None:
    from flask_tenant import Tenancy

    app = Flask("empty")
    Tenancy(app)
    result = app.test_cli_runner().invoke(args=["tenant", "list"])
    assert result.exit_code == 1
    assert "No database engine was found" in result.stderr
    assert "Tenancy(engines=[engine])" in result.stderr
    with pytest.raises(TenancyError, match="No database engine"):
        state_of(app).create("acme", "Acme")
