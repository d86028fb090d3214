"""Class 14: a second session, a thread without context, the pool, and the drivers' own ways round SQL text."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

from flask_tenant import Tenancy, TenancyError, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.errors import ConfigurationError, NoTenantError, StatementRefusedError, UnknownEngineError
from tests.attacks.cases import on_postgresql, on_sqlite
from tests.attacks.world import HIDDEN, Country, Customer, World, fill, make_app, visit
from tests.services.databases import MakeDatabase

MINE = {"canary-acme-1", "canary-acme-2"}
EVERY = "SELECT name FROM customer"


def in_thread(work: Callable[[], Any]) -> Any:
    """What a new thread makes of it; its error is the result."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    return found[0]


WAYS_IN: dict[str, Callable[[World], Any]] = {
    "session": lambda w: read_session(w),
    "connection": lambda w: read(w, sa.select(Customer.name)),
    "text": lambda w: read(w, sa.text(EVERY)),
    "driver sql": lambda w: read(w, EVERY),
    "raw connection": lambda w: read_raw(w.engine.raw_connection()),
    "pool": lambda w: read_raw(w.engine.pool.connect()),
    "begin": lambda w: read_begin(w),
    "options": lambda w: read(w, sa.text(EVERY), w.engine.execution_options(isolation_level="AUTOCOMMIT")),
    "write": lambda w: write(w),
}


def read_session(world: World) -> Any:
    with Session(world.engine) as session:
        return [c.name for c in session.scalars(sa.select(Customer))]


def read(world: World, statement: Any, engine: Any = None) -> Any:
    with (engine or world.engine).connect() as connection:
        run = connection.exec_driver_sql if isinstance(statement, str) else connection.execute
        return run(statement).scalars().all()


def read_raw(proxy: Any) -> Any:
    try:
        cursor = proxy.cursor()
        cursor.execute(EVERY)
        return [row[0] for row in cursor.fetchall()]
    finally:
        proxy.close()


def read_begin(world: World) -> Any:
    with world.engine.begin() as connection:
        return connection.execute(sa.text(EVERY)).scalars().all()


def write(world: World) -> Any:
    with world.engine.connect() as connection:
        connection.execute(sa.update(visit).values(hits=0))
        raise AssertionError("written") if not connection.in_transaction() else RuntimeError("rolled back")


@pytest.mark.parametrize("name", WAYS_IN)
def test_no_tenant_no_data(world: World, name: str) -> None:
    """Outside any tenant, and in a thread that a request has started without its context."""
    with pytest.raises(NoTenantError):
        WAYS_IN[name](world)
    with world.as_():
        assert isinstance(in_thread(lambda: WAYS_IN[name](world)), NoTenantError)


@pytest.mark.parametrize("name", [n for n in WAYS_IN if n != "write"])
def test_context_travels_where_it_is_taken(world: World, name: str) -> None:
    with world.as_():
        assert set(WAYS_IN[name](world)) == MINE
        here = contextvars.copy_context()
    assert set(in_thread(lambda: here.run(WAYS_IN[name], world))) == MINE
    with world.as_("bella"):
        assert len(in_thread(lambda: here.run(WAYS_IN[name], world))) == 2


def test_shared_tables_need_no_tenant(world: World) -> None:
    with world.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(Country)).scalar() == 2
        assert len(connection.exec_driver_sql("SELECT * FROM country").all()) == 2
        with pytest.raises(NoTenantError):
            connection.execute(sa.select(Country.name).where(sa.exists(sa.select(Customer.id))))


def test_asyncio_tasks_see_their_own(world: World) -> None:
    async def work(slug: str, turn: asyncio.Barrier | None = None) -> Any:
        with world.as_(slug):
            await asyncio.sleep(0)
            first = read(world, sa.text(EVERY))
            await asyncio.sleep(0)
            return {*first, *read(world, sa.select(Customer.name))}

    async def main() -> Any:
        return await asyncio.gather(*(work(s) for s in ("acme", "bella", "corto") * 3))

    for found, slug in zip(asyncio.run(main()), ("acme", "bella", "corto") * 3, strict=True):
        assert found
        assert all(slug in name for name in found)


