"""The demonstration application alone, as a single company runs it; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import select

from demo_app import create_app
from demo_app.extensions import db
from demo_app.models import User
from demo_app.seeding import PASSWORD, seed
from tests.services.databases import MakeDatabase

TODAY = date(2026, 6, 15)
on_both = pytest.mark.databases("sqlite", "postgresql+psycopg")


def make_app(url: str) -> Flask:
    """The application on a database, with CSRF checks off."""
    return create_app(
        {
            "SQLALCHEMY_DATABASE_URI": url,
            "SECRET_KEY": "only for tests",
            "TESTING": True,
            "WTF_CSRF_ENABLED": False,
        }
    )


def close(app: Flask) -> None:
    """Give every connection back to the database."""
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="package", autouse=True)
def _fixed_day() -> Iterator[None]:
    """It is always the same day: what is overdue must not depend on when the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demo_app.clock.today", lambda: TODAY)
        for module in (
            "models",
            "forms",
            "views.customers",
            "views.dashboard",
            "views.invoices",
            "views.reports",
        ):
            patch.setattr(f"demo_app.{module}.today", lambda: TODAY)
        yield


@pytest.fixture(scope="module")
def app(back_end: str, make_database: MakeDatabase) -> Iterator[Flask]:
    """The application with Acme Tools in it; tests add to it, and do not take away."""
    with make_database(back_end) as url:
        app = make_app(url)
        with app.app_context():
            upgrade()
            seed("acme")
        yield app
        close(app)


@pytest.fixture
def empty_app(back_end: str, make_database: MakeDatabase) -> Iterator[Flask]:
    """The application on a database without any tables, fresh for this test."""
    with make_database(back_end) as url:
        app = make_app(url)
        yield app
        close(app)


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """`app` with its context pushed, for tests that call the application's functions directly."""
    with app.app_context():
        yield app


def log_in(app: Flask, role: str = "owner") -> FlaskClient:
    """A browser in which the first user of a role has logged in."""
    with app.app_context():
        email = db.session.scalar(select(User.email).where(User.role == role, User.active).order_by(User.id))
    client = app.test_client()
    response = client.post("/login", data={"email": email, "password": PASSWORD})
    assert response.status_code == 302, response.text
    return client


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser in which the owner has logged in."""
    return log_in(app)


@pytest.fixture(scope="session")
def sources() -> list[Path]:
    """Every file of the application."""
    root = Path(__file__).parents[2] / "demo_app"
    found = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    found = [path for path in found if path.suffix != ".mo"]  # compiled from the .po beside it
    assert len(found) > 40
    return found
