"""A small application in which people log in through us: two tenants, a few people, and a box for mails."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, session
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from werkzeug.test import TestResponse

from flask_tenant import Tenancy
from flask_tenant.accounts import Accounts, current_member
from flask_tenant.login.passwords import Passwords
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of

PASSWORD = "correct horse battery"
ANNA, BERT, CARL, OLGA = (f"{name}@mail.example" for name in ("anna", "bert", "carl", "olga"))
"""Anna is administrator of acme and member of bella, Bert is member of acme, Carl of bella; Olga is an operator."""


class Box:
    """Keeps what would be mailed."""

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []

    def send(self, to: str, template: str, tenant: Tenant | None, **values: Any) -> None:
        self.mails.append({"to": to, "template": template, "tenant": tenant and tenant.slug, **values})


def make_site(folder: Path, **config: Any) -> Flask:
    """Build the application, as hostile to our pages as applications are that want everybody to log in."""
    app = Flask("site", root_path=str(folder))
    app.config.update(
        SECRET_KEY="a secret",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'site.db'}",
        **{"TENANT_LOGIN": True, "TENANT_BASE_DOMAIN": "localhost", **config},
    )
    db = SQLAlchemy(app)
    CSRFProtect(app)
    sa.Table("note", db.metadata, sa.Column("id", sa.Integer, primary_key=True))
    Tenancy(app)

    @app.before_request
    def shut() -> None:
        if current_member() is None:
            abort(401)

    @app.get("/")
    def index() -> str:
        me = current_member()
        assert me is not None
        return f"<!doctype html><html lang=en><title>App</title><body><main><h1>Hello {me.name}</h1></main>"

    @app.get("/_tenant/login")
    def shadow() -> str:
        return "the application's own page"

    @app.get("/session")
    def show() -> dict[str, Any]:
        return {key: str(value) for key, value in session.items()}

    with app.app_context():
        db.create_all()
        state = state_of(app)
        acme, bella = state.create_many([("acme", "Acme Tools"), ("bella", "Bella Bakery")])
        people = accounts_of(app).people
        people.passwords = Passwords("pbkdf2:sha256:1")  # quick
        anna, bert, carl, olga = (
            people.create(mail, mail.partition("@")[0].title(), PASSWORD) for mail in (ANNA, BERT, CARL, OLGA)
        )
        people.add(acme.id, anna.id, name="Anna", email=ANNA, roles=["administrator"])
        people.add(acme.id, bert.id, name="Bert", email=BERT, roles=["agent"])
        people.add(bella.id, anna.id, name="Anna", email=ANNA)
        people.add(bella.id, carl.id, name="Carl", email=CARL, roles=["administrator"])
        people.set_operator(olga.id, True)
    empty_box(app)
    return app


def accounts_of(app: Flask) -> Accounts:
    """What the application keeps of people."""
    found: Accounts = state_of(app).accounts
    return found


def empty_box(app: Flask) -> None:
    """Put a box in place of what sends mails, or empty it."""
    here = state_of(app).__dict__
    here.setdefault("mail", Box())
    here["mail"].mails.clear()


def box_of(app: Flask) -> Box:
    """The mails."""
    found: object = accounts_of(app).mail
    assert isinstance(found, Box)
    return found


def act_as(app: Flask, email: str, reason: str = "Ticket 4711", browser: Browser | None = None) -> Browser:
    """A browser at acme in which Olga, an operator, acts as a member."""
    olga = (browser or Browser(app)).at("localhost")
    if browser is None:
        assert olga.log_in(OLGA).status_code == 303
    answer = olga.post("/impersonate", page="/impersonate", tenant="acme", member=email, reason=reason)
    found = re.search(r'href="http://acme\.localhost/_tenant(/arrive/[^"]+)"', answer.text)
    assert found is not None, answer.text
    acme = olga.at("acme.localhost")
    assert acme.post(found[1], page=found[1]).headers["Location"] == "/"
    return acme


class Browser:
    """A browser at one of the application's hosts.

    :param host: such as ``acme.localhost``
    """

    def __init__(self, app: Flask, host: str = "acme.localhost", client: FlaskClient | None = None) -> None:
        self.app = app
        self.client = client or app.test_client()
        self.base = f"http://{host}"

    def at(self, host: str) -> Browser:
        """The same browser at another host."""
        return Browser(self.app, host, self.client)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Look at a page; ``path`` is below the log-in path unless it begins with two slashes."""
        return self.client.get(self._path(path), base_url=self.base, buffered=True, **more)

    def post(self, path: str, *, page: str = "/login", **fields: Any) -> TestResponse:
        """Send a form as it stands on ``page``."""
        return self.raw(path, {"csrf": self.csrf(page), **fields}, Origin=self.base)

    def raw(self, path: str, fields: dict[str, Any], **headers: str) -> TestResponse:
        """Send any form at all."""
        return self.client.post(
            self._path(path), data=fields, headers=headers, base_url=self.base, buffered=True
        )

    def csrf(self, page: str) -> str:
        """What forms of a page carry."""
        text = self.get(page).text
        found = re.search(r'name="csrf" value="([^"]+)"', text)
        assert found is not None, text
        return unescape(found[1])

    def log_in(self, email: str = ANNA, password: str = PASSWORD, **more: Any) -> TestResponse:
        """Log in with a password."""
        return self.post("/login/local", username=email, password=password, **more)

    def _path(self, path: str) -> str:
        return path[1:] if path.startswith("//") else f"/_tenant{path}"
