"""``as_tenant``, test clients and fixtures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from flask import Flask, redirect, request, session
from flask.testing import FlaskClient

from flask_tenant import current_tenant
from flask_tenant.context import current_scope
from flask_tenant.errors import NoTenantError, TenantNotFoundError
from flask_tenant.registry import state_of
from flask_tenant.testing import TenantClient, as_tenant, tenant_client
from tests.extension.notes import Notes, rows
from tests.extension.processes import python

pytestmark = pytest.mark.databases("sqlite")


# ---- as_tenant
def test_a_block_runs_inside_a_tenant_that_is_made(app: Flask, notes: Notes) -> None:
    with as_tenant("blue-sky", app) as tenant:
        assert (tenant.slug, tenant.name) == ("blue-sky", "Blue Sky")
        assert current_tenant() == tenant
        assert flask.current_app == app
        notes.db.session.add(notes.Note(title="mine"))
        notes.db.session.commit()
        with as_tenant("other", app):
            assert notes.db.session.scalars(sa.select(notes.Note)).all() == []
    assert current_scope() is None
    assert not flask.has_app_context()
    assert [(r[0], r[2]) for r in rows(notes.url, "note")] == [(1, "mine")]
    assert [t.slug for t in state_of(app).directory.all()] == ["blue-sky", "other"]


def test_none_is_made_on_request(app: Flask) -> None:
    with pytest.raises(TenantNotFoundError, match="'nobody'"), as_tenant("nobody", app, create=False):
        pass
    assert state_of(app).directory.all() == []
    assert not flask.has_app_context()


def test_the_application_context_is_the_one_that_is_active(app: Flask) -> None:
    with app.app_context():
        flask.g.kept = 1
        with as_tenant("acme"):
            assert flask.g.kept == 1
        with as_tenant("acme", fresh=True):
            assert not hasattr(flask.g, "kept")


def test_a_decorated_function_runs_inside_a_tenant_each_time(app: Flask) -> None:
    @as_tenant("acme", app)
    def slug(depth: int = 0) -> str:
        return slug(depth - 1) if depth else current_tenant().slug

    assert [slug(), slug(2)] == ["acme", "acme"]
    assert current_scope() is None


def test_a_decorated_coroutine_runs_inside_a_tenant(app: Flask) -> None:
    @as_tenant("acme", app)
    async def slug() -> str:
        await asyncio.sleep(0)
        return current_tenant().slug

    assert asyncio.run(slug()) == "acme"


def test_a_generator_is_refused(app: Flask) -> None:
    def slugs() -> Iterator[str]:
        yield current_tenant().slug

    with pytest.raises(TypeError, match="generator"):
        as_tenant("acme", app)(slugs)


def test_it_is_left_after_an_error(app: Flask) -> None:
    with pytest.raises(LookupError), as_tenant("acme", app):
        raise LookupError
    with app.app_context(), pytest.raises(NoTenantError):
        current_tenant()


# ---- clients
@pytest.fixture
def visited(app: Flask) -> Flask:
    @app.get("/who")
    def who() -> Any:
        return {"slug": current_tenant().slug, "host": request.host, "user": session.get("user")}

    @app.get("/there")
    def there() -> Any:
        return redirect("/who")

    @app.get("/cookie")
    def cookie() -> Any:
        answer = app.make_response(request.cookies.get("seen", "never"))
        answer.set_cookie("seen", "before")
        return answer

    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    return app


def test_a_client_of_a_tenant(visited: Flask) -> None:
    client = tenant_client(visited, "acme")
    assert client.get("/who").json == {"slug": "acme", "host": "acme.localhost", "user": None}
    assert client.get("/there", follow_redirects=True).json["slug"] == "acme"
    assert client.get("/who", base_url="http://bella.localhost").json["slug"] == "bella"
    assert client.get("http://bella.localhost/who").json["slug"] == "bella"
    assert client.get(path="/who").json["slug"] == "acme"
    with client:
        client.get("/who")
        assert request.host == "acme.localhost"


def test_cookies_and_sessions_are_the_tenants(visited: Flask) -> None:
    client = tenant_client(visited, "acme")
    assert [client.get("/cookie").text, client.get("/cookie").text] == ["never", "before"]
    assert client.get("/cookie", base_url="http://bella.localhost").text == "never"
    assert client.get_cookie("seen").value == "before"
    client.set_cookie("seen", "set")
    assert client.get("/cookie").text == "set"
    client.delete_cookie("seen")
    assert client.get("/cookie").text == "never"
    with client.session_transaction() as kept:
        assert current_tenant().slug == "acme"
        kept["user"] = "ada"
    assert client.get("/who").json["user"] == "ada"
    assert client.get("/who", base_url="http://bella.localhost").json["user"] is None


def test_as_the_applications_class(visited: Flask) -> None:
    visited.test_client_class = TenantClient
    assert visited.test_client(tenant="bella").get("/who").json["slug"] == "bella"
    assert visited.test_client().get("/notes", base_url="http://acme.localhost").status_code == 200
    with pytest.raises(TenantNotFoundError):
        visited.test_client(tenant="nobody")


def test_beside_a_class_of_the_applications_own(visited: Flask) -> None:
    class Own(FlaskClient):
        def named(self) -> str:
            return str(self.get("/who").json["slug"])

    visited.test_client_class = Own
    client: Any = tenant_client(visited, "bella")
    assert client.named() == "bella"


def test_the_base_domain_is_kept(notes: Notes) -> None:
    app = notes.create_app(TENANT_BASE_DOMAIN="example.com")
    state_of(app).create("acme", "Acme")
    assert tenant_client(app, "acme").get("/notes").status_code == 200


def test_tenants_in_the_path(notes: Notes) -> None:
    app = notes.create_app(TENANT_STRATEGIES=["path"], TENANT_PATH_PREFIX="/of")

    @app.get("/who")
    def who() -> Any:
        return {"slug": current_tenant().slug, "root": request.root_path, "host": request.host}

    @app.get("/there")
    def there() -> Any:
        return redirect(flask.url_for("who"))

    state_of(app).create("acme", "Acme")
    client = tenant_client(app, "acme")
    wanted = {"slug": "acme", "root": "/of/acme", "host": "localhost"}
    assert client.get("/who").json == wanted
    assert client.get("/of/acme/who").json == wanted
    assert client.get("/there", follow_redirects=True).json == wanted


# ---- fixtures
APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_tenant import Tenancy

db = SQLAlchemy()


class Guest(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50))


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///guests.db"
    db.init_app(app)
    Tenancy().init_app(app)
    with app.app_context():
        db.create_all()

    @app.get("/")
    def index():
        return [guest.name for guest in db.session.scalars(db.select(Guest))]

    return app
"""

