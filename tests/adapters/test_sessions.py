"""A session is its tenant's own: Flask's signed cookie, and Flask-Session's stores."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient

from flask_tenant import tenant_context
from tests.adapters.conftest import MakeApp, at, carry

REPLAYED = "A session of tenant 1 was replayed at tenant 2"


def pages(app: Flask) -> FlaskClient:
    """An application that says what its session holds, and writes into it."""

    @app.get("/")
    def show() -> dict[str, Any]:
        return dict(session)

    @app.get("/untouched")
    def untouched() -> str:
        return "hello"

    @app.post("/<key>/<value>")
    def put(key: str, value: str) -> dict[str, Any]:
        session[key] = value
        return dict(session)

    @app.post("/logout")
    def logout() -> str:
        session.clear()
        return "bye"

    return app.test_client()


def plain(app: Flask) -> None:
    """Flask's own sessions."""


def on_files(app: Flask) -> None:
    from cachelib.file import FileSystemCache
    from flask_session import Session

    app.config["SESSION_TYPE"] = "cachelib"
    app.config["SESSION_CACHELIB"] = FileSystemCache(app.config["FOLDER"])
    Session(app)


def on_redis(app: Flask) -> None:
    import redis
    from flask_session import Session

    app.config["SESSION_TYPE"] = "redis"
    app.config["SESSION_REDIS"] = redis.Redis.from_url(app.config["REDIS"])
    Session(app)


