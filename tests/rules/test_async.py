"""Rules on asyncio engines: reads, writes and results as on any engine; what goes past SQLAlchemy is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from flask_tenant import Tenancy, registry, tenant_context
from flask_tenant.decision import Mask, Means, Overlay, ResultRules, Setting, WriteRules
from flask_tenant.errors import RuleDeniedError, StatementRefusedError
from flask_tenant.expressions import Kind
from tests.rules.shop import TOTAL as TOTAL_COLUMN
from tests.rules.shop import Order, Rules, Shop, big, col, const, customer, denies, op, order
from tests.rules.writes.races import LOOKED, UNDONE, Other, between

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql+psycopg": "postgresql+psycopg_async"}
pytestmark = pytest.mark.databases(*DRIVERS)


class Asynchronous:
    """Another application on the shop's database, with an asyncio engine."""

    def __init__(self, shop: Shop, driver: str) -> None:
        self.app = Flask("asynchronous shop")
        self.engine: AsyncEngine = create_async_engine(shop.engine.url.set(drivername=driver))
        self.sqlite = shop.sqlite
        if self.sqlite:
            sa.event.listen(
                self.engine.sync_engine,
                "connect",
                lambda connection, _: setattr(connection, "isolation_level", None),
            )
            sa.event.listen(
                self.engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN")
            )
        Tenancy(self.app, engines=[self.engine])
        self.rules = Rules()
        self.state = self.app.extensions[registry.KEY]
        self.state.databases.isolations[self.engine.sync_engine].wall.rules = self.rules

    def run(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, Any]], **decided: Any) -> Any:
        """Do something in a transaction of acme's under rules."""

        async def within() -> Any:
            try:
                async with self.opened(**decided) as connection:
                    return await work(connection)
            finally:
                await self.engine.dispose()

        return asyncio.run(within())

    @asynccontextmanager
    async def opened(self, **decided: Any) -> AsyncIterator[AsyncConnection]:
        self.rules.writes, self.rules.overlays = decided.pop("writes", {}), decided.pop("overlays", {})
        self.rules.values, self.rules.more = (), decided
        with tenant_context("acme", self.app), self.rules:
            async with self.engine.begin() as connection:
                yield connection


@pytest.fixture
def apart(shop: Shop, back_end: str) -> Iterator[Asynchronous]:
    found = Asynchronous(shop, DRIVERS[back_end])
    yield found
    registry._apps.discard(found.state)


SMALL = Overlay(
    (op("<=", TOTAL_COLUMN, const(Decimal(10_000), Kind.NUMBER)),), (("status", Mask(Means.CONSTANT, "x")),)
)


def test_reads(apart: Asynchronous) -> None:
    async def work(connection: AsyncConnection) -> list[Any]:
        found = [(await connection.execute(sa.select(order.c.id, order.c.status).order_by(order.c.id))).all()]
        text = 'SELECT id, status FROM "order" ORDER BY id'
        found += [
            (await connection.execute(sa.text(text))).all(), (await connection.exec_driver_sql(text)).all(),
            [row async for row in await connection.stream(sa.text(text))],
        ]  # fmt: skip
        async with AsyncSession(connection) as session:
            found.append(
                [(o.id, o.status) for o in await session.scalars(sa.select(Order).order_by(Order.id))]
            )
        return found

    for rows in apart.run(work, overlays={"order": SMALL}):
        assert [tuple(row) for row in rows] == [(1, "x"), (3, "x"), (4, "x")]


PUTS = WriteRules(settings=(Setting("by", (("approved_by", const("eve", Kind.TEXT)),)),))
OLD_TOTAL = col("total", Kind.NUMBER, "old")
INSERT = 'INSERT INTO "order" (id, total) VALUES ({}, {})'


def test_writes_that_rules_change(apart: Asynchronous, shop: Shop) -> None:
    async def work(connection: AsyncConnection) -> list[Any]:
        made = await connection.execute(order.insert().values(total=1))
        many = order.insert().returning(order.c.id, sort_by_parameter_order=True)
        ids = (await connection.execute(many, [{"total": 2}, {"total": 3}])).scalars().all()
        await connection.execute(order.insert(), [{"id": 61, "total": 4}, {"id": 62, "total": 5}])
        text = await connection.execute(sa.text(INSERT.format(63, 6) + " RETURNING id, approved_by"))
        driver = await connection.exec_driver_sql(INSERT.format(64, 7))
        changed = await connection.execute(order.update().where(order.c.id == 1).values(total=9))
        async with AsyncSession(connection) as session:
            one = Order(total=Decimal(8))
            session.add(one)
            await session.commit()
            await session.refresh(one)
        return [
            made.inserted_primary_key[0],
            *ids,
            one.id,
            one.approved_by,
            text.all(),
            driver.rowcount,
            changed.rowcount,
        ]

    rules = {("order", "insert"): PUTS, ("order", "update"): PUTS}
    *ids, by, text, inserted, changed = apart.run(work, writes=rules)
    assert (by, text, inserted, changed) == ("eve", [(63, "eve")], 1, 1)
    assert len({*ids}) == 4
    rows = shop.rows(columns="id, approved_by")
    assert {row[0] for row in rows} == {1, 2, 3, 4, 61, 62, 63, 64, *ids}
    assert {row[0] for row in rows if row[1] == "eve"} == {1, 61, 62, 63, 64, *ids}