SUITE = """
import pytest
from flask_tenant import current_tenant
from flask_tenant.testing import as_tenant, assert_isolated
from guests import Guest, create_app, db

slugs = set()


@pytest.fixture
def app():
    return create_app()


def add(name):
    db.session.add(Guest(name=name))
    db.session.commit()


@pytest.mark.parametrize("name", ["Ada", "Grace"])
def test_each_test_has_a_tenant_of_its_own(in_tenant, tenant_client, name):
    assert in_tenant == current_tenant()
    assert in_tenant.slug not in slugs
    slugs.add(in_tenant.slug)
    add(name)
    assert tenant_client.get("/").json == [name]


def test_two(tenant, other_tenant, tenant_client, other_client):
    assert tenant != other_tenant
    with as_tenant(tenant):
        add("Ada")
    assert (tenant_client.get("/").json, other_client.get("/").json) == (["Ada"], [])
    with as_tenant(other_tenant):
        add("Grace")
    assert_isolated("/", tenants=(tenant, other_tenant))


def test_drop_all_is_refused_as_ever(app, in_tenant):
    from flask_tenant.errors import DdlRefusedError

    with pytest.raises(DdlRefusedError):
        db.drop_all()
"""


def test_fixtures(tmp_path: Path) -> None:
    (tmp_path / "guests.py").write_text(APP)
    (tmp_path / "test_guests.py").write_text(SUITE)
    (tmp_path / "test_none.py").write_text("def test_none(tenant):\n    pass\n")
    words = (
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "-p",
        "flask_tenant.testing.fixtures",
    )
    done = python(tmp_path, *words, "test_guests.py", "test_none.py")
    assert "4 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "define a fixture 'app', or 'tenancy_app'" in done.stdout
