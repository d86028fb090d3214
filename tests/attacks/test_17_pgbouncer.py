"""Class 17 behind pgbouncer in transaction mode: after each transaction, the connection to the server is another's.

What stays on it would be the next tenant's; closing our own connection to the pooler, as the wall does elsewhere, takes
nothing away. Each attack is first shown to work without the wall.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

import psycopg
import psycopg2.extensions
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from flask_tenant import Tenancy, registry, tenant_context
from flask_tenant.errors import ConfigurationError, RefusedError, StatementRefusedError
from tests.attacks.test_17_pools import SETTINGS
from tests.attacks.world import WAYS, Customer, fill, foreign_words, make_app, rows_of, run, visit
from tests.services.pgbouncer import SERVER_CONNECTIONS, Pooler

TENANTS = ("acme", "bella")
DRIVERS = {"psycopg-3": "psycopg", "psycopg-2": "psycopg2"}


@dataclass(frozen=True)
class Site:
    """An application whose tenants share the pooler's connections to the server.

    :param database: its name
    :param ids: of the tenants
    :param others: two clients of the pooler without the wall
    """

    app: Flask
    engine: sa.Engine
    pooler: Pooler
    database: str
    ids: dict[str, int]

    def as_(self, slug: str) -> Any:
        """Work as a tenant."""
        return tenant_context(slug, self.app)

    others: tuple[Any, Any]

    @contextmanager
    def bare(self, **options: Any) -> Iterator[Any]:
        """Some client of the same pooler, without the wall."""
        options.setdefault("prepare_threshold", None)
        with closing(psycopg.connect(self.pooler.dsn(self.database), **options)) as connection:
            yield connection

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A superuser, past the pooler."""
        dsn = self.pooler.server.dsn(self.database, admin=True)
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    def look(self, sql: str) -> str:
        """What other clients find on any of the server's connections, errors included."""
        found = []
        for client in self.others:  # both at once, so that they have different connections
            try:
                found.append(client.execute(sql).fetchall())
            except psycopg.Error as error:
                found.append(type(error).__name__)
        for client in self.others:
            client.rollback()
        return repr(found)

    def clean(self) -> None:
        """Take away whatever was left on the server's connections."""
        with self.bare(autocommit=True) as client:
            client.execute("DISCARD ALL")
        self.others[0].execute("SELECT 1")
        with self.bare(autocommit=True) as client:
            client.execute("DISCARD ALL")
        self.others[0].rollback()


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)


@pytest.fixture(scope="module", params=DRIVERS)
def built(request: pytest.FixtureRequest, pooler: Pooler) -> Iterator[Site]:
    """One application for each driver."""
    with pooler.server.database() as database:
        url = pooler.url(database, driver=DRIVERS[request.param])
        # Eager to prepare, if it were let.
        given = {"prepare_threshold": 0} if request.param == "psycopg-3" else {}
        engine = sa.create_engine(url, pool_size=10, connect_args=given)
        app, _ = make_app(engine)
        ids = {}
        for slug in TENANTS:
            ids[slug] = app.extensions["tenancy"].create(slug, slug).id
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        with ExitStack() as stack:
            dsn = pooler.dsn(database)
            others = [
                stack.enter_context(closing(psycopg.connect(dsn, prepare_threshold=None))) for _ in "12"
            ]
            yield Site(app, engine, pooler, database, ids, (others[0], others[1]))
        engine.dispose()


@pytest.fixture
def site(built: Site) -> Iterator[Site]:
    """The same, known to this test; nobody's rows may have changed at its end."""
    registry._apps.add(built.app.extensions[registry.KEY])
    yield built
    for slug in TENANTS:
        sees_its_own(built, slug)


# ---- what a tenant sees, by every way
def by_orm(connection: sa.Connection) -> list[str]:
    with Session(connection) as session:
        return [customer.name for customer in session.scalars(sa.select(Customer))]


def by_core(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(Customer.__table__.c.name)))


