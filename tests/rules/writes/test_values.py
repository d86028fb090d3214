"""Hooks that have to agree, values that rules put in, rows as they were, columns that nobody sees, and pages."""

from __future__ import annotations

import sqlite3
import threading
import time
from decimal import Decimal
from typing import Any, cast

import pytest
import sqlalchemy as sa
from psycopg.rows import dict_row

from flask_tenant.decision import Denial, Mask, Means, Overlay, Setting, Validation, WriteRules
from flask_tenant.errors import RuleDeniedError, RuleEngineError, StatementRefusedError
from flask_tenant.expressions import Fact, Kind, Slot
from tests.rules.shop import WAYS, Order, Shop, big, col, const, denies, log, op, order

BIG_ORDERS = WriteRules(
    settings=(
        Setting("big", (("approved_by", Slot(Kind.TEXT, 0)), ("status", const("pending", Kind.TEXT))), big()),
    )
)
SET = {("order", "insert"): BIG_ORDERS, ("order", "update"): BIG_ORDERS}
COLUMNS = "id, total, status, approved_by"


@pytest.mark.parametrize("way", WAYS)
def test_rules_put_values_into_rows(shop: Shop, way: str) -> None:
    with shop.ruled(SET, "eve"):
        found = shop.send(
            way,
            """INSERT INTO "order" (id, total, status) VALUES (7, 1, 'x'), (8, 20000, 'x') RETURNING id, status""",
        )
        assert sorted(found) == [(7, "x"), (8, "pending")]
        assert shop.send(way, """UPDATE "order" SET total = total * 1000 WHERE id IN (1, 4)""") == 2
    assert shop.rows(columns=COLUMNS) == [
        (1, 100_000.0, "pending", "eve"),
        (2, 20_000.0, "open", None),
        (3, 300.0, "paid", None),
        (4, 5000.0, "open", None),
        (7, 1.0, "x", None),
        (8, 20_000.0, "pending", "eve"),
    ]


@pytest.mark.parametrize("name", ["tenant_id", "nowhere"])
def test_rules_put_values_into_the_applications_columns_only(shop: Shop, name: str) -> None:
    """Nobody gives rows away."""
    before, sets = shop.rows(), WriteRules(settings=(Setting("gives", ((name, const(2, Kind.INT)),)),))
    with shop.ruled({("order", "insert"): sets, ("order", "update"): sets}):
        for sql in (
            """INSERT INTO "order" (id, total) VALUES (9, 1)""",
            """UPDATE "order" SET total = 1 WHERE id = 1""",
        ):
            with pytest.raises(RuleDeniedError, match=f"{name!r}, which table 'order' has not"):
                shop.send("text", sql)
    assert shop.rows() == before


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_what_returning_shows_are_tuples(shop: Shop) -> None:
    """Of other rows nobody could say where the application's part ends."""
    with shop.ruled({("order", "update"): denies("big", big())}), shop.engine.connect() as connection:
        cursor = cast(Any, connection.connection.driver_connection).cursor()
        cursor.row_factory = sqlite3.Row if shop.sqlite else dict_row
        with pytest.raises(StatementRefusedError, match="other rows than tuples"):
            cursor.execute('UPDATE "order" SET total = 1 RETURNING id')
        connection.commit()
    assert shop.rows()[0][1] == 100.0


def test_a_condition_with_a_fact_in_it_decides_nothing(shop: Shop) -> None:
    """Facts of the request are values by then."""
    late = op("is_known", Fact(Kind.TEXTS, "roles"))
    with (
        shop.ruled({("order", "delete"): denies("late", late)}),
        pytest.raises(RuleEngineError, match="nobody has worked out"),
    ):
        shop.send("text", 'DELETE FROM "order" WHERE id = 1')
    assert len(shop.rows()) == 4


def test_values_reach_rows_of_the_orm(shop: Shop) -> None:
    with shop.ruled(SET, "eve"), shop.session() as session:
        session.add_all([Order(id=7, total=Decimal(1)), Order(id=8, total=Decimal(20_000), status="mine")])
        session.commit()
        assert session.get_one(Order, 8).approved_by == "eve"
    assert shop.rows(columns=COLUMNS)[4:] == [(7, 1.0, "open", None), (8, 20_000.0, "pending", "eve")]


