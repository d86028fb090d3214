"""Class 16: sessions, connections, scopes and responses that outlive their tenant; objects are in ``test_16_objects``."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from flask_tenant import (
    Tenancy,
    TenancyError,
    central_context,
    current_tenant,
    for_each_tenant,
    tenant_context,
)
from flask_tenant.context import Scope, current_scope, entered
from flask_tenant.errors import (
    CentralRefusedError,
    NoTenantError,
    StatementRefusedError,
    TenantChangedError,
    TenantError,
)
from flask_tenant.isolate.template import TEMPLATE
from flask_tenant.model import Tenant
from tests.attacks.world import Customer, Invoice, Setting, World, fill, make_app, visit
from tests.services.databases import MakeDatabase

MINE = {"canary-acme-1", "canary-acme-2"}


# ---- connections and sessions
WAYS: dict[str, Callable[[sa.Connection], Any]] = {
    "core": lambda c: c.execute(sa.select(Customer.name)).all(),
    "text": lambda c: c.execute(sa.text("SELECT name FROM customer")).all(),
    "driver": lambda c: c.exec_driver_sql("SELECT name FROM customer").all(),
}


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_a_connection_serves_one_tenant(world: World, first: str, second: str) -> None:
    with world.as_("bella"):
        connection = world.engine.connect()
        assert len(WAYS[first](connection)) == 3
    with world.as_(), pytest.raises(TenantChangedError):
        WAYS[second](connection)
    with pytest.raises(TenancyError):
        WAYS[second](connection)
    with world.as_("bella"):
        assert len(WAYS[second](connection)) == 3
    connection.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_serves_the_template_or_tenants(world: World, way: str) -> None:
    """Start-up code may enter one tenant after the other: each statement is then that tenant's. Cursors may not."""
    with _as(world, TEMPLATE), world.engine.connect() as connection:
        for slug, count in (("bella", 3), ("acme", 2)):
            with world.as_(slug):
                if way == "driver":
                    with pytest.raises(TenantChangedError):
                        WAYS[way](connection)
                else:
                    names = [name for (name,) in WAYS[way](connection)]
                    assert len(names) == count
                    assert all(slug in name for name in names)
        assert WAYS[way](connection) == []
    with world.as_("bella"), world.engine.connect() as connection:
        with _as(world, TEMPLATE), pytest.raises(TenantChangedError):
            WAYS[way](connection)
        assert len(WAYS[way](connection)) == 3


def _as(world: World, who: str | Tenant) -> Any:
    return world.as_(who) if isinstance(who, str) else entered(Scope(who))


def test_a_raw_connection_serves_one_tenant(world: World) -> None:
    with world.as_("bella"):
        proxy = world.engine.raw_connection()
        cursor: Any = proxy.cursor()
        cursor.execute("SELECT name FROM customer")
        assert len(cursor.fetchall()) == 3
    with world.as_(), pytest.raises(TenantChangedError):
        cursor.execute("SELECT name FROM customer")
    with world.as_(), pytest.raises(TenantChangedError):
        proxy.cursor().execute("DELETE FROM visit")
    driver: Any = proxy.driver_connection
    proxy.detach()
    with world.as_(), pytest.raises(TenantChangedError):
        driver.cursor().execute("SELECT name FROM customer")
    driver.close()


def test_a_connection_that_goes_back_is_free(world: World) -> None:
    for slug, count in (("acme", 2), ("bella", 3), ("acme", 2)):
        with world.as_(slug):
            proxy = world.engine.raw_connection()
            cursor: Any = proxy.cursor()
            cursor.execute("SELECT name FROM customer")
            assert len(cursor.fetchall()) == count
            proxy.close()


