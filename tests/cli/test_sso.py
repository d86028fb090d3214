"""``flask tenant sso …``, at a real directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from flask_tenant.identity import Identified, Identity
from flask_tenant.registry import state_of
from tests.cli.conftest import Type, error
from tests.extension.notes import Notes
from tests.services.authority import CertificateAuthority
from tests.services.slapd import ACME, READER_PASSWORD, Slapd

pytestmark = pytest.mark.databases("sqlite")

KEY = Fernet.generate_key().decode()


@pytest.fixture
def app(notes: Notes) -> Flask:
    app = notes.create_app(TENANT_LOGIN=True, TENANT_SECRET_KEYS=[KEY])
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    return app


@pytest.fixture
def words(slapd: Slapd, authority: CertificateAuthority) -> list[str]:
    """What adds a directory that works."""
    settings = {
        "url": slapd.url("127.0.0.1", tls=True),
        "base": f"ou=people,{ACME}",
        "bind_dn": f"cn=reader,{ACME}",
        "ca_file": str(authority.file),
        "timeout": "4",
    }
    given = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["sso", "add", "acme", "staff", "--kind", "ldap", *given, "--secret", "bind_password"]


def test_a_directory_is_added_shown_tried_and_removed(cli: Type, app: Flask, words: list[str]) -> None:
    more = [
        "--role",
        "chiefs=administrator",
        "--role",
        "cn=staff,dc=acme=member",
        "--joins",
        "--label",
        "Acme",
    ]
    added = cli(*words, *more, input=f"{READER_PASSWORD}\n")
    assert (added.exit_code, added.stderr) == (0, "")
    assert "flask tenant sso test acme staff" in added.stdout
    (data,) = [
        row for row in json.loads(cli("sso", "show", "acme", "--json").stdout) if row["name"] == "staff"
    ]
    assert list(data) == [
        "slug", "name", "kind", "label", "authority", "enabled", "joins", "settings", "secrets",
    ]  # fmt: skip
    assert (data["label"], data["joins"], data["authority"]) == ("Acme", True, "ldap:1/staff")
    assert data["settings"]["timeout"] == 4
    assert data["settings"]["roles"] == {"chiefs": ["administrator"], "cn=staff,dc=acme": ["member"]}
    assert data["secrets"] == ["bind_password"]
    for shown in (cli("sso", "show", "acme"), cli("sso", "show", "acme", "staff"), added):
        assert shown.exit_code == 0
        assert READER_PASSWORD not in shown.output
    assert json.loads(cli("sso", "show", "acme", "staff", "--json").stdout) == data
    tried = cli("sso", "test", "acme", "--json")
    assert tried.exit_code == 0
    assert [(row["name"], row["what"]) for row in json.loads(tried.stdout)][:2] == [
        ("staff", "settings"),
        ("staff", "connection"),
    ]
    assert cli("sso", "remove", "acme", "staff").exit_code == 1, "nobody has agreed"
    assert cli("sso", "test", "acme", "staff").exit_code == 0
    assert cli("sso", "remove", "acme", "staff", "--yes").exit_code == 0
    assert error(cli("sso", "test", "acme", "staff", "--json"))["error"] == "provider-not-found"
    assert cli("sso", "test", "acme", "staff").exit_code == 3


def test_what_is_wrong_is_said(cli: Type, words: list[str]) -> None:
    cli(*words, input="another password\n")
    tried = cli("sso", "test", "acme", "staff", "--json")
    assert tried.exit_code == 1
    (wrong,) = [row for row in json.loads(tried.stdout) if not row["ok"]]
    assert wrong["what"] == "service account"
    assert "Invalid credentials" in wrong["detail"]


def test_secrets_from_files_and_never_from_the_command_line(
    cli: Type, app: Flask, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text(f"{READER_PASSWORD}\n")
    refused = cli(*words[:-1], f"bind_password={READER_PASSWORD}")
    assert refused.exit_code == 2
    assert "@FILE" in refused.stderr
    assert READER_PASSWORD not in refused.output
    assert cli(*words[:-1], f"bind_password=@{path}").exit_code == 0
    assert cli("sso", "test", "acme", "staff").exit_code == 0
    asked = f"bind_password={READER_PASSWORD}"
    setting = cli(*words[:4], "--kind", "ldap", "--replace", "--set", asked)
    assert setting.exit_code == 1
    assert "is a secret" in setting.stderr
    assert READER_PASSWORD not in setting.output


def test_settings_from_a_file(cli: Type, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "staff.toml"
    path.write_text('timeout = 2.5\nname = "sn"\n[roles]\nchiefs = ["administrator"]\n')
    added = cli(*words, "--settings", str(path), "--json", input=f"{READER_PASSWORD}\n")
    settings = json.loads(added.stdout)["settings"]
    assert (settings["timeout"], settings["name"]) == (4, "sn")
    assert settings["roles"] == {"chiefs": ["administrator"]}


MISTAKES: list[tuple[list[str], int, str]] = [
    (["--set", "url"], 2, "KEY=VALUE"),
    (["--set", "=x"], 2, "KEY=VALUE"),
    (["--settings", "/nowhere/at/all"], 2, "cannot be read"),
    (["--settings", __file__], 2, "is no TOML"),
    (["--role", "chiefs"], 2, "GROUP=ROLE"),
    (["--role", "chiefs=Big Boss"], 1, "'roles' is"),
    (["--secret", "password=@/nowhere/at/all"], 2, "cannot be read"),
    (["--set", "verify=false"], 1, "verify is unknown"),
    (["--set", "url=ldapi:///"], 1, "setting url"),
    (["--authority", "https://id.example"], 1, "cannot be the authority"),
]


def test_mistakes_add_nothing(cli: Type, words: list[str]) -> None:
    for more, code, says in MISTAKES:
        done = cli(*words, *more, input=f"{READER_PASSWORD}\n")
        assert done.exit_code == code
        assert says in done.stderr
        assert "Traceback" not in done.output
        assert READER_PASSWORD not in done.output
    assert [row["name"] for row in json.loads(cli("sso", "show", "acme", "--json").stdout)] == ["local"]
    assert cli(*words, input=f"{READER_PASSWORD}\n").exit_code == 0, (
        "what the mistakes are made of is one, too"
    )


def test_an_empty_secret(cli: Type, words: list[str]) -> None:
    assert "is empty" in cli(*words, input="").stderr


def test_names_are_taken_once(cli: Type, words: list[str]) -> None:
    assert cli(*words, input="x\n").exit_code == 0
    assert error(cli(*words, "--json", input="x\n"))["error"] == "provider-exists"
    assert cli(*words, input="x\n").exit_code == 4
    assert cli(*words, "--replace", input=f"{READER_PASSWORD}\n").exit_code == 0
    assert cli("sso", "test", "acme", "staff").exit_code == 0


def test_another_tenants_are_as_good_as_none(cli: Type, words: list[str]) -> None:
    cli(*words, input="x\n")
    for command in (["show"], ["test"], ["remove", "--yes"]):
        assert cli("sso", command[0], "bella", "staff", *command[1:]).exit_code == 3
    assert [row["name"] for row in json.loads(cli("sso", "show", "bella", "--json").stdout)] == ["local"]
    assert cli("sso", "show", "nobody").exit_code == 3


def test_local_passwords_are_switched_off_and_on(cli: Type) -> None:
    assert cli("sso", "test", "acme").exit_code == 0
    assert cli("sso", "remove", "acme", "local", "--yes").exit_code == 0
    (local,) = json.loads(cli("sso", "show", "acme", "--json").stdout)
    assert local["enabled"] is False
    assert cli("sso", "remove", "acme", "local", "--yes").exit_code == 0
    assert cli("sso", "add", "acme", "local", "--kind", "local").exit_code == 0
    (local,) = json.loads(cli("sso", "show", "acme", "--json").stdout)
    assert local["enabled"] is True


def test_removal_takes_roles_and_sessions_along(cli: Type, app: Flask, words: list[str]) -> None:
    cli(*words, "--role", "chiefs=administrator", "--joins", input="x\n")
    with app.app_context():
        accounts = state_of(app).accounts
        tenant = state_of(app).directory.get("acme")
        staff = accounts.providers.get(tenant, "staff")
        assert staff is not None
        who = Identified(Identity(staff.authority, "1"), "Ann", groups=("chiefs",))
        ann = accounts.people.arrive(staff, who)
        assert ann.is_administrator
        accounts.sessions.open(ann, staff, who)
        refused = cli("sso", "remove", "acme", "staff", "--yes")
        assert refused.exit_code == 1
        assert "nobody would be an administrator" in refused.stderr
        assert accounts.sessions.of(tenant.id)
        other = accounts.people.create("bob@acme.com", "Bob", "a long password of his")
        accounts.people.add(tenant.id, other.id, roles=["administrator"])
        assert cli("sso", "remove", "acme", "staff", "--yes").exit_code == 0
        assert accounts.sessions.of(tenant.id) == []
        member = accounts.people.member(tenant.id, ann.person_id)
        assert member is not None
        assert member.roles == frozenset()


def test_another_authority_takes_nothing_over(cli: Type, app: Flask, words: list[str]) -> None:
    """In a provider's place: who came through the former one is logged out, and no more what its groups said."""
    words = [*words, "--joins"]
    cli(*words, "--role", "chiefs=clerk", input="x\n")
    with app.app_context():
        accounts = state_of(app).accounts
        tenant = state_of(app).directory.get("acme")
        staff = accounts.providers.get(tenant, "staff")
        assert staff is not None
        who = Identified(Identity(staff.authority, "1"), "Ann", groups=("chiefs",))
        ann = accounts.people.arrive(staff, who)
        assert ann.roles == {"clerk"}
        accounts.sessions.open(ann, staff, who)
        assert cli(*words, "--replace", "--role", "chiefs=clerk", input="y\n").exit_code == 0
        assert len(accounts.sessions.of(tenant.id)) == 1, "the same one goes on, with another password"
        done = cli(*words, "--replace", "--authority", "ldap:elsewhere", input="y\n")
        assert (done.exit_code, done.stderr) == (0, "")
        assert accounts.sessions.of(tenant.id) == []
        member = accounts.people.member(tenant.id, ann.person_id)
        assert member is not None
        assert member.roles == frozenset()


def test_keys_are_rotated(cli: Type, app: Flask, words: list[str], tmp_path: Path) -> None:
    cli(*words, input=f"{READER_PASSWORD}\n")
    assert json.loads(cli("sso", "rotate", "--json").stdout) == {"rotated": 1}
    assert cli("sso", "rotate").stdout == "Encrypted 1 secrets anew.\n"
    assert cli("sso", "test", "acme", "staff").exit_code == 0


def test_where_nobody_logs_in_through_us(notes: Notes) -> None:
    app: Any = notes.create_app()
    state_of(app).create("acme", "Acme")
    done = app.test_cli_runner().invoke(args=["tenant", "sso", "show", "acme"])
    assert done.exit_code == 1
    assert "TENANT_LOGIN" in done.stderr
