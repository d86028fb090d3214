"""``flask tenant audit …``, and what the application itself writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import central_context, for_each_tenant, tenant_context
from flask_tenant.errors import ConfigurationError
from flask_tenant.registry import state_of
from flask_tenant.settings import Settings
from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def app(notes: Notes, tmp_path: Path) -> Flask:
    app = notes.create_app(TENANT_AUDIT=True, TENANT_AUDIT_ANCHOR=str(tmp_path / "heads"))
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    return app


def typed(app: Flask, *words: str) -> tuple[int, Any]:
    result = app.test_cli_runner().invoke(args=["tenant", "audit", *words, "--json"])
    return result.exit_code, json.loads(result.stdout or result.stderr)


def test_central_work_is_written_down(app: Flask) -> None:
    with app.app_context():
        with central_context(reason="monthly report"):
            pass
        with tenant_context("acme"), central_context(reason="from within"):
            pass
        assert len(list(for_each_tenant(reason="yearly numbering"))) == 2
    code, rows = typed(app, "list", "--central")
    assert code == 0
    assert [(row["action"], row["actor"], row["details"]) for row in rows] == [
        ("central.loop", "application", {"reason": "yearly numbering"}),
        ("central.entered", "application", {"reason": "from within", "within": "acme"}),
        ("central.entered", "application", {"reason": "monthly report", "within": ""}),
    ]


def test_central_work_in_the_middle_of_a_transaction(app: Flask, notes: Notes) -> None:
    with app.app_context(), tenant_context("acme"):
        notes.db.session.add(notes.Note(title="one"))
        notes.db.session.flush()
        with central_context(reason="in the middle"):
            pass
        notes.db.session.commit()
    assert [row["details"]["reason"] for row in typed(app, "list")[1]] == ["in the middle"]


def test_without_log_in_and_without_being_asked_nothing_is_written(notes: Notes) -> None:
    app = notes.create_app()
    with app.app_context(), central_context(reason="monthly report"):
        pass
    assert typed(app, "list") == (0, [])
    on = notes.create_app(TENANT_LOGIN=True)
    with on.app_context(), central_context(reason="monthly report"):
        pass
    assert len(typed(on, "list")[1]) == 1


def test_list_and_verify(app: Flask, notes: Notes) -> None:
    trail, acme = state_of(app).trail, state_of(app).directory.get("acme")
    for number in range(3):
        trail.write("member.changed", tenant_id=acme.id, actor=f"person:{number}")
    trail.write("tenant.moved", actor="person:1")
    assert len(typed(app, "list")[1]) == 4
    assert len(typed(app, "list", "--limit", "2")[1]) == 2
    assert [row["number"] for row in typed(app, "list", "--tenant", "acme")[1]] == [3, 2, 1]
    assert [row["tenant"] for row in typed(app, "list", "--actor", "person:1")[1]] == ["", "acme"]
    assert [row["action"] for row in typed(app, "list", "--action", "tenant.")[1]] == ["tenant.moved"]
    shown = app.test_cli_runner().invoke(args=["tenant", "audit", "list"]).stdout
    assert "person:2" in shown

    code, verdict = typed(app, "verify")
    assert (code, verdict["entries"], verdict["anchored"], verdict["found"]) == (0, 4, 4, [])
    with state_of(app).directory.connect() as connection:
        connection.execute(sa.text("DELETE FROM tenancy_audit WHERE number = 3"))
    code, verdict = typed(app, "verify", "--tenant", "acme")
    assert code == 1
    assert [(f["tenant"], f["number"], f["what"]) for f in verdict["found"]] == [("acme", 3, "cut-off")]
    shown = app.test_cli_runner().invoke(args=["tenant", "audit", "verify"])
    assert shown.exit_code == 1
    assert "acme 3: cut-off: the chain ends at 2" in shown.stdout
    assert typed(app, "verify", "--central")[0] == 0
    assert typed(app, "verify", "--central", "--tenant", "acme")[0] == 2


def test_who_takes_the_anchor_away_with_the_end_is_noticed(app: Flask, tmp_path: Path) -> None:
    trail = state_of(app).trail
    for _ in range(3):
        trail.write("x", actor="a")
    (tmp_path / "heads").unlink()
    state_of(app)._trail = None  # the application is started again, and begins a new file
    with state_of(app).directory.connect() as connection:
        connection.execute(sa.text("DELETE FROM tenancy_audit WHERE number = 3"))
    code, verdict = typed(app, "verify")
    assert (code, verdict["found"]) == (1, [])
    assert "is empty, and the trail is not" in verdict["warning"]


def test_verify_says_when_it_cannot_tell_of_the_end(notes: Notes, tmp_path: Path) -> None:
    app = notes.create_app()
    state_of(app).trail.write("x", actor="a")
    code, verdict = typed(app, "verify")
    assert code == 0
    assert "cannot be noticed" in verdict["warning"]
    log = tmp_path / "log"
    log.write_text("nothing of ours\n")
    assert "cannot be noticed" in typed(app, "verify", "--anchor", str(log))[1]["warning"]
    entry = next(state_of(app).trail.entries())
    log.write_text(f"INFO audit head tenant=0 number=1 mac={entry.mac}\n")
    assert typed(app, "verify", "--anchor", str(log))[1]["warning"] == ""
    assert typed(app, "verify", "--anchor", str(tmp_path / "gone"))[1]["error"] == "audit"


def test_settings() -> None:
    for wrong in ({"TENANT_AUDIT": "yes"}, {"TENANT_AUDIT_KEYS": ["short"]}, {"TENANT_AUDIT_ANCHOR": " "}):
        with pytest.raises(ConfigurationError):
            Settings.read(wrong)
    with pytest.raises(ConfigurationError) as caught:
        Settings.read({"TENANT_AUDIT_KEYS": "a key that nobody has to see in an error"})
    assert "nobody has to see" not in f"{caught.value} {caught.value.value}"


def test_keys_of_its_own_or_the_applications(notes: Notes) -> None:
    app = notes.create_app(SECRET_KEY_FALLBACKS=["older"])
    state_of(app).trail.write("x", actor="a")
    app.secret_key = "newer"  # replaced, and the application started again
    app.config["SECRET_KEY_FALLBACKS"] = ["test"]
    state_of(app)._trail = None
    state_of(app).trail.write("x", actor="a")
    assert typed(app, "verify")[1]["found"] == []
    app.config["SECRET_KEY_FALLBACKS"] = []
    state_of(app)._trail = None
    assert typed(app, "verify")[1]["found"] != []
