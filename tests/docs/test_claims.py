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
