"""Class 19, around the database: hosts, pages, start-up, the default tenant, the template, signals and threads.

What follows the tenant around the SQL (sessions, caches, uploads, jobs) is attacked in ``test_19_around_the_sql.py``
and in ``tests/adapters``, the ways in (headers, tokens, paths, ASGI) in ``tests/edges``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_tenant import (
    Tenancy,
    TenancyError,
    central_context,
    current_tenant,
    registry,
    signals,
    tenant_context,
)
from flask_tenant.context import Scope, current_scope
from flask_tenant.errors import (
    DdlRefusedError,
    InvalidSlugError,
    NoTenantError,
    TenantError,
    TenantExistsError,
    TenantNotFoundError,
)
from flask_tenant.model import TEMPLATE_ID, Tenant
from tests.attacks.world import Base, Customer, Setting, World, fill, make_app
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="module")
def standing_site(make_database: MakeDatabase, back_end: str) -> Iterator[tuple[flask.Flask, sa.Engine]]:
    """An application with two tenants and a page."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        app, _ = make_app(engine)

        @app.get("/")
        def who() -> Any:
            with engine.connect() as connection:
                names = connection.execute(sa.select(Customer.name).order_by(Customer.id)).scalars().all()
            return {"names": list(names), "host": flask.request.host}

        @app.errorhandler(NoTenantError)
        def nobody(error: NoTenantError) -> Any:
            return "nobody", 403

        for slug in ("acme", "bella"):
            app.extensions["tenancy"].create(slug, slug.title())
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        yield app, engine
        engine.dispose()


@pytest.fixture
def site(standing_site: tuple[flask.Flask, sa.Engine]) -> tuple[flask.Flask, sa.Engine]:
    """The same, known to this test."""
    registry._apps.add(standing_site[0].extensions[registry.KEY])
    return standing_site


def ask(app: flask.Flask, host: str, **headers: str) -> tuple[int, str]:
    """Status and body of a request with any Host header at all."""
    environ = EnvironBuilder(path="/", headers=headers).get_environ()
    environ["HTTP_HOST"] = host
    body, status, _ = run_wsgi_app(app.wsgi_app, environ)
    return int(status.split()[0]), b"".join(body).decode()


@pytest.mark.parametrize(
    "host", ["acme.localhost", "ACME.localhost", "acme.localhost:8000", "acme.localhost.", " acme.localhost "]
)
def test_hosts_of_a_tenant(site: Any, host: str) -> None:
    app, _ = site
    status, body = ask(app, host)
    if status == 200:
        assert "canary-acme-1" in body
    assert "bella" not in body


UGLY = [
    "<script>alert(1)</script>.localhost",
    '"><img src=x onerror=alert(1)>.localhost',
    "'; DROP TABLE tenancy_tenant; --.localhost",
    "acme' OR '1'='1.localhost",
    "acme%00.localhost",
    "acme\x00.localhost",
    "acme\r\nX-Evil: 1.localhost",
    "{host}.localhost",
    "{0.__class__}.localhost",
    "%s.localhost",
    "..localhost",
    ".acme.localhost",
    "-acme.localhost",
    "acme_.localhost",
    "ａｃｍｅ.localhost",
    "аcme.localhost",
    "acme\u00ad.localhost",
    "xn--acme.localhost",
    "0.localhost",
    "(template).localhost",
    "None.localhost",
    "*.localhost",
    "acme@bella.localhost",
    "acme,bella.localhost",
    "acme/../bella.localhost",
    "a" * 64 + ".localhost",
    "a" * 100_000 + ".localhost",
    "\xff\xfe.localhost",
    "[::1].localhost",
    "nobody.acme.localhost",
]


@pytest.mark.parametrize("host", UGLY, ids=range(len(UGLY)))
def test_ugly_hosts(site: Any, host: str) -> None:
    """A proper page that says nothing but the name that was asked for, as text."""
    app, engine = site
    status, body = ask(app, host)
    assert status in (400, 403, 404), (status, body)
    for word in ("canary", "<script", "<img", "onerror=alert(1)>", "Traceback"):
        assert word not in body
    assert len(body) < 5_000
    with central_context(reason="a test", app=app), engine.connect() as connection:
        assert len(connection.execute(sa.select(Customer.__table__.c.name)).all()) == 5


def test_hosts_that_name_nobody(site: Any) -> None:
    app, _ = site
    for host in ("localhost", "127.0.0.1", "[::1]", "127.0.0.1:80", "", ":80"):
        status, body = ask(app, host)
        assert status == 404, (host, status)
        assert "canary" not in body
    app.extensions["tenancy"].tenancy.central(
        "who", reason="a mistake"
    )  # declared, it has no tenant data either
    for host in ("localhost", "127.0.0.1", "[::1]", "127.0.0.1:80", "", ":80"):
        status, body = ask(app, host)
        assert status == 403, (host, status)
        assert "canary" not in body


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-Host", "X-Tenant", "X-Forwarded-Server"]
)
def test_headers_that_claim_a_host(site: Any, name: str) -> None:
    app, _ = site
    value = "host=bella.localhost" if name == "Forwarded" else "bella.localhost"
    status, body = ask(app, "acme.localhost", **{name: value})
    assert status == 200
    assert "canary-acme-1" in body
    assert "canary-bella" not in body


