"""A masked column shows its mask to everything that a statement does with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from flask_tenant.decision import Mask, Means, Overlay
from flask_tenant.errors import StatementRefusedError
from flask_tenant.expressions import Constant, Expression, Kind
from flask_tenant.rules.cases.outcome import masked
from tests.rules.reads.world import EMPTY, LAST4, Customer, Note, World, call, decide, number, text, word

C: Any = Customer.__table__.c
OTHER = sa.alias(Customer.__table__, "d")
LARGE: Expression = call(">", number("rating"), Constant(Kind.NUMBER, 0))


def masks(**found: Mask) -> Any:
    return decide({"customer": Overlay(masks=tuple(sorted(found.items())))})


def _raw(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    cursor = connection.connection.cursor()
    cursor.execute(sql)
    found = [tuple(row) for row in cursor.fetchall()]
    cursor.close()
    return found


READS: dict[str, Callable[[Connection], list[Any]]] = {
    "orm": lambda c: [x.phone for x in Session(c).scalars(sa.select(Customer).order_by(Customer.id))],
    "core": lambda c: list(c.scalars(sa.select(C.phone).order_by(C.id))),
    "text": lambda c: list(c.scalars(sa.text("SELECT phone FROM customer ORDER BY id"))),
    "star": lambda c: [r.phone for r in c.execute(sa.text("SELECT * FROM customer ORDER BY id"))],
    "driver": lambda c: list(c.exec_driver_sql("SELECT c.phone FROM customer c ORDER BY id").scalars()),
    "raw": lambda c: [r[0] for r in _raw(c, "SELECT phone FROM customer ORDER BY id")],
    "update": lambda c: list(c.scalars(sa.update(Customer.__table__).values(name="x").returning(C.phone))),
    "text update": lambda c: list(c.scalars(sa.text("UPDATE customer SET name = 'x' RETURNING phone"))),
    "star update": lambda c: [r.phone for r in c.execute(sa.text("UPDATE customer SET name = 'x' RETURNING *"))],
    "driver delete": lambda c: [
        r.phone for r in c.exec_driver_sql("DELETE FROM customer AS k WHERE k.id > 0 RETURNING phone")
    ],
}  # fmt: skip


@pytest.mark.parametrize("read", READS)
def test_every_way_in_shows_the_mask(world: World, read: str) -> None:
    with world.under(None) as connection:
        connection.execute(sa.text("DELETE FROM invoice"))
        assert "+49 30 01111" in READS[read](connection)
    with world.under(masks(phone=LAST4)) as connection:
        connection.execute(sa.text("DELETE FROM invoice"))
        shown = READS[read](connection)
        if "update" in read or "delete" in read:
            assert sorted(shown) == ["****", "****1111", "****2222", "****4444", "****5555"]
        else:
            assert shown == ["****1111", "****2222", "****", "****4444", "****5555"]


@pytest.mark.parametrize("mask", [LAST4, Mask(Means.FIRST, count=2)], ids=["last", "first"])
def test_cases_show_what_the_database_shows(world: World, mask: Mask) -> None:
    with world.under(None) as connection:
        values = READS["core"](connection)
    assert max(map(len, values)) > mask.count + 4
    with world.under(masks(phone=mask)) as connection:
        assert READS["core"](connection) == [masked(mask, value) for value in values]


MEANS = [
    (EMPTY, "tax_id", [None] * 5),
    (EMPTY, "phone", [""] * 5),
    (EMPTY, "rating", [0] * 5),
    (Mask(Means.CONSTANT, "gone"), "tax_id", ["gone"] * 5),
    (Mask(Means.CONSTANT, "it's 100 % \\ :x ?"), "name", ["it's 100 % \\ :x ?"] * 5),
    (Mask(Means.CONSTANT, 7), "rating", [7] * 5),
    (Mask(Means.FIRST, count=2), "tax_id", ["DE****", "DE****", "DE****", None, "DE****"]),
    (Mask(Means.LAST, count=0), "name", ["****"] * 5),
    (Mask(Means.LAST, count=2), "rating", [0] * 5),
    (
        Mask(Means.LAST, count=4, applies=LARGE),
        "phone",
        ["****1111", "****2222", "12", "****4444", "****5555"],
    ),
    (
        Mask(Means.EMPTY, applies=call("==", text("tax_id"), word("nobody"))),
        "rating",
        [1, 2, 0, 0, 2],
    ),  # 4: who knows
]


@pytest.mark.parametrize(("mask", "column", "wanted"), MEANS, ids=range(len(MEANS)))
def test_what_masks_show(world: World, mask: Mask, column: str, wanted: list[Any]) -> None:
    with world.under(masks(**{column: mask})) as connection:
        assert list(connection.scalars(sa.select(C[column]).order_by(C.id))) == wanted
        assert list(connection.scalars(sa.text(f"SELECT {column} FROM customer ORDER BY id"))) == wanted
        assert (
            list(connection.exec_driver_sql(f"SELECT {column} FROM customer ORDER BY id").scalars()) == wanted
        )
        assert [r[0] for r in _raw(connection, f"SELECT {column} FROM customer ORDER BY id")] == wanted


def test_a_hidden_column_is_empty_for_everybody(world: World) -> None:
    with world.under(decide({"customer": Overlay(hidden=("phone", "rating"))})) as connection:
        rows = connection.execute(sa.select(C.phone, C.rating)).all()
        assert rows == [(None, None)] * 5
        assert connection.execute(sa.text("SELECT phone, rating FROM customer")).all() == rows
        assert [x.phone for x in Session(connection).scalars(sa.select(Customer))] == [None] * 5


PROBES: dict[str, Any] = {
    "where": sa.select(C.id).where(C.tax_id == "DE01"),
    "like": sa.select(C.id).where(C.tax_id.like("DE%")),
    "is null": sa.select(C.id).where(C.tax_id.is_(None)),
    "order": sa.select(C.id).order_by(C.tax_id, C.id),
    "having": sa.select(sa.func.count(C.id)).group_by(C.rating).having(sa.func.max(C.tax_id) == "DE05"),
    "case": sa.select(C.id, sa.case((C.tax_id == "DE01", 1), else_=0)).order_by(C.id),
    "min": sa.select(sa.func.min(C.tax_id), sa.func.max(C.tax_id), sa.func.count(C.tax_id)),
    "window": sa.select(C.id, sa.func.rank().over(order_by=C.tax_id)).order_by(C.id),
    "join": sa.select(C.id, OTHER.c.id).where(
        C.id != OTHER.c.id, C.rating == OTHER.c.rating, C.tax_id > OTHER.c.tax_id
    ),
    "orm": sa.select(Customer.id).filter_by(tax_id="DE01"),
    "orm exists": sa.select(Customer.id).where(~Customer.invoices.any(), Customer.tax_id == "DE05"),
    "text where": sa.text("SELECT id FROM customer WHERE tax_id = 'DE01'"),
    "text cte": sa.text("WITH customer2 AS (SELECT * FROM customer) SELECT id FROM customer2 WHERE tax_id LIKE 'DE%'"),
    "text shadow": sa.text("WITH x AS (SELECT tax_id AS a FROM customer) SELECT max(a) FROM x"),
    "set operation": sa.text("SELECT tax_id FROM customer INTERSECT SELECT 'DE01'"),
    "except": sa.text("SELECT tax_id FROM customer EXCEPT SELECT 'DE01'"),
    "fragment": sa.select(C.id).where(sa.text("customer.tax_id = 'DE01'")),
    "fragment order": sa.select(C.id).order_by(sa.text("tax_id"), C.id),
    "literal column": sa.select(sa.literal_column("max(tax_id)")).select_from(Customer.__table__),
    "group": sa.select(C.tax_id, sa.func.count()).group_by(C.tax_id).order_by(C.tax_id),
    "division": sa.text("SELECT id FROM customer WHERE 1 / (length(tax_id) - 4) < 100"),
    "update where": sa.update(Customer.__table__).values(name="x").where(C.tax_id == "DE01").returning(C.id),
    "update set": sa.update(Customer.__table__).values(name=sa.func.coalesce(C.tax_id, "-")).returning(C.name),
    "update subquery": sa.update(Customer.__table__).values(name="x").where(
        C.id.in_(sa.select(C.id).where(C.tax_id == "DE01").scalar_subquery().correlate(None))
    ).returning(C.id),
    "orm update": sa.update(Customer).values(name="x").where(Customer.tax_id == "DE01").returning(Customer.id),
    "text update": sa.text("UPDATE customer SET name = 'x' WHERE tax_id = 'DE01' RETURNING id"),
    "text update set": sa.text("UPDATE customer SET name = coalesce(tax_id, '-') RETURNING name"),
    "text alias": sa.text("UPDATE customer AS k SET name = 'x' WHERE k.tax_id LIKE 'DE%' RETURNING id, tax_id"),
    "text exists": sa.text(
        "UPDATE customer SET name = 'x' WHERE EXISTS (SELECT 1 FROM note WHERE tax_id = 'DE01') RETURNING id"
    ),
    "text delete": sa.text("DELETE FROM customer WHERE tax_id = 'DE01' RETURNING id, upper(tax_id)"),
    "delete": sa.delete(Customer.__table__).where(C.tax_id == "DE01").returning(C.id),
    "upsert": sa.text(
        "INSERT INTO customer (id, name, phone, rating) VALUES (1, 'n', 'p', 1) "
        "ON CONFLICT (id) DO UPDATE SET name = coalesce(customer.tax_id, '-') WHERE customer.tax_id = 'DE01' "
        "RETURNING tax_id, name"
    ),
    "insert select": sa.text(
        "INSERT INTO note (id, text) SELECT id + 100, tax_id FROM customer WHERE id = 1 RETURNING text"
    ),
}  # fmt: skip


def _answer(connection: Connection, statement: Any) -> Any:
    try:
        with connection.begin_nested():
            return [tuple(row) for row in connection.execute(statement)]
    except Exception as error:
        return type(getattr(error, "orig", None) or error).__name__


@pytest.mark.parametrize("probe", PROBES)
def test_nobody_finds_out_what_is_behind_a_mask(world: World, probe: str) -> None:
    """The same answers from two databases that differ in masked values only."""
    answers = {}
    statement = PROBES[probe]
    for tax_ids in ("as they are", "others"):
        with world.under(decide({})) as connection:
            connection.execute(sa.text("DELETE FROM invoice"))
            if tax_ids == "others":
                connection.execute(sa.text("UPDATE customer SET tax_id = 'QX' || (10 - id) WHERE id > 1"))
                connection.execute(sa.text("UPDATE customer SET tax_id = NULL WHERE id = 1"))
            plain = _answer(connection, statement)
            assert isinstance(plain, list) or probe == "division"
            world.rules.rulings["acme"] = masks(tax_id=EMPTY)
            empty = _answer(connection, statement)
            world.rules.rulings["acme"] = masks(tax_id=Mask(Means.CONSTANT, "DE05"))
            constant = _answer(connection, statement)
            answers[tax_ids] = (plain, empty, constant)
    there, others = answers["as they are"], answers["others"]
    assert there[1:] == others[1:]
    assert there[0] != others[0], "the probe finds out nothing without masks"


CONFLICTS = [
    sa.text(
        "INSERT INTO customer (id, name, phone, rating) VALUES (9, 'n', 'p', 1) ON CONFLICT (phone) DO NOTHING"
    ),
    sa.update(Customer.__table__).values(name="x").where(sa.text("phone = '12'")),
    sa.update(Customer.__table__).values(name="x").where(sa.literal_column("customer.phone") == "12"),
    sa.text("UPDATE customer SET name = 'x' WHERE id IN (SELECT phone FROM (SELECT 1 AS id) s)"),
    sa.update(Customer.__table__)
    .values(name="x")
    .where(sa.exists(sa.select(sa.literal(1)).select_from(Note.__table__).where(sa.column("phone") == "12"))),
    sa.update(Customer.__table__).values(name="x").returning(sa.text("*")),
    sa.delete(Customer.__table__).returning(sa.literal_column("customer.*")),
    *(
        kind.insert(Customer.__table__)
        .values(id=9, phone="12")
        .on_conflict_do_nothing(index_elements=["phone"])
        for kind in (sqlite, postgresql)
    ),
]


@pytest.mark.parametrize("statement", CONFLICTS, ids=range(len(CONFLICTS)))
def test_what_cannot_be_masked_is_refused(world: World, statement: Any) -> None:
    if type(statement).__module__.split(".")[-2] not in ("sql", world.engine.dialect.name):
        pytest.skip("the other database's")
    with (
        world.under(masks(phone=LAST4)) as connection,
        pytest.raises(StatementRefusedError, match=r"'(phone|\*)'.* rules mask"),
    ):
        connection.execute(statement)
