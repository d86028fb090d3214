"""The asyncio engines, on the same pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import joinedload, selectinload

from flask_tenant import Tenancy, tenant_context
from flask_tenant.errors import NoTenantError, StatementRefusedError
from flask_tenant.registry import _apps, state_of
from tests.isolation import schema as s
from tests.isolation.oracle import Unordered, learnt, normal
from tests.isolation.world import World

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql+psycopg": "postgresql+psycopg_async"}
pytestmark = pytest.mark.databases(*DRIVERS)
C, I = s.Customer, s.Invoice  # noqa: E741


async def rows(session: AsyncSession) -> Any:
    return (await session.execute(sa.select(C).order_by(C.id))).all()


async def joined(session: AsyncSession) -> Any:
    found = await session.scalars(sa.select(C).options(joinedload(C.invoices)).order_by(C.id))
    return [(c.name, [i.number for i in c.invoices]) for c in found.unique()]


async def selected(session: AsyncSession) -> Any:
    found = await session.scalars(sa.select(C).options(selectinload(C.clubs)).order_by(C.id))
    return [(c.name, [k.name for k in c.clubs]) for c in found]


async def got(session: AsyncSession) -> Any:
    c = await session.get_one(C, 2)
    await session.refresh(c, ["invoices"])
    return c, c.invoices


async def streamed(session: AsyncSession) -> Any:
    found = await session.stream_scalars(sa.select(C.name).order_by(C.id).execution_options(yield_per=2))
    return [name async for name in found]


async def whole_text(session: AsyncSession) -> Any:
    found = await session.execute(
        sa.text("SELECT name FROM customer WHERE city = :c OR active"), {"c": "Bern"}
    )
    return Unordered(found.all())


async def driver_text(session: AsyncSession) -> Any:
    connection = await session.connection()
    found = await connection.exec_driver_sql("SELECT count(*), max(name) FROM customer")
    return found.all()


async def driver_cursor(session: AsyncSession) -> Any:
    def work(connection: sa.Connection) -> Any:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT name FROM customer")
        return Unordered(tuple(row) for row in cursor.fetchall())

    return await (await session.connection()).run_sync(work)


async def run_sync(session: AsyncSession) -> Any:
    return await session.run_sync(
        lambda inner: [(i.number, i.customer.name) for i in inner.scalars(sa.select(I).order_by(I.id))]
    )


async def flushed(session: AsyncSession) -> Any:
    made = C(name="new", email="new@x", invoices=[])
    session.add_all([made, s.Club(name="a"), s.Club(name="b")])
    (await session.get_one(C, 1)).city = "Thun"
    await session.flush()
    return (
        made.id,
        (await session.execute(sa.select(C).order_by(C.id))).all(),
        (await session.scalars(sa.select(s.Club.id))).all(),
    )


async def written(session: AsyncSession) -> Any:
    connection = await session.connection()
    statements = [
        sa.insert(s.Club).values(name="one"), sa.insert(s.Club).returning(s.Club.name), sa.update(C).values(city="x").where(C.active),
        sa.delete(s.Payment).where(s.Payment.amount > 200), sa.insert(s.Setting).from_select(["key"], sa.select(C.email)),
    ]  # fmt: skip
    found = [learnt(await connection.execute(statements[0]))]
    found.append(learnt(await connection.execute(statements[1], [{"name": f"n{n}"} for n in range(3)])))
    found += [learnt(await connection.execute(q)) for q in statements[2:]]
    return found, Unordered((await connection.execute(sa.select(s.Club.__table__))).all())


async def savepoint(session: AsyncSession) -> Any:
    async with session.begin_nested():
        session.add(s.Club(name="kept"))
    try:
        async with session.begin_nested():
            session.add(s.Club(name="club 1"))
    except sa.exc.IntegrityError as error:
        return "tenant_id" in str(error), (
            await session.scalars(sa.select(s.Club.name).order_by(s.Club.id))
        ).all()
    return "no error"


WORKS = (
    rows,
    joined,
    selected,
    got,
    streamed,
    whole_text,
    driver_text,
    run_sync,
    flushed,
    written,
    savepoint,
)


def engine_to(url: str, driver: str) -> Any:
    made = create_async_engine(sa.make_url(url).set(drivername=driver))
    if driver.startswith("sqlite"):

        @sa.event.listens_for(made.sync_engine, "connect")
        def autocommit(connection: Any, _: Any) -> None:
            connection.isolation_level = None

        @sa.event.listens_for(made.sync_engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    return made


@pytest.fixture
def app(world: World, back_end: str) -> Iterator[Flask]:
    """Another application on the pool, with an asyncio engine."""
    made = Flask("asynchronous")
    made.config["TENANT_SHARED_TABLES"] = s.SHARED
    made.extensions["engine"] = engine = engine_to(world.pool_url, DRIVERS[back_end])
    Tenancy(made, engines=[engine])
    yield made
    asyncio.run(engine.dispose())
    _apps.discard(state_of(made))


async def work_on(engine: Any, work: Callable[[AsyncSession], Any]) -> Any:
    s.reset()
    async with AsyncSession(engine) as session:
        try:
            return normal(await work(session))
        finally:
            await session.rollback()


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
def test_the_same_answers(
    work: Callable[[AsyncSession], Any], app: Flask, world: World, back_end: str
) -> None:
    async def both(tenant: str) -> None:
        alone = engine_to(
            str(world.singles[tenant].url.render_as_string(hide_password=False)), DRIVERS[back_end]
        )
        state_of(app).tenancy.exempt(alone)
        try:
            expected = await work_on(alone, work)
        finally:
            await alone.dispose()
        try:
            with tenant_context(tenant, app):
                answer = await work_on(app.extensions["engine"], work)
        finally:
            await app.extensions["engine"].dispose()
        assert answer == expected
        assert expected
        for engine in (world.pool, *world.singles.values()):  # numbers that were used up
            world._settle(engine)

    for tenant in ("a", "b"):
        asyncio.run(both(tenant))
    world.check_untouched()


def test_a_cursor_of_the_driver(app: Flask, world: World) -> None:
    """psycopg's is guarded like any other; aiosqlite's works in a thread that knows no tenant, and is refused."""

    async def ask() -> Any:
        with tenant_context("a", app):
            async with AsyncSession(app.extensions["engine"]) as session:
                try:
                    return await driver_cursor(session)
                finally:
                    await session.rollback()
                    await app.extensions["engine"].dispose()

    if world.dialect == "sqlite":
        with pytest.raises(StatementRefusedError, match="knows no tenant"):
            asyncio.run(ask())
    else:
        assert {name[0] for (name,) in asyncio.run(ask())} == {"a"}


INSERTS = (
    sa.insert(s.Club).values(name="x"),
    sa.insert(s.Club).values(id=77, name="x"),
    sa.text("INSERT INTO club (name) VALUES (:name)").bindparams(name="x"),
    sa.text("INSERT INTO club (id, name) VALUES (99, 'x')"),
)
IGNORED = (
    sa.insert(s.Club).prefix_with("OR IGNORE").values(id=1, name="club 1"),
    sa.insert(s.Club).prefix_with("OR IGNORE").values(name="club 1"),
    sa.text("INSERT OR IGNORE INTO club (id, name) VALUES (1, 'club 1')"),
)


@pytest.mark.databases("sqlite")
def test_the_number_of_a_new_row(app: Flask, world: World) -> None:
    """Of one that was not inserted there is none: SQLite tells that of the connection's last row, whosever it is."""
    engine = app.extensions["engine"]
    alone = engine_to(str(world.singles["a"].url), DRIVERS["sqlite"])
    state_of(app).tenancy.exempt(alone)

    async def number(engine: Any, statement: Any) -> Any:
        async with engine.connect() as connection:
            result = await connection.execute(statement)
            await connection.rollback()
            return result.lastrowid

    async def ask() -> Any:
        try:
            with tenant_context("a", app):
                told = [(await number(engine, q), await number(alone, q)) for q in INSERTS]
            with tenant_context("b", app):
                async with engine.begin() as connection:
                    assert (await connection.execute(sa.insert(s.Club).values(name="last"))).lastrowid
            with tenant_context("a", app):
                told += [(await number(engine, q), None) for q in IGNORED]
            with tenant_context("b", app):
                async with engine.begin() as connection:
                    await connection.execute(sa.delete(s.Club).where(s.Club.name == "last"))
            return told
        finally:
            await engine.dispose()
            await alone.dispose()

    told = asyncio.run(ask())
    assert [mine for mine, _ in told] == [right for _, right in told]
    assert all(told[n][0] for n in range(len(INSERTS)))
    world.check_untouched()


def test_tasks_at_the_same_time(app: Flask, world: World) -> None:
    """Each task sees its own tenant, whatever the others do meanwhile."""

    async def names(tenant: str) -> list[str]:
        with tenant_context(tenant, app):
            found = []
            for _ in range(5):
                async with AsyncSession(app.extensions["engine"]) as session:
                    found += (await session.scalars(sa.select(C.name))).all()
                    await asyncio.sleep(0)
                    found += (await session.scalars(sa.text("SELECT name FROM customer"))).all()
            return found

    async def all_at_once() -> list[list[str]]:
        answers = await asyncio.gather(*(names(t) for t in "abcabc"))
        await app.extensions["engine"].dispose()
        return answers

    for tenant, answer in zip("abcabc", asyncio.run(all_at_once()), strict=True):
        assert answer
        assert {name[0] for name in answer} == {tenant}


def test_no_tenant_no_rows(app: Flask) -> None:
    async def ask() -> None:
        async with AsyncSession(app.extensions["engine"]) as session:
            with pytest.raises(NoTenantError):
                await session.scalars(sa.select(C))
        await app.extensions["engine"].dispose()

    asyncio.run(ask())