def test_every_unknown_host_gets_the_same_page(site: Any) -> None:
    """A tenant that is suspended looks like one that never was."""
    app, engine = site
    pages = {ask(app, f"{name}.localhost")[1].replace(name, "NAME") for name in ("zeta", "nowhere", "acme2")}
    assert len(pages) == 1


# ---- the directory
@pytest.mark.parametrize(
    "slug",
    [
        "", " ", "Acme", "ACME", "acme ", "a b", "a.b", "a_b", "-a", "a-", "ä", "ａ", "a\n", "acme\n", "a\x00", "a" * 64,
        "<b>", "'; DROP TABLE x; --", "(template)", "../x", "%s", "{x}", "a/b", "a:b", "\u202eemca",
    ],
)  # fmt: skip
def test_slugs(world: World, slug: str) -> None:
    state = world.app.extensions["tenancy"]
    with pytest.raises(InvalidSlugError):
        state.create(slug, "x")
    with pytest.raises(TenantNotFoundError):
        tenant_context(slug, world.app)


def test_names_are_text(site: Any) -> None:
    app, engine = site
    name = "<script>alert('x')</script>'; DROP TABLE customer; --"
    made = app.extensions["tenancy"].create("evil", name)
    assert made.name == name
    with pytest.raises(TenantExistsError):
        app.extensions["tenancy"].create("acme", "x")
    with tenant_context("evil", app), engine.connect() as connection:
        assert connection.execute(sa.select(Customer.name)).all() == []


@pytest.mark.parametrize("number", ["1", "2 OR 1=1", 1.0, True, None, -1, "1; DELETE FROM visit", b"1"])
def test_forged_ids(world: World, number: Any) -> None:
    """A tenant's id is part of raw SQL's text: it is a whole number, or nothing."""
    with pytest.raises(TenantError):
        Scope(Tenant(number, "acme", "Acme"))
    with pytest.raises(TenantError), tenant_context(Tenant(number, "acme", "Acme"), world.app):
        pass


# ---- the template and start-up
def test_the_template_is_nobodys(site: Any) -> None:
    """Rows that start-up seeds are kept under the id 0: no tenant reads or changes them."""
    app, engine = site
    with engine.connect() as connection, pytest.raises(NoTenantError):
        connection.execute(sa.select(Setting.key))
    with central_context(reason="a test", app=app), engine.connect() as connection:
        assert TEMPLATE_ID not in {row[-1] for row in connection.execute(sa.select(Setting.__table__.c.key))}
    for slug in ("(template)", "0", "template"):
        with pytest.raises(TenantNotFoundError):
            tenant_context(slug, app)


def seeded(url: str, during: Any = None) -> tuple[flask.Flask, sa.Engine]:
    """A factory that seeds two settings and does something else on the way."""
    engine = sa.create_engine(url)
    app = flask.Flask("seeded")
    app.config["TENANT_SHARED_TABLES"] = ["country"]
    Tenancy(engines=[engine]).init_app(app)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        if session.get(Setting, "seed") is None:
            session.add(Setting(key="seed", value="from the start"))
            session.commit()
    if during is not None:
        during(app, engine)
    return app, engine


def test_seeds_are_copied_and_ones_own(make_database: MakeDatabase, back_end: str) -> None:
    with make_database(back_end) as url:
        app, engine = seeded(url)
        for slug in ("acme", "bella"):
            app.extensions["tenancy"].create(slug, slug)
        with tenant_context("acme", app), Session(engine) as session:
            session.get_one(Setting, "seed").value = "canary-acme"
            session.commit()
        with tenant_context("bella", app), Session(engine) as session:
            assert session.get_one(Setting, "seed").value == "from the start"
            session.delete(session.get_one(Setting, "seed"))
            session.commit()
        app.extensions["tenancy"].create("corto", "corto")
        with tenant_context("corto", app), Session(engine) as session:
            assert session.get_one(Setting, "seed").value == "from the start"
        engine.dispose()
        app, engine = seeded(url)  # the next start sees the template, and not the tenants' rows
        with tenant_context("acme", app), Session(engine) as session:
            assert session.get_one(Setting, "seed").value == "canary-acme"
        with tenant_context("bella", app), Session(engine) as session:
            assert session.get(Setting, "seed") is None
        engine.dispose()


def outcome(work: Any) -> Any:
    try:
        return work()
    except Exception as error:
        return error


def read(engine: sa.Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.select(Setting.key)).scalars().all()


