"""On an application without mistakes the doctor finds none, and says what it has seen and what it has not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade

from demo_app import create_app
from demo_app.extensions import db
from flask_tenant import Tenancy
from flask_tenant.doctor.login import named
from flask_tenant.doctor.plan import read_plan
from flask_tenant.errors import ConfigurationError
from tests.doctor.conftest import flask_command, see_the_doctor
from tests.services.databases import MakeDatabase

pytestmark = pytest.mark.once

APP = "demo_app.saas"
PLAN = """
[values]
"user.role" = "owner"

[routes."customers.export"]
skip = "for this test"
"""


@pytest.fixture(scope="module")
def demo(back_end: str, make_database: MakeDatabase) -> Iterator[dict[str, Any]]:
    """The demonstration application with its schema, in its live database; nobody has put a tenant in."""
    with ExitStack() as stack:
        environment = {
            "DEMO_DATABASE_URL": stack.enter_context(make_database(back_end)),
            "DEMO_SECRET_KEY": "9d1c5a7e3f8b2046" * 2,
        }
        app = create_app(
            {
                "SQLALCHEMY_DATABASE_URI": environment["DEMO_DATABASE_URL"],
                "SECRET_KEY": "x",
                "TENANT_SHARED_TABLES": ["country"],
            },
            extensions=[Tenancy()],
        )
        with app.app_context():
            upgrade()
            db.engine.dispose()
        arguments = []
        if back_end != "sqlite":
            arguments = ["--scratch", stack.enter_context(make_database(back_end))]
        yield {"environment": environment, "arguments": arguments}


@pytest.mark.databases("sqlite")
def test_the_clean_demo(demo: dict[str, Any], tmp_path: Path) -> None:
    """No false alarm, with Flask-Login's own users, made owners by a plan."""
    plan = tmp_path / "doctor.toml"
    plan.write_text(PLAN)
    visit = see_the_doctor(APP, "--plan", str(plan), *demo["arguments"], **demo["environment"])
    assert visit.report, visit.error
    assert visit.report["leaks"] == []
    assert visit.code == 0
    called = [route for route in visit.report["routes"] if route["calls"]]
    skipped = {route["route"]: route["skipped"] for route in visit.report["routes"] if route["skipped"]}
    assert skipped == {
        "GET /customers/export.csv": "the plan says: for this test",
        "GET /static/<path:filename>": "static files, the same for everybody",
    }
    assert len(called) == 34
    # The log-in page sends those away who are logged in; everything else was seen.
    assert [r["route"] for r in called if not any(s.startswith("2") for s in r["statuses"])] == ["GET /login"]
    for route in called:
        assert not any(status.startswith("5") for status in route["statuses"]), route
        assert "none" not in route["statuses"], route
    tables = visit.report["tables"]
    assert len(tables) == 11
    assert all(table["rows"] == 3 and table["canaries"] and not table["problem"] for table in tables), tables
    assert visit.report["login"] == "the first canary user of 'user', by Flask-Login"
    assert visit.report["attacks"] > 900
    assert {c["level"] for c in visit.report["checks"] if c["name"] == "keys"} == {"ok"}


@pytest.mark.databases("postgresql+psycopg")
def test_the_clean_demo_with_a_login_of_ones_own(demo: dict[str, Any]) -> None:
    """On PostgreSQL, and the report for people."""
    login = ["--login", "tests.doctor.apps.logins:as_owner"]
    done = flask_command(APP, "tenant", "doctor", *login, *demo["arguments"], **demo["environment"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Login: by tests.doctor.apps.logins:as_owner." in done.stdout
    assert "27 routes called (" in done.stdout
    assert "1 skipped" in done.stdout
    assert "skipped GET /static/<path:filename>: static files, the same for everybody" in done.stdout
    assert "8 tenant tables filled with" in done.stdout
    assert "Nothing leaked" in done.stdout
    assert "LEAK" not in done.stdout


@pytest.mark.parametrize(
    "target", ["no.such.module:x", "tests.doctor.apps.logins:missing", "nothing", "os:sep"]
)
def test_a_login_that_is_not_there(target: str) -> None:
    with pytest.raises(ConfigurationError, match=f"The login '{target}'"):
        named(target)


def test_a_plan_with_keys_that_mean_nothing(tmp_path: Path) -> None:
    plan = tmp_path / "doctor.toml"
    for text, says in (
        (
            "[route.x]\nskip = 'no'\n",
            "Unknown keys in the plan: route. Known are: allow, login, methods, routes",
        ),
        ("[routes.x]\nskp = 'no'\n", "Unknown keys in routes.'x': skp"),
        ("[[", "cannot be read"),
    ):
        plan.write_text(text)
        with pytest.raises(ConfigurationError, match=re.escape(says)):
            read_plan(plan)


def test_nothing_to_see_is_not_clean(tmp_path: Path) -> None:
    """An application whose tables cannot be filled has not passed."""
    (tmp_path / "empty.py").write_text(
        "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\nfrom flask_tenant import Tenancy\n"
        "app = Flask(__name__)\n"
        f"app.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite:///{tmp_path}/empty.db'\n"
        "db = SQLAlchemy(app)\nTenancy(app)\n"
    )
    done = flask_command("empty", "tenant", "doctor", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "There is no tenant table" in done.stderr
    assert done.stdout == ""