@pytest.mark.parametrize("way", WAYS)
def test_a_hook_has_to_agree(shop: Shop, way: str) -> None:
    asked: list[Any] = []

    def approval(row: Any) -> bool:
        asked.append(row)
        if row["id"] == 9:
            raise ZeroDivisionError("secret")
        return bool(row["status"] == "fine")

    shop.tenancy.hooks._functions["approval"] = approval
    rules = {("order", "insert"): WriteRules(validations=(Validation("big", "approval", big()),))}
    with shop.ruled(rules):
        shop.send(way, """INSERT INTO "order" (id, total, status) VALUES (7, 1, 'x'), (8, 20000, 'fine')""")
        for number, status in ((9, "fine"), (10, "bad")):
            with pytest.raises(RuleDeniedError, match="'approval' does not agree") as raised:
                shop.send(
                    way, f"""INSERT INTO "order" (id, total, status) VALUES ({number}, 20000, '{status}')"""
                )
            assert "secret" not in str(raised.value)
    assert [row["id"] for row in asked] == [8, 9, 10]
    assert [row[0] for row in shop.rows()] == [1, 2, 3, 4, 7, 8]


@pytest.mark.parametrize("way", WAYS)
def test_old_and_new_images(shop: Shop, way: str) -> None:
    """A total may not fall."""
    falls = op("<", col("total", Kind.NUMBER, "new"), col("total", Kind.NUMBER, "old"))
    message = ("from ", col("total", Kind.NUMBER, "old"), " to ", col("total", Kind.NUMBER, "new"))
    with shop.ruled({("order", "update"): denies("falls", falls, *message)}):
        assert shop.send(way, """UPDATE "order" SET total = total + 1 RETURNING total""")
        with pytest.raises(RuleDeniedError, match=r"from 101(\.00)? to 99"):
            shop.send(way, """UPDATE "order" SET total = 99 WHERE id IN (1, 4)""")
        with pytest.raises(StatementRefusedError, match="primary key"):
            shop.send(way, """UPDATE "order" SET id = 5 - id""")
        upsert = """INSERT INTO "order" (id, total, status) VALUES (1, {}, 'x'), (70, 1, 'x')
            ON CONFLICT (id) DO UPDATE SET total = excluded.total"""
        assert shop.send(way, upsert.format(500)) == 2
        with pytest.raises(RuleDeniedError, match="to 400"):
            shop.send(way, upsert.format(400))
    assert [row[1] for row in shop.rows()] == [500.0, 20001.0, 301.0, 6.0, 1.0]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_masked_or_hidden_cannot_be_overwritten(shop: Shop, way: str) -> None:
    overlays = {"customer": Overlay(masks=(("tax_id", Mask(Means.LAST, count=4)),))}
    with shop.ruled(overlays=overlays):
        shop.send(way, "UPDATE customer SET name = 'Anna' WHERE id = 1")
        with pytest.raises((RuleDeniedError, StatementRefusedError)):
            shop.send(way, "UPDATE customer SET tax_id = '*******6789' WHERE id = 1")
        with pytest.raises((RuleDeniedError, StatementRefusedError)):
            shop.send(way, "INSERT INTO customer (id, name, tax_id) VALUES (7, 'Eve', '*****6789')")
    assert shop.rows("customer", "id, name, tax_id") == [(1, "Anna", "DE123456789"), (2, "Bob", None)]


@pytest.mark.parametrize("way", WAYS)
def test_nobody_takes_a_mask_off_by_what_he_writes_beside_it(shop: Shop, way: str) -> None:
    """Whether a value was seen is told by the row as it was."""
    ann = op("==", col("name", Kind.TEXT), const("Ann", Kind.TEXT))
    with shop.ruled(overlays={"customer": Overlay(masks=(("tax_id", Mask(Means.EMPTY, applies=ann)),))}):
        with pytest.raises(RuleDeniedError, match="'tax_id' of 'customer' is masked"):
            shop.send(way, "UPDATE customer SET tax_id = 'mine', name = 'Eve' WHERE id = 1")
        assert shop.send(way, "UPDATE customer SET tax_id = 'mine', name = 'Ann' WHERE id = 2") == 1
    assert shop.rows("customer", "id, name, tax_id") == [(1, "Ann", "DE123456789"), (2, "Ann", "mine")]


def test_what_cannot_be_looked_at_is_refused(shop: Shop) -> None:
    rules = {
        ("order", "delete"): denies("big", big()),
        ("log", "insert"): WriteRules(settings=(Setting("log", (("level", const(3, Kind.INT)),)),)),
    }
    with shop.ruled(rules), shop.engine.connect() as connection:
        with pytest.raises(StatementRefusedError, match="no primary key"):
            connection.execute(log.insert(), {"line": "x", "level": 1})
        if shop.sqlite:
            with pytest.raises(StatementRefusedError, match="REPLACE"):
                shop.send("text", """INSERT OR REPLACE INTO "order" (id, total) VALUES (2, 1)""", connection)
        else:
            gone = order.delete().returning(order.c.id).cte("gone")
            with pytest.raises(StatementRefusedError, match="within another statement"):
                connection.execute(sa.select(gone.c.id))
            with pytest.raises(StatementRefusedError, match="within another statement"):
                shop.send("raw", 'WITH x AS (DELETE FROM "order" RETURNING id) SELECT * FROM x', connection)
    assert [row[0] for row in shop.rows()] == [1, 2, 3, 4]