WRITES: list[Callable[[AsyncConnection], Any]] = [
    lambda c: c.execute(order.insert().values(total=20_000)),
    lambda c: c.execute(order.insert(), [{"total": 1}, {"total": 20_000}]),
    lambda c: c.execute(order.insert().returning(order.c.id), [{"total": 1}, {"total": 20_000}]),
    lambda c: c.execute(sa.text(INSERT.format(60, 20_000))),
    lambda c: c.exec_driver_sql(INSERT.format(60, 20_000)),
    lambda c: c.exec_driver_sql('UPDATE "order" SET total = total * 1000 RETURNING id'),
    lambda c: c.execute(sa.text('DELETE FROM "order"')),
    lambda c: c.execute(order.delete().where(order.c.id == 2)),
    lambda c: c.exec_driver_sql('DELETE FROM "order" WHERE id = 2'),
    lambda c: c.run_sync(lambda sync: sync.execute(sa.update(Order).values(total=20_000))),
    lambda c: c.run_sync(lambda sync: sync.exec_driver_sql('UPDATE "order" SET total = 20000')),
]


def test_writes_that_rules_forbid(apart: Asynchronous, shop: Shop) -> None:
    verbs = ("insert", "update", "delete")
    rules = {("order", verb): denies("big", big()) for verb in verbs}
    before = shop.rows()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(order.update().where(order.c.id == 4).values(status="mine"))
        for write in [*WRITES, *streamed]:
            with pytest.raises(RuleDeniedError, match="'big' forbids"):
                await write(connection)

    # psycopg streams nothing for which no cursor can be declared on the server: with or without rules.
    streamed = [lambda c: c.stream(sa.text('DELETE FROM "order" RETURNING id'))] if apart.sqlite else []
    apart.run(work, writes=rules)
    assert shop.rows() == [*before[:3], (4, 5.0, "mine")]


@pytest.mark.databases("postgresql+psycopg")
def test_a_row_that_comes_after_the_look(
    apart: Asynchronous, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See tests/rules/writes/test_races.py; here the statements are awaited."""
    other = Other(shop)
    theirs = """INSERT INTO "order" (tenant_id, id, total) VALUES ({acme}, 9, 20000)"""
    upsert = 'INSERT INTO "order" (id, total) VALUES (1, 1), (9, 1) ON CONFLICT (id) DO UPDATE SET total = 1'
    rules = {("order", "update"): denies("big", op(">", OLD_TOTAL, const(Decimal(10_000), Kind.NUMBER)))}
    for moment in (UNDONE, LOOKED):
        for work in (
            lambda connection: connection.execute(sa.text(upsert)),
            lambda connection: connection.exec_driver_sql(upsert),
        ):
            with between(monkeypatch, moment, lambda: other.does(theirs)), pytest.raises(RuleDeniedError):
                apart.run(work, writes=rules)
            assert shop.rows()[-1][:2] == (9, 20_000)
            other.does("""DELETE FROM "order" WHERE tenant_id = {acme} AND id = 9""")


def test_results(apart: Asynchronous) -> None:
    results = {"customer": ResultRules(redact=(("tax_id", None),))}

    async def work(connection: AsyncConnection) -> list[Any]:
        query, text = (
            sa.select(customer.c.id, customer.c.tax_id).order_by(customer.c.id),
            "SELECT id, tax_id FROM customer ORDER BY id",
        )
        found: list[Any] = [
            (await connection.execute(query)).all(),
            (await connection.execute(sa.text(text))).all(),
        ]
        found.append((await connection.exec_driver_sql(text)).all())
        found.append([row async for row in await connection.stream(query)])
        found.append(await (await connection.stream(sa.text(text))).fetchmany(5))
        return found

    for rows in apart.run(work, results=results, caps={"customer": (1, "few")}):
        assert [tuple(row) for row in rows] == [(1, None)]


def test_cursors_of_the_driver_are_refused(apart: Asynchronous, shop: Shop) -> None:
    """psycopg's go past what looks at rows; aiosqlite's work in a thread that knows no tenant."""
    before = shop.rows()

    async def work(connection: AsyncConnection) -> None:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        delete, read = 'DELETE FROM "order" WHERE id = 1', "SELECT id FROM customer"
        with pytest.raises(StatementRefusedError):
            await raw.execute(delete)
        with pytest.raises(StatementRefusedError):
            await raw.cursor().execute(delete) if not apart.sqlite else await (await raw.cursor()).execute(
                delete
            )
        if not apart.sqlite:
            for text in (f"{delete} RETURNING id", read):
                with pytest.raises(StatementRefusedError, match="cannot look at its rows"):
                    async for _ in raw.cursor().stream(text):
                        pytest.fail("a row was given")
            with pytest.raises(StatementRefusedError, match="cannot look at its rows"):
                await raw.cursor().executemany('DELETE FROM "order" WHERE id = %s', [(1,)])

    rules = {("order", "delete"): denies("no", big(0))}
    apart.run(work, writes=rules, caps={"customer": (1, "few")})
    assert shop.rows() == before


@pytest.mark.databases("postgresql+psycopg")
def test_a_stream_of_psycopgs_own_is_refused(shop: Shop) -> None:
    """``stream()`` hands row by row out of the driver, past what looks at them; without such rules it works."""
    rules = {("order", "delete"): denies("no", big(0))}
    before = shop.rows()
    with shop.ruled(rules, caps={"customer": (1, "few")}), shop.engine.connect() as connection:
        cursor: Any = connection.connection.cursor()
        for text in ('DELETE FROM "order" WHERE id = 1 RETURNING id', "SELECT id FROM customer"):
            with pytest.raises(StatementRefusedError, match="cannot look at its rows"):
                list(cursor.stream(text))
        assert [row[0] for row in cursor.stream('SELECT id FROM "order" ORDER BY id')] == [1, 2, 3, 4]
    assert shop.rows() == before