def by_cursor(connection: sa.Connection) -> list[str]:
    with connection.connection.cursor() as cursor:
        cursor.execute("SELECT name FROM customer WHERE id > %s", (0,))
        return [row[0] for row in cursor.fetchall()]


def by_server_cursor(connection: sa.Connection) -> list[str]:
    return list(connection.execution_options(yield_per=1).scalars(sa.select(Customer.name)))


def by_named_cursor(connection: sa.Connection) -> list[str]:
    with connection.connection.cursor("mine") as cursor:
        cursor.execute("SELECT name FROM customer")
        return [row[0] for row in cursor]


EVERY_WAY: tuple[Callable[[sa.Connection], list[str]], ...] = (
    by_orm,
    by_core,
    by_cursor,
    by_server_cursor,
    by_named_cursor,
    lambda c: [row[0] for row in c.execute(sa.text("SELECT name FROM customer WHERE id > :n"), {"n": 0})],
    lambda c: [row[0] for row in c.exec_driver_sql("SELECT name FROM customer WHERE balance > 0")],
)


def expected(slug: str) -> set[str]:
    """The names of a tenant's customers."""
    return {row["name"] for row in rows_of(slug)["customer"]}


def sees_its_own(site: Site, slug: str) -> None:
    """Assert that a tenant sees its rows, all of them, and nobody else's."""
    with site.as_(slug), site.engine.connect() as connection:
        for way in EVERY_WAY:
            found = way(connection)
            assert set(found) == expected(slug), way
            assert len(found) == len(expected(slug)), way
        connection.rollback()


ENDS: dict[str, Callable[[sa.Connection], Any]] = {
    "commit": lambda c: c.commit(),
    "rollback": lambda c: c.rollback(),
    "error": lambda c: c.exec_driver_sql("SELECT 1 FROM customer WHERE nope = 1"),
    "refusal": lambda c: c.exec_driver_sql("DROP TABLE customer"),
    "nothing": lambda c: None,
    "invalidate": lambda c: c.invalidate(),
}


def test_tenants_in_threads_share_the_servers_connections(site: Site) -> None:
    """Each transaction ends in some way, and begins on whatever connection is free."""
    begun = threading.Barrier(6)

    def work(number: int) -> None:
        choice, slug = random.Random(number), TENANTS[number % 2]
        begun.wait(20)
        for round_ in range(12):
            with site.as_(slug), site.engine.connect() as connection:
                changed = connection.execute(sa.update(visit).values(hits=visit.c.hits)).rowcount
                assert changed == len(rows_of(slug)["visit"])
                for way in choice.sample(EVERY_WAY, 3):
                    assert set(way(connection)) == expected(slug), (slug, way, round_)
                with suppress(sa.exc.ProgrammingError, RefusedError):
                    ENDS[choice.choice(list(ENDS))](connection)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(6)]:
            done.result(60)
    with site.admin() as admin:
        (count,) = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = 'app'", [site.database]
        ).fetchone()
    assert 1 <= count <= SERVER_CONNECTIONS, "each had a connection of its own: nothing was shown"


@pytest.mark.parametrize("end", ENDS)
def test_the_next_user_is_the_next_tenant(site: Site, end: str) -> None:
    for slug in (*TENANTS, *TENANTS):
        with site.as_(slug), site.engine.connect() as connection:
            connection.execute(sa.update(visit).values(hits=99))
            connection.begin_nested()
            connection.execute(sa.delete(visit))
            if end == "commit":  # what is kept must be its own
                connection.rollback()
            with suppress(sa.exc.ProgrammingError, RefusedError):
                ENDS[end](connection)
        sees_its_own(site, slug)
        other = TENANTS[slug == "acme"]
        with site.as_(other), site.engine.connect() as connection:
            hits = sorted(connection.scalars(sa.select(visit.c.hits)))
        assert hits == sorted(row["hits"] for row in rows_of(other)["visit"])


# ---- prepared statements
OF_TENANT = "SELECT name FROM customer WHERE tenant_id = %s AND id = %s"
OF_ID = "SELECT name FROM customer WHERE id = %s AND tenant_id = %s"


