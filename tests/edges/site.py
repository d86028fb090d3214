"""A small application with two tenants, whose every answer says whose it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, redirect, request, session, url_for
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_tenant import Tenancy, central_route, current_tenant
from flask_tenant.context import current_scope
from flask_tenant.registry import state_of


def make_site(folder: Path, **config: Any) -> Flask:
    """Build the application, and the tenants acme and bella with a canary each."""
    with closing(sqlite3.connect(folder / "site.db")) as made:
        # Streams that read again and again would keep a writer waiting, on a busy machine for too long.
        made.execute("PRAGMA journal_mode = WAL")
    app = Flask("site")
    app.config.update(
        {"SECRET_KEY": "a secret", "TENANT_BASE_DOMAIN": "example.com"},
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'site.db'}",
    )
    app.config.update(config)
    db = SQLAlchemy(app)
    note = sa.Table(
        "note", db.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text)
    )
    tenancy = Tenancy(app)
    with app.app_context():
        db.create_all()
    state = state_of(app)
    for slug in ("acme", "bella"):
        if state.directory.find(slug) is None:
            made = state.create(slug, slug.title())
            with app.app_context():
                from flask_tenant import tenant_context

                with tenant_context(made):
                    db.session.execute(note.insert().values(text=f"canary-{slug}"))
                    db.session.commit()

    def canary() -> str:
        return ",".join(db.session.scalars(sa.select(note.c.text)))

    @app.get("/")
    @app.get("/<path:path>")
    def index(path: str = "") -> dict[str, Any]:
        return {
            "canary": canary(),
            "tenant": current_tenant().slug,
            "path": request.path,
            "url": url_for("index", path="x"),
            "strategy": request.environ["flask_tenant.resolution"].strategy,
        }

    @app.get("/away")
    def away() -> Any:
        return redirect(url_for("index"))

    @app.get("/login")
    def login() -> str:
        session["tenant_id"] = current_tenant().id
        return "hello"

    @app.get("/about")
    @central_route(reason="for everybody")
    def about() -> str:
        scope = current_scope()
        return f"about, for {scope.tenant if scope else 'nobody'}"

    outside, inner = Blueprint("outside", "site", url_prefix="/outside"), Blueprint("inner", "site")
    for blueprint, path in ((outside, "/price"), (inner, "/deep"), (outside, "/slash/")):
        blueprint.get(path)(_view(path.strip("/")))
    outside.register_blueprint(inner)
    app.register_blueprint(outside)
    tenancy.central(outside, reason="people who have no tenant yet")
    app.extensions["db"], app.extensions["canary"] = db, canary
    return app


def _view(name: str) -> Any:
    def view() -> str:
        return name

    view.__name__ = name
    return view


class Asked:
    """What came back."""

    def __init__(self, body: bytes, status: str, headers: Any) -> None:
        self.status = int(status.split()[0])
        self.text = body.decode()
        self.headers = headers

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.text)


def ask(
    app: Flask,
    host: str = "acme.example.com",
    path: str = "/",
    *,
    peer: str = "203.0.113.9",
    raw: str = "",
    **headers: str,
) -> Asked:
    """Send a request with any Host header and any path at all, as a server would hand it over."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = EnvironBuilder(
        path="/", headers={name.replace("_", "-"): value for name, value in headers.items()}
    ).get_environ()
    for key in ("RAW_URI", "REQUEST_URI"):
        environ.pop(key, None)
    environ.update(HTTP_HOST=host, PATH_INFO=path, QUERY_STRING=query, REMOTE_ADDR=peer)
    if raw:
        environ["RAW_URI"] = raw
    body, status, found = run_wsgi_app(app.wsgi_app, environ, buffered=True)
    return Asked(b"".join(body), status, found)
