"""The databases to compare: a pool that three tenants share, and for each tenant a database of its own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import psycopg
import psycopg2.extensions
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from flask_tenant import Tenancy, central_context, tenant_context
from flask_tenant.isolate.guard import Vouched
from flask_tenant.registry import _apps, state_of
from tests.isolation import schema
from tests.isolation.rows import COUNTRIES, TENANTS, fill

LAST_NUMBER = 1000
"""After filling, automatic ids are larger than this on PostgreSQL."""

Dump = dict[str, list[tuple[Any, ...]]]


def begins_itself(engine: sa.Engine) -> sa.Engine:
    """Let SQLite's savepoints work, as SQLAlchemy's documentation tells applications to."""
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def autocommit(connection: Any, _: Any) -> None:
            connection.isolation_level = None
            sqlite3.Connection.execute(connection, "PRAGMA foreign_keys = ON") if type(
                connection
            ) is sqlite3.Connection else None

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    return engine


class World:
    """A pool with tenants a, b and c, and their single databases.

    :param pool_url: an empty database
    :param single_urls: as many as there are tenants
    """

    def __init__(self, pool_url: str, single_urls: dict[str, str]) -> None:
        self.pool_url = pool_url
        self.pool = begins_itself(sa.create_engine(pool_url))
        self.dialect = self.pool.dialect.name
        self.tables = schema.tables(self.dialect)
        self.singles = {t: begins_itself(sa.create_engine(url)) for t, url in single_urls.items()}
        self.app = self._pool_app()
        for tenant in TENANTS:
            engine = self.singles[tenant]
            state_of(self.app).tenancy.exempt(engine)
            self._prepare(engine)
            schema.Base.metadata.create_all(engine, self.tables)
            with Session(engine) as session:
                fill_shared(session)
                fill(session, tenant)
            self._settle(engine)
            self._settle(self.pool, 0)
            with tenant_context(tenant, self.app), Session(self.pool) as session:
                fill(session, tenant)
        self._settle(self.pool)
        self.analyse()
        self.ids = {t.slug: t.id for t in state_of(self.app).directory.all()}
        self.before = {tenant: self._everything(tenant) for tenant in TENANTS}

    def _pool_app(self) -> Flask:
        """An application as its factory makes it: registers Tenancy, creates its tables."""
        app = Flask("world")
        app.config["TENANT_SHARED_TABLES"] = schema.SHARED
        self._prepare(self.pool)
        Tenancy(app, engines=[self.pool])
        schema.Base.metadata.create_all(self.pool, self.tables)
        with central_context(reason="test set-up", app=app), Session(self.pool) as session:
            fill_shared(session)
        for tenant in TENANTS:
            state_of(app).create(tenant, f"Tenant {tenant}")
        return app

    @staticmethod
    def _prepare(engine: sa.Engine) -> None:
        if engine.dialect.name != "postgresql":
            return
        # The schema is there before the application comes, as a database administrator would have made it.
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as raw:
            raw.execute(f"CREATE SCHEMA {schema.ARCHIVE}".encode())

    def analyse(self) -> None:
        """Let the planner know the tables, as it would in production."""
        for engine in (self.pool, *self.singles.values()):
            raw = engine.raw_connection()
            driver = raw.driver_connection
            with contextlib.closing(raw):
                physical(driver, "ANALYZE")
                driver.commit()

    def close(self) -> None:
        """Forget the application, so that other tests of the process do not meet it."""
        _apps.discard(state_of(self.app))
        for engine in (self.pool, *self.singles.values()):
            engine.dispose()

    # ---- connections
    @contextlib.contextmanager
    def as_tenant(self, tenant: str) -> Iterator[sa.Connection]:
        """A connection to the pool inside a tenant."""
        with tenant_context(tenant, self.app), self.pool.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self, tenant: str) -> Iterator[sa.Connection]:
        """A connection to the tenant's own database."""
        with self.singles[tenant].connect() as connection:
            yield connection

    # ---- looking past the wall
    def mine(self, connection: sa.Connection, tenant: str | None) -> Dump:
        """The rows of one tenant in the pool, or all rows of a single database."""
        driver = connection.connection.driver_connection
        found = {}
        for table in self.tables:
            where = ""
            if tenant is not None and table.fullname not in schema.SHARED:
                where = f" WHERE tenant_id = {self.ids[tenant]}"
            columns = ", ".join(quote(c.name) for c in table.columns)
            found[table.fullname] = sorted(
                physical(driver, f"SELECT {columns} FROM {full(table)}{where}"), key=repr
            )
        return found

    def others(self, connection: sa.Connection, tenant: str) -> Dump:
        """The physical rows of everybody else, hidden column included."""
        driver = connection.connection.driver_connection
        found = {}
        for table in self.tables:
            if table.fullname not in schema.SHARED:
                sql = f"SELECT * FROM {full(table)} WHERE tenant_id <> {self.ids[tenant]}"
                found[table.fullname] = sorted(physical(driver, sql), key=repr)
                if not found[table.fullname]:
                    raise AssertionError(
                        f"{table.fullname}: the neighbours have no rows that could be harmed"
                    )
        return found

    def _everything(self, tenant: str) -> Dump:
        with self.as_tenant(tenant) as connection:
            connection.begin()
            return self.others(connection, tenant)

    def check_untouched(self) -> None:
        """Make sure that nothing was committed to the pool.

        :raises AssertionError: when a tenant's rows are not as they were made
        """
        for tenant, before in self.before.items():
            assert self._everything(tenant) == before

    def _settle(self, engine: sa.Engine, last: int = LAST_NUMBER) -> None:
        with contextlib.closing(engine.raw_connection()) as raw:
            self.restart_numbers(raw.driver_connection, last)
            raw.driver_connection.commit()

    def restart_numbers(self, driver: Any, last: int = LAST_NUMBER) -> None:
        """Let automatic ids go on from the same number in all databases (PostgreSQL, where sequences are shared)."""
        if self.dialect == "postgresql":
            physical(
                driver,
                "SELECT count(setval(quote_ident(schemaname) || '.' || quote_ident(sequencename),"
                f" {max(last, 1)}, {str(last > 0).lower()}))"
                " FROM pg_sequences WHERE sequencename NOT LIKE 'tenancy%'",
            )

    def wrote(self, connection: sa.Connection) -> Callable[[], bool]:
        """Start watching whether the transaction writes anything at all."""
        driver = connection.connection.driver_connection
        if self.dialect == "sqlite":
            plain: Any = getattr(driver, "_conn", driver)
            before = plain.total_changes
            return lambda: plain.total_changes != before
        return lambda: physical(driver, "SELECT pg_current_xact_id_if_assigned() IS NOT NULL")[0][0]


