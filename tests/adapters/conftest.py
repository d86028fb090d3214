"""A small application on SQLite with two tenants; what else it uses is up to the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from flask_tenant import Tenancy

SLUGS = ("acme", "bella")

SERVED_TO_NOBODY = ("<lambda>", "by_name", "logout", "me", "put", "show")
"""Endpoints of these tests that are served where no tenant is named, too."""

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(sqlite_url: str) -> Iterator[MakeApp]:
    """Makes applications: `make_app(before=register_extensions, KEY=value)`."""
    engines: list[sa.Engine] = []

    def make(before: Callable[[Flask], Any] = lambda app: None, **config: Any) -> Flask:
        app = Flask(f"around{len(engines)}")
        app.config.update(SECRET_KEY="secret of the tests", **config)
        engine = sa.create_engine(sqlite_url)
        engines.append(engine)
        before(app)
        tenancy = Tenancy(app, engines=[engine])
        for endpoint in SERVED_TO_NOBODY:
            tenancy.central(endpoint, reason="a test")
        state = app.extensions["tenancy"]
        for slug in SLUGS:
            if state.directory.find(slug) is None:
                state.create(slug, slug.title())
        return app

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


def at(slug: str, path: str = "/") -> str:
    """The address of a path at a tenant's own host; "" is nobody's."""
    return f"http://{slug}.localhost{path}" if slug else f"http://localhost{path}"


def domain(slug: str) -> str:
    return f"{slug}.localhost" if slug else "localhost"


def carry(client: FlaskClient, name: str, source: str, to: str) -> str:
    """Copy a cookie to another tenant's host, as a thief would, and return its value."""
    cookie = client.get_cookie(name, domain=domain(source))
    assert cookie is not None, f"no cookie {name} at {source}: nothing to steal"
    client.set_cookie(name, cookie.value, domain=domain(to))
    return cookie.value
