"""What happens to a result's rows on their way to the application."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.rows import dict_row

from flask_tenant import current_tenant, signals
from flask_tenant.context import current_scope
from flask_tenant.decision import ResultRules
from flask_tenant.errors import RuleEngineError, StatementRefusedError
from flask_tenant.expressions import Fact, Kind
from tests.rules.shop import WAYS, Customer, Order, Shop, const, customer, op, order

ROWS = Fact(Kind.INT, "rows")
CAPS = {"order": (3, "api-limits"), "customer": (5, "loose")}


def more_than(number: int) -> Any:
    return op(">", ROWS, const(number, Kind.INT))


class Heard:
    """Listens to a signal."""

    def __init__(self, signal: Any) -> None:
        self.said: list[dict[str, Any]] = []
        self._signal = signal

    def _hear(self, sender: Any, **said: Any) -> None:
        self.said.append(said)

    def __enter__(self) -> list[dict[str, Any]]:
        self._signal.connect(self._hear)
        return self.said

    def __exit__(self, *exc: object) -> None:
        self._signal.disconnect(self._hear)


def numbers(shop: Shop, many: int) -> None:
    """Give acme more orders."""
    with shop.as_(), shop.engine.begin() as connection:
        connection.execute(order.insert(), [{"id": 1000 + n, "total": n} for n in range(many)])


@pytest.mark.parametrize("way", WAYS)
def test_the_smallest_cap_cuts_the_outermost_result_and_says_so(shop: Shop, way: str) -> None:
    joined = 'SELECT o.id FROM "order" o LEFT JOIN customer c ON c.id = o.customer_id ORDER BY o.id'
    for sql, want, cut in (
        ('SELECT id FROM "order" ORDER BY id', [(1,), (2,), (3,)], True),
        (joined, [(1,), (2,), (3,)], True),
        ('SELECT id FROM "order" WHERE id < 4 ORDER BY id', [(1,), (2,), (3,)], False),
        ("SELECT id FROM customer ORDER BY id", [(1,), (2,)], False),
        ('SELECT count(*) FROM "order"', [(4,)], False),
        ("SELECT item FROM stock", [("nut",), ("nut",), ("bolt",)], False),
    ):
        with shop.ruled(caps=CAPS), Heard(signals.rows_capped) as said:
            assert sorted(shop.send(way, sql)) == sorted(want)
            scope = current_scope()
            assert scope is not None
            assert scope.capped == ((("order", 3, "api-limits"),) if cut else ())
        assert said == ([{"table": "order", "rows": 3, "rule": "api-limits"}] if cut else [])


def test_core_orm_and_every_way_to_fetch(shop: Shop) -> None:
    with shop.ruled(caps=CAPS), shop.session() as session, shop.engine.connect() as connection:
        query = sa.select(order.c.id).order_by(order.c.id)
        assert [o.id for o in session.scalars(sa.select(Order).order_by(Order.id))] == [1, 2, 3]
        assert connection.execute(query).all() == [(1,), (2,), (3,)]
        assert list(connection.execute(query)) == [(1,), (2,), (3,)]
        assert connection.execute(query).first() == (1,)
        assert connection.execute(sa.select(sa.func.max(order.c.id))).scalar() == 4
        parts = connection.execute(query)
        assert [parts.fetchmany(2), parts.fetchmany(2), parts.fetchmany(2)] == [[(1,), (2,)], [(3,)], []]
        for options in ({"yield_per": 2}, {"stream_results": True}):
            assert connection.execute(query, execution_options=options).all() == [(1,), (2,), (3,)]
        cursor = connection.connection.cursor()
        cursor.execute('SELECT id FROM "order" ORDER BY id')
        assert [cursor.fetchone(), cursor.fetchone()] == [(1,), (2,)]
        assert [cursor.fetchone(), cursor.fetchone()] == [(3,), None]
        cursor.execute("SELECT count(*) FROM stock")  # the same cursor, without rules about it
        assert cursor.fetchall() == [(3,)]
        cursor.execute('SELECT id FROM "order" ORDER BY id')
        assert [row[0] for row in cursor] == [1, 2, 3]
        cursor.close()


def test_redaction_goes_by_where_a_column_comes_from(shop: Shop) -> None:
    rules = {"customer": ResultRules(redact=(("tax_id", None),))}
    with shop.ruled(results=rules), shop.session() as session, shop.engine.connect() as connection:
        assert [c.tax_id for c in session.scalars(sa.select(Customer).order_by(Customer.id))] == [None, None]
        below = sa.select(customer.c.tax_id.label("x"), customer.c.id).subquery()
        for query in (
            sa.select(customer.c.tax_id.label("other"), customer.c.name),
            sa.select(below.c.x, customer.c.name).join(customer, customer.c.id == below.c.id),
            sa.union_all(
                sa.select(customer.c.tax_id, customer.c.name), sa.select(customer.c.tax_id, customer.c.name)
            ),
        ):
            found = connection.execute(query).all()
            assert {row[0] for row in found} == {None}
            assert {row[1] for row in found} == {"Ann", "Bob"}
        same_name = sa.select(sa.literal("kept").label("tax_id"), order.c.id)
        assert connection.execute(same_name).first() == ("kept", 1)
        for way in WAYS:  # in SQL text, names are all there is
            for spelt in ("tax_id", 'tax_id AS "TAX_ID"'):
                assert shop.send(way, f"SELECT {spelt}, name FROM customer ORDER BY id", connection) == [
                    (None, "Ann"),
                    (None, "Bob"),
                ]
        if shop.engine.driver != "psycopg2":
            driver: Any = connection.connection.driver_connection
            cursor = driver.cursor()
            cursor.row_factory = sqlite3.Row if shop.sqlite else dict_row
            cursor.execute("SELECT tax_id, name FROM customer")
            with pytest.raises(StatementRefusedError, match="other rows than tuples"):
                cursor.fetchall()
    with shop.ruled({}), shop.engine.connect() as connection:
        assert connection.execute(sa.select(customer.c.tax_id)).first() == ("DE123456789",)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("many", "exported"), [(496, False), (497, True), (2500, True)])
def test_log_exports(shop: Shop, way: str, many: int, exported: bool) -> None:
    """``when: rows > 500, emit: invoice.exported, redact: [iban]``: four orders are there already."""
    numbers(shop, many)
    rules = {
        "order": ResultRules(
            emit=(("log-exports", "invoice.exported", more_than(500)),), redact=(("status", more_than(500)),)
        )
    }
    with shop.ruled(results=rules), Heard(signals.rule_emitted) as said:
        found = shop.send(way, 'SELECT id, status FROM "order"')
        assert len(found) == many + 4
        assert all((status is None) is exported for _, status in found)
    told = {"rule": "log-exports", "event": "invoice.exported", "table": "order", "rows": many + 4}
    assert said == ([told] if exported else [])


def test_what_was_not_fetched_is_not_counted(shop: Shop) -> None:
    rules = {"order": ResultRules(emit=(("all", "seen", None),))}
    with shop.ruled(results=rules), Heard(signals.rule_emitted) as said, shop.engine.connect() as connection:
        connection.execute(sa.select(order)).first()
        connection.execute(sa.select(order)).all()
        connection.execute(sa.select(order)).close()
    assert [one["rows"] for one in said] == [1, 4, 0]


def test_transforming_and_calling(shop: Shop) -> None:
    hooks, called = shop.tenancy.hooks, []
    if "shout" not in hooks:
        hooks.register("shout")(lambda row: {**row, "name": row["name"].upper() + current_tenant().slug})
        hooks.register("forgets")(lambda row: {})
    hooks._functions["count"] = lambda table, rows: called.append((table, rows))
    rules = {"customer": ResultRules(transform=(("shout", None),), hooks=(("count", None),))}
    with shop.ruled(results=rules), shop.session() as session, shop.engine.connect() as connection:
        assert session.scalars(sa.select(Customer.name).order_by(Customer.id)).all() == ["ANNacme", "BOBacme"]
        for way in WAYS:
            assert shop.send(way, "SELECT name FROM customer WHERE id = 1", connection) == [("ANNacme",)]
        pair = sa.select(order.c.id, customer.c.name).join_from(order, customer).order_by(order.c.id)
        assert connection.execute(pair).first() == (1, "ANNacme")
    assert called == [("customer", 2), ("customer", 1), ("customer", 1), ("customer", 1), ("customer", 1)]
    with (
        shop.ruled(results={"customer": ResultRules(transform=(("forgets", None),))}),
        shop.engine.connect() as connection,
        pytest.raises(RuleEngineError, match="did not return the columns"),
    ):
        connection.execute(sa.select(customer.c.name)).all()
    with (
        shop.ruled(results={"customer": ResultRules(transform=(("shuot", None),))}),
        shop.engine.connect() as connection,
        pytest.raises(RuleEngineError, match="Did you mean 'shout'"),
    ):
        connection.execute(sa.select(customer.c.name)).all()


def test_nothing_is_loaded_whole_because_of_a_rule(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is asked for no more rows than the application wants and rules ask about."""
    from flask_tenant.isolate.results.stream import Stream

    numbers(shop, 3000)
    pulled = 0
    original = Stream._pull

    def pull(self: Any, want: int) -> Any:
        nonlocal pulled
        before = len(self._ahead)
        rows = original(self, want)
        pulled += len(rows) - min(before, len(rows))
        return rows

    monkeypatch.setattr(Stream, "_pull", pull)
    rules = {"order": ResultRules(redact=(("status", more_than(10)),), emit=(("x", "y", more_than(500)),))}
    with shop.ruled(results=rules), shop.engine.connect() as connection:
        result = connection.execute(sa.select(order), execution_options={"yield_per": 20})
        assert next(result).status is None
        assert 0 < pulled <= 60
        result.close()
