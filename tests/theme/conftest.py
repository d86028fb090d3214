"""An application with pages and e-mails, two tenants, and a folder of themes that tests write into."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask, render_template, render_template_string
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy
from flask_tenant.application import Application
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from flask_tenant.theme.templates import OverridingLoader

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8H0z" fill="#b3400f"/></svg>'
)
Write = Callable[[str, str | bytes], Path]


@pytest.fixture(scope="package")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's folder."""
    return tmp_path_factory.mktemp("looks")


@pytest.fixture
def themes(root: Path) -> Path:
    """The folder of themes, empty."""
    folder = root / "themes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.fixture
def write(themes: Path) -> Write:
    """Writes a file below the folder of themes."""

    def put(name: str, content: str | bytes) -> Path:
        path = themes / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


@pytest.fixture(scope="package")
def tenancy() -> Tenancy:
    return Tenancy()


@contextmanager
def built(root: Path, tenancy: Tenancy, name: str) -> Iterator[Flask]:
    """The application; its own templates are in another folder."""
    own = root / "templates"
    own.mkdir(exist_ok=True)
    (own / "base.html").write_text("<html>{% block content %}{% endblock %}</html>")
    (own / "login.html").write_text("{% extends 'base.html' %}{% block content %}own log-in{% endblock %}")
    (own / "mail.txt").write_text("Dear {{ name }}, this is us.")
    db = SQLAlchemy()
    app = Flask(name, root_path=str(root), template_folder=str(own))
    app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{root}/{name}.sqlite", SECRET_KEY="x", TESTING=True)
    db.init_app(app)
    tenancy.init_app(app)

    @app.get("/login")
    def login() -> str:
        return render_template("login.html")

    @app.get("/link")
    def link() -> str:
        return render_template_string("{{ theme }}|{{ theme.logo_url }}|{{ theme.colour('accent') }}")

    @app.get("/central")
    def central() -> str:
        return render_template_string("{{ theme.stylesheet_url }}")

    tenancy.central("central", reason="a page for everybody")
    with app.app_context():
        db.create_all()
        state_of(app).create_many([("acme", "Acme"), ("bella", "Bella")])
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="package")
def shared_app(root: Path, tenancy: Tenancy) -> Iterator[Flask]:
    with built(root, tenancy, "looks") as app:
        yield app


@pytest.fixture
def app(shared_app: Flask, themes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application, which knows no theme. Files are looked at anew for each request."""
    monkeypatch.setattr("flask_tenant.theme.store.LOOK_AGAIN", 0.0)
    yield shared_app
    state = state_of(shared_app)
    state.theming.ruling = lambda: None
    loader = shared_app.jinja_env.loader
    if isinstance(loader, OverridingLoader):
        loader._cache.clear()
    state.theming.store.__init__(themes)
    for tenant in state.directory.all():
        for key in tenant.config:
            state.directory.unset_config(tenant, key)


@pytest.fixture
def fresh_app(root: Path, themes: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    """An application of a test's own, which has served nobody yet."""
    monkeypatch.setattr("flask_tenant.theme.store.LOOK_AGAIN", 0.0)
    with built(root, Tenancy(), tmp_path.name) as app:
        yield app


@pytest.fixture
def state(app: Flask) -> Application:
    return state_of(app)


@pytest.fixture
def acme(state: Application) -> Tenant:
    return state.directory.get("acme")


@pytest.fixture
def bella(state: Application) -> Tenant:
    return state.directory.get("bella")


def get(app: Flask, slug: str, path: str, **kw: object) -> object:
    """Ask as a browser does that is at a tenant's address."""
    return app.test_client().get(path, base_url=f"http://{slug}.localhost", **kw)
