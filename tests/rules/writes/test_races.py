"""Two transactions race: a row that another one has changed since we looked is judged as it is, or nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flask_tenant.decision import Mask, Means, Overlay, Setting, Validation, WriteRules
from flask_tenant.errors import RuleDeniedError, StatementRefusedError
from flask_tenant.expressions import Kind
from tests.rules.shop import Order, Shop, big, col, const, denies, op, order, TOTAL
from tests.rules.writes.races import LOOKED, UNDONE, Doing, Other, between

POSTGRESQL = ("postgresql+psycopg", "postgresql+psycopg2")
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

OLD_BIG = op(">", col("total", Kind.NUMBER, "old"), const(Decimal(10_000), Kind.NUMBER))
SMALL = op("<=", TOTAL, const(Decimal(10_000), Kind.NUMBER))
RULES: dict[str, dict[str, Any]] = {
    "new": {"writes": {("order", "update"): denies("big", big()), ("order", "delete"): denies("big", big())}},
    "old": {"writes": {("order", "update"): denies("big", OLD_BIG), ("order", "delete"): denies("big", big())}},
    "filter": {"overlays": {"order": Overlay((SMALL,))}},
    "mask": {
        "overlays": {"order": Overlay(masks=(("status", Mask(Means.CONSTANT, "x", applies=big())),))},
        "writes": {("order", "delete"): denies("big", big())},
    },
    "hook": {
        "writes": {
            ("order", verb): WriteRules(validations=(Validation("ask", "small"),)) for verb in ("update", "delete")
        }
    },
    "set": {
        "writes": {
            ("order", "update"): WriteRules(
                settings=(Setting("lost", (("status", const("lost", Kind.TEXT)),), OLD_BIG),),
            ),
            ("order", "delete"): denies("big", big()),
        }
    },
}
Work = Callable[[sa.Connection], Any]


def sql(text: str) -> Work:
    return lambda connection: connection.execute(sa.text(text))


def _flush(connection: sa.Connection, change: Callable[[Session, Order], None]) -> None:
    """Change an object that was loaded before the statement."""
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        change(session, session.get_one(Order, 1))
        session.commit()


UPDATES: dict[str, Work] = {
    "text": sql("""UPDATE "order" SET status = 'mine' WHERE id = 1"""),
    "range": sql("""UPDATE "order" SET status = 'mine' WHERE id < 2 AND customer_id = 1"""),
    "from": sql("""UPDATE "order" o SET status = 'mine' FROM customer c WHERE c.id = o.customer_id AND o.id < 2"""),
    "subselect": sql("""UPDATE "order" SET status = 'mine' WHERE id IN (SELECT id FROM "order" WHERE total = 100)"""),
    "with": sql(
        """WITH w AS (SELECT id FROM "order" WHERE total = 100) UPDATE "order" SET status = 'mine' FROM w WHERE "order".id = w.id"""
    ),
    "fenced": sql("""UPDATE "order" SET status = 'mine' WHERE id = 1 AND 1 / id = 1"""),
    "upsert": sql(
        """INSERT INTO "order" (id, total, status) VALUES (1, 1, 'mine') ON CONFLICT (id) DO UPDATE SET status = 'mine'"""
    ),
    "core": lambda c: c.execute(order.update().where(order.c.id == 1).values(status="mine")),
    "many": lambda c: c.execute(
        order.update().where(order.c.id == sa.bindparam("key")).values(status=sa.bindparam("to")),
        [{"key": 4, "to": "mine"}, {"key": 1, "to": "mine"}],
    ),
    "flush": lambda c: _flush(c, lambda _, found: setattr(found, "status", "mine")),
}
DELETES: dict[str, Work] = {
    "text": sql('DELETE FROM "order" WHERE id = 1'),
    "using": sql('DELETE FROM "order" o USING customer c WHERE c.id = o.customer_id AND o.id < 2'),
    "core": lambda c: c.execute(order.delete().where(order.c.id == 1)),
    "flush": lambda c: _flush(c, lambda session, found: session.delete(found)),
}
GROWS = """UPDATE "order" SET total = 20000 WHERE tenant_id = {acme} AND id = 1"""
SHRINKS = """UPDATE "order" SET total = 100, status = 'open' WHERE tenant_id = {acme} AND id = 1"""


def _at(shop: Shop, level: str, work: Work, rules: dict[str, Any]) -> None:
    """Do something as acme under rules, after having looked at the rows, and commit."""
    shop.tenancy.hooks._functions["small"] = lambda row: row["total"] <= 10_000
    with shop.ruled(**rules), shop.engine.connect() as connection:
        connection = connection.execution_options(isolation_level=level)
        assert connection.execute(sa.select(order.c.total).where(order.c.id == 1)).scalar_one() == 100
        work(connection)
        connection.commit()


@pytest.mark.databases(*POSTGRESQL)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rules", RULES)
def test_a_row_that_grows_while_a_statement_waits_for_it(shop: Shop, rules: str, level: str) -> None:
    other = Other(shop)
    tried = {**{f"update {n}": w for n, w in UPDATES.items()}, **{f"delete {n}": w for n, w in DELETES.items()}}
    for name, work in tried.items():
        with other.doing(GROWS):
            doing = Doing(lambda work=work: _at(shop, level, work, RULES[rules]))
            other.waits_for(doing)
        try:
            doing.ended()
            how = "passed"
        except (RuleDeniedError, SQLAlchemyError) as error:
            how = type(error).__name__ + " " + type(getattr(error, "orig", None)).__name__
        row = shop.rows()[0]
        print(name, rules, level, how, row)
        assert row[:2] == (1, 20000.0) and row[2] != "mine", name
        other.does(SHRINKS)

from tests.rules.writes.races import ALONE
ADDS = """INSERT INTO "order" (tenant_id, id, customer_id, total, status) VALUES ({acme}, 9, 2, 20000, 'theirs')"""
CHILD_GROWS = """UPDATE "order" SET total = 20000 WHERE tenant_id = {acme} AND id = 3"""

def test_explore_cascade(shop, monkeypatch):
    other = Other(shop)
    for level in LEVELS if not shop.sqlite else ("SERIALIZABLE",):
      for rules in ({"overlays": {"order": Overlay((SMALL,))}},):
        for moment in (UNDONE, LOOKED, ALONE):
            for what in (CHILD_GROWS, ADDS):
                shop.fill()
                def work():
                    with shop.ruled(**rules), shop.engine.connect() as c:
                        c = c.execution_options(isolation_level=level)
                        c.execute(sa.text("select id from customer")).all()
                        c.execute(sa.text("DELETE FROM customer WHERE id = 2"))
                        c.commit()
                def do():
                    try:
                        other.does(*(("SET LOCAL lock_timeout = '200ms'",) if not shop.sqlite else ("PRAGMA busy_timeout = 100",)), what)
                        print("did")
                    except Exception as e:
                        print("B", type(e), str(e)[:60])
                try:
                    with between(monkeypatch, moment, do):
                        work()
                    how = "passed"
                except Exception as e:
                    how = type(e).__name__+ str(e)[:90]
                print(level, moment, what[:6], how, shop.rows())