def cross(one: Callable[[], Any], two: Callable[[], Any], commits: list[Callable[[], Any]]) -> Any:
    """Let two clients, each on a connection to the server of its own, run a statement; and the first one again on
    that of the second, which gave it back last.
    """
    one(), two()
    for commit in commits:
        commit()
    return one()


def test_prepared_statements_of_drivers_have_teeth(built: Site) -> None:
    """Two clients prepare different statements under one name: the first runs the second's, with its own values."""
    mine, theirs = built.ids["acme"], built.ids["bella"]
    assert (mine, theirs) == (1, 2)
    with built.bare(prepare_threshold=0) as one, built.bare(prepare_threshold=0) as two:
        found = cross(
            lambda: one.execute(OF_TENANT, [mine, 2]).fetchall(),
            lambda: two.execute(OF_ID, [2, theirs]).fetchall(),
            [one.commit, two.commit],
        )
    built.clean()
    assert found == [("canary-bella-1",)], "acme asked for its customer 2"


def test_drivers_prepare_nothing(site: Site) -> None:
    with site.as_("acme"), site.engine.connect() as mine:
        one = mine.connection.cursor()
        with site.as_("bella"), site.engine.connect() as theirs:
            two = theirs.connection.cursor()

            def ask(cursor: Any, sql: str) -> Any:
                cursor.execute(sql, (2,))
                return cursor.fetchall()

            def as_acme() -> Any:
                with site.as_("acme"):
                    return ask(one, "SELECT name FROM customer WHERE id = %s")

            found = cross(
                as_acme,
                lambda: ask(two, "SELECT email FROM customer WHERE id = %s"),
                [mine.connection.commit, theirs.connection.commit],
            )
        assert [tuple(row) for row in found] == [("canary-acme-2",)]
        mine.connection.commit()
        driver: Any = mine.connection.driver_connection
        if isinstance(driver, psycopg.Connection):
            with pytest.raises(StatementRefusedError, match="prepare_threshold = 0, behind a pooler"):
                driver.prepare_threshold = 0
            driver.prepare_threshold = None
            one.execute("SELECT name FROM customer", prepare=True)
            assert len(one.fetchall()) == 2
            one.executemany("UPDATE visit SET hits = hits WHERE hits = %s", [(n,) for n in range(9)])
            with driver.pipeline():
                one.execute("SELECT name FROM customer WHERE id = %s", (1,))
                assert [tuple(row) for row in one.fetchall()] == [("canary-acme-1",)]
            mine.connection.commit()
    assert site.look("SELECT name FROM pg_prepared_statements") == "[[], []]"


# ---- what lasts on the server's connection
LASTING: dict[str, tuple[str, str]] = {
    "temporary table": ("CREATE TEMP TABLE loot AS SELECT * FROM customer", "SELECT name FROM loot"),
    "select into": ("SELECT * INTO TEMPORARY loot FROM customer", "SELECT name FROM loot"),
    "temporary view": ("CREATE TEMP VIEW loot AS SELECT * FROM customer", "SELECT name FROM loot"),
    "temporary sequence": ("CREATE TEMP SEQUENCE loot", "SELECT nextval('loot')"),
    "shadow": ("CREATE TEMP TABLE customer AS SELECT 'forged'::text AS name", "SELECT name FROM customer"),
    "search_path": ("SET search_path = elsewhere", "SHOW search_path"),
    "session search_path": ("SET SESSION search_path TO elsewhere", "SHOW search_path"),
    "schema": ("SET SCHEMA 'elsewhere'", "SHOW search_path"),
    "set_config": ("SELECT set_config('search_path', 'elsewhere', false)", "SHOW search_path"),
    "own setting": ("SELECT set_config('app.tenant', '1', false)", "SELECT current_setting('app.tenant')"),
    "set own setting": ("SET app.other = '1'", "SELECT current_setting('app.other')"),
    "role": ("SET ROLE pg_monitor", "SELECT current_user::text"),
    "read only": ("SET default_transaction_read_only = on", "SHOW default_transaction_read_only"),
    "characteristics": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SHOW default_transaction_read_only",
    ),
    "planner": ("SET enable_seqscan = off", "SHOW enable_seqscan"),
    "strings": ("SET backslash_quote = on", "SHOW backslash_quote"),
    "advisory lock": ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)"),
    "advisory try": ("SELECT pg_try_advisory_lock_shared(7)", "SELECT pg_advisory_unlock_shared(7)"),
    "prepared": ("PREPARE loot AS SELECT name FROM customer", "EXECUTE loot"),
    "with hold": ("DECLARE loot CURSOR WITH HOLD FOR SELECT name FROM customer", "FETCH ALL FROM loot"),
    "listen": ("LISTEN loot", "SELECT pg_listening_channels()"),
    "seed": ("SELECT setseed(0.5)", "SELECT random()"),
    "sequence": ("SELECT nextval('customer_id_seq')", "SELECT lastval()"),
}
LASTING |= {
    name: (change, show)
    for name, (change, show) in SETTINGS.items()
    # The rest are those that pgbouncer itself puts right for each client.
    if name not in ("time zone", "timezone", "datestyle", "application_name")
}


