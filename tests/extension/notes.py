"""A small single-tenant application: notes with tags, a settings table, a shared look-up table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Flask, stream_with_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_tenant import Tenancy


class Base(DeclarativeBase):
    """What Flask-SQLAlchemy makes models of."""


class Notes:
    """The application, made anew for each test: its models, its factory, its database.

    :param url: of an empty database
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.db = db = SQLAlchemy()
        self._apps: list[Flask] = []

        class Note(db.Model):  # type: ignore[name-defined,misc]
            id: Mapped[int] = mapped_column(primary_key=True)
            title: Mapped[str] = mapped_column(sa.String(100), unique=True)
            body: Mapped[str] = mapped_column(default="")

        class Setting(db.Model):  # type: ignore[name-defined,misc]
            key: Mapped[str] = mapped_column(sa.String(50), primary_key=True)
            value: Mapped[str]

        class Country(db.Model):  # type: ignore[name-defined,misc]
            code: Mapped[str] = mapped_column(sa.String(2), primary_key=True)

        self.Note, self.Setting, self.Country = Note, Setting, Country

    def dispose(self) -> None:
        """Close the connections of all that was built."""
        for app in self._apps:
            with app.app_context():
                self.db.session.remove()
                self.db.engine.dispose()

    def create_app(
        self, tenancy: Tenancy | None = None, seed: Callable[[], None] = lambda: None, **config: Any
    ) -> Flask:
        """Build the application as its authors would, with one extension more.

        :param seed: what a newer version writes at start-up
        """
        app = Flask("notes")
        app.config.update(
            SQLALCHEMY_DATABASE_URI=self.url, SECRET_KEY="test", TENANT_SHARED_TABLES=["country"], **config
        )
        self.db.init_app(app)
        self._apps.append(app)
        tenancy = tenancy or Tenancy()
        tenancy.init_app(app)
        tenancy.central("countries", reason="they are everybody's")
        with app.app_context():
            self.db.create_all()
            if self.db.session.get(self.Setting, "theme") is None:
                self.db.session.add(self.Setting(key="theme", value="light"))
            if self.db.session.get(self.Country, "DE") is None:
                self.db.session.add(self.Country(code="DE"))
            seed()
            self.db.session.commit()

        @app.get("/notes")
        def notes() -> list[str]:
            return list(self.db.session.scalars(sa.select(self.Note.title).order_by(self.Note.id)))

        @app.post("/notes/<title>")
        def add(title: str) -> tuple[str, int]:
            note = self.Note(title=title)
            self.db.session.add(note)
            self.db.session.commit()
            return str(note.id), 201

        @app.get("/stream")
        def stream() -> Any:
            def lines() -> Any:
                for title in self.db.session.scalars(sa.select(self.Note.title).order_by(self.Note.id)):
                    yield f"{title}\n"

            return app.response_class(stream_with_context(lines()), mimetype="text/plain")

        @app.get("/countries")
        def countries() -> list[str]:
            return list(self.db.session.scalars(sa.select(self.Country.code)))

        return app


def rows(url: str, table: str) -> list[tuple[Any, ...]]:
    """Every row of a table as the database has it, past every wall."""
    from flask_tenant.engines import exempt_engine

    engine = sa.create_engine(url)
    exempt_engine(engine)
    try:
        with engine.connect() as connection:
            return sorted(tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}")))
    finally:
        engine.dispose()
