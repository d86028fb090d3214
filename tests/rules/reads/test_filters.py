"""A filter takes rows away, whichever way a statement takes to the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from flask_tenant import tenant_context
from flask_tenant.decision import Overlay, Ruling
from flask_tenant.expressions import Constant, Kind
from tests.rules.reads.world import TODAY, Invoice, World, call, decide, number, recent

Way = Callable[[Connection], list[int]]
QUERY = "SELECT id FROM invoice ORDER BY id"


def _raw(connection: Connection) -> list[int]:
    cursor = connection.connection.cursor()
    cursor.execute(QUERY)
    found = [row[0] for row in cursor.fetchall()]
    cursor.close()
    return found


def _orm(connection: Connection) -> list[int]:
    with Session(bind=connection) as session:
        return [i.id for i in session.scalars(sa.select(Invoice).order_by(Invoice.id))]


WAYS: dict[str, Way] = {
    "orm": _orm,
    "core": lambda c: list(c.scalars(sa.select(Invoice.__table__.c.id).order_by("id"))),
    "text": lambda c: list(c.scalars(sa.text(QUERY))),
    "driver": lambda c: list(c.exec_driver_sql(QUERY).scalars()),
    "raw": _raw,
    "columns": lambda c: list(c.scalars(sa.text(QUERY).columns(id=sa.Integer))),
    "fragment": lambda c: list(
        c.scalars(sa.select(sa.text("id")).select_from(sa.text("invoice")).order_by(sa.text("id")))
    ),
    "alias": lambda c: list(c.scalars(sa.select(Invoice.__table__.alias("i").c.id).order_by("id"))),
}


def days(count: int) -> Ruling:
    return decide({"invoice": Overlay((recent(),))}, (TODAY - dt.timedelta(days=count),))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_sees_the_rows_that_the_filter_keeps(world: World, way: str) -> None:
    with world.under(days(95)) as connection:
        assert WAYS[way](connection) == [1, 2, 3]
    with world.under(days(185)) as connection:  # the same shape with another value
        assert WAYS[way](connection) == [1, 2, 3, 4, 5, 6]
    with world.under(None) as connection:
        assert WAYS[way](connection) == list(range(1, 11))


@pytest.mark.parametrize("way", WAYS)
def test_one_connection_follows_the_ruling_of_each_statement(world: World, way: str) -> None:
    held: list[Ruling | None] = [days(95)]
    large = decide({"invoice": Overlay((call(">", number("total"), Constant(Kind.NUMBER, 800)),))})
    with world.under(lambda: held[0]) as connection:
        for ruling, wanted in (
            (days(95), [1, 2, 3]), (large, [9, 10]), (decide({}), list(range(1, 11))), (days(35), [1]),
            (large, [9, 10]), (decide({}), list(range(1, 11))),
        ):  # fmt: skip
            held[0] = ruling
            assert WAYS[way](connection) == wanted


@pytest.mark.parametrize("way", WAYS)
def test_that_a_tenant_has_no_rules_holds_for_its_transaction(world: World, way: str) -> None:
    held: list[Ruling | None] = [None]
    with world.under(lambda: held[0]) as connection:
        with connection.begin():
            assert WAYS[way](connection) == list(range(1, 11))
            held[0] = days(35)
            assert WAYS[way](connection) == list(range(1, 11))
            with tenant_context("acme", world.app):  # who is somewhere else is asked for anew
                assert WAYS[way](connection) == [1]
        held[0] = None
        transaction = connection.begin()
        assert WAYS[way](connection) == list(range(1, 11))
        connection.invalidate()
        transaction.rollback()
        held[0] = days(35)
        with connection.begin():  # on a connection that nobody has asked for yet
            assert WAYS[way](connection) == [1]


def _block(driver: Any) -> None:
    with driver.transaction() if hasattr(driver, "transaction") else driver:
        pass


ENDS: dict[str, Callable[[Any], Any]] = {
    "commit": lambda proxy: proxy.commit(),
    "rollback": lambda proxy: proxy.rollback(),
    "driver's commit": lambda proxy: proxy.driver_connection.commit(),
    "driver's rollback": lambda proxy: proxy.driver_connection.rollback(),
    "driver's block": lambda proxy: proxy.driver_connection.rollback() or _block(proxy.driver_connection),
    "driver's reset": lambda proxy: getattr(proxy.driver_connection, "reset", proxy.rollback)(),
}


@pytest.mark.every_driver
@pytest.mark.parametrize("end", ENDS)
def test_a_connection_that_is_kept_asks_anew(world: World, end: str) -> None:
    """A program that works on a driver's connection all day ends its transactions there, past SQLAlchemy."""
    held: list[Ruling | None] = [None]
    with world.under(lambda: held[0]) as connection:
        proxy: Any = connection.connection
        for ruling, wanted in ((days(35), [1]), (None, list(range(1, 11)))):
            before = _raw(connection)
            held[0] = ruling
            ENDS[end](proxy)
            assert _raw(connection) == wanted != before