def test_messages_show_visible_columns_only(shop: Shop) -> None:
    rules = {
        ("customer", "delete"): WriteRules(
            denials=(Denial("no", ("Not ", col("tax_id", Kind.TEXT), " of ", col("name", Kind.TEXT))),)
        )
    }
    overlays = {"customer": Overlay(masks=(("tax_id", Mask(Means.EMPTY)),))}
    with shop.ruled(rules, overlays=overlays), pytest.raises(RuleDeniedError, match="Not – of Bob"):
        shop.send("text", "DELETE FROM customer WHERE id = 2")


@pytest.mark.databases("sqlite")
def test_a_denial_is_a_page_or_a_problem(shop: Shop) -> None:
    def view() -> str:
        raise RuleDeniedError("<b>Books</b> are closed", rule="secret-rule", hint="secret hint")

    app = shop.app
    if "closed" not in app.view_functions:
        app._got_first_request = False
        app.add_url_rule("/closed", "closed", view)
    with app.test_request_context("/closed", headers={"Accept-Language": "de"}):
        page = app.make_response(
            app.handle_user_exception(RuleDeniedError("<b>Books</b>", rule="secret-rule"))
        )
    assert (page.status_code, page.mimetype) == (403, "text/html")
    assert b"&lt;b&gt;Books" in page.data
    assert b'<html lang="de">' in page.data
    assert b"Das ist hier nicht erlaubt" in page.data
    assert b"secret" not in page.data
    with app.test_request_context("/closed", headers={"Accept": "application/json"}):
        problem = app.make_response(app.handle_user_exception(RuleDeniedError("<b>", rule="secret-rule")))
    assert problem.mimetype == "application/problem+json"
    assert problem.get_json()["detail"] == "<b>"
    assert problem.get_json()["code"] == "rule-denied"
    assert b"secret" not in problem.data


@pytest.mark.parametrize("way", WAYS)
def test_the_database_deletes_nothing_past_a_rule(shop: Shop, way: str) -> None:
    """Orders hang on customers by ON DELETE CASCADE."""
    with shop.ruled({}), shop.engine.connect() as connection:
        shop.send(way, "DELETE FROM customer", connection)
        assert connection.execute(sa.select(sa.func.count()).select_from(order)).scalar() == 1
        connection.rollback()
    with shop.ruled({("order", "delete"): denies("big", big())}):
        with pytest.raises(StatementRefusedError, match="hang on rows of 'customer'"):
            shop.send(way, "DELETE FROM customer WHERE id = 1")
        shop.send(way, 'DELETE FROM "order" WHERE customer_id = 2')
        assert shop.send(way, "DELETE FROM customer WHERE id = 2") == 1
    assert [row[0] for row in shop.rows("customer", "id, name")] == [1]
    assert [row[0] for row in shop.rows()] == [1, 2, 4]


@pytest.mark.databases("postgresql+psycopg", "postgresql+psycopg2")
def test_another_transaction_changes_the_row_meanwhile(shop: Shop) -> None:
    """The row that is judged is the one that is written: somebody's change in between waits, or is seen."""
    falls = op("<", col("total", Kind.NUMBER, "new"), col("total", Kind.NUMBER, "old"))
    began, done = threading.Event(), threading.Event()

    def other() -> None:
        with shop.as_("acme"), shop.engine.begin() as connection:
            connection.execute(order.update().where(order.c.id == 1).values(total=1000))
            began.set()
            deadline = time.monotonic() + 20
            waiting = (
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND query LIKE '%%total = 500%%'"
            )
            with shop.physical.connect() as watch:
                while time.monotonic() < deadline and not watch.exec_driver_sql(waiting).scalar():
                    watch.rollback()
        done.set()

    thread = threading.Thread(target=other)
    with shop.ruled({("order", "update"): denies("falls", falls)}):
        thread.start()
        assert began.wait(20)
        with pytest.raises(RuleDeniedError), shop.engine.begin() as connection:
            connection.execute(
                sa.text('UPDATE "order" SET total = 500 WHERE id = 1')
            )  # 100 when it began, 1000 now
        thread.join(20)
    assert done.is_set()
    assert shop.rows()[0][1] == 1000.0
