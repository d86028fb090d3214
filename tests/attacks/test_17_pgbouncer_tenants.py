"""Class 17 behind pgbouncer in transaction mode: tenants share its connections to the server, whatever happens to them."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine

from flask_tenant import Tenancy, registry, tenant_context
from flask_tenant.errors import ConfigurationError, RefusedError, StatementRefusedError
from flask_tenant.isolate.drivers.pooler import leads_to_pooler
from tests.attacks.pooled import (
    ENDLESS,
    EVERY_WAY,
    TENANTS,
    Site,
    by_core,
    expected,
    running,
    sees_its_own,
    until,
)
from tests.attacks.world import Customer, make_app, rows_of, run, visit
from tests.services.pgbouncer import SERVER_CONNECTIONS, Pooler

ENDS: dict[str, Callable[[sa.Connection], Any]] = {
    "commit": lambda c: c.commit(),
    "rollback": lambda c: c.rollback(),
    "error": lambda c: c.exec_driver_sql("SELECT 1 FROM customer WHERE nope = 1"),
    "refusal": lambda c: c.exec_driver_sql("DROP TABLE customer"),
    "nothing": lambda c: None,
    "invalidate": lambda c: c.invalidate(),
}


def test_tenants_in_threads_share_the_servers_connections(pooled: Site) -> None:
    """Each transaction ends in some way, and begins on whatever connection is free."""
    begun = threading.Barrier(6)

    def work(number: int) -> None:
        choice, slug = random.Random(number), TENANTS[number % 2]
        begun.wait(20)
        for round_ in range(12):
            with pooled.as_(slug), pooled.engine.connect() as connection:
                changed = connection.execute(sa.update(visit).values(hits=visit.c.hits)).rowcount
                assert changed == len(rows_of(slug)["visit"])
                for way in choice.sample(EVERY_WAY, 3):
                    assert set(way(connection)) == expected(slug), (slug, way, round_)
                with suppress(sa.exc.ProgrammingError, RefusedError):
                    ENDS[choice.choice(list(ENDS))](connection)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(6)]:
            done.result(60)
    with pooled.admin() as admin:
        (count,) = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = 'app'", [pooled.database]
        ).fetchone()
    assert 1 <= count <= SERVER_CONNECTIONS, "each had a connection of its own: nothing was shown"


@pytest.mark.parametrize("end", ENDS)
def test_the_next_user_is_the_next_tenant(pooled: Site, end: str) -> None:
    for slug in (*TENANTS, *TENANTS):
        with pooled.as_(slug), pooled.engine.connect() as connection:
            connection.execute(sa.update(visit).values(hits=99))
            connection.begin_nested()
            connection.execute(sa.delete(visit))
            if end == "commit":  # what is kept must be its own
                connection.rollback()
            with suppress(sa.exc.ProgrammingError, RefusedError):
                ENDS[end](connection)
        sees_its_own(pooled, slug)
        other = TENANTS[slug == "acme"]
        with pooled.as_(other), pooled.engine.connect() as connection:
            hits = sorted(connection.scalars(sa.select(visit.c.hits)))
        assert hits == sorted(row["hits"] for row in rows_of(other)["visit"])


def test_large_transactions_keep_their_connection(pooled: Site) -> None:
    """AUTOCOMMIT has no transactions: each statement is on its own, and right."""
    loose = pooled.engine.execution_options(isolation_level="AUTOCOMMIT")
    for slug in (*TENANTS, *TENANTS):
        with pooled.as_(slug), loose.connect() as connection:
            count = len(rows_of(slug)["visit"])
            assert connection.execute(sa.update(visit).values(hits=visit.c.hits)).rowcount == count
            assert connection.execute(sa.text("UPDATE visit SET hits = hits")).rowcount == count
            assert set(by_core(connection)) == expected(slug)


@pytest.mark.parametrize("fault", ["killed", "cancelled"])
def test_a_statement_that_is_ended(pooled: Site, fault: str) -> None:
    """By the server, or by the client: whoever comes next has nothing of it."""

    def suffer(connection: sa.Connection) -> str:
        with pooled.as_("acme"):
            connection.execute(sa.update(visit).values(hits=99))
            try:
                connection.exec_driver_sql(ENDLESS)
            except sa.exc.DBAPIError as error:
                return type(error.orig).__name__
        return "nothing happened"

    with pooled.as_("acme"), pooled.engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        driver: Any = connection.connection.driver_connection
        done = pool.submit(suffer, connection)
        until(lambda: running(pooled))
        if fault == "cancelled":
            driver.cancel()
        else:
            with pooled.admin() as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", running(pooled))
        name = done.result(20)
        sees_its_own(pooled, "bella")
    assert name in {"killed": ("AdminShutdown", "OperationalError"), "cancelled": ("QueryCanceled", "QueryCanceledError")}[fault]  # fmt: skip
    for slug in TENANTS:
        with pooled.as_(slug), pooled.engine.connect() as connection:
            assert 99 not in set(connection.scalars(sa.select(visit.c.hits)))


def test_asyncio(pooler: Pooler, pooled_site: Site) -> None:
    """Tenants in tasks, and a task that is cancelled in the middle of a statement."""
    if pooled_site.engine.dialect.driver != "psycopg":
        return
    url = pooler.url(pooled_site.database, driver="psycopg_async")
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
        while not await asyncio.to_thread(running, pooled_site):
            assert not task.done(), task.exception()
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await asyncio.gather(*(names(slug) for slug in TENANTS * 4))
        await engine.dispose()
        return found

    assert asyncio.run(all_of_it()) == [expected(slug) for slug in TENANTS * 4]
    assert pooled_site.look("SELECT name FROM pg_prepared_statements") == "[[], []]"
    registry._apps.add(pooled_site.app.extensions[registry.KEY])
    for slug in TENANTS:
        with pooled_site.as_(slug), pooled_site.engine.connect() as connection:
            assert 99 not in set(connection.scalars(sa.select(visit.c.hits)))


def test_drivers_without_a_guard(pooler: Pooler, pooled_site: Site) -> None:
    """asyncpg, whose statement cache is another such thing, has none: it is refused, pooler or not."""
    pytest.importorskip("asyncpg")
    engine = create_async_engine(pooler.url(pooled_site.database, driver="asyncpg"))
    app = Flask("asyncpg")
    with pytest.raises(ConfigurationError, match="'asyncpg' has no guard"):
        Tenancy(app, engines=[engine])


def test_without_a_pooler_nothing_is_taken_away(pooled_site: Site) -> None:
    """A direct connection is known for what it is."""
    for driver in ("psycopg", "psycopg2"):
        engine = sa.create_engine(pooled_site.pooler.server.url(pooled_site.database, driver=driver))
        app, _ = make_app(engine)
        with tenant_context("acme", app), engine.connect() as connection:
            inner: Any = connection.connection.driver_connection
            assert inner.ft_pooled is False
            assert getattr(inner, "prepare_threshold", 5) == 5
            assert run(connection, "SET statement_timeout = 5000", "text").error is None
        engine.dispose()


def test_the_directory_in_a_database_of_its_own(pooler: Pooler, pooled_site: Site) -> None:
    """Its engine has no wall. Two servers do the same again and again, which is when drivers prepare statements."""
    if pooled_site.engine.dialect.driver != "psycopg":
        return  # psycopg2 prepares none
    with pooler.server.database() as database, ExitStack() as stack:
        url = pooler.url(database, driver=pooled_site.engine.dialect.driver)
        states = []
        for _ in range(2):
            engine = sa.create_engine(
                pooler.url(pooled_site.database, driver=pooled_site.engine.dialect.driver)
            )
            stack.callback(engine.dispose)
            app, _tenancy = make_app(engine, TENANT_DIRECTORY_URL=url)
            states.append(app.extensions["tenancy"])
            stack.callback(states[-1].directory.close)
        tenants = [states[0].create(f"tenant-{number}", f"Tenant {number}") for number in range(4)]
        for number, tenant in enumerate(tenants):
            host = f"tenant-{number}.test"
            for state in states:
                changed = state.directory.set_config(tenant, "colour", number)
                assert state.directory.get(tenant.slug).config["colour"] == number
                assert changed.config["colour"] == number
            states[1].directory.add_domain(tenant, host)
            states[1].directory.confirm_domain(host)
        for state in states:
            until(lambda state=state: all(state.directory.find_domain(f"tenant-{n}.test") for n in range(4)))
            found = [state.directory.find_domain(f"tenant-{n}.test") for n in range(4)]
            assert [tenant.id for tenant in found if tenant is not None] == [tenant.id for tenant in tenants]


def test_a_connection_that_cannot_be_asked_is_closed() -> None:
    """It is not handed out as if nobody stood in between."""

    class Broken:
        autocommit = closed = False

        def close(self) -> None:
            self.closed = True

        def cursor(self) -> Any:
            raise psycopg.OperationalError("gone")

    broken = Broken()
    with pytest.raises(psycopg.OperationalError, match="gone"):
        leads_to_pooler(broken, 1, broken.cursor)
    assert broken.closed
