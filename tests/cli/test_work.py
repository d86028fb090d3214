"""``flask tenant run`` and ``shell``: the application's own commands and programs, inside a tenant."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
from flask import Flask

from flask_tenant import pipeline
from flask_tenant.model import TenantState
from flask_tenant.registry import COMMANDED, state_of
from tests.cli.conftest import Type
from tests.extension.notes import Notes, rows
from tests.extension.processes import python

ONE_EACH = pytest.mark.databases("sqlite", "postgresql+psycopg")
SQLITE = pytest.mark.databases("sqlite")


@ONE_EACH
def test_a_command_of_the_application_runs_in_the_tenant(cli: Type, notes: Notes) -> None:
    done = cli("run", "--tenant", "acme", "note", "first", "--loud")
    assert (done.exit_code, done.stdout) == (0, "acme: FIRST\n")
    done = cli("run", "--tenant", "bella", "--", "note", "second")
    assert (done.exit_code, done.stdout) == (0, "bella: second\n")
    assert [(r[0], r[2]) for r in rows(notes.url, "note")] == [(1, "FIRST"), (2, "second")]


@SQLITE
def test_every_tenant_has_its_turn_after_a_failure_too(cli: Type, app: Flask, notes: Notes) -> None:
    state_of(app).create("cora", "Cora")
    done = cli("run", "--all", "fail", "bella")
    assert done.exit_code == 1
    assert done.stdout == "fine in acme\nfine in cora\nfail: 3 tenants, 1 failed: bella.\n"
    assert "Error in bella: LookupError: nothing in bella" in done.stderr
    done = cli("run", "--all", "--json", "fail", "bella")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [(r["slug"], r["exit_code"], r["error"]) for r in found] == [
        ("acme", 0, None),
        ("bella", 1, "LookupError: nothing in bella"),
        ("cora", 0, None),
    ]
    assert "fine in acme" in done.stderr
    assert cli("run", "--all", "note", "x").exit_code == 0
    assert [(r[0], r[2]) for r in rows(notes.url, "note")] == [(1, "x"), (2, "x"), (3, "x")]


@SQLITE
def test_nothing_of_the_application_context_goes_from_one_to_the_next(cli: Type) -> None:
    assert cli("run", "--all", "remember").stdout.splitlines()[:2] == ["acme finds None", "bella finds None"]


@SQLITE
def test_the_exit_code_is_the_commands_own(cli: Type) -> None:
    assert cli("run", "--tenant", "acme", "leave", "7").exit_code == 7
    assert cli("run", "--tenant", "acme", "leave").exit_code == 2
    several = cli("run", "--tenant", "acme", "--tenant", "bella", "--json", "leave", "7")
    assert several.exit_code == 1
    assert [r["exit_code"] for r in json.loads(several.stdout)] == [7, 7]


@SQLITE
def test_an_error_of_the_application_is_shown_as_flask_shows_it(cli: Type) -> None:
    assert isinstance(cli("run", "--tenant", "acme", "fail", "acme").exception, LookupError)


@SQLITE
def test_programs_and_their_output(cli: Type) -> None:
    words = ("python", "-c", "import os; print('for', os.environ['TENANCY_TENANT']); raise SystemExit(3)")
    done = cli("run", "--all", "--json", *words)
    assert done.exit_code == 1
    assert [(r["slug"], r["exit_code"], r["error"]) for r in json.loads(done.stdout)] == [
        ("acme", 3, None),
        ("bella", 3, None),
    ]
    assert all(list(r) == ["slug", "exit_code", "error", "seconds"] for r in json.loads(done.stdout))


@SQLITE
def test_nobody_opens_a_shell_for_no_tenant(cli: Type) -> None:
    done = cli("shell", "carla")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "Error: There is no tenant 'carla'. 'flask tenant list' shows them\n"


@SQLITE
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--tenant", "nobody", "note", "x"], 3, "There is no tenant 'nobody'"),
        (["--tenant", "acne", "note", "x"], 3, "Is it 'acme'?"),
        (["note", "x"], 2, "--tenant SLUG"),
        (["--all", "--tenant", "acme", "note", "x"], 2, "--all"),
        (["--tenant", "acme"], 2, "Missing argument 'COMMAND...'"),
        (["--tenant", "acme", "no-such-thing"], 2, "no command of this application, and no program"),
        (["--tenant", "acme", "run"], 2, "flask run"),
    ],
)
def test_what_cannot_be_run(cli: Type, notes: Notes, words: list[str], code: int, says: str) -> None:
    done = cli("run", *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert rows(notes.url, "note") == []


@SQLITE
def test_a_tenant_that_is_not_served_is_entered_on_request_only(cli: Type, app: Flask, notes: Notes) -> None:
    directory = state_of(app).directory
    directory.set_state(directory.get("acme"), TenantState.SUSPENDED)
    refused = cli("run", "--tenant", "acme", "note", "x")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Tenant 'acme' is suspended. --any-state" in refused.stderr
    assert cli("run", "--all", "note", "x").stdout.startswith("bella: x\n")
    assert cli("run", "--tenant", "acme", "--any-state", "note", "x").stdout == "acme: x\n"
    assert cli("run", "--all", "--any-state", "note", "y").stdout.startswith("acme: x, y\nbella: x, y\n")


@SQLITE
def test_the_command_line_is_a_strategy_of_the_pipeline(app: Flask) -> None:
    directory = state_of(app).directory
    directory.forget()
    found = pipeline.admit_command("acme", directory.find, lambda: directory.source)
    assert (found.tenant, found.strategy, found.identifier) == (directory.get("acme"), "cli", "acme")
    assert found.store == "sql"
    assert pipeline.admit_command("acme", directory.find, lambda: directory.source).store == "memory"
    nobody = pipeline.admit_command("nobody", directory.find)
    assert (nobody.tenant, nobody.strategy) == (None, "cli")


# ---- programs
SHOP = """
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_tenant import Tenancy