ENDS: dict[str, Callable[[Session], Any]] = {
    "flush": lambda s: s.flush(),
    "commit": lambda s: s.commit(),
    "query": lambda s: s.scalars(sa.select(Customer)).all(),
    "get": lambda s: s.get(Customer, 1),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_waits_for_its_flush(world: World, end: str) -> None:
    """Added, changed or deleted under one tenant, flushed under another."""
    for known in (False, True):
        session = Session(world.engine)
        with world.as_("bella"):
            session.add(Setting(key="pending", value="canary-bella-pending"))
            if known:
                session.get_one(Customer, 1).note = "canary-bella-dirty"
                session.delete(session.get_one(Customer, 3))
        with world.as_():
            with pytest.raises(TenantChangedError):
                ENDS[end](session)
            if end != "flush":  # one that has failed leaves nothing to be flushed
                with pytest.raises((TenantChangedError, sa.exc.PendingRollbackError)):
                    ENDS[end](session)
            session.rollback()
            session.close()
    with world.as_(), Session(world.engine) as other:
        assert other.get(Setting, "pending") is None


def test_a_session_that_was_refused_is_so_again(world: World) -> None:
    """It has its connection now, and asks no second time; what waits in it is still the other tenant's."""
    session = Session(world.engine, autoflush=False)
    with world.as_("bella"):
        session.add(Setting(key="pending", value="canary-bella-pending"))
    with world.as_():
        for _ in range(2):
            with pytest.raises(TenantChangedError):
                session.execute(sa.select(Customer.__table__.c.name))
    with world.as_("bella"):
        assert len(session.execute(sa.select(Customer.__table__.c.name)).all()) == 3
    with world.as_(), pytest.raises(TenantChangedError):
        session.flush()
    session.close()


def test_a_scoped_session_follows(world: World) -> None:
    """Each tenant has a session of its own, and so has work within work."""
    app = world.app
    registry = scoped_session(sessionmaker(world.engine))
    state = app.extensions["tenancy"]
    state.databases._adapt(registry)
    for slug in ("acme", "bella", "acme"):
        with world.as_(slug):
            outer = registry()
            assert slug in registry.get(Customer, 1).name  # type: ignore[union-attr]
            with world.as_("corto"):
                assert registry() is not outer
                assert "corto" in registry.get(Customer, 1).name  # type: ignore[union-attr]
            assert registry() is outer
            assert registry.get(Customer, 1) in outer
            for tenant in for_each_tenant(reason="a test", app=app):
                assert tenant.slug in registry.get(Customer, 1).name  # type: ignore[union-attr]
            assert registry() is outer
        registry.remove()


# ---- scopes
def test_two_applications_with_directories_of_their_own(
    world: World, back_end: str, make_database: MakeDatabase
) -> None:
    """Both count their tenants from 1: a tenant of one is nobody at the other's engine."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        app, _ = make_app(engine)
        for slug in ("corto", "bella", "acme"):
            app.extensions["tenancy"].create(slug, slug)
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        with tenant_context("corto", app) as scope:
            assert scope.tenant_id == world.ids["acme"], "the number means somebody else there"
            for attack in (
                world.engine.connect,
                world.engine.raw_connection,
                lambda: Session(world.engine).get(Customer, 1),
                lambda: Session(world.engine).execute(sa.text("DELETE FROM customer")),
            ):
                with pytest.raises(TenantChangedError, match="'corto' is a tenant of another application"):
                    attack()
        with world.as_(), Session(world.engine) as session:
            assert set(session.scalars(sa.select(Customer.name))) == MINE
            # One within the other is a stay of its own, and each has what follows its tenants.
            with tenant_context("corto", app) as scope, Session(engine) as theirs:
                assert "canary-corto-1" in theirs.scalars(sa.select(Customer.name)).all()
                assert scope.outer is not None
                assert scope.key != scope.outer.key
            assert set(session.scalars(sa.select(Customer.name))) == MINE
        with sharing(url) as (again, other):  # the control: the same directory by another engine
            with tenant_context("corto", again), engine.connect() as connection:
                assert "canary-corto-1" in connection.scalars(sa.select(Customer.name)).all()
            with tenant_context("corto", app), other.connect() as connection:
                assert "canary-corto-1" in connection.scalars(sa.select(Customer.name)).all()
        engine.dispose()


@contextmanager
def sharing(url: str) -> Iterator[tuple[flask.Flask, sa.Engine]]:
    engine = sa.create_engine(url)
    yield make_app(engine)[0], engine
    engine.dispose()


def test_scopes_end_with_errors(world: World) -> None:
    with pytest.raises(ZeroDivisionError), world.as_():
        raise ZeroDivisionError
    assert current_scope() is None
    with world.as_("bella"):
        with pytest.raises(ZeroDivisionError), world.as_():
            raise ZeroDivisionError
        assert current_tenant().slug == "bella"


def test_a_loop_that_is_left(world: World) -> None:
    """By ``break``, by an error, or kept and never finished: the scope around it holds again."""
    kept = []
    with world.as_("corto"):
        for _ in for_each_tenant(reason="a test", app=world.app):
            break
        gc.collect()
        assert current_tenant().slug == "corto"
        with pytest.raises(ZeroDivisionError):
            for _ in for_each_tenant(reason="a test", app=world.app):
                raise ZeroDivisionError
        gc.collect()
        assert current_tenant().slug == "corto"
        loop = for_each_tenant(reason="a test", app=world.app)
        for _ in loop:
            break
        kept.append(loop)
    assert current_scope() is None, "the loop's tenant goes on after the scope around it has ended"
    with world.as_("bella"):
        kept.clear()
        gc.collect()
        assert current_tenant().slug == "bella"
        with world.engine.connect() as connection:
            assert len(connection.execute(sa.select(Customer.name)).all()) == 3
    assert current_scope() is None


def test_scopes_left_out_of_order(world: World) -> None:
    first, second = world.as_("acme"), world.as_("bella")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current_scope() is None
    second.__exit__(None, None, None)
    assert current_scope() is None


def test_a_generator_that_goes_on_under_another_tenant(world: World) -> None:
    """It executes for the tenant in which it is driven, or not at all."""

    def pages() -> Iterator[Any]:
        with world.engine.connect() as connection:
            for number in (1, 2, 3):
                yield connection.execute(sa.select(Customer.name).where(Customer.id == number)).scalar()

    with world.as_("bella"):
        generator = pages()
        assert next(generator) == "canary-bella-1"
    with world.as_(), pytest.raises(TenantChangedError):
        next(generator)


def test_central_work_has_its_limits(world: World) -> None:
    """It reads Core rows of one table, labelled; it writes nothing of a tenant's, and loads no entities."""
    customer = Customer.__table__
    with central_context(reason="a test", app=world.app):
        with world.engine.connect() as connection:
            rows = connection.execute(sa.select(customer.c.name)).all()
            assert len(rows) == 9
            assert {row[-1] for row in rows} == set(world.ids.values())
        for write in (
            sa.update(visit).values(hits=0), sa.delete(visit), sa.insert(visit).values(page="x"),
            sa.text("DELETE FROM visit"), sa.text("UPDATE visit SET hits = 0"), sa.text("INSERT INTO visit (page) VALUES ('x')"),
            sa.insert(visit).from_select(["page"], sa.select(customer.c.name)),
            sa.select(customer.c.name, Invoice.__table__.c.number).join_from(customer, Invoice.__table__),
            sa.select(customer.c.name).where(sa.exists(sa.select(visit.c.page))),
            sa.select(customer.c.name).union(sa.select(visit.c.page)),
            sa.select(sa.select(customer.c.name).cte(), sa.select(visit.c.page).cte()),
        ):  # fmt: skip
            with world.engine.connect() as connection, pytest.raises(TenancyError):
                connection.execute(write)
        for raw in ("DELETE FROM visit", "UPDATE customer SET note = 'x'", "DROP TABLE visit; SELECT 1"):
            with world.engine.connect() as connection, pytest.raises(TenancyError):
                connection.exec_driver_sql(raw)
            with world.engine.connect() as connection, pytest.raises(TenancyError):
                connection.connection.cursor().execute(raw)
        loads: list[Callable[[Session], Any]] = [
            lambda s: s.get(Customer, 1),
            lambda s: s.scalars(sa.select(Customer)).all(),
            lambda s: s.scalars(sa.select(Customer).from_statement(sa.text("SELECT * FROM customer"))).all(),
            lambda s: s.scalars(sa.select(Customer).from_statement(sa.select(customer))).all(),
            lambda s: s.query(Customer).first(),
            lambda s: (
                s.execute(sa.select(customer.c.name)).all(),
                s.expunge_all(),
                s.scalars(sa.select(Customer).from_statement(sa.select(customer))).all(),
            ),
            lambda s: s.add(Setting(key="x", value="y")) or s.flush(),
        ]
        for load in loads:
            with Session(world.engine) as session, pytest.raises(TenancyError):
                load(session)
    for reason in ("", " "):
        with pytest.raises(TenantError), central_context(reason=reason, app=world.app):
            pass
        with pytest.raises(TenantError):
            next(for_each_tenant(reason=reason, app=world.app))


def test_a_session_of_central_work_is_no_tenants(world: World) -> None:
    session = Session(world.engine)
    with central_context(reason="a test", app=world.app):
        assert len(session.execute(sa.select(Customer.__table__.c.name)).all()) == 9
    for attempt in (
        lambda: session.get(Customer, 3),
        lambda: session.execute(sa.select(Customer.__table__.c.name)).all(),
        lambda: session.commit() or session.scalars(sa.select(Customer)).all(),
        lambda: session.commit() or session.execute(sa.select(Customer.__table__.c.name)).all(),
        lambda: session.execute(
            sa.select(Customer.__table__.c.name)
        ).all(),  # on the connection that it has now
        lambda: session.scalars(sa.select(Customer)).all(),
    ):
        with world.as_(), pytest.raises((TenantChangedError, CentralRefusedError)):
            attempt()
    session.close()
    connection = world.engine.connect()
    with central_context(reason="a test", app=world.app):
        opened = world.engine.connect()
        assert len(opened.execute(sa.select(Customer.__table__.c.name)).all()) == 9
    with world.as_():
        with pytest.raises(TenancyError):
            opened.execute(sa.select(Customer.__table__.c.name))
        assert {row[0] for row in opened.exec_driver_sql("SELECT name FROM customer")} == MINE
    opened.close()
    connection.close()


# ---- responses
@pytest.fixture
def site(world: World) -> Iterator[Any]:
    """The application with views, asked through WSGI without a test client's help."""
    app = flask.Flask("site")
    app.config["TENANT_SHARED_TABLES"] = ["country"]
    state = world.app.extensions["tenancy"]
    app.extensions["tenancy"] = state
    from flask_tenant.wsgi import TenantMiddleware

    @app.get("/stream")
    def stream() -> Any:
        def rows() -> Iterator[str]:
            for number in (1, 2, 3):
                with Session(world.engine) as session:
                    found = session.get(Customer, number)
                    yield f"{current_tenant().slug}:{found.name if found else None}\n"

        return flask.Response(rows())

    @app.get("/who")
    def who() -> str:
        with world.engine.connect() as connection:
            return ",".join(connection.execute(sa.select(Customer.name).order_by(Customer.id)).scalars())

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    app.wsgi_app = TenantMiddleware(app.wsgi_app, state.admit, state.enter_request)  # type: ignore[method-assign]
    yield app


def ask(app: Any, path: str, host: str, **headers: str) -> Any:
    """The response's body, not read and not closed yet."""
    from werkzeug.test import EnvironBuilder

    environ = EnvironBuilder(path=path, base_url=f"http://{host}/", headers=headers).get_environ()
    return app.wsgi_app(environ, lambda status, headers, exc=None: None)


def test_streams_interleave(world: World, site: Any) -> None:
    """Two responses of one thread, read in turns, closed late, twice, in the wrong order, or never."""
    first, second = ask(site, "/stream", "acme.localhost"), ask(site, "/stream", "bella.localhost")
    assert current_scope() is None
    a, b = iter(first), iter(second)
    assert next(a) == b"acme:canary-acme-1\n"
    assert next(b) == b"bella:canary-bella-1\n"
    assert current_scope() is None
    assert next(a) == b"acme:canary-acme-2\n"
    first.close()
    first.close()
    assert next(b) == b"bella:canary-bella-2\n"
    third = ask(site, "/stream", "corto.localhost")
    assert next(iter(third)) == b"corto:canary-corto-1\n"
    second.close()
    assert current_scope() is None
    with world.as_():
        del third
        gc.collect()
        assert current_tenant().slug == "acme"
    assert current_scope() is None


def test_a_response_that_is_never_closed(world: World, site: Any) -> None:
    left = ask(site, "/stream", "bella.localhost")
    next(iter(left))
    with pytest.raises(NoTenantError), world.engine.connect() as connection:
        connection.execute(sa.select(Customer.name))
    assert b"".join(ask(site, "/who", "acme.localhost")) == b"canary-acme-1,canary-acme-2"
    assert left is not None


def test_a_response_closed_in_another_thread(world: World, site: Any) -> None:
    import threading

    left = ask(site, "/stream", "bella.localhost")
    chunks = iter(left)
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: (found.append(next(chunks)), left.close(), found.append(current_scope()))
    )
    thread.start()
    thread.join(10)
    assert found == [b"bella:canary-bella-1\n", None]
    assert current_scope() is None
    assert b"".join(ask(site, "/who", "acme.localhost")) == b"canary-acme-1,canary-acme-2"


