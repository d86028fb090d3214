"""Denials of INSERT, UPDATE and DELETE, whichever way a statement comes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

from flask_tenant.decision import Denial, Mask, Means, Overlay, Setting, WriteRules
from flask_tenant.errors import RuleDeniedError
from flask_tenant.expressions import Kind
from tests.rules.shop import WAYS, Order, Shop, big, col, const, denies, op, order

PAID = op("==", col("status", Kind.TEXT), op("coalesce", col("status", Kind.TEXT), kind=Kind.TEXT))
MESSAGE = ("Orders of ", col("total", Kind.NUMBER), " need approval.")
INSERT = {("order", "insert"): denies("big", big(), *MESSAGE)}
UPDATE = {("order", "update"): denies("big", big(), *MESSAGE)}
DELETE = {("order", "delete"): denies("big", big(), *MESSAGE)}

STATEMENTS = [
    (INSERT, """INSERT INTO "order" (id, total, status) VALUES (9, 20000, 'x')"""),
    (INSERT, """INSERT INTO "order" (id, total, status) VALUES (8, 1, 'x'), (9, 20000, 'x')"""),
    (INSERT, """INSERT INTO "order" (id, total, status) SELECT id + 10, total, status FROM "order" """),
    (INSERT, """INSERT INTO "order" (total, status) VALUES (20000, 'x') RETURNING id"""),
    (UPDATE, """UPDATE "order" SET total = total * 1000"""),
    (UPDATE, """UPDATE "order" SET total = 10001 WHERE id = 1 -- ; RETURNING"""),
    (UPDATE, """UPDATE "order" SET status = 'x' WHERE id IN (SELECT id FROM "order" WHERE total > 50)"""),
    (
        UPDATE,
        """UPDATE "order" AS o SET total = 99999 FROM customer c WHERE c.id = o.customer_id RETURNING status""",
    ),
    (DELETE, """DELETE FROM "order" """),
    (DELETE, """DELETE FROM "order" WHERE status = 'open';"""),
    (DELETE, """DELETE FROM "order" WHERE id = 2 RETURNING id"""),
]
ALLOWED = [
    (INSERT, """INSERT INTO "order" (id, total, status) VALUES (8, 1, 'x'), (9, 10000, 'x')""", 2),
    (
        INSERT,
        """INSERT INTO "order" (id, total, status) VALUES (8, 1, 'x') RETURNING id, status""",
        [(8, "x")],
    ),
    (UPDATE, """UPDATE "order" SET total = 7 WHERE id <> 2""", 3),
    (UPDATE, """UPDATE "order" SET total = 7 WHERE id = 2 RETURNING status""", [("open",)]),
    (DELETE, """DELETE FROM "order" WHERE id <> 2""", 3),
    (DELETE, """DELETE FROM "order" WHERE id > 999 RETURNING id""", []),
]


@pytest.mark.parametrize("way", WAYS)
def test_sql_text_that_a_rule_forbids_changes_nothing(shop: Shop, way: str) -> None:
    before = shop.rows()
    for rules, sql in STATEMENTS:
        with shop.ruled({}), shop.engine.connect() as connection:
            plain = connection.execute(sa.select(order)).all()
            shop.send(way, sql, connection)  # without the rule it does something
            assert connection.execute(sa.select(order)).all() != plain
            connection.rollback()
        with shop.ruled(rules), shop.engine.connect() as connection:
            shop.send("text", """UPDATE "order" SET status = 'mine' WHERE id = 4""", connection)
            with pytest.raises(RuleDeniedError, match=r"Orders of [\d.]+ need approval") as raised:
                shop.send(way, sql, connection)
            assert raised.value.rule == "big"
            connection.commit()  # what came before the denied statement stands
        assert shop.rows() == [*before[:3], (4, 5.0, "mine")]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_rule_allows_answers_as_ever(shop: Shop, way: str) -> None:
    for rules, sql, answer in ALLOWED:
        after = []
        for now in (rules, {}):
            with shop.ruled(now), shop.engine.connect() as connection:
                assert shop.send(way, sql, connection) == answer
                after.append(connection.execute(sa.select(order).order_by(order.c.id)).all())
                connection.rollback()
        assert after[0] == after[1]


def test_the_orm_by_flush_and_by_bulk(shop: Shop) -> None:
    with shop.ruled(INSERT | UPDATE | DELETE), shop.session() as session:
        session.add_all([Order(total=Decimal(n)) for n in range(20)])
        session.flush()
        session.add_all([Order(total=Decimal(n)) for n in (1, 10_001)])
        with pytest.raises(RuleDeniedError):
            session.flush()
        session.rollback()
        with pytest.raises(RuleDeniedError):
            session.bulk_insert_mappings(Order, [{"total": n} for n in (1, 10_001)])  # type: ignore[arg-type]
        session.rollback()
        for found in session.scalars(sa.select(Order).order_by(Order.id)):
            found.status = "seen"
        with pytest.raises(RuleDeniedError, match="20000"):
            session.flush()
        session.rollback()
        with pytest.raises(RuleDeniedError):
            session.execute(
                sa.update(Order), [{"id": 1, "total": Decimal(5)}, {"id": 2, "total": Decimal(50_000)}]
            )
        session.rollback()
        session.delete(session.get_one(Order, 2))
        with pytest.raises(RuleDeniedError):
            session.flush()
        session.rollback()
        session.delete(session.get_one(Order, 1))
        session.get_one(Order, 3).total = Decimal(3)
        session.add(Order(id=50, total=Decimal(50)))
        session.commit()
    assert shop.rows() == [(2, 20000.0, "open"), (3, 3.0, "paid"), (4, 5.0, "open"), (50, 50.0, "open")]


def test_core_in_every_form(shop: Shop) -> None:
    with shop.ruled(INSERT | UPDATE | DELETE), shop.engine.connect() as connection:
        many = [{"total": Decimal(n)} for n in (1, 2, 10_001)]
        fine = [{"total": Decimal(n)} for n in (1, 2, 3)]
        assert connection.execute(order.insert(), {"total": 5}).inserted_primary_key[0] >= 5
        connection.execute(order.insert(), fine)
        assert len(connection.execute(order.insert().returning(order.c.id), fine).all()) == 3
        assert [
            r.total
            for r in connection.execute(
                order.insert().returning(order.c.total, sort_by_parameter_order=True), fine
            )
        ] == [1, 2, 3]
        assert connection.execute(order.update().where(order.c.id == 1).values(total=9)).rowcount == 1
        assert connection.execute(order.delete().where(order.c.id == 1).returning(order.c.total)).all() == [
            (9,)
        ]
        before = connection.execute(sa.select(order).order_by(order.c.id)).all()
        for denied in (
            lambda: connection.execute(order.insert(), {"total": 10_001}),
            lambda: connection.execute(order.insert(), many),
            lambda: connection.execute(order.insert().returning(order.c.id), many),
            lambda: connection.execute(order.insert().values(many)),
            lambda: connection.execute(
                order.insert().from_select(["total"], sa.select(order.c.total * 1000))
            ),
            lambda: connection.execute(order.update().values(total=order.c.total * 1000)),
            lambda: connection.execute(
                order.update().where(order.c.id == sa.bindparam("which")).values(status="x"),
                [{"which": 3}, {"which": 2}],
            ),
            lambda: connection.execute(order.delete()),
            lambda: connection.execute(order.delete().where(order.c.id == 2).returning(order.c.id)),
        ):
            with pytest.raises(RuleDeniedError):
                denied()
            assert connection.execute(sa.select(order).order_by(order.c.id)).all() == before


def test_unconditional_denials_hold_where_no_row_is_there(shop: Shop) -> None:
    rules = {
        ("order", "delete"): denies("never"),
        ("order", "insert"): denies("closed"),
        ("order", "update"): denies("no", None, "Not ", col("id", Kind.INT)),
    }
    with shop.ruled(rules):
        for way in WAYS:
            with pytest.raises(RuleDeniedError, match="'never' forbids deleting rows of 'order'"):
                shop.send(way, 'DELETE FROM "order" WHERE id = 12345')
            with pytest.raises(RuleDeniedError, match="Not –"):
                shop.send(way, 'UPDATE "order" SET total = 1 WHERE id = 12345')
            with pytest.raises(RuleDeniedError, match="Not 3"):
                shop.send(way, 'UPDATE "order" SET total = 1 WHERE id = 3')
            # It is not even sent: the database would say that there is such a row.
            with pytest.raises(RuleDeniedError, match="'closed' forbids"):
                shop.send(way, 'INSERT INTO "order" (id, total) VALUES (1, 1)')


def test_what_is_unknown_is_denied(shop: Shop) -> None:
    """``issued_on`` of order 4 is NULL: nobody knows whether its books are closed."""
    closed = op("<", col("issued_on", Kind.DATE), col("issued_on", Kind.DATE))
    with shop.ruled({("order", "delete"): denies("books", closed)}):
        assert shop.send("text", 'DELETE FROM "order" WHERE id = 3') == 1
        with pytest.raises(RuleDeniedError):
            shop.send("text", 'DELETE FROM "order" WHERE id = 4')


@pytest.mark.parametrize("image", ["", "old"], ids=["new", "old"])
def test_the_words_of_a_denial_show_nothing_that_is_masked(shop: Shop, image: str) -> None:
    rules = {("order", "update"): denies("no", None, "Not ", col("status", Kind.TEXT, image), ".")}
    update = """UPDATE "order" SET total = 2 WHERE id = 1"""
    with shop.ruled(rules), pytest.raises(RuleDeniedError, match=r"Not \w+\."):
        shop.send("text", update)
    for overlay in (Overlay(masks=(("status", Mask(Means.EMPTY)),)), Overlay(hidden=("status",))):
        with shop.ruled(rules, overlays={"order": overlay}), pytest.raises(RuleDeniedError, match=r"Not –\."):
            shop.send("text", update)


def test_other_tenants_and_central_work_are_under_no_rules_of_acme(shop: Shop) -> None:
    with shop.ruled(DELETE), shop.as_("bella"), shop.engine.connect() as connection:
        assert shop.send("text", 'DELETE FROM "order"', connection) == 4
        connection.rollback()


def test_what_a_row_was_before_has_its_types_too(shop: Shop) -> None:
    """SQLite gives dates as texts."""
    early = op("<", col("issued_on", Kind.DATE, "old"), const(date(2024, 2, 1), Kind.DATE))
    with shop.ruled({("order", "update"): denies("early", early)}):
        with pytest.raises(RuleDeniedError, match="'early' forbids"):
            shop.send("text", """UPDATE "order" SET issued_on = '2024-06-01' WHERE id = 1""")
        assert shop.send("text", """UPDATE "order" SET issued_on = '2024-01-01' WHERE id = 3""") == 1


def test_what_rules_set_is_judged_too(shop: Shop) -> None:
    big_by_rule = Setting("grows", (("total", const(Decimal(20_000), Kind.NUMBER)),))
    rules = WriteRules(denials=(Denial("big", (), big()),), settings=(big_by_rule,))
    with shop.ruled({("order", "insert"): rules}), pytest.raises(RuleDeniedError, match="'big' forbids"):
        shop.send("text", """INSERT INTO "order" (id, total) VALUES (9, 1)""")


def test_an_upsert_that_changes_a_row_is_an_update(shop: Shop) -> None:
    upsert = (
        """INSERT INTO "order" (id, total) VALUES ({}, 20000) ON CONFLICT (id) DO UPDATE SET total = 20000"""
    )
    with shop.ruled(UPDATE):
        with pytest.raises(RuleDeniedError, match="need approval"):
            shop.send("text", upsert.format(1))
        assert shop.send("text", upsert.format(9)) == 1