db = SQLAlchemy()


class Item(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50))


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///HERE"
    db.init_app(app)
    Tenancy(app)
    with app.app_context():
        db.create_all()
        if db.session.scalar(sa.select(Item).where(Item.name == "seed")) is None:
            db.session.add(Item(name="seed"))
            db.session.commit()

    @app.get("/")
    def index():
        return [item.name for item in db.session.scalars(sa.select(Item))]

    return app
"""

SCRIPT = """
import sys
import sqlalchemy as sa
from shop import Item, create_app, db

app = create_app()
with app.app_context():
    db.session.add(Item(name=sys.argv[1]))
    db.session.commit()
    print([item.name for item in db.session.scalars(sa.select(Item))])
if "serve" in sys.argv:
    print(app.test_client().get("/", base_url="http://localhost").status_code)
    with app.app_context():
        print(db.session.scalars(sa.select(Item)).all())
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the application, whose tenants are acme and bella."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP.replace("HERE", str(folder / "shop.db")))
    (folder / "fill.py").write_text(SCRIPT)
    names = runpy.run_path(str(folder / "shop.py"))
    app = names["create_app"]()
    state_of(app).create_many([("acme", "Acme"), ("bella", "Bella")])
    with app.app_context():
        names["db"].engine.dispose()
    return folder


def items(shop: Path) -> list[tuple[int, str]]:
    return [(row[0], row[2]) for row in rows(f"sqlite:///{shop}/shop.db", "item")]


def test_a_script_works_for_the_tenant(shop: Path) -> None:
    tenant = ("-m", "flask", "--app", "shop", "tenant")
    done = python(shop, *tenant, "run", "--tenant", "acme", "--", "python", "fill.py", "pencil", "4")
    assert (done.returncode, done.stdout) == (4, "['seed', 'pencil']\n"), done.stderr
    assert items(shop)[:3] == [(0, "seed"), (1, "seed"), (1, "pencil")]


def test_a_program_that_serves_requests_forgets_it(shop: Path) -> None:
    done = python(shop, "fill.py", "ink", "0", "serve", **{COMMANDED: "acme"})
    lines = done.stdout.splitlines()
    assert "'ink'" in lines[0]
    assert lines[1] == "404"
    assert done.returncode == 1
    assert "NoTenantError" in done.stderr


def test_a_script_for_a_tenant_that_is_gone_has_none(shop: Path) -> None:
    done = python(
        shop, "fill.py", "ink-of-nobody", "0", **{COMMANDED: "nobody", "FLASK_TENANT_DEFAULT": "acme"}
    )
    assert done.returncode == 1
    assert "NoTenantError" in done.stderr
    assert (0, "ink-of-nobody") not in items(shop)
    assert "ink-of-nobody" not in {name for _, name in items(shop)}


def test_shell(shop: Path) -> None:
    import subprocess

    from tests.extension.processes import environment

    typed = (
        "from shop import Item, db\ndb.session.add(Item(name='typed'))\ndb.session.commit()\n"
        "print('sees', [i.name for i in db.session.scalars(db.select(Item))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop", "tenant", "shell", "bella"],
        cwd=shop, env=environment(), input=typed, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Inside tenant bella (id 2), Bella." in done.stderr
    assert "sees ['seed', 'typed']" in done.stdout
    with_nobody = python(shop, "-m", "flask", "--app", "shop", "tenant", "shell", "carla")
    assert (with_nobody.returncode, with_nobody.stdout) == (3, "")
    assert with_nobody.stderr == ("Error: There is no tenant 'carla'. 'flask tenant list' shows them\n")
