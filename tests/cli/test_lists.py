"""Many tenants: created from a file, listed page by page, offered to the shell."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo

from flask_tenant.registry import state_of
from tests.cli.conftest import Type, error

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def written(text: str, name: str = "tenants.csv") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return written


# ---- from a file
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tenants.csv", "\ufeffslug,name\ncora,Cora & Co\n\ndora,\n"),
        ("tenants.json", '[{"slug": "cora", "name": "Cora & Co"}, {"slug": "dora"}]'),
        ("tenants.txt", "name,slug\r\nCora & Co,cora\r\n,dora\r\n"),
    ],
)
def test_tenants_from_a_file(cli: Type, app: Flask, file: Any, name: str, text: str) -> None:
    path = file(text, name)
    tried = cli("create", "--from", path, "--dry-run")
    assert (tried.exit_code, tried.stdout) == (0, "Would create 2 tenants.\n")
    assert state_of(app).directory.count() == 2
    done = cli("create", "--from", path, "--json")
    found = json.loads(done.stdout)
    assert list(found) == ["created", "would_create", "skipped"]
    assert [(t["slug"], t["name"]) for t in found["created"]] == [("cora", "Cora & Co"), ("dora", "Dora")]
    assert [t.slug for t in state_of(app).directory.all()] == ["acme", "bella", "cora", "dora"]
    again = cli("create", "--from", path)
    assert again.exit_code == 4
    assert "Taken already: cora, dora" in again.stderr
    assert cli("create", "--from", path, "--skip-existing").stdout == "Created 0 tenants; 2 skipped.\n"


def test_from_standard_input(cli: Type, app: Flask) -> None:
    assert cli("create", "--from", "-", input="slug\ncora\n").exit_code == 0
    assert state_of(app).directory.find("cora") is not None


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("slug\ncora\nNo Label\ncora\n", 2, "3: 'No Label' cannot be part of a host name; line 4: 'cora' is in line 2"),
        ("slug,name\ncora,Cora\nacme,Acme\n", 4, "Taken already: acme. Nothing was created"),
        ("slug,plan\ncora,gold\n", 1, "unknown: plan"),
        ("name\nCora\n", 1, "'slug' is missing"),
        ("slug,name\ncora,Cora,more\n", 1, "line 2 has more than"),
        ("", 1, "'slug' is missing"),
        ("[1]", 1, "entry 1 is no object"),
        ("[{", 1, "cannot be read"),
        ('[{"slug": 7}]', 1, "entry 1 has more than"),
    ],
)  # fmt: skip
def test_a_file_with_a_mistake_creates_nothing(
    cli: Type, app: Flask, file: Any, text: str, code: int, says: str
) -> None:
    for more in ([], ["--dry-run"]):
        done = cli("create", "--from", file(text), *more)
        assert (done.exit_code, done.stdout) == (code, "")
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert state_of(app).directory.count() == 2


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["x", "--from", "-"],
        ["x", "--skip-existing"],
        ["--from", "-", "--name", "X"],
        ["--from", "nowhere"],
    ],
)
def test_words_that_do_not_go_together(cli: Type, words: list[str]) -> None:
    assert cli("create", *words, input="slug\nx\n").exit_code == 2


def test_a_rehearsal_with_one(cli: Type, app: Flask) -> None:
    assert json.loads(cli("create", "cora", "--dry-run", "--json").stdout)["would_create"] == [
        {"slug": "cora", "name": "Cora"}
    ]
    assert error(cli("create", "acme", "--dry-run", "--json"))["error"] == "tenant-exists"
    assert state_of(app).directory.count() == 2


def test_progress_is_shown_to_people_only(cli: Type, file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("create", "--from", file("slug\ncora\n")).stderr == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    shown = cli("create", "--from", file("slug\ndora\neda\n"))
    assert shown.stdout == "Created 2 tenants.\n"
    assert "Creating" in shown.stderr
    assert "2/2" in shown.stderr


# ---- ten thousand
@pytest.mark.timed
def test_ten_thousand_tenants_are_created_listed_and_searched(
    cli: Type, app: Flask, file: Any, record_property: Any
) -> None:
    state = state_of(app)
    begun = time.process_time()
    state.directory.create_many([(f"shop-{n:05}", f"Shop {n}") for n in range(9_998)], lambda c, t: None)
    record_property("figure", f"10,000 tenants made in {time.process_time() - begun:.1f} s")
    state.directory.forget()
    begun = time.process_time()
    listed = cli("list")
    took = time.process_time() - begun
    record_property("figure", f"flask tenant list of 10,000: {took * 1000:.0f} ms")
    assert took < 2
    assert listed.exit_code == 0
    assert "shop-00097" in listed.stdout
    assert "shop-00098" not in listed.stdout
    assert listed.stderr == "Page 1 of 100, 10,000 tenants in all. Others: --page, --search\n"
    last = cli("list", "--page", "100")
    assert "shop-09997" in last.stdout
    assert "shop-00097" not in last.stdout
    assert "shop-07777" in cli("list", "--search", "SHOP 7777").stdout
    everything = json.loads(cli("list", "--json").stdout)
    assert len(everything) == 10_000
    assert [
        t["slug"] for t in json.loads(cli("list", "--json", "--page", "2", "--per-page", "2").stdout)
    ] == [
        "shop-00000",
        "shop-00001",
    ]
    assert json.loads(cli("list", "--json", "--page", "999").stdout) == []


def test_lists_by_state(cli: Type) -> None:
    assert cli("suspend", "acme", "--yes").exit_code == 0
    for state, slugs in (("suspended", ["acme"]), ("active", ["bella"]), ("archived", [])):
        assert [t["slug"] for t in json.loads(cli("list", "--state", state, "--json").stdout)] == slugs
    assert cli("list", "--state", "gone").exit_code == 2


# ---- completion
def completed(app: Flask, *words: str) -> list[str]:
    """What a shell offers for the last word."""
    group = FlaskGroup(create_app=lambda: app)
    found = ShellComplete(group, {}, "flask", "_FLASK_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found]


def test_slugs_and_commands_are_completed(app: Flask) -> None:
    assert completed(app, "tenant", "show", "") == ["acme", "bella"]
    assert completed(app, "tenant", "domain", "add", "be") == ["bella"]
    assert completed(app, "tenant", "run", "--tenant", "a") == ["acme"]
    assert completed(app, "tenant", "su") == ["suspend"]
    assert completed(app, "tenant", "token", "") == ["create", "list", "revoke"]
    assert completed(app, "tenant", "list", "--state", "m") == ["maintenance"]


def test_at_most_a_hundred_are_offered(app: Flask) -> None:
    state_of(app).create_many([(f"shop-{n}", "Shop") for n in range(150)])
    assert len(completed(app, "tenant", "show", "shop-")) == 100


def test_completion_keeps_quiet_about_a_broken_application(
    app: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    from flask_tenant.cli.frame import Slug

    def broken() -> Flask:
        raise RuntimeError("no database")

    import click

    with click.Context(click.Command("x"), obj=ScriptInfo(create_app=broken)) as ctx:
        assert Slug().shell_complete(ctx, click.Argument(["slug"]), "") == []
    assert capfd.readouterr() == ("", "")


def test_servers_do_not_load_what_shows_tables(tmp_path: Path) -> None:
    from tests.extension.processes import python

    code = "import sys, flask_tenant.cli; print([m for m in sys.modules if m.split('.')[0] in ('rich', 'pytest')])"
    assert python(tmp_path, "-c", code).stdout == "[]\n"
    assert os.environ.get("FLASK_TENANT") is None
