"""An application that is gone takes its engines and their connections with it, as it does without the
extension.

SQLAlchemy's mappers keep compiled statements, those keep their dialect, and the dialect of a tenanted engine
leads to the wall: from there nothing may lead on to the engine."""

from __future__ import annotations

import gc
import weakref

import flask
import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.engine import Engine

from flask_tenant import Tenancy
from flask_tenant.cli import tenant_cli


def create_app(db: SQLAlchemy, url: str, tenanted: bool) -> flask.Flask:
    app = flask.Flask("short_lived")
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SECRET_KEY="secret")
    db.init_app(app)
    if tenanted:
        app.config["TENANT_DEFAULT"] = "acme"
        Tenancy(app)
    with app.app_context():
        db.create_all()
    return app


def use(db: SQLAlchemy, note: type, url: str, tenanted: bool) -> weakref.ref[Engine]:
    """Build an application, let it work with its database, and let go of it."""
    app = create_app(db, url, tenanted)
    if tenanted:
        app.test_cli_runner().invoke(tenant_cli, ["create", "acme"])

    @app.get("/")
    def index() -> str:
        return str(len(db.session.query(note).all()))

    with app.app_context():
        db.session.add(note())
        db.session.commit()
    with app.test_client() as client:
        assert client.get("/", base_url="http://acme.localhost").text != "0"
    with app.app_context():
        return weakref.ref(db.engine)


@pytest.mark.parametrize("tenanted", [False, True], ids=["control", "tenanted"])
def test_engines_of_gone_applications_are_collected(sqlite_url: str, tenanted: bool) -> None:
    db = SQLAlchemy()

    class Note(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    engines = [use(db, Note, sqlite_url, tenanted) for _ in range(4)]
    for _ in range(3):
        gc.collect()
    assert [engine() for engine in engines] == [None] * 4