@pytest.mark.databases("postgresql+psycopg")
def test_the_end_of_a_savepoint_is_none(world: World) -> None:
    held: list[Ruling | None] = [None]
    with world.under(lambda: held[0]) as connection:
        driver: Any = connection.connection.driver_connection
        with driver.transaction():
            assert _raw(connection) == list(range(1, 11))
            held[0] = days(35)
            with driver.transaction():
                assert _raw(connection) == list(range(1, 11))
            assert _raw(connection) == list(range(1, 11))
        assert _raw(connection) == [1]


def test_a_default_that_is_executed_by_itself(world: World) -> None:
    count = sa.ColumnDefault(sa.select(sa.func.count()).select_from(Invoice.__table__).scalar_subquery())
    for ruling, wanted in ((days(95), 3), (None, 10)):
        with world.under(ruling) as connection:
            assert connection.scalar(count) == wanted


JOINS = (
    sa.select(sa.func.count()).select_from(Invoice),
    sa.select(sa.func.count(Invoice.id)).join(Invoice.customer),
    sa.text("SELECT count(i.id) FROM customer c LEFT JOIN invoice i ON i.customer_id = c.id"),
    sa.text("SELECT count(*) FROM (SELECT 1 FROM invoice UNION ALL SELECT 1 FROM invoice WHERE id < 0) x"),
    sa.text("WITH x AS (SELECT * FROM invoice) SELECT count(*) FROM x"),
    sa.text("SELECT count(*) FROM customer c, invoice i WHERE i.customer_id = c.id"),
)


@pytest.mark.parametrize("statement", JOINS, ids=range(len(JOINS)))
def test_joins_and_aggregates_count_the_kept_rows(world: World, statement: Any) -> None:
    with world.under(days(95)) as connection:
        assert connection.scalar(statement) == 3
    with world.under(None) as connection:
        assert connection.scalar(statement) == 10


def test_every_customer_stays_in_an_outer_join(world: World) -> None:
    from tests.rules.reads.world import Customer

    statement = sa.select(Customer.id, Invoice.id).join_from(Customer, Invoice, isouter=True)
    with world.under(days(35)) as connection:
        rows = connection.execute(statement).all()
    assert len(rows) == 5
    assert sum(row[1] is not None for row in rows) == 1


WRITES: dict[str, Callable[[Connection], int]] = {
    "core update": lambda c: c.execute(sa.update(Invoice.__table__).values(memo="x")).rowcount,
    "core delete": lambda c: c.execute(sa.delete(Invoice.__table__)).rowcount,
    "orm update": lambda c: (
        Session(c).execute(sa.update(Invoice).values(memo="x").where(Invoice.id > 0)).rowcount
    ),
    "text update": lambda c: c.execute(sa.text("UPDATE invoice SET memo = 'x'")).rowcount,
    "text delete": lambda c: c.execute(sa.text("DELETE FROM invoice WHERE id > 0 OR id < 0")).rowcount,
    "driver delete": lambda c: c.exec_driver_sql("DELETE FROM invoice").rowcount,
}


@pytest.mark.parametrize("write", WRITES)
def test_updates_and_deletes_reach_the_kept_rows_only(world: World, write: str) -> None:
    with world.under(days(95)) as connection:
        assert WRITES[write](connection) == 3
    with world.under(None) as connection:
        assert WRITES[write](connection) == 10


def test_the_other_tenant_has_rules_of_its_own(world: World) -> None:
    with world.held(days(95), "acme"), world.under(days(35), "bella") as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Invoice)) == 1
    with world.held(days(95), "acme"), world.under(None, "bella") as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Invoice)) == 10