# ---- engines and pools
def test_an_engine_that_nobody_has_named(world: World) -> None:
    elsewhere = sa.create_engine("sqlite://")
    with pytest.raises(UnknownEngineError) as caught, elsewhere.connect():
        pass
    assert "exempt" in str(caught.value)
    with pytest.raises(UnknownEngineError):
        elsewhere.raw_connection()
    with pytest.raises(UnknownEngineError):
        elsewhere.pool.connect()
    with world.app.app_context(), pytest.raises(UnknownEngineError), elsewhere.connect():
        pass
    assert isinstance(in_thread(lambda: elsewhere.connect()), UnknownEngineError)
    world.tenancy.exempt(elsewhere)
    with elsewhere.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_a_second_engine_to_the_same_database(world: World) -> None:
    """However it is made, it is guarded too, or refused."""
    url = world.engine.url
    for engine in (
        sa.create_engine(url),
        sa.create_engine(url, poolclass=NullPool),
        sa.create_engine(url, echo_pool=True),
    ):
        with world.as_():
            try:
                found = read(world, sa.text(EVERY), engine)
            except TenancyError:
                continue
            assert set(found) == MINE
        engine.dispose()


def test_an_application_without_tenancy(world: World) -> None:
    """Its engines are its own, within its context."""
    plain, engine = flask.Flask("plain"), sa.create_engine("sqlite://")
    with plain.app_context(), engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    with plain.app_context(), pytest.raises(NoTenantError):
        read(world, sa.text(EVERY))


def test_registering_twice(world: World) -> None:
    with pytest.raises(ConfigurationError):
        Tenancy(engines=[world.engine]).init_app(world.app)