def fill_shared(session: Session) -> None:
    """The rows that all tenants see."""
    session.execute(sa.insert(schema.Country), [{"code": code, "name": name} for code, name in COUNTRIES])
    session.commit()


def physical(driver: Any, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL on the driver's connection with a cursor class that has no guard."""
    if isinstance(driver, sqlite3.Connection):
        cursor: Any = sqlite3.Cursor(driver)
        sqlite3.Cursor.execute(cursor, Vouched(sql))
    else:
        cursor = _cursor_class(driver)(driver)
        cursor.execute(Vouched(sql))
    found = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
    cursor.close()
    return found


def _cursor_class(driver: Any) -> Any:
    return psycopg.Cursor if isinstance(driver, psycopg.Connection) else psycopg2.extensions.cursor


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def full(table: sa.Table) -> str:
    """The table's name as the database wants it."""
    return ".".join(quote(part) for part in (table.schema, table.name) if part)


def worlds(
    back_end: str, make: Callable[[str], AbstractContextManager[str]]
) -> AbstractContextManager[World]:
    """Make a world, and unmake it."""
    return _opened(back_end, make)


@contextlib.contextmanager
def _opened(back_end: str, make: Callable[[str], AbstractContextManager[str]]) -> Iterator[World]:
    with ExitStack() as stack:
        pool = stack.enter_context(make(back_end))
        world = World(pool, {tenant: stack.enter_context(make(back_end)) for tenant in TENANTS})
        stack.callback(world.close)
        yield world
