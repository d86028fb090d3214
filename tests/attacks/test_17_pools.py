"""Class 17, pools: what one tenant leaves on a connection is not there for the next.

pgbouncer in transaction mode is in test_17_pgbouncer.py. The settings and roles of row level security come with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from flask_tenant import TenancyError, registry, tenant_context
from tests.attacks.cases import on_postgresql, on_sqlite
from tests.attacks.world import WAYS, Customer, Way, World, fill, make_app, run, visit
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="module")
def narrow_site(make_database: MakeDatabase, back_end: str) -> Iterator[tuple[Any, sa.Engine]]:
    """An application whose tenants share one connection."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=5)
        app, _ = make_app(engine)
        for slug in ("acme", "bella"):
            app.extensions["tenancy"].create(slug, slug)
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        yield app, engine
        engine.dispose()


@pytest.fixture
def narrow(narrow_site: tuple[Any, sa.Engine]) -> tuple[Any, sa.Engine]:
    """The same, known to this test."""
    registry._apps.add(narrow_site[0].extensions[registry.KEY])
    return narrow_site


SETTINGS = {
    "statement_timeout": ("SET statement_timeout = 1", "SHOW statement_timeout"),
    "session": ("SET SESSION statement_timeout = 1", "SHOW statement_timeout"),
    "time zone": ("SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone"),
    "timezone": ("SET timezone TO 'Asia/Tokyo'", "SHOW timezone"),
    "datestyle": ("SET datestyle = 'German'", "SHOW datestyle"),
    "intervalstyle": ("/* x */ SET -- y\n intervalstyle = 'iso_8601'", "SHOW intervalstyle"),
    "lock_timeout": ("set lock_timeout = 1;", "SHOW lock_timeout"),
    "client_min_messages": ("SET client_min_messages = error", "SHOW client_min_messages"),
    "application_name": ("SET application_name = 'canary'", "SHOW application_name"),
}


@on_postgresql
@pytest.mark.parametrize("way", WAYS)
def test_settings_do_not_stay(narrow: Any, way: Way) -> None:
    app, engine = narrow
    for name, (change, show) in SETTINGS.items():
        with tenant_context("bella", app), engine.connect() as connection:
            before = connection.exec_driver_sql(show).scalar()
            connection.rollback()
        with tenant_context("acme", app), engine.connect() as connection:
            outcome = run(connection, change, way)
            assert outcome.error is None, outcome.error
            assert connection.exec_driver_sql(show).scalar() != before, f"{name} has no teeth"
            connection.commit()
        with tenant_context("bella", app), engine.connect() as connection:
            assert connection.exec_driver_sql(show).scalar() == before, name


@on_postgresql
def test_settings_of_a_transaction_keep_the_connection(narrow: Any) -> None:
    app, engine = narrow
    with tenant_context("acme", app), engine.connect() as connection:
        first = connection.connection.driver_connection
        connection.exec_driver_sql("SET LOCAL statement_timeout = 5000")
        connection.commit()
    with tenant_context("bella", app), engine.connect() as connection:
        assert connection.connection.driver_connection is first
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"


@on_sqlite
@pytest.mark.parametrize("way", WAYS)
def test_pragmas_do_not_stay(narrow: Any, way: Way) -> None:
    app, engine = narrow
    with tenant_context("acme", app), engine.connect() as connection:
        assert run(connection, "PRAGMA foreign_keys = OFF", way).error is None
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 0, "no teeth"
    with tenant_context("bella", app), engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    for change in (
        "PRAGMA journal_mode = DELETE", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA query_only = ON",
        "PRAGMA case_sensitive_like = 1", "PRAGMA case_sensitive_like(1)", "PRAGMA main.journal_mode = OFF",
        "PRAGMA synchronous = OFF", "PRAGMA busy_timeout = 0", "pragma  cache_size=1", "PRAGMA recursive_triggers = ON",
    ):  # fmt: skip
        with tenant_context("acme", app), engine.connect() as connection:
            assert isinstance(run(connection, change, way).error, TenancyError), change
    with tenant_context("acme", app), engine.connect() as connection:
        assert run(connection, "PRAGMA defer_foreign_keys = ON", way).error is None
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar()


