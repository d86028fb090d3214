"""Every planted leak is found, with its route; what is right is not; and the live data stays as it is."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.doctor.findings import Examination
from tests.doctor.conftest import ROOT, Visit, run_python, see_the_doctor
from tests.services.databases import MakeDatabase

APP = "tests.doctor.apps.planted"
LEAKS = [
    ("GET /dict/<int:note_id>", "body", "memory"),
    ("GET /memoized/<int:note_id>", "body", "memory"),
    ("GET /cached/<int:note_id>", "cache 'note:101'", "cache's keys"),
    ("GET /early", "body", "past SQLAlchemy"),
    ("GET /by-hand/<int:note_id>", "body", "past SQLAlchemy"),
    ("GET /files/<int:number>", "download", "a folder of its own"),
    ("GET /export/<int:note_id>", "file ", "a folder of its own"),
    ("GET /exempt", "body", "exempt engine"),
    ("GET /archive/<int:note_id>", "exempt engine ", "Make the engine tenanted"),
    ("GET /central", "body", "central_context()"),
    ("GET /global-object", "body", "memory"),
    ("GET /report/latest", "body", "memory"),
    ("GET /shared/<token>", "token", "signed"),
    ("GET /etag/<int:note_id>", "header ETag", "validator|ETag"),
    ("GET /owner/<int:note_id>", "header X-Previous", "kept"),
    ("GET /log/<int:note_id>", "log", "kept"),
    ("GET /visit/<int:note_id>", "shared table recent", "TENANT_SHARED_TABLES"),
    ("GET /recent", "body", "share"),
    ("GET /sidebar", "body", "kept"),
    ("GET /download.zip", "body", "memory"),
    ("GET /basket", "cookie session", "memory"),
    ("POST /posted/<int:note_id>", "body", "kept"),
    ("GET /me", "session", "Bind sessions"),
]
INNOCENT = (
    "GET /clean/<int:note_id>",
    "GET /clean/by-slug/<slug>",
    "GET /clean/search",
    "GET /clean/mail",
    "GET /share/<int:note_id>",
)
SECRET = "live-secret"


@pytest.fixture(scope="module")
def live(
    back_end: str, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The planted application with two real tenants in its live database, and the doctor's visit."""
    folder = tmp_path_factory.mktemp("files")
    with ExitStack() as stack:
        url = stack.enter_context(make_database(back_end))
        environment = {"PLANTED_URL": url, "PLANTED_FOLDER": str(folder)}
        made = run_python(
            f"from {APP} import app\n"
            "for slug in ('acme', 'bella'): app.extensions['tenancy'].create(slug, slug)",
            **environment,
        )
        assert made.returncode == 0, made.stderr
        engine = stack.enter_context(_physical(url))
        with engine.begin() as connection:
            for tenant in (1, 2):
                connection.execute(
                    sa.text("INSERT INTO note (tenant_id, id, title, slug, body) VALUES (:t, 1, :a, :b, :c)"),
                    {"t": tenant, **dict.fromkeys("abc", f"{SECRET}-{tenant}")},
                )
        (folder / "1.txt").write_text(SECRET)
        arguments = ["--method", "post", "--login", f"{APP}:log_in"]
        if back_end != "sqlite":
            arguments += ["--scratch", stack.enter_context(make_database(back_end))]
        before = _contents(engine, folder)
        visit = see_the_doctor(APP, *arguments, **environment)
        yield {
            "visit": visit,
            "before": before,
            "after": _contents(engine, folder),
            "environment": environment,
            "arguments": arguments,
        }


class _physical:  # noqa: N801
    """An engine of the test's own, past the wall."""

    def __init__(self, url: str) -> None:
        from flask_tenant.engines import exempt_engine

        self.engine = sa.create_engine(url)
        exempt_engine(self.engine)

    def __enter__(self) -> sa.Engine:
        return self.engine

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()