def test_what_lasts_is_refused(site: Site) -> None:
    """Nothing of it is there for another client."""
    for name, (attack, look) in LASTING.items():
        before = site.look(look)
        for way in WAYS:
            with site.as_("acme"), site.engine.connect() as connection:
                refusal = run(connection, attack, way).error
                assert isinstance(refusal, RefusedError), (name, way, refusal)
                assert not any(word in str(refusal) for word in foreign_words())
                connection.commit()
        if name != "seed":  # that shows in nothing but what comes next
            assert site.look(look) == before, name


def test_what_lasts_has_teeth(built: Site) -> None:
    """Without the wall it is there for another client."""
    with built.admin() as admin:
        admin.execute("GRANT pg_monitor TO app")
    for name, (attack, look) in LASTING.items():
        before = built.look(look)
        with built.bare() as client:
            client.execute(attack)
            client.commit()
        assert built.look(look) != before, name
        built.clean()
        if name not in ("seed", "sequence", "own setting", "set own setting"):
            assert built.look(look) == before, f"{name} is still there for the next attack"


def test_settings_are_refused_even_where_pgbouncer_puts_them_right(site: Site) -> None:
    """Which ones it does is a matter of its version and configuration."""
    for (change, show), way in product(SETTINGS.values(), WAYS):
        with site.as_("acme"), site.engine.connect() as connection:
            before = connection.exec_driver_sql(show).scalar()
            refusal = run(connection, change, way).error
            assert isinstance(refusal, StatementRefusedError), change
            assert "behind a pooler" in str(refusal)
            assert "SET LOCAL" in str(refusal)
            assert connection.exec_driver_sql(show).scalar() == before
    for way in WAYS:
        with site.as_("acme"), site.engine.connect() as connection:
            assert isinstance(run(connection, "RESET statement_timeout", way).error, StatementRefusedError)


def test_settings_of_a_transaction(site: Site) -> None:
    before = site.look("SHOW statement_timeout")
    for way in WAYS:
        with site.as_("acme"), site.engine.connect() as connection:
            assert run(connection, "SET LOCAL statement_timeout = 5000", way).error is None
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "5s", "no teeth"
            connection.commit()
        assert site.look("SHOW statement_timeout") == before


def test_settings_outside_any_tenant(site: Site) -> None:
    """A migration's would be there for tenants."""
    from flask_tenant import central_context

    with central_context(reason="test", app=site.app), site.engine.connect() as connection:
        for way in WAYS:
            refusal = run(connection, "SET lock_timeout = 5000", way).error
            assert isinstance(refusal, StatementRefusedError)
    assert site.look("SHOW lock_timeout") == "[[('0',)], [('0',)]]"


READ_ONLY = "SHOW default_transaction_read_only"
OFF = "[[('off',)], [('off',)]]"


