"""What the pages promise without showing it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy
from flask_tenant.errors import SchemaNotReadyError


def test_a_refused_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "single.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, what TEXT)")
    connection.execute("INSERT INTO task (what) VALUES ('Buy milk')")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    app = Flask("single")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{path}"
    SQLAlchemy(app)
    with pytest.raises(SchemaNotReadyError):
        Tenancy(app)
    assert path.read_bytes() == before


def test_report_only_mode_lists_nothing_of_its_own(tmp_path: Path) -> None:
    app = Flask("legacy")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'legacy.db'}"
    app.config["TENANT_ENFORCEMENT"] = "report"
    SQLAlchemy(app)
    Tenancy(app)
    state = app.extensions["tenancy"]
    app.test_cli_runner().invoke(args=["tenant", "create", "acme"])
    app.test_client().get("/", base_url="http://acme.localhost")
    assert [tenant.slug for tenant in state.directory.all()] == ["acme"]
    assert state.report.refusals == {}