def test_a_reused_thread_starts_clean(world: World, site: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        for host in ("acme", "bella", "acme"):
            body = pool.submit(lambda h=host: b"".join(ask(site, "/who", f"{h}.localhost"))).result()
            assert body.count(host.encode()) == body.count(b"canary")
            assert pool.submit(current_scope).result() is None
        for path in ("/fail", "/nowhere"):
            pool.submit(lambda p=path: b"".join(ask(site, p, "bella.localhost"))).result()
            assert pool.submit(current_scope).result() is None


def test_an_application_can_be_asked_within_a_tenant(world: World, site: Any) -> None:
    """A request that names nobody is nobody's, whatever scope is around."""
    with world.as_("bella"):
        assert b"".join(ask(site, "/who", "acme.localhost")) == b"canary-acme-1,canary-acme-2"
        assert b"canary" not in b"".join(ask(site, "/who", "localhost"))
        assert current_tenant().slug == "bella"
    assert Tenancy is not None


def test_a_session_of_central_work_goes_to_no_tenant(world: World) -> None:
    with Session(world.engine) as session:
        with central_context(reason="a test of sessions", app=world.app):
            assert len(session.execute(sa.select(visit.c.page)).all()) == 9
            session.commit()
        with world.as_(), pytest.raises(TenantChangedError):
            session.execute(sa.select(visit.c.page))


def test_rows_for_everybody_take_a_key(world: World) -> None:
    """Which of them are new, and so every tenant's, is told by their keys."""
    with entered(Scope(TEMPLATE)), world.engine.connect() as connection:
        with pytest.raises(StatementRefusedError, match="no primary key"):
            connection.execute(visit.insert().values(page="x", hits=1))
        connection.rollback()
    assert world.snapshot() == world.original
