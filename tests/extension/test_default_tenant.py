"""A default tenant for shells, the development server and tests, never for a factory or a migration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flask_tenant import central_context, current_tenant, tenant_context
from flask_tenant.errors import NoTenantError, TenantNotFoundError
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def titles(notes: Notes) -> list[str]:
    return list(notes.db.session.scalars(sa.select(notes.Note.title).order_by(notes.Note.id)))


def test_it_holds_where_nothing_names_a_tenant(notes: Notes) -> None:
    app = notes.create_app(TENANT_DEFAULT="acme")
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    with app.app_context():
        notes.db.session.add(notes.Note(title="anvil"))
        notes.db.session.commit()
        first = notes.db.session()
        assert titles(notes) == ["anvil"]
        with tenant_context("bella"):
            assert titles(notes) == []
            with tenant_context("acme"):
                assert titles(notes) == ["anvil"]
        assert notes.db.session() is first
        with tenant_context("acme"):
            assert notes.db.session() is first
            assert current_tenant().slug == "acme"
        note = notes.Note.__table__
        with central_context(reason="test"), notes.db.engine.connect() as connection:
            assert len(connection.execute(sa.select(note.c.id)).all()) == 1
    with app.test_request_context("/notes"):
        assert titles(notes) == ["anvil"]
    with app.test_request_context("/notes", base_url="http://bella.example.test"):
        # nobody has walked the WSGI edge: this is a shell's context, whatever address it was given
        assert titles(notes) == ["anvil"]
    assert [row[0] for row in rows(notes.url, "note")] == [1]


def test_it_may_be_created_later(notes: Notes) -> None:
    app = notes.create_app(TENANT_DEFAULT="acme")
    with app.app_context(), pytest.raises(NoTenantError):
        titles(notes)
    with pytest.raises(TenantNotFoundError):
        app.config["PROPAGATE_EXCEPTIONS"] = True
        app.test_client().get("/notes", headers={"Host": "localhost"})
    state_of(app).create("acme", "Acme")
    with app.app_context():
        assert titles(notes) == []


def test_it_never_holds_while_a_factory_runs(notes: Notes) -> None:
    app = notes.create_app()
    state_of(app).create("acme", "Acme")
    state_of(app).create("bella", "Bella")

    def seed() -> None:
        notes.db.session.add(notes.Setting(key="paper", value="A4"))

    notes.create_app(seed=seed, TENANT_DEFAULT="acme")
    papers = [row for row in rows(notes.url, "setting") if "paper" in row]
    assert [row[0] for row in papers] == [0, 1, 2]


def test_it_never_holds_while_migrations_run(notes: Notes) -> None:
    app = notes.create_app(TENANT_DEFAULT="acme")
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    with (
        app.app_context(),
        Operations.context(MigrationContext.configure(url=notes.url)),
        notes.db.engine.begin() as connection,
    ):
        connection.execute(sa.text("INSERT INTO setting (key, value) VALUES ('paper', 'A4')"))
    papers = [row for row in rows(notes.url, "setting") if "paper" in row]
    assert [row[0] for row in papers] == [0, 1, 2]


APP = """
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_tenant import Tenancy

db = SQLAlchemy()


class Note(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    title = sa.Column(sa.String(50))


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///{path}"
    app.config.from_prefixed_env()
    db.init_app(app)
    Tenancy(app)
    with app.app_context():
        db.create_all()
    return app
"""


@pytest.mark.databases("sqlite")
def test_flask_shell(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.format(path=tmp_path / "shop.db"))

    def flask(*arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "shop", *arguments],
            input=typed, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        )  # fmt: skip

    assert flask("tenant", "create", "acme").returncode == 0
    typed = (
        "from shop import Note\n"
        "db.session.add(Note(title='anvil')); db.session.commit()\n"
        "print('found', db.session.scalars(db.select(Note.title)).all())\n"
    )
    with_default = flask("shell", typed="from shop import db\n" + typed, FLASK_TENANT_DEFAULT="acme")
    assert "found ['anvil']" in with_default.stdout, with_default.stderr
    without = flask("shell", typed="from shop import db\n" + typed)
    assert "found" not in without.stdout
    assert "TENANT_DEFAULT" in without.stderr
