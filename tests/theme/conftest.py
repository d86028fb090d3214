"""An application with pages and e-mails, two tenants, and a folder of themes that tests write into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, render_template, render_template_string
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy
from flask_tenant.extension import Application, state_of
from flask_tenant.model import Tenant

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8H0z" fill="#b3400f"/></svg>'
)
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def themes(tmp_path: Path) -> Path:
    """The folder of themes."""
    folder = tmp_path / "themes"
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


@pytest.fixture
def tenancy() -> Tenancy:
    return Tenancy()


@pytest.fixture
def app(tmp_path: Path, themes: Path, tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application; its own templates are in another folder. Files are looked at anew for each request."""
    monkeypatch.setattr("flask_tenant.theme.store.LOOK_AGAIN", 0.0)
    own = tmp_path / "templates"
    own.mkdir()
    (own / "base.html").write_text("<html>{% block content %}{% endblock %}</html>")
    (own / "login.html").write_text("{% extends 'base.html' %}{% block content %}own log-in{% endblock %}")
    (own / "mail.txt").write_text("Dear {{ name }}, this is us.")
    db = SQLAlchemy()
    app = Flask("looks", root_path=str(tmp_path), template_folder=str(own))
    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/looks.sqlite", SECRET_KEY="x", TESTING=True
    )
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
        for slug in ("acme", "bella"):
            state_of(app).create(slug, slug.title())
    yield app
    with app.app_context():
        db.engine.dispose()


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