def _contents(engine: sa.Engine, folder: Path) -> dict[str, Any]:
    """Every row of every table, and every file."""
    metadata = sa.MetaData()
    with engine.connect() as connection:
        metadata.reflect(connection)
        found: dict[str, Any] = {
            table.name: sorted(repr(row) for row in connection.execute(table.select()))
            for table in metadata.sorted_tables
        }
    for path in sorted(folder.iterdir()):
        if path.suffix != ".sqlite":
            found[path.name] = path.read_bytes()
            continue
        with sqlite3.connect(path) as archive:
            found[path.name] = list(archive.iterdump())
    return found


on_both = pytest.mark.databases("sqlite", "postgresql+psycopg2")
"""The planted connections by hand are psycopg's, so that both drivers are led to the copy."""


@on_both
@pytest.mark.parametrize(("route", "where", "advice"), LEAKS, ids=[route for route, _, _ in LEAKS])
def test_a_planted_leak_is_found(live: dict[str, Any], route: str, where: str, advice: str) -> None:
    visit: Visit = live["visit"]
    assert visit.code == 1, visit.error
    found = [leak for leak in visit.leaks(route) if leak["where"].startswith(where)]
    assert found, (visit.leaks(route), visit.route(route))
    assert any(word in found[0]["do"] for word in advice.split("|")), found[0]["do"]
    if "canary" in found[0]["what"]:
        assert "'s note." in found[0]["what"] or "'s setting." in found[0]["what"]
    assert found[0]["endpoint"]


@on_both
def test_what_is_right_is_not_reported(live: dict[str, Any]) -> None:
    visit: Visit = live["visit"]
    for route in INNOCENT:
        assert visit.route(route)["calls"], route
        assert visit.leaks(route) == []
    assert {leak["route"] for leak in visit.report["leaks"]} == {route for route, _, _ in LEAKS}


@on_both
def test_the_attack_list_came_to_nothing(live: dict[str, Any]) -> None:
    visit: Visit = live["visit"]
    assert visit.report["attacks"] > 200
    assert visit.leaks("attack list") == []


@on_both
def test_live_data_is_not_touched(live: dict[str, Any]) -> None:
    assert live["before"] == live["after"]
    assert sum(SECRET in str(rows) for rows in live["before"].values()) >= 2
    assert SECRET not in json.dumps(live["visit"].report)


@on_both
def test_what_was_not_called_is_said(live: dict[str, Any]) -> None:
    visit: Visit = live["visit"]
    assert (
        visit.route("GET /odd/<thing>/<path:where>")["skipped"]
        == "nothing is known that the path 'where' could be"
    )
    assert "static" in visit.route("GET /static/<path:filename>")["skipped"]
    assert "mail.example.com" in " ".join(visit.route("GET /clean/mail")["remarks"])
    assert visit.route("GET /clean/mail")["statuses"] == {"500": visit.route("GET /clean/mail")["calls"]}


@on_both
def test_engines_are_checked(live: dict[str, Any], back_end: str) -> None:
    checks = [c for c in live["visit"].report["checks"] if c["name"] == "engines"]
    assert any("past the wall" in c["what"] and c["level"] == "warning" for c in checks)
    roles = [c for c in live["visit"].report["checks"] if c["name"] == "database role"]
    assert bool(roles) == (back_end != "sqlite")
    tables = {table["table"]: table for table in live["visit"].report["tables"]}
    assert {"note", "setting"} <= tables.keys()
    assert all(table["rows"] == 3 and table["canaries"] and not table["problem"] for table in tables.values())


@on_both
def test_the_report_for_people(live: dict[str, Any]) -> None:
    from rich.console import Console

    from flask_tenant.doctor.show import show

    console = Console(width=120, record=True, file=io.StringIO())
    show(Examination.of(live["visit"].report), console)
    text = console.export_text()
    assert text.index("LEAK 1") < text.index("Set-up") < text.index("Routes")
    assert "attacks." in text.splitlines()[-1]
    assert str(ROOT) not in text
    assert sys.version_info >= (3, 11)