def test_start_up_ends(make_database: MakeDatabase, back_end: str) -> None:
    """A thread begun in the factory, a function kept from it, a generator made in it: none of them is start-up."""
    kept: dict[str, Any] = {}

    def during(app: flask.Flask, engine: sa.Engine) -> None:
        assert read(engine) == ["seed"], "the factory itself sees the template"
        thread = threading.Thread(target=lambda: kept.__setitem__("thread", outcome(lambda: read(engine))))
        thread.start()
        thread.join(20)
        go = threading.Event()

        def later() -> None:
            go.wait(20)
            kept["late"] = outcome(lambda: read(engine))

        kept["go"], kept["late thread"] = go, threading.Thread(target=later)
        kept["late thread"].start()
        kept["function"] = lambda: read(engine)

        def generate() -> Iterator[Any]:
            yield "begun"
            yield outcome(lambda: read(engine))

        kept["generator"] = generate()
        next(kept["generator"])

    with make_database(back_end) as url:
        _, engine = seeded(url, during)
        assert isinstance(kept["thread"], NoTenantError)
        assert isinstance(outcome(kept["function"]), NoTenantError)
        assert isinstance(next(kept["generator"]), NoTenantError)
        kept["go"].set()
        kept["late thread"].join(20)
        assert isinstance(kept["late"], NoTenantError)
        assert isinstance(outcome(lambda: read(engine)), NoTenantError)
        with engine.connect() as connection, pytest.raises(DdlRefusedError):
            connection.execute(sa.text("DROP TABLE visit"))
        engine.dispose()


def test_a_request_ends_start_up(make_database: MakeDatabase, back_end: str) -> None:
    """A script that builds its application and serves it is not start-up for ever."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        app = flask.Flask("script")
        app.config["TENANT_SHARED_TABLES"] = ["country"]
        Tenancy(engines=[engine]).init_app(app)
        Base.metadata.create_all(engine)  # this very frame is the factory
        assert read(engine) == []
        ask(app, "localhost")
        with pytest.raises(NoTenantError):
            read(engine)
        engine.dispose()


def test_a_factory_that_is_a_generator(make_database: MakeDatabase, back_end: str) -> None:
    """As pytest's fixtures are: suspended is not running, and resumed is not building any more."""

    def fixture(url: str) -> Iterator[Any]:
        engine = sa.create_engine(url)
        app = flask.Flask("fixture")
        app.config["TENANT_SHARED_TABLES"] = ["country"]
        Tenancy(engines=[engine]).init_app(app)
        Base.metadata.create_all(engine)
        yield app, engine
        yield outcome(lambda: read(engine))

    with make_database(back_end) as url:
        made = fixture(url)
        app, engine = next(made)
        app.extensions["tenancy"].create("acme", "acme")
        with tenant_context("acme", app):
            assert read(engine) == []
        assert isinstance(next(made), NoTenantError)
        engine.dispose()


# ---- the default tenant
def test_the_default_tenant_is_for_those_without(make_database: MakeDatabase, back_end: str) -> None:
    """It holds where nothing names one, and nowhere else: not in central work, not for an unknown host."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        app, _ = make_app(engine, TENANT_DEFAULT="acme")
        app.add_url_rule("/", view_func=lambda: {"names": names(engine)})
        with pytest.raises(TenancyError):
            names(engine)
        for slug in ("acme", "bella"):
            app.extensions["tenancy"].create(slug, slug)
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        assert names(engine) == ["canary-acme-1", "canary-acme-2"]
        assert "canary-acme" in ask(app, "localhost")[1]
        for host in ("bella.localhost", "nobody.localhost"):
            assert "acme" not in ask(app, host)[1]
        assert ask(app, "nobody.localhost")[0] == 404
        with tenant_context("bella", app):
            assert len(names(engine)) == 3
            session = Session(engine)
            assert session.get_one(Customer, 1).name == "canary-bella-1"
        for attempt in (lambda: session.get(Customer, 1), lambda: session.scalars(sa.select(Customer)).all()):
            with pytest.raises(TenancyError):
                attempt()
        session.close()
        with central_context(reason="a test", app=app), engine.connect() as connection:
            assert len(connection.execute(sa.select(Customer.__table__.c.name)).all()) == 5
        engine.dispose()


def names(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(Customer.name).order_by(Customer.id)).scalars())


# ---- signals
def test_receivers_that_fail(world: World) -> None:
    """A receiver's error does not leave anybody in a tenant."""

    def fail(sender: Any, **_: Any) -> None:
        raise ZeroDivisionError

    for signal in (signals.tenant_entered, signals.tenant_left):
        with signal.connected_to(fail, world.tenancy):
            with pytest.raises(ZeroDivisionError), world.as_():
                pass
            assert current_scope() is None
        with world.as_("bella"):
            with signal.connected_to(fail, world.tenancy), pytest.raises(ZeroDivisionError), world.as_():
                pass
            assert current_tenant().slug == "bella"
            with Session(world.engine) as session:
                assert session.get_one(Customer, 1).name == "canary-bella-1"
