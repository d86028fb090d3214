"""An application with two tenants whose members log in through us. Routes stand in for our pages: they do what the
steps of a log-in say, and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from flask_tenant.accounts import Accounts, current_member, roles_required, scopes_required
from flask_tenant.accounts.crossing import HAND_OVER
from flask_tenant.errors import LoginRefusedError, MemberError, TooManyAttemptsError
from flask_tenant.identity import Ask, Attempt, GoTo, Identified, Identity, Member, Provider
from flask_tenant.login.passwords import Passwords
from flask_tenant.model import Tenant
from flask_tenant.protocols import Authenticator
from tests.integrations.test_flask_login import create_app
from tests.login.people.conftest import Trail

SLUGS = ("acme", "bella")
PASSWORD = "a password of the tests"


class Elsewhere(Authenticator):
    """Sends the browser away, and believes what it brings back if it knows the state."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def begin(self, attempt: Attempt) -> Ask | GoTo:
        return GoTo("https://idp.example/authorize", {"state": f"state at {attempt.callback}"})

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
        if answer.get("state") != attempt.memory["state"]:
            raise LoginRefusedError("The state is another one", reason="state")
        identity = Identity(answer.get("issuer", self.provider.authority), answer.get("subject", ""))
        return Identified(
            identity, answer.get("name", ""), answer.get("email", ""), hint=answer.get("hint", "")
        )


class Ways:
    """The providers of each tenant: passwords of ours, and what the test adds."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.rows: dict[int, list[Provider]] = {}

    def of(self, tenant: Tenant) -> list[Provider]:
        return self.rows.get(tenant.id, [Provider(0, tenant.id, "local", "local", "Password", "local")])

    def get(self, tenant: Tenant, name: str) -> Provider | None:
        return next((provider for provider in self.of(tenant) if provider.name == name), None)

    def open(self, provider: Provider) -> Authenticator:
        return self._accounts.local.open(provider) if provider.kind == "local" else Elsewhere(provider)


class Site:
    """The application, and ways to use it."""

    def __init__(self, app: Flask, db: Any) -> None:
        self.app, self.db = app, db
        self.state = app.extensions["tenancy"]
        self.accounts: Accounts = self.state.accounts
        self.accounts.people.passwords = Passwords("pbkdf2:sha256:1")
        self.trail = Trail()
        self.accounts.people._note = self.trail
        self.accounts.audit = self.trail
        self.ways = Ways(self.accounts)
        self.accounts.providers = self.ways

    def tenant(self, slug: str) -> Tenant:
        found: Tenant = self.state.directory.get(slug)
        return found

    def member(self, name: str, *slugs: str, roles: tuple[str, ...] = ()) -> int:
        """A person with a password of ours, member of these tenants."""
        person = self.accounts.people.create(f"{name}@example.com", name.title(), PASSWORD)
        for slug in slugs:
            self.accounts.people.add(self.tenant(slug).id, person.id, roles=roles)
        return person.id

    def log_in(self, client: FlaskClient, slug: str, name: str, password: str = PASSWORD) -> int:
        form = {"username": f"{name}@example.com", "password": password}
        return client.post(at(slug, "/in/local"), data=form).status_code


def at(slug: str, path: str = "/") -> str:
    """The address of a path at a tenant's own host; "" is the central one."""
    return f"http://{slug}.example.test{path}" if slug else f"http://example.test{path}"


def me(client: FlaskClient, slug: str) -> Any:
    """Who a browser is at a tenant."""
    return client.get(at(slug, "/who")).json


