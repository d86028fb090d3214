"""A command of the application's own, such as ``flask init-db``, makes the schema: it works for no tenant."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, tenant_context
from flask_tenant.errors import DdlRefusedError, NoTenantError, TenancyError
from flask_tenant.registry import state_of


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask("commands")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'commands.db'}"
    db = SQLAlchemy(app)
    Tenancy(app)

    class Post(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(50), unique=True)

    app.cli.command("init-db")(db.create_all)
    app.cli.command("drop-db")(db.drop_all)

    @app.cli.command("seed")
    def seed() -> None:
        db.session.add(Post(title="first"))
        db.session.commit()

    @app.get("/")
    def titles() -> list[str]:
        return [post.title for post in db.session.scalars(db.select(Post))]

    @app.get("/init")
    def init() -> str:
        db.create_all()
        return "done"

    state_of(app).startup.end()
    return app


def run(app: Flask, *words: str) -> BaseException | None:
    return app.test_cli_runner().invoke(args=list(words)).exception


def test_it_creates_and_drops_nothing(app: Flask) -> None:
    state_of(app).create("acme", "Acme")
    app.testing = True
    with app.app_context(), pytest.raises(TenancyError), tenant_context("acme"):
        app.extensions["sqlalchemy"].create_all()
    with pytest.raises(DdlRefusedError):  # from a request, even of a tenant's
        app.test_client().get("/init", base_url="http://acme.localhost")
    assert isinstance(run(app, "seed"), TenancyError)
    assert run(app, "init-db") is None
    assert run(app, "init-db") is None
    assert isinstance(run(app, "seed"), NoTenantError)
    assert run(app, "tenant", "run", "--tenant", "acme", "seed") is None
    assert isinstance(run(app, "drop-db"), DdlRefusedError)
    assert app.test_client().get("/", base_url="http://acme.localhost").json == ["first"]