@pytest.mark.parametrize("when", ["before", "checked out"])
def test_connections_made_before_registration(make_database: MakeDatabase, back_end: str, when: str) -> None:
    """A pool that was filled before, and a connection that is out while Tenancy is registered."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=5)
        early = engine.connect()
        early.execute(sa.text("SELECT 1"))
        driver = early.connection.driver_connection
        if when == "before":
            early.close()
        app, _ = make_app(engine)
        state = app.extensions["tenancy"]
        for slug in ("acme", "bella"):
            state.create(slug, slug)
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        early.close()
        for _ in range(3):
            with tenant_context("acme", app), engine.connect() as connection:
                assert connection.connection.driver_connection is not driver
                for statement in (sa.text(EVERY), sa.select(Customer.name)):
                    assert set(connection.execute(statement).scalars()) == MINE
                assert set(connection.exec_driver_sql(EVERY).scalars()) == MINE
        engine.dispose()


@pytest.mark.parametrize("pool", ["one", "null"])
def test_pools(make_database: MakeDatabase, back_end: str, pool: str) -> None:
    """One connection that everybody uses in turn (and one for us), or none kept."""
    options: dict[str, Any] = (
        {"pool_size": 1, "max_overflow": 0, "pool_timeout": 5} if pool == "one" else {"poolclass": NullPool}
    )
    with make_database(back_end) as url:
        engine = sa.create_engine(url, **options)
        app, _ = make_app(engine)
        for slug in ("acme", "bella"):
            app.extensions["tenancy"].create(slug, slug)
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        for slug in ("acme", "bella", "acme", "bella"):
            with tenant_context(slug, app), engine.connect() as connection:
                for statement in (sa.text(EVERY), sa.select(Customer.name)):
                    found = connection.execute(statement).scalars().all()
                    assert found
                    assert all(slug in name for name in found)
                cursor = connection.connection.cursor()
                cursor.execute(EVERY)
                assert all(slug in row[0] for row in cursor.fetchall())
        engine.dispose()


@pytest.mark.every_driver
def test_connections_made_elsewhere_are_refused(make_database: MakeDatabase, back_end: str) -> None:
    """A ``creator`` or a ``do_connect`` listener makes connections that no guard has seen."""
    with make_database(back_end) as url:
        plain = sa.create_engine(url)
        args, kw = plain.dialect.create_connect_args(plain.url)
        engine = sa.create_engine(url, creator=lambda: plain.dialect.loaded_dbapi.connect(*args, **kw))
        with pytest.raises(ConfigurationError) as caught:
            make_app(engine)
        assert "creator" in str(caught.value)
        engine.dispose()


# ---- sqlite3
@on_sqlite
@pytest.mark.parametrize(
    "escape",
    [
        lambda c: c.executescript("DELETE FROM visit; SELECT 1"),
        lambda c: c.cursor().executescript(EVERY),
        lambda c: c.backup(sqlite3.connect(":memory:")),
        lambda c: c.blobopen("customer", "name", 3),
        lambda c: list(c.iterdump()),
        lambda c: c.serialize(),
        lambda c: c.deserialize(b""),
        lambda c: sqlite3.Cursor(c).execute(EVERY).fetchall(),
        lambda c: sqlite3.Cursor.execute(c.cursor(), EVERY).fetchall(),
        lambda c: sqlite3.Cursor(c).executemany("DELETE FROM visit WHERE hits = ?", [(0,)]),
        lambda c: sqlite3.Connection.execute(c, EVERY),
        lambda c: sqlite3.Connection.cursor(c).execute(EVERY),
        lambda c: c(EVERY),
        lambda c: c.execute("ATTACH ':memory:' AS x"),
        lambda c: c.cursor(lambda connection: sqlite3.Cursor(connection)).execute(EVERY),
    ],
)
def test_sqlite3s_own_ways(world: World, escape: Callable[[Any], Any]) -> None:
    with world.as_(), world.engine.connect() as connection:
        with pytest.raises((TenancyError, AttributeError)) as caught:
            escape(connection.connection.driver_connection)
        if isinstance(caught.value, AttributeError):
            assert "config" in str(caught.value)


@on_sqlite
def test_sqlite3s_own_ways_have_teeth(world: World) -> None:
    with world.physical.connect() as connection:
        driver: Any = connection.connection.driver_connection
        copy = sqlite3.connect(":memory:")
        driver.backup(copy)
        assert copy.execute("SELECT count(*) FROM customer").fetchone() == (9,)
        copy.close()
        assert "canary-corto" in "".join(driver.iterdump())
        assert b"canary-corto" in driver.serialize()
        assert len(sqlite3.Cursor(driver).execute(EVERY).fetchall()) == 9
        with driver.blobopen("customer", "name", 9, readonly=True) as blob:
            assert b"corto" in blob.read()


@on_sqlite
def test_sqlite3s_shortcuts_and_factories(world: World) -> None:
    """What is not refused is guarded: connection.execute, row and cursor factories."""

    class Own(sqlite3.Cursor):
        pass

    with world.as_(), world.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert {row[0] for row in driver.execute(EVERY)} == MINE
        assert {row[0] for row in driver.cursor(Own).execute(EVERY)} == MINE
        assert isinstance(driver.cursor(Own), Own)
        driver.row_factory = sqlite3.Row
        assert {row["name"] for row in driver.cursor().execute("SELECT * FROM customer")} == MINE
        assert HIDDEN not in driver.execute("SELECT * FROM customer").fetchone().keys()  # noqa: SIM118
        driver.row_factory = None
        driver.executemany(
            "UPDATE visit SET hits = ? WHERE page = ?", [(7, "canary-bella"), (7, "canary-acme")]
        )
        assert world.others(connection) == world.neighbours()
        connection.rollback()


# ---- psycopg 3 and psycopg2
@pytest.mark.databases("postgresql+psycopg")
def test_psycopgs_own_ways(world: World) -> None:
    import psycopg
    from psycopg import sql

    def in_server_cursor(cursor: Any) -> None:
        with cursor:  # psycopg warns of one that is left open
            cursor.execute(EVERY)

    with world.as_(), world.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        refused: list[Callable[[], Any]] = [
            lambda: driver.cursor().copy("COPY customer TO STDOUT"),
            lambda: driver.execute("COPY customer TO STDOUT"),
            lambda: psycopg.Cursor(driver).execute(EVERY),
            lambda: psycopg.ClientCursor(driver).execute(EVERY),
            lambda: psycopg.RawCursor(driver).execute(EVERY),
            lambda: psycopg.Cursor(driver).executemany("DELETE FROM visit WHERE hits = %s", [(0,)]),
            lambda: list(psycopg.Cursor(driver).stream(EVERY)),
            lambda: psycopg.Cursor(driver).copy("COPY customer TO STDOUT").__enter__(),
            lambda: in_server_cursor(psycopg.ServerCursor(driver, "x")),
            lambda: psycopg.Cursor.execute(psycopg.Cursor(driver), EVERY),
            lambda: in_server_cursor(driver.cursor("held", withhold=True)),
            lambda: driver.execute("LISTEN x"),
            lambda: driver.execute(EVERY + "; DELETE FROM visit"),
            lambda: driver.execute(b"SELECT '\xff' FROM customer"),
        ]
        for escape in refused:
            with pytest.raises(StatementRefusedError):
                escape()
        table = sql.Identifier("customer")
        answered: list[Callable[[], Any]] = [
            lambda: driver.execute(EVERY),
            lambda: driver.execute(EVERY.encode()),
            lambda: driver.execute(sql.SQL("SELECT name FROM {}").format(table)),
            lambda: driver.execute(EVERY, prepare=True),
            lambda: driver.execute(EVERY, prepare=True, binary=True),
            lambda: driver.cursor().stream(EVERY),
            lambda: driver.cursor().execute(EVERY + " WHERE id > %s OR 1=1", (0,)),
            lambda: driver.cursor(binary=True).execute(EVERY),
        ]
        for work in answered:
            assert {row[0] for row in work()} == MINE
        with driver.cursor("ours") as named:
            assert {row[0] for row in named.execute(EVERY)} == MINE
        driver.cursor_factory = psycopg.ClientCursor
        try:
            hurt = "' OR 1=1 --"
            assert {
                row[0] for row in driver.execute(EVERY + " WHERE note <> %s OR note IS NULL", (hurt,))
            } == MINE
        finally:
            driver.cursor_factory = psycopg.Cursor
        driver.cursor_factory = psycopg.RawCursor
        try:
            assert {row[0] for row in driver.execute(EVERY + " WHERE id > $1 OR 1=1", (0,))} == MINE
            # no placeholder to this cursor, but an operator and its operand
            hidden = "SELECT 1000 %(SELECT balance + $1 FROM customer ORDER BY balance DESC LIMIT 1)s"
            assert driver.execute(hidden, (0,)).fetchone() == (1000 % 200,)
        finally:
            driver.cursor_factory = psycopg.Cursor
        with driver.pipeline():
            cursor = driver.execute(EVERY)
            assert {row[0] for row in cursor.fetchall()} == MINE
        driver.cursor().executemany(
            "UPDATE visit SET hits = %s WHERE page = %s", [(7, "canary-bella"), (7, "x")]
        )
        assert world.others(connection) == world.neighbours()
        connection.rollback()


SENDS = "SELECT max(name) FROM customer"


@pytest.mark.every_driver
@pytest.mark.parametrize("sends", [SENDS, SENDS + " -- {}"])
def test_cursor_classes_that_send_sql_of_their_own(world: World, sends: str) -> None:
    """What their ``super().execute()`` gets comes from them, and not from us."""
    with world.physical.connect() as connection:
        base: Any = type(connection.connection.cursor())

    class Own(base):
        def execute(self, query: Any, *args: Any, **kw: Any) -> Any:
            return super().execute(sends.format(query), *args, **kw)

    with world.physical.connect() as connection:  # the control
        plain: Any = connection.connection.driver_connection
        cursor = plain.cursor(Own) if world.sqlite else Own(plain)
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [("canary-corto-4",)]
        cursor.close()
    with world.as_(), world.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if world.driver == "psycopg":
            driver.cursor_factory = Own
        if world.sqlite:
            cursor = driver.cursor(Own)
        else:
            cursor = driver.cursor() if world.driver == "psycopg" else driver.cursor(cursor_factory=Own)
        with pytest.raises(StatementRefusedError):
            cursor.execute("SELECT 1")
        cursor.close()
        if world.driver == "psycopg":
            driver.cursor_factory = base


@pytest.mark.databases("postgresql+psycopg2")
def test_connection_classes_that_choose_their_cursors(world: World) -> None:
    from psycopg2.extensions import connection as plain
    from psycopg2.extras import DictConnection

    class Past(plain):
        def cursor(self, *args: Any, **kw: Any) -> Any:
            return plain.cursor(self)

    past = sa.create_engine(world.engine.url, connect_args={"connection_factory": Past})
    with pytest.raises(StatementRefusedError, match="super"):
        wall_of(past)
    past.dispose()
    engine = sa.create_engine(world.engine.url, connect_args={"connection_factory": DictConnection})
    wall_of(engine)
    proxy = engine.raw_connection()
    with world.as_():
        cursor: Any = proxy.cursor()
        cursor.execute(EVERY)
        assert {row["name"] for row in cursor.fetchall()} == MINE
    proxy.close()
    engine.dispose()


@on_sqlite
def test_connection_classes_with_methods_of_their_own(world: World) -> None:
    class Own(sqlite3.Connection):
        def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
            cursor = super().cursor(factory)
            cursor.row_factory = sqlite3.Row
            return cursor

        def every(self) -> Any:
            return super().execute(EVERY).fetchall()

        def backup(self, *args: Any, **kw: Any) -> Any:
            return super().backup(*args, **kw)

    engine = sa.create_engine(world.engine.url, connect_args={"factory": Own})
    wall_of(engine)
    proxy = engine.raw_connection()
    with world.as_():
        driver: Any = proxy.driver_connection
        assert {row["name"] for row in driver.cursor().execute(EVERY)} == MINE
        assert {row["name"] for row in driver.every()} == MINE
        with pytest.raises(StatementRefusedError):
            driver.backup(sqlite3.connect(":memory:"))
        with pytest.raises(StatementRefusedError):
            sqlite3.Cursor(driver).execute(EVERY)
    proxy.close()
    engine.dispose()


def wall_of(engine: Any) -> None:
    """Put a wall into another engine to the same database."""
    make_app(engine)
    with engine.connect():
        pass  # flask_tenant has asked what it had to ask


def test_a_listener_that_asks_at_checkout(world: World) -> None:
    """It was there before the wall, and is told of a new connection before anybody has used it."""
    seen: list[Any] = []

    def ask(driver: Any, *_: Any) -> None:
        if (scope := current_scope()) is not None and not scope.internal:
            cursor = driver.cursor()
            cursor.execute(EVERY)
            seen.append({row[0] for row in cursor.fetchall()})
            cursor.close()

    engine = sa.create_engine(world.engine.url, poolclass=NullPool)
    sa.event.listen(engine, "checkout", ask)
    app, _tenancy = make_app(engine)
    with tenant_context("acme", app), engine.connect():
        assert seen == [MINE]
    engine.dispose()


@pytest.mark.databases("postgresql+psycopg2")
def test_psycopg2s_own_ways(world: World) -> None:
    import io

    import psycopg2.extras
    from psycopg2 import sql
    from psycopg2.extensions import AsIs

    with world.as_(), world.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        cursor = driver.cursor()
        loot = AsIs("(SELECT string_agg(name, ',') FROM customer)")
        refused: list[Callable[[], Any]] = [
            lambda: cursor.copy_expert("COPY customer TO STDOUT", io.StringIO()),
            lambda: cursor.copy_to(io.StringIO(), "customer"),
            lambda: cursor.copy_from(io.StringIO("x\t1"), "visit"),
            lambda: cursor.callproc("pg_backend_pid"),
            lambda: driver.lobject(),
            lambda: cursor.execute("SELECT %s", (loot,)),
            lambda: cursor.execute("SELECT %(x)s", {"x": loot}),
            lambda: cursor.execute("SELECT %s", ([loot],)),
            lambda: cursor.execute("SELECT %s", ((1, loot),)),
            lambda: cursor.execute("SELECT %s", ([[[loot]]],)),
            lambda: cursor.executemany("UPDATE visit SET page = %s", [("x",), (loot,)]),
            lambda: cursor.execute("SELECT name FROM customer WHERE id = %s", (AsIs("1 OR 1=1"),)),
            lambda: connection.execute(sa.select(Customer.name).where(Customer.id == AsIs("1 OR 1=1"))),
            lambda: cursor.execute("SELECT %s", (AsIs("tenant_id"),)),
            lambda: cursor.execute("SELECT %s", (AsIs("1, 2"),)),
            lambda: driver.cursor("held", withhold=True),
            lambda: driver.cursor("held", None, None, True),
            lambda: setattr(driver.cursor("held"), "withhold", True),
            lambda: psycopg2.extras.execute_batch(cursor, "DELETE FROM visit WHERE hits = %s", [(0,), (1,)]),
            lambda: cursor.execute(b"SELECT '\xff' FROM customer"),
        ]
        for number, escape in enumerate(refused):
            with pytest.raises(StatementRefusedError):
                escape()
                raise AssertionError(number)
        cursor.execute(sql.SQL("SELECT name FROM {}").format(sql.Identifier("customer")))
        assert {row[0] for row in cursor} == MINE
        cursor.execute(EVERY.encode())
        assert {row[0] for row in cursor} == MINE
        for factory in (
            psycopg2.extras.DictCursor,
            psycopg2.extras.RealDictCursor,
            psycopg2.extras.NamedTupleCursor,
        ):
            with driver.cursor(cursor_factory=factory) as own:
                own.execute("SELECT * FROM customer")
                rows = own.fetchall()
                assert len(rows) == 2
                assert HIDDEN not in repr(rows)
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO setting (key, value) VALUES %s", [("ä", "'; --"), ("only-bella", "x")]
        )
        for value in (
            psycopg2.extras.Json({"a": "'"}),
            AsIs("7"),
            AsIs("'x'::text"),
            [1, 2],
            (1, 2),
            [["a'"]],
        ):
            cursor.execute("SELECT 1 WHERE %s IS NOT NULL", (value,))
        assert world.others(connection) == world.neighbours()
        connection.rollback()


@pytest.mark.databases("postgresql+psycopg2")
def test_psycopg2s_batches(world: World) -> None:
    """It would put many statements together in one text."""
    engine = sa.create_engine(world.engine.url, executemany_mode="values_plus_batch")
    app, _tenancy = make_app(engine)
    many = sa.update(visit).where(visit.c.page == sa.bindparam("p")).values(hits=0)
    with tenant_context("acme", app), engine.connect() as connection:
        connection.execute(many, [{"p": f"canary-{slug}"} for slug in ("bella", "acme")])
        assert connection.scalar(sa.select(sa.func.sum(visit.c.hits))) == 0
        assert world.others(connection) == world.neighbours()
        connection.rollback()
    engine.dispose()


@pytest.mark.every_driver
@on_postgresql
def test_client_encodings(world: World, make_database: MakeDatabase, back_end: str) -> None:
    """In some, a backslash is the second half of another character: the database would read another text."""
    with world.as_(), world.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert world.attack("SET client_encoding = 'SJIS'").refused
        if hasattr(driver, "set_client_encoding"):
            with pytest.raises(ConfigurationError):
                driver.set_client_encoding("SJIS")
            driver.set_client_encoding("UTF8")
    with make_database(back_end) as url, pytest.raises(ConfigurationError):
        make_app(sa.create_engine(url, connect_args={"client_encoding": "sjis"}))


@pytest.mark.parametrize("poolclass", [StaticPool, SingletonThreadPool])
def test_pools_of_one_connection_for_all_at_once(
    make_database: MakeDatabase, back_end: str, poolclass: Any
) -> None:
    """Tenants would share a transaction."""
    with make_database(back_end) as url, pytest.raises(ConfigurationError):
        make_app(sa.create_engine(url, poolclass=poolclass))