def _steps(site: Site) -> None:
    app, entry = site.app, site.accounts.entry

    def provider(name: str) -> Provider:
        return next(provider for provider in entry.providers(entry.tenant()) if provider.name == name)

    @app.get("/who")
    def who() -> Any:
        member, session = entry.member(), entry.session()
        if member is None or session is None:
            return flask.jsonify(None)
        assert current_member() == member
        return {
            "person": member.person_id, "tenant": member.tenant_id, "roles": sorted(member.roles),
            "actor": entry.actor(), "digest": session.digest,
        }  # fmt: skip

    @app.get("/to/<name>")
    def to(name: str) -> Any:
        found = entry.begin(provider(name), flask.request.host_url + "callback", after="/there")
        return "" if isinstance(found, Ask) else found.memory["state"]

    @app.get("/back/<name>")
    def back(name: str) -> Any:
        arrived = entry.come_back(provider(name), flask.request.args)
        entry.open(arrived)
        return arrived.after

    @app.post("/in/<name>")
    def log_in(name: str) -> Any:
        entry.open(entry.answer(provider(name), "", flask.request.form))
        return ""

    @app.post("/out")
    def log_out() -> Any:
        return flask.jsonify(entry.log_out()[0] is not None)

    @app.post("/switch/<slug>")
    def switch(slug: str) -> Any:
        return entry.switch(site.tenant(slug))

    @app.post("/act/<slug>/<int:person>")
    def act(slug: str, person: int) -> Any:
        return entry.impersonate(site.tenant(slug), person, flask.request.form["reason"])

    @app.post("/arrive")
    def arrive() -> Any:
        tenant = entry.tenant()
        assert tenant is not None
        payload = site.accounts.tickets.redeem(HAND_OVER, tenant.id, flask.request.form["ticket"])
        if payload is None:
            return "", 410
        entry.hand_over(tenant, payload)
        return ""

    @app.route("/planted", methods=["GET", "POST"])
    def planted() -> Any:
        if flask.request.method == "POST":
            flask.session["planted"] = "by somebody"
        return flask.jsonify(sorted(flask.session))

    @app.get("/clerks")
    @roles_required("clerk", "chief")
    def clerks() -> str:
        return "clerks only"

    @app.post("/clerks")
    @roles_required("clerk", "chief")
    def clerks_send() -> str:
        return "sent"

    @app.get("/export")
    @scopes_required("notes:read", "notes:export")
    def export() -> str:
        return "exported"

    @app.errorhandler(TooManyAttemptsError)
    def too_many(error: Exception) -> Any:
        return "", 429

    @app.errorhandler(LoginRefusedError)
    def refused(error: LoginRefusedError) -> Any:
        return error.reason, 403

    @app.errorhandler(MemberError)
    def wrong(error: MemberError) -> Any:
        return error.message, 409


MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with everything that a site begins with: making it takes longer than most tests."""
    path = tmp_path_factory.mktemp("prepared") / "site.sqlite"
    app, db = create_app(f"sqlite:///{path}")
    for slug in SLUGS:
        app.extensions["tenancy"].create(slug, slug.title())
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    return path


@pytest.fixture
def make_site(database_url: str, prepared: Path) -> Iterator[MakeSite]:
    """Makes applications on one database: the second one is another server."""
    made: list[Site] = []
    if database_url.startswith("sqlite:///"):
        shutil.copy(prepared, database_url.removeprefix("sqlite:///"))

    def make(prepare: Callable[[Flask], Any] = lambda app: None, **config: Any) -> Site:
        config = {"TENANT_LOGIN": True, "TENANT_BASE_DOMAIN": "example.test", **config}
        app, db = create_app(database_url, **config)
        prepare(app)
        site = Site(app, db)
        tenancy: Any = site.state.tenancy

        @tenancy.users.create
        def create(member: Member) -> Any:
            user = db.Model.registry._class_registry["User"](
                name=f"{member.name} ({member.person_id})", password="!"
            )
            db.session.add(user)
            db.session.commit()
            return user

        for slug in SLUGS:
            if site.state.directory.find(slug) is None:
                site.state.create(slug, slug.title())
        _steps(site)
        for endpoint in ("who", "log_in", "log_out", "act", "switch"):
            tenancy.central(endpoint, reason="a test")
        made.append(site)
        return site

    yield make
    for site in made:
        with site.app.app_context():
            site.db.session.remove()
            site.db.engine.dispose()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


@pytest.fixture
def browser(site: Site) -> FlaskClient:
    return site.app.test_client()


def users(site: Site) -> list[Any]:
    """Every user of the application, of all tenants, past the wall."""
    with site.state.directory.connect() as connection:
        return list(connection.execute(sa.text('SELECT * FROM "user" ORDER BY tenant_id, id')))
