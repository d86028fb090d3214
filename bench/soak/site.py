"""What is served: a row, a page of rows and a stream, each of which says whose it is.

``SOAK_DATABASE`` and ``SOAK_REDIS`` say where the data is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, central_route, current_tenant
from flask_tenant.asgi import asgi_app

ROWS = 20


def make_site(database: str, redis_url: str | None) -> Flask:
    """Build the application."""
    app = Flask("soak")
    app.config.update(
        SECRET_KEY="soak",
        SQLALCHEMY_DATABASE_URI=database,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_size": 10, "max_overflow": 20},
        TENANT_BASE_DOMAIN="example.com",
        TENANT_REDIS_URL=redis_url,
    )
    db = SQLAlchemy(app)
    note = sa.Table(
        "note", db.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text)
    )
    Tenancy(app)
    with app.app_context():
        db.create_all()

    @app.get("/row")
    def row() -> dict[str, Any]:
        text = db.session.scalar(sa.select(note.c.text).limit(1))
        tenant = current_tenant()
        return {"text": text, "tenant": tenant.slug, "number": tenant.config.get("number", 0)}

    @app.get("/rows")
    def rows() -> str:
        return "\n".join(db.session.scalars(sa.text("SELECT text FROM note")))

    @app.post("/write")
    def write() -> str:
        db.session.execute(note.update().values(text=f"canary={current_tenant().slug};"))
        db.session.commit()
        return str(db.session.scalar(sa.select(note.c.text).limit(1)))

    @app.get("/stream")
    def stream() -> Any:
        def lines() -> Iterator[str]:
            with app.app_context():
                for text in db.session.scalars(sa.select(note.c.text)):
                    yield f"{text}{'.' * 3000}\n"

        return app.response_class(lines(), mimetype="text/plain")

    @app.get("/injected")
    def injected() -> str:
        abort(503)

    @app.get("/up")
    @central_route(reason="whether the server runs")
    def up() -> str:
        return "up"

    return app


if "SOAK_DATABASE" in os.environ:
    app = make_site(os.environ["SOAK_DATABASE"], os.environ.get("SOAK_REDIS"))
    asgi = asgi_app(app)