@pytest.fixture(params=[plain, on_files, on_redis], ids=lambda made: made.__name__)
def client(request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    """The same pages over each kind of session."""
    made: Callable[[Flask], None] = request.param
    url = request.getfixturevalue("redis_url") if made is on_redis else None
    app = make_app(FOLDER=str(tmp_path / "sessions"), REDIS=url)
    made(app)  # after Tenancy was registered; the other order is tested below
    return pages(app)


def shown(client: FlaskClient, slug: str) -> dict[str, Any]:
    found = client.get(at(slug)).json
    return {key: value for key, value in found.items() if key != "_permanent"}


def test_a_session_is_kept_and_shows_nothing_of_ours(client: FlaskClient) -> None:
    client.post(at("acme", "/user/7"))
    assert shown(client, "acme") == {"user": "7"}
    client.post(at("acme", "/colour/red"))
    assert shown(client, "acme") == {"user": "7", "colour": "red"}
    client.post(at("acme", "/logout"))
    assert shown(client, "acme") == {}


def test_a_cookie_replayed_at_another_tenant_is_anonymous_and_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.post(at("acme", "/user/7"))
    stolen = carry(client, "session", "acme", "bella")
    assert shown(client, "bella") == {}
    assert REPLAYED in caplog.text
    # The thief goes on with a session of its own, and the owner's is what it was.
    client.post(at("bella", "/user/666"))
    assert shown(client, "bella") == {"user": "666"}
    cookie = client.get_cookie("session", domain="bella.localhost")
    assert cookie is not None
    assert cookie.value != stolen
    assert shown(client, "acme") == {"user": "7"}
    carry(client, "session", "bella", "acme")
    assert shown(client, "acme") == {}


def test_a_replayed_cookie_cannot_end_the_owners_session(client: FlaskClient) -> None:
    client.post(at("acme", "/user/7"))
    carry(client, "session", "acme", "bella")
    client.post(at("bella", "/logout"))
    assert shown(client, "acme") == {"user": "7"}


@pytest.mark.parametrize(("made", "shown_to"), [("acme", ""), ("", "acme")])
def test_a_session_of_no_tenant_is_not_a_tenants(client: FlaskClient, made: str, shown_to: str) -> None:
    client.post(at(made, "/user/7"))
    assert shown(client, made) == {"user": "7"}
    carry(client, "session", made, shown_to)
    assert shown(client, shown_to) == {}


def test_a_forged_tenant_is_overwritten(client: FlaskClient) -> None:
    """The application writes our key into its session, as one that stores what users send might."""
    client.post(at("acme", "/_tenant/2"))
    client.post(at("acme", "/user/7"))
    carry(client, "session", "acme", "bella")
    assert shown(client, "bella") == {}
    assert shown(client, "acme") == {"user": "7"}


def test_a_session_from_before_registration(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    old = Flask("before")
    old.config["SECRET_KEY"] = "secret of the tests"
    before = pages(old)
    before.post(at("acme", "/user/7"))
    cookie = before.get_cookie("session", domain="acme.localhost")
    assert cookie is not None
    client = pages(make_app())
    client.set_cookie("session", cookie.value, domain="acme.localhost")
    assert shown(client, "acme") == {}
    assert "carries no tenant" in caplog.text


@pytest.mark.parametrize("register", [plain, on_files], ids=lambda made: made.__name__)
def test_either_order_of_registration(make_app: MakeApp, tmp_path: Path, register: Any) -> None:
    client = pages(make_app(register, FOLDER=str(tmp_path / "sessions")))
    client.post(at("acme", "/user/7"))
    carry(client, "session", "acme", "bella")
    assert shown(client, "bella") == {}
    assert shown(client, "acme") == {"user": "7"}


def test_keys_of_stored_sessions_carry_the_tenant(make_app: MakeApp, redis_url: str) -> None:
    import redis

    store = redis.Redis.from_url(redis_url)
    store.flushall()
    client = pages(make_app(on_redis, REDIS=redis_url))
    for slug in ("acme", "bella"):
        client.post(at(slug, "/user/7"))
    assert sorted(key[:10] for key in store.scan_iter()) == [b"session:1.", b"session:2."]


def test_looking_at_a_session_is_not_using_it(app: Flask) -> None:
    """No `Vary` and no new cookie on pages that do not ask for the session, as without Tenancy."""
    client = pages(app)
    client.post(at("acme", "/user/7"))
    headers = client.get(at("acme", "/untouched")).headers
    assert "Vary" not in headers
    assert "Set-Cookie" not in headers


def test_the_interface_stays_what_it_was(make_app: MakeApp, tmp_path: Path) -> None:
    """Applications that reach for their session interface find its class, attributes and methods."""
    app = make_app()
    assert isinstance(app.session_interface, SecureCookieSessionInterface)
    assert app.session_interface.get_signing_serializer(app) is not None
    on_files_app = make_app(on_files, FOLDER=str(tmp_path / "sessions"))
    interface: Any = on_files_app.session_interface
    assert interface.cache is on_files_app.config["SESSION_CACHELIB"]

    client = pages(on_files_app)

    @on_files_app.post("/regenerate")
    def regenerate() -> str:
        interface.regenerate(session)
        return "done"

    client.post(at("acme", "/user/7"))
    before = carry(client, "session", "acme", "")
    client.post(at("acme", "/regenerate"))
    after = client.get_cookie("session", domain="acme.localhost")
    assert after is not None
    assert after.value != before
    assert after.value.startswith("1.")
    assert shown(client, "acme") == {"user": "7"}


def test_tests_that_write_a_session_directly(make_app: MakeApp) -> None:
    app = make_app()
    client = pages(app)
    with tenant_context("acme", app), client.session_transaction(base_url=at("acme")) as kept:
        kept["user"] = "7"
    assert shown(client, "acme") == {"user": "7"}
    carry(client, "session", "acme", "bella")
    assert shown(client, "bella") == {}


def test_an_interface_of_ones_own(make_app: MakeApp) -> None:
    """One that keeps a plain mapping, in memory, under an id that the client chooses."""
    from flask.sessions import SessionInterface, SessionMixin

    class Kept(dict[str, Any], SessionMixin):
        modified = True

    class InMemory(SessionInterface):
        def __init__(self) -> None:
            self.store: dict[str, dict[str, Any]] = {}

        def open_session(self, app: Flask, request: Any) -> Any:
            return Kept(self.store.get(request.cookies.get("sid", "new"), {}))

        def save_session(self, app: Flask, session: Any, response: Any) -> None:
            self.store["mine"] = dict(session)
            response.set_cookie("sid", "mine")

    client = pages(make_app(lambda app: setattr(app, "session_interface", InMemory())))
    client.post(at("acme", "/user/7"))
    carry(client, "sid", "acme", "bella")
    assert shown(client, "acme") == {"user": "7"}
    assert shown(client, "bella") == {}


def test_no_adapter_where_it_is_switched_off(make_app: MakeApp) -> None:
    app = make_app(TENANT_ADAPTERS_OFF=["sessions"])
    client = pages(app)
    client.post(at("acme", "/user/7"))
    carry(client, "session", "acme", "bella")
    assert shown(client, "bella") == {"user": "7"}, "this is what the adapter prevents"


def test_the_deprecated_signer_of_flask_session(make_app: MakeApp, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        app = make_app(on_files, FOLDER=str(tmp_path / "sessions"), SESSION_USE_SIGNER=True)
        client = pages(app)
        client.post(at("acme", "/user/7"))
        carry(client, "session", "acme", "bella")
        assert shown(client, "acme") == {"user": "7"}
        assert shown(client, "bella") == {}
