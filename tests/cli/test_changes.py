"""What operators change: states, names, domains, tokens, configuration; what is asked first; exit codes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant.engines import exempt_engine
from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.cli.conftest import Type, error
from tests.extension.notes import Notes

SQLITE = pytest.mark.databases("sqlite")
ONE_EACH = pytest.mark.databases("sqlite", "postgresql+psycopg")


def data(result: Any, code: int = 0) -> Any:
    assert (result.exit_code, result.stderr) == (code, "")
    return json.loads(result.stdout)


# ---- states
@ONE_EACH
def test_each_state_is_set_seen_and_left(cli: Type, app: Flask) -> None:
    client, directory = app.test_client(), state_of(app).directory
    served = lambda: client.get("/notes", base_url="http://acme.localhost").status_code  # noqa: E731
    for command, state in (("suspend", "suspended"), ("maintenance", "maintenance"), ("archive", "archived")):
        assert served() == 200
        found = data(cli(command, "acme", "--yes", "--json"))
        assert (found["slug"], found["state"]) == ("acme", state)
        assert directory.get("acme").state.value == state
        assert served() != 200
        assert cli(command, "acme").stdout == f"Tenant acme was {state} already.\n"  # asks nothing
        assert cli("resume", "acme").stdout == "Tenant acme is active.\n"
    assert served() == 200
    assert directory.get("bella").state is TenantState.ACTIVE


DANGEROUS = [
    (["suspend", "acme"], "Suspend acme? Its users are turned away at once"),
    (["archive", "acme"], "Archive acme?"),
    (["maintenance", "acme"], "Put acme into maintenance?"),
    (["rename", "acme", "zenith"], "Rename acme to zenith?"),
    (["domain", "remove", "acme", "shop.example.com"], "Remove shop.example.com from acme?"),
    (["token", "revoke", "acme", "1"], "Revoke token 1 (nightly) of acme?"),
]


@SQLITE
@pytest.mark.parametrize(("words", "question"), DANGEROUS, ids=lambda x: x[0] if isinstance(x, list) else "")
def test_what_is_hard_to_undo_asks_first(cli: Type, app: Flask, words: list[str], question: str) -> None:
    directory = state_of(app).directory

    def now() -> Any:
        return (
            directory.all(), directory.domains(directory.all()[0]),
            [t.revoked_at for t in directory.tokens(directory.all()[0])],
        )  # fmt: skip

    assert cli("domain", "add", "acme", "shop.example.com", "--confirm").exit_code == 0
    assert cli("token", "create", "acme", "--name", "nightly").exit_code == 0
    before = now()
    for answer in ("n\n", "", "what\n"):
        asked = cli(*words, input=answer)
        assert asked.exit_code == 1
        assert question in asked.stderr
        assert asked.stderr.endswith("Error: Not confirmed; nothing was changed. --yes answers in advance\n")
        assert now() == before
    assert cli(*words, input="y\n").exit_code == 0
    assert now() != before


# ---- names
@ONE_EACH
def test_a_tenant_is_renamed_and_found_by_its_new_slug(cli: Type, app: Flask) -> None:
    found = data(cli("rename", "acme", "zenith", "--yes", "--json"))
    assert (found["id"], found["slug"]) == (1, "zenith")
    assert cli("show", "acme").exit_code == 3
    assert data(cli("show", "zenith", "--json"))["id"] == 1
    assert state_of(app).directory.find_renamed("acme").slug == "zenith"  # type: ignore[union-attr]
    assert error(cli("rename", "zenith", "bella", "--yes", "--json"))["error"] == "tenant-exists"
    assert cli("rename", "zenith", "bella", "--yes").exit_code == 4
    assert cli("rename", "zenith", "No Label", "--yes").exit_code == 2


def test_a_former_slug_is_released_for_others(cli: Type, app: Flask) -> None:
    directory = state_of(app).directory
    nobody = cli("release", "zenith", "--yes", "--json")
    assert (nobody.exit_code, error(nobody)["error"]) == (3, "slug-not-found")
    cli("rename", "acme", "zenith", "--yes")
    assert cli("create", "acme").exit_code == 4, "it is reserved"
    assert cli("release", "acme", input="n\n").exit_code == 1
    assert directory.find_renamed("acme") is not None
    assert data(cli("release", "acme", "--yes", "--json")) == {"former": "acme", "slug": "zenith"}
    assert directory.find_renamed("acme") is None
    assert cli("create", "acme").exit_code == 0
    assert directory.get("acme").id != directory.get("zenith").id
    assert cli("create", "acme").exit_code == 4  # old links lead to zenith


@SQLITE
def test_what_people_call_a_tenant(cli: Type) -> None:
    assert cli("set", "acme", "--name", "Acme & Sons").stdout == "Tenant acme is called Acme & Sons.\n"
    assert data(cli("list", "--json"))[0]["name"] == "Acme & Sons"
    assert cli("set", "acme").exit_code == 2


@SQLITE
def test_names_cannot_steer_a_terminal(cli: Type) -> None:
    name = "[bold red]x[/] \x1b[2J\x07\u202e"
    assert cli("create", "evil", "--name", name).exit_code == 0
    for words in (["list"], ["show", "evil"], ["set", "evil", "--name", name]):
        shown = cli(*words).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
        assert "[bold red]x[/]" in shown
    assert data(cli("show", "evil", "--json"))["name"] == name


# ---- domains
@ONE_EACH
def test_domains(cli: Type, app: Flask) -> None:
    directory = state_of(app).directory
    added = data(cli("domain", "add", "acme", "Shop.Example.COM.", "--json"))
    assert added == {"slug": "acme", "host": "shop.example.com", "confirmed_at": None, "primary": False}
    assert directory.find_domain("shop.example.com") is None
    confirmed = data(cli("domain", "confirm", "acme", "shop.example.com", "--json"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", confirmed["confirmed_at"])
    assert directory.find_domain("shop.example.com").slug == "acme"  # type: ignore[union-attr]
    assert cli("domain", "add", "acme", "www.example.com", "--confirm", "--primary").exit_code == 0
    listed = data(cli("domain", "list", "acme", "--json"))
    assert [(d["host"], d["primary"]) for d in listed] == [
        ("www.example.com", True),
        ("shop.example.com", False),
    ]
    assert data(cli("show", "acme", "--json"))["domains"] == ["www.example.com", "shop.example.com"]
    assert "shop.example.com" in cli("domain", "list", "acme").stdout
    assert cli("domain", "remove", "acme", "shop.example.com", "--yes").exit_code == 0
    assert directory.find_domain("shop.example.com") is None


@SQLITE
def test_domains_that_cannot_be(cli: Type, app: Flask) -> None:
    assert cli("domain", "add", "acme", "shop.example.com", "--confirm").exit_code == 0
    taken = cli("domain", "add", "bella", "shop.example.com", "--json")
    assert (taken.exit_code, error(taken)["error"]) == (4, "domain-exists")
    for words in (["remove", "bella", "shop.example.com", "--yes"], ["confirm", "bella", "shop.example.com"]):
        missing = cli("domain", *words, "--json")  # somebody else's is as good as none
        assert (missing.exit_code, error(missing)["error"]) == (3, "domain-not-found")
    assert cli("domain", "add", "acme", "new.example.com").exit_code == 0
    assert cli("domain", "confirm", "bella", "new.example.com").exit_code == 3
    assert state_of(app).directory.find_domain("new.example.com") is None
    assert cli("domain", "remove", "acme", "new.example.com").exit_code == 0  # it led nowhere: asks nothing
    for host in ("localhost", "127.0.0.1", "a b.example.com", "*.example.com", ""):
        wrong = cli("domain", "add", "acme", host, "--json")
        assert (wrong.exit_code, error(wrong)["error"]) == (2, "domain-invalid")
    assert cli("domain", "add", "acme", "x.example.com", "--primary").exit_code == 2
    assert [d["host"] for d in data(cli("domain", "list", "acme", "--json"))] == ["shop.example.com"]


# ---- tokens
@ONE_EACH
def test_tokens(cli: Type, app: Flask) -> None:
    directory = state_of(app).directory
    made = data(cli("token", "create", "acme", "--name", "nightly", "--expires", "30d", "--json"))
    assert made["secret"].startswith("ft_")
    assert directory.find_token(made["secret"]).tenant_id == 1  # type: ignore[union-attr]
    listed = cli("token", "list", "acme", "--json")
    assert made["secret"] not in listed.stdout
    (found,) = data(listed)
    assert found == {k: v for k, v in made.items() if k != "secret"}
    assert list(found) == ["id", "slug", "name", "created_at", "expires_at", "revoked_at", "scopes", "valid"]
    assert found["valid"] is True
    assert data(cli("show", "acme", "--json"))["tokens"] == 1
    missing = cli("token", "revoke", "bella", str(found["id"]), "--yes", "--json")
    assert (missing.exit_code, error(missing)["error"]) == (3, "token-not-found")
    assert directory.find_token(made["secret"]) is not None
    revoked = data(cli("token", "revoke", "acme", str(found["id"]), "--yes", "--json"))
    assert revoked["valid"] is False
    assert directory.find_token(made["secret"]) is None
    assert cli("token", "revoke", "acme", str(found["id"])).exit_code == 0  # once more asks nothing
    assert "nightly" in cli("token", "list", "acme").stdout


@SQLITE
def test_a_secret_is_shown_once(cli: Type) -> None:
    made = cli("token", "create", "acme", "--name", "x")
    assert re.match(
        r"ft_\S+\nToken 1 of acme \(x\), valid until it is revoked\. The secret is not", made.stdout
    )


@SQLITE
@pytest.mark.parametrize("expires", ["soon", "0d", "2020-01-01", "-1d", "30"])
def test_an_expiry_that_is_none(cli: Type, expires: str) -> None:
    assert cli("token", "create", "acme", "--name", "x", "--expires", expires).exit_code == 2
    assert data(cli("token", "list", "acme", "--json")) == []


# ---- configuration
@ONE_EACH
def test_configuration(cli: Type, app: Flask) -> None:
    for key, value in (("seats", "5"), ("beta", "true"), ("colour", "blue"), ("tags", '["a", "b"]')):
        assert cli("config", "set", "acme", key, value).exit_code == 0
    assert cli("config", "set", "acme", "version", "1.0", "--text").exit_code == 0
    wanted = {"seats": 5, "beta": True, "colour": "blue", "tags": ["a", "b"], "version": "1.0"}
    assert data(cli("config", "list", "acme", "--json")) == wanted
    assert dict(state_of(app).directory.get("acme").config) == wanted
    assert data(cli("config", "list", "bella", "--json")) == {}
    assert cli("config", "get", "acme", "colour").stdout == "blue\n"
    assert cli("config", "get", "acme", "tags").stdout == '["a", "b"]\n'
    assert data(cli("config", "get", "acme", "version", "--json")) == "1.0"
    assert data(cli("show", "acme", "--json"))["config"] == wanted
    assert "colour" in cli("config", "list", "acme").stdout
    assert "seats" not in data(cli("config", "unset", "acme", "seats", "--json"))
    for words in (["get", "acme", "seats"], ["unset", "acme", "seats"], ["get", "bella", "colour"]):
        missing = cli("config", *words, "--json")
        assert (missing.exit_code, error(missing)["error"]) == (3, "config-not-found")
    assert cli("config", "set", "acme", "no key", "x").exit_code == 2


# ---- all of them
@SQLITE
@pytest.mark.parametrize(
    "words",
    [
        ["show"], ["set", "--name", "x"], ["suspend"], ["resume"], ["archive"], ["maintenance"], ["rename", "x"],
        ["domain", "add", "x.example.com"], ["domain", "confirm", "x.example.com"],
        ["domain", "remove", "x.example.com"], ["domain", "list"], ["token", "create", "--name", "x"],
        ["token", "list"], ["token", "revoke", "1"], ["config", "set", "x", "y"], ["config", "get", "x"],
        ["config", "unset", "x"], ["config", "list"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_tenant_that_is_not_there(cli: Type, words: list[str]) -> None:
    at = 2 if words[0] in ("domain", "token", "config") else 1
    missing = cli(*words[:at], "acne", *words[at:], "--json")
    found = error(missing)
    assert (missing.exit_code, found["error"], found["value"]) == (3, "tenant-not-found", "acne")
    assert found["hint"] == "Is it 'acme'? 'flask tenant list' shows them"


@ONE_EACH
def test_a_database_that_fails_is_told_in_one_line(cli: Type, notes: Notes) -> None:
    behind = sa.create_engine(notes.url)
    exempt_engine(behind)
    with behind.begin() as connection:
        connection.execute(sa.text("ALTER TABLE tenancy_domain RENAME TO gone"))
    behind.dispose()
    failed = cli("domain", "add", "acme", "shop.example.com")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr.startswith("Error: The database has failed: ")
    assert "tenancy_domain" in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert error(cli("domain", "list", "acme", "--json"))["error"] == "database"
