"""Flask, bare or with Tenancy: ``python -m bench.beside.ours [--bare] URL``."""

from __future__ import annotations

import sys

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from bench.beside.asking import TENANTS, serve
from flask_tenant import Tenancy, tenant_context
from flask_tenant.registry import state_of


def make_app(url: str, *, bare: bool) -> Flask:
    """Build the application, and the rows."""
    app = Flask("beside")
    app.config.update(SECRET_KEY="bench", SQLALCHEMY_DATABASE_URI=url, TENANT_BASE_DOMAIN="example.com")
    db = SQLAlchemy(app)
    note = sa.Table(
        "note", db.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text)
    )
    if not bare:
        Tenancy(app)
    with app.app_context():
        db.create_all()
        if bare:
            db.session.execute(note.insert().values(text="7"))
            db.session.commit()
    if not bare:
        state = state_of(app)
        made = state.create_many([(f"t{number}", f"T {number}") for number in range(TENANTS)])
        for tenant in made:
            with app.app_context(), tenant_context(tenant):
                db.session.execute(note.insert().values(text=tenant.slug[1:]))
                db.session.commit()

    @app.get("/nothing")
    def nothing() -> str:
        return "hello"

    @app.get("/row")
    def row() -> str:
        return str(db.session.scalar(sa.select(note.c.text).limit(1)))

    return app


if __name__ == "__main__":
    *options, url = sys.argv[1:]
    serve(make_app(url, bare="--bare" in options))