ENDS: dict[str, Callable[[sa.Connection], Any]] = {
    "commit": lambda c: c.commit(),
    "rollback": lambda c: c.rollback(),
    "error": lambda c: c.exec_driver_sql("SELECT 1 FROM customer WHERE nope = 1"),
    "refusal": lambda c: c.exec_driver_sql("DROP TABLE customer"),
    "nothing": lambda c: None,
    "invalidate": lambda c: c.invalidate(),
    "raw commit": lambda c: c.connection.driver_connection.commit(),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", WAYS)
def test_the_next_user_is_the_next_tenant(narrow: Any, end: str, way: Way) -> None:
    """However the one before has ended."""
    app, engine = narrow
    for slug, count in (("acme", 2), ("bella", 3), ("acme", 2)):
        with tenant_context(slug, app), engine.connect() as connection:
            outcome = run(connection, "SELECT name FROM customer", way)
            assert outcome.rows is not None
            assert len(outcome.rows) == count
            assert all(slug in row[0] for row in outcome.rows)
            try:
                ENDS[end](connection)
            except (TenancyError, sa.exc.SQLAlchemyError):
                assert end in ("error", "refusal")


@on_postgresql
@pytest.mark.parametrize("end", ENDS)
def test_settings_do_not_stay_however_it_ends(narrow: Any, end: str) -> None:
    app, engine = narrow
    for change, show in list(SETTINGS.values())[:3]:
        with tenant_context("acme", app), engine.connect() as connection:
            before = connection.exec_driver_sql(show).scalar()
            connection.exec_driver_sql(change)
            assert connection.exec_driver_sql(show).scalar() != before, "no teeth"
            connection.commit()  # or the database itself would take it back
            with suppress(TenancyError, sa.exc.SQLAlchemyError):
                ENDS[end](connection)
        with tenant_context("bella", app), engine.connect() as connection:
            assert connection.exec_driver_sql(show).scalar() == before, change


def read_only(driver: Any, **more: Any) -> None:
    """As psycopg2 or psycopg say it; SQLite does not."""
    if hasattr(driver, "set_session"):
        driver.set_session(readonly=True, **more)
    elif hasattr(driver, "read_only"):
        driver.read_only = True


def pipeline(driver: Any) -> None:
    """A pipeline that nobody leaves; psycopg 3 alone has them."""
    entered = driver.pipeline()
    entered.__enter__()
    driver.canary = entered  # where it is collected, it is left


def other_cursors(driver: Any) -> None:
    """They take other placeholders, or make other rows."""
    import psycopg
    import psycopg2.extras

    own = isinstance(driver, psycopg.Connection)
    driver.cursor_factory = psycopg.RawCursor if own else psycopg2.extras.RealDictCursor


LEFT: dict[str, Callable[[Any], Any]] = {
    "other cursors": other_cursors,
    "pipeline": pipeline,
    "autocommit": lambda driver: setattr(driver, "autocommit", True),
    "isolation level": lambda driver: setattr(driver, "isolation_level", 4),
    "no transactions": lambda driver: setattr(driver, "isolation_level", None),
    "read only": read_only,
    "read only in autocommit": lambda driver: read_only(driver, autocommit=True),
    "row factory": lambda driver: setattr(driver, "row_factory", lambda *_: lambda *_: "canary-acme"),
    "cursor factory": lambda driver: setattr(driver, "cursor_factory", None),
}


@pytest.mark.every_driver
@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_on_the_drivers_connection(narrow: Any, name: str) -> None:
    """The next tenant's transaction is one, and what it does there is done."""
    app, engine = narrow
    with tenant_context("acme", app), engine.connect() as connection:
        with suppress(AttributeError, TypeError, ValueError):  # nothing that this driver has
            LEFT[name](connection.connection.driver_connection)
    with tenant_context("bella", app):
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            assert getattr(driver, "isolation_level", None) in (None, "", 1)
            assert not hasattr(driver, "pipeline") or driver.pgconn.pipeline_status == 0
            connection.execute(sa.update(visit).values(hits=visit.c.hits + 100))
            connection.rollback()
        with engine.begin() as connection:
            assert sorted(connection.scalars(sa.select(visit.c.hits))) == [0, 1, 2]
            assert len(connection.exec_driver_sql("SELECT name FROM customer").all()) == 3
            cursor = connection.connection.cursor()
            cursor.execute("SELECT page FROM visit")
            assert {tuple(row) for row in cursor.fetchall()} == {("canary-bella",)}


def test_an_open_transaction_is_rolled_back(narrow: Any) -> None:
    app, engine = narrow
    with tenant_context("acme", app), engine.connect() as connection:
        connection.execute(sa.update(visit).values(hits=99))
        connection.begin_nested()
        connection.execute(sa.delete(visit))
    with tenant_context("bella", app), engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(visit)) == 3
        connection.commit()
    with tenant_context("acme", app), engine.connect() as connection:
        assert sorted(connection.scalars(sa.select(visit.c.hits))) == [0, 1]


