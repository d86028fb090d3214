"""SQLite's AUTOINCREMENT: an id that was given once never comes again, within its tenant."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

from flask_tenant import Tenancy, tenant_context
from flask_tenant.registry import state_of


def make_app(url: str) -> tuple[Flask, SQLAlchemy, type]:
    db = SQLAlchemy()

    class Bill(db.Model):  # type: ignore[name-defined,misc]
        __table_args__ = ({"sqlite_autoincrement": True},)
        id: Mapped[int] = mapped_column(primary_key=True)
        what: Mapped[str]

    app = Flask("bills")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    Tenancy().init_app(app)
    with app.app_context():
        db.create_all()
        # the same by hand
        db.session.execute(sa.text("CREATE TABLE receipt (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)"))
        db.session.commit()
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug)
    return app, db, Bill


def test_an_id_comes_once_only(sqlite_url: str) -> None:
    app, db, bill = make_app(sqlite_url)
    with app.app_context():
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                ids = []
                for number in range(3):
                    row = bill(what=f"{number}")
                    db.session.add(row)
                    db.session.commit()
                    ids.append(row.id)
                    db.session.delete(row)
                    db.session.commit()
                db.session.add_all([bill(what="a"), bill(what="b")])
                db.session.commit()
                db.session.execute(sa.text("INSERT INTO bill (what) VALUES ('raw'), ('raw2')"))
                db.session.execute(sa.insert(bill), [{"what": "x"}, {"what": "y"}])
                db.session.commit()
                ids += db.session.scalars(sa.select(bill.id).order_by(bill.id)).all()
                assert ids == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        db.engine.dispose()


def test_so_it_does_in_a_table_made_by_hand(sqlite_url: str) -> None:
    app, db, _ = make_app(sqlite_url)
    with app.app_context(), tenant_context("bella"):
        session = db.session
        session.execute(sa.text("INSERT INTO receipt (what) VALUES ('a'), ('b')"))
        session.execute(sa.text("DELETE FROM receipt WHERE id = 2"))
        session.execute(sa.text("INSERT INTO receipt (what) VALUES ('c')"))
        assert session.scalars(sa.text("SELECT id FROM receipt ORDER BY id")).all() == [1, 3]
        session.commit()
        db.engine.dispose()


def test_names_with_question_marks_bind_nothing(sqlite_url: str) -> None:
    db = SQLAlchemy()
    table = sa.Table(
        "wh?t's", db.metadata, sa.Column("i?d", sa.Integer, primary_key=True), sa.Column("x", sa.Integer),
        sqlite_autoincrement=True,
    )  # fmt: skip
    app = Flask("marks")
    app.config["SQLALCHEMY_DATABASE_URI"] = sqlite_url
    db.init_app(app)
    Tenancy().init_app(app)
    with app.app_context():
        db.create_all()
        state_of(app).create("acme", "acme")
        with tenant_context("acme"):
            made = db.session.execute(
                sa.insert(table).returning(table.c["i?d"], table.c.x), [{"x": n} for n in (7, 8, 9)]
            )
            assert sorted(map(tuple, made)) == [(1, 7), (2, 8), (3, 9)]
        db.engine.dispose()
