"""Instrumentation: what listens to statements, as Flask-DebugToolbar, tracers and query counters do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, g
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.record_queries import get_recorded_queries
from sqlalchemy.engine import Engine

from flask_tenant import Tenancy
from tests.integrations.helpers import at, with_tenants

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg", "postgresql+psycopg2")


@pytest.fixture
def listening() -> Iterator[list[tuple[str, Any]]]:
    """A debug toolbar: it listens on the Engine class, times statements, and adds a comment to each."""
    seen: list[tuple[str, Any]] = []

    def before(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> Any:
        context._started = time.perf_counter()
        return f"{statement} /* route='list' */", parameters

    def after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        assert time.perf_counter() >= context._started
        seen.append((statement, parameters))

    sa.event.listen(Engine, "before_cursor_execute", before, retval=True)
    sa.event.listen(Engine, "after_cursor_execute", after)
    yield seen
    sa.event.remove(Engine, "before_cursor_execute", before)
    sa.event.remove(Engine, "after_cursor_execute", after)


def test_a_debug_toolbar(listening: list[tuple[str, Any]], database_url: str) -> None:
    app = Flask("traced")
    app.config.update(SQLALCHEMY_DATABASE_URI=database_url, SQLALCHEMY_RECORD_QUERIES=True, DEBUG=True)
    db = SQLAlchemy(app)
    Tenancy(app)

    class Note(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(50))

    with app.app_context():
        db.create_all()
    with_tenants(app)

    @app.post("/<title>")
    def add(title: str) -> str:
        db.session.add_all([Note(title=f"{title}{n}") for n in range(3)])
        db.session.execute(sa.insert(Note), [{"title": f"{title}-many-{n}"} for n in range(3)])
        db.session.commit()
        return "added"

    @app.get("/")
    def titles() -> dict[str, Any]:
        rows = db.session.scalars(sa.select(Note).where(Note.title.in_(["a0", "b0", "a1", "b1"])))
        found = sorted(note.title for note in rows)
        raw = db.session.scalar(sa.text("SELECT count(*) FROM note WHERE title LIKE :like"), {"like": "%0"})
        plain = db.session.connection().exec_driver_sql("SELECT count(*) FROM note").scalar()
        recorded = get_recorded_queries()
        g.done = True
        return {"found": found, "raw": raw, "plain": plain, "recorded": len(recorded)}

    client = app.test_client()
    for slug, title in (("acme", "a"), ("bella", "b")):
        assert client.post(at(slug, f"/{title}")).status_code == 200
    for slug, title in (("acme", "a"), ("bella", "b")):
        listening.clear()
        answer = client.get(at(slug, "/")).json
        assert answer == {"found": [f"{title}0", f"{title}1"], "raw": 2, "plain": 6, "recorded": 3}
        assert [statement.endswith("/* route='list' */") for statement, _ in listening] == [True] * len(
            listening
        )
        assert len(listening) >= 3
    with app.app_context():
        db.engine.dispose()


def test_a_listener_that_changes_what_a_statement_does_is_judged(database_url: str) -> None:
    """What it makes of a statement is text like any other: it gets the tenant's predicate, or is refused."""
    engine = sa.create_engine(database_url)
    app = Flask("changed")
    Tenancy(app, engines=[engine])
    metadata = sa.MetaData()
    note = sa.Table(
        "note", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text)
    )
    metadata.create_all(engine)
    with_tenants(app)
    from flask_tenant import tenant_context

    for slug in ("acme", "bella"):
        with tenant_context(slug, app), engine.begin() as connection:
            connection.execute(note.insert(), [{"title": slug}])

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def change(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> Any:
        return ("SELECT title FROM note", ()) if "FROM note" in statement else (statement, parameters)

    with tenant_context("bella", app), engine.connect() as connection:
        assert connection.scalars(sa.select(note.c.title).where(note.c.id == -1)).all() == ["bella"]
    engine.dispose()