@pytest.mark.every_driver
@pytest.mark.parametrize(
    "loose", [{"isolation_level": "AUTOCOMMIT"}, {"pool_reset_on_return": None}], ids=repr
)
def test_an_open_transaction_that_the_pool_does_not_end(narrow: Any, loose: dict[str, Any]) -> None:
    """In autocommit psycopg2's rollback() does nothing, whatever the application has begun by hand."""
    app, engine = narrow
    own = sa.create_engine(engine.url, pool_use_lifo=True, **loose)  # the directory may need one in between
    make_app(own)
    with tenant_context("acme", app):
        proxy = own.raw_connection()
        cursor: Any = proxy.cursor()
        if "isolation_level" in loose:
            cursor.execute("BEGIN")
        cursor.execute("UPDATE visit SET hits = 99")
        proxy.close()
    with tenant_context("bella", app), own.begin() as connection:
        assert connection.execute(sa.update(visit).values(hits=visit.c.hits)).rowcount == 3
        if "isolation_level" in loose:
            with suppress(own.dialect.loaded_dbapi.Error):  # SQLite says that there is nothing to commit
                connection.connection.cursor().execute("COMMIT")
    with tenant_context("acme", app), engine.connect() as connection:
        assert sorted(connection.scalars(sa.select(visit.c.hits))) == [0, 1]
    own.dispose()


@pytest.mark.databases("postgresql+psycopg")
def test_a_cursor_that_its_class_keeps_open(narrow: Any) -> None:
    """It would be there for the next tenant, under its name."""
    import psycopg

    class Lasting(psycopg.ServerCursor[Any]):
        def __init__(self, *args: Any, **kw: Any) -> None:
            super().__init__(*args, **{**kw, "withhold": True})

    app, engine = narrow
    with tenant_context("acme", app), engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.server_cursor_factory = Lasting
        with pytest.raises(TenancyError, match="WITH HOLD"):
            driver.cursor("loot").execute("SELECT name FROM customer")
        driver.commit()
    with tenant_context("bella", app), engine.connect() as connection:
        driver = connection.connection.driver_connection
        with pytest.raises(psycopg.errors.InvalidCursorName):
            driver.cursor("loot").fetchall()


@on_sqlite
def test_an_isolation_level_of_the_engines_keeps_the_connection(narrow: Any) -> None:
    """The control: what was set when the connection was made, nobody has left there."""
    app, engine = narrow
    own = sa.create_engine(engine.url, connect_args={"isolation_level": "IMMEDIATE"})
    make_app(own)
    made: list[Any] = []
    sa.event.listen(own, "connect", lambda connection, record: made.append(connection))
    for slug in ("acme", "bella", "acme", "bella", "acme"):
        with tenant_context(slug, app), own.connect() as connection:
            assert len(connection.execute(sa.select(Customer.name)).all()) == 2 + (slug == "bella")
    assert len(made) <= 2, "each user got a new one; the directory may have asked in between"
    own.dispose()


def test_temporary_tables_are_refused(world: World) -> None:
    """They would stay on the connection."""
    loot = sa.Table("loot", sa.MetaData(), sa.Column("x", sa.Integer), prefixes=["TEMPORARY"])
    for way in WAYS:
        for text in (
            "CREATE TEMP TABLE loot AS SELECT * FROM customer",
            "CREATE TEMPORARY TABLE loot (x integer)",
        ):
            assert world.attack(text, way).refused
    with world.as_(), world.engine.connect() as connection, pytest.raises(TenancyError):
        loot.create(connection)


@on_postgresql
def test_a_connection_that_the_server_has_ended(narrow: Any, postgres_server: Any) -> None:
    """The pool makes a new one, which is guarded as well."""
    import psycopg

    app, engine = narrow

    def process(connection: sa.Connection) -> int:
        driver: Any = connection.connection.driver_connection
        return int(driver.info.backend_pid)

    with tenant_context("acme", app), engine.connect() as connection:
        ended = process(connection)
    with psycopg.connect(postgres_server.dsn("postgres", admin=True), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 60000)", [ended])  # and wait until it has ended
    # Whoever asks first meets the dead connection: bella, or what we ask each second about tenants and rules.
    with suppress(sa.exc.OperationalError), tenant_context("bella", app), engine.connect() as connection:
        assert len(connection.execute(sa.select(Customer.name)).all()) == 3
    with tenant_context("acme", app), Session(engine) as session:
        assert process(session.connection()) != ended
        assert {c.name for c in session.scalars(sa.select(Customer))} == {"canary-acme-1", "canary-acme-2"}
        assert len(session.connection().exec_driver_sql("SELECT name FROM customer").all()) == 2


def test_autocommit_engines(narrow: Any) -> None:
    app, engine = narrow
    for slug, count in (("acme", 2), ("bella", 3)):
        loose = engine.execution_options(isolation_level="AUTOCOMMIT")
        with tenant_context(slug, app), loose.connect() as connection:
            assert connection.execute(sa.update(visit).values(hits=visit.c.hits)).rowcount == count
            assert connection.execute(sa.text("UPDATE visit SET hits = hits")).rowcount == count
            assert connection.exec_driver_sql("UPDATE visit SET hits = hits").rowcount == count