def test_what_psycopg2_sets_past_its_cursors(site: Site) -> None:
    """In autocommit it makes settings of the session of what it else sends with BEGIN."""
    if site.engine.dialect.driver != "psycopg2":  # psycopg 3 does not
        with site.as_("acme"), site.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.autocommit = True
            driver.read_only = True
            connection.exec_driver_sql("SELECT name FROM customer")
            driver.read_only, driver.autocommit = None, False
        assert site.look(READ_ONLY) == OFF
        return
    with site.as_("acme"), site.engine.connect() as connection:
        driver = connection.connection.driver_connection
        attempts: list[Callable[[], Any]] = [
            lambda: driver.set_session(readonly=True, autocommit=True),
            lambda: driver.set_session(None, True, None, True),
            lambda: driver.set_session("serializable", autocommit=True),
        ]
        for attempt in attempts:
            with pytest.raises(StatementRefusedError, match="behind a pooler"):
                attempt()
        driver.autocommit = True
        for name, value in (("readonly", True), ("deferrable", True), ("isolation_level", 3)):
            with pytest.raises(StatementRefusedError, match="behind a pooler"):
                setattr(driver, name, value)
        with pytest.raises(StatementRefusedError, match="behind a pooler"):
            driver.set_session(readonly=True)
        driver.autocommit = False
        driver.set_session(readonly=True)  # with BEGIN
        with pytest.raises(sa.exc.InternalError, match="read-only"):
            connection.exec_driver_sql("UPDATE visit SET hits = hits")
        connection.invalidate()
    loose = site.engine.execution_options(isolation_level="AUTOCOMMIT", postgresql_readonly=True)
    with site.as_("acme"), pytest.raises(StatementRefusedError, match="behind a pooler"), loose.connect():
        pass
    assert site.look(READ_ONLY) == OFF
    bare = psycopg2.connect(site.pooler.dsn(site.database))
    bare.set_session(readonly=True, autocommit=True)
    bare.close()
    after = site.look(READ_ONLY)
    site.clean()
    assert after != OFF, "no teeth"


def test_cursors_that_outlive_their_transaction(site: Site) -> None:
    with site.as_("acme"), site.engine.connect() as connection:
        with pytest.raises(StatementRefusedError, match="WITH HOLD"):
            connection.connection.cursor("loot", withhold=True)
        cursor = connection.connection.cursor("mine")
        cursor.execute("SELECT name FROM customer")
        assert cursor.fetchone()[0] in expected("acme")
        connection.connection.commit()
        with site.as_("bella"), site.engine.connect() as theirs:
            named = theirs.connection.cursor("mine")  # on the connection that was acme's
            named.execute("SELECT name FROM customer")
            with pytest.raises((psycopg.Error, psycopg2.Error)):
                with site.as_("acme"):
                    cursor.fetchall()
            assert {row[0] for row in named} == expected("bella")


def test_large_transactions_keep_their_connection(site: Site) -> None:
    """AUTOCOMMIT has no transactions: each statement is on its own, and right."""
    loose = site.engine.execution_options(isolation_level="AUTOCOMMIT")
    for slug in (*TENANTS, *TENANTS):
        with site.as_(slug), loose.connect() as connection:
            count = len(rows_of(slug)["visit"])
            assert connection.execute(sa.update(visit).values(hits=visit.c.hits)).rowcount == count
            assert connection.execute(sa.text("UPDATE visit SET hits = hits")).rowcount == count
            assert set(by_core(connection)) == expected(slug)


# ---- faults
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000)"


def running(site: Site) -> Any:
    """The process at the server that runs the endless statement."""
    with site.admin() as admin:
        found: Any = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query = %s AND state = 'active'",
            [site.database, ENDLESS],
        ).fetchone()
    return found


@pytest.mark.parametrize("fault", ["killed", "cancelled"])
def test_a_statement_that_is_ended(site: Site, fault: str) -> None:
    """By the server, or by the client: whoever comes next has nothing of it."""

    def suffer(connection: sa.Connection) -> str:
        with site.as_("acme"):
            connection.execute(sa.update(visit).values(hits=99))
            try:
                connection.exec_driver_sql(ENDLESS)
            except sa.exc.DBAPIError as error:
                return type(error.orig).__name__
        return "nothing happened"

    with site.as_("acme"), site.engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        driver: Any = connection.connection.driver_connection
        done = pool.submit(suffer, connection)
        until(lambda: running(site))
        if fault == "cancelled":
            driver.cancel()
        else:
            with site.admin() as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", running(site))
        name = done.result(20)
        sees_its_own(site, "bella")
    assert name in {"killed": ("AdminShutdown", "OperationalError"), "cancelled": ("QueryCanceled", "QueryCanceledError")}[fault]  # fmt: skip
    for slug in TENANTS:
        with site.as_(slug), site.engine.connect() as connection:
            assert 99 not in set(connection.scalars(sa.select(visit.c.hits)))


def test_asyncio(pooler: Pooler, built: Site) -> None:
    """Tenants in tasks, and a task that is cancelled in the middle of a statement."""
    if built.engine.dialect.driver != "psycopg":
        return
    url = pooler.url(built.database, driver="psycopg_async")
    engine = create_async_engine(url, connect_args={"prepare_threshold": 0})
    app = Flask("tasks")
    app.config["TENANT_SHARED_TABLES"] = ["country"]
    Tenancy(app, engines=[engine])

    async def names(slug: str, prepare: int = 3) -> set[str]:
        with tenant_context(slug, app):
            async with engine.connect() as connection:
                for _ in range(prepare):
                    found = set(await connection.scalars(sa.select(Customer.name)))
                raw = await connection.get_raw_connection()
                driver: Any = raw.driver_connection
                assert driver.prepare_threshold is None
                with pytest.raises(StatementRefusedError, match="behind a pooler"):
                    driver.prepare_threshold = 0
                for change in (sa.text("SET statement_timeout = 1"), sa.text("SET timezone = 'Asia/Tokyo'")):
                    with pytest.raises(StatementRefusedError, match="behind a pooler"):
                        await connection.execute(change)
        return found

    async def endless() -> None:
        with tenant_context("acme", app):
            async with engine.connect() as connection:
                await connection.execute(sa.update(visit).values(hits=99))
                await connection.exec_driver_sql(ENDLESS)

    async def all_of_it() -> list[set[str]]:
        task = asyncio.create_task(endless())
        while not await asyncio.to_thread(running, built):
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await asyncio.gather(*(names(slug) for slug in TENANTS * 4))
        await engine.dispose()
        return found

    assert asyncio.run(all_of_it()) == [expected(slug) for slug in TENANTS * 4]
    assert built.look("SELECT name FROM pg_prepared_statements") == "[[], []]"
    registry._apps.add(built.app.extensions[registry.KEY])
    for slug in TENANTS:
        with built.as_(slug), built.engine.connect() as connection:
            assert 99 not in set(connection.scalars(sa.select(visit.c.hits)))


def test_drivers_without_a_guard(pooler: Pooler, built: Site) -> None:
    """asyncpg, whose statement cache is another such thing, has none: it is refused, pooler or not."""
    pytest.importorskip("asyncpg")
    engine = create_async_engine(pooler.url(built.database, driver="asyncpg"))
    app = Flask("asyncpg")
    with pytest.raises(ConfigurationError, match="'asyncpg' has no guard"):
        Tenancy(app, engines=[engine])


def test_without_a_pooler_nothing_is_taken_away(built: Site) -> None:
    """A direct connection is known for what it is."""
    for driver in ("psycopg", "psycopg2"):
        engine = sa.create_engine(built.pooler.server.url(built.database, driver=driver))
        app, _ = make_app(engine)
        with tenant_context("acme", app), engine.connect() as connection:
            inner: Any = connection.connection.driver_connection
            assert inner.ft_pooled is False
            assert getattr(inner, "prepare_threshold", 5) == 5
            assert run(connection, "SET statement_timeout = 5000", "text").error is None
        engine.dispose()
