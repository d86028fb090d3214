"""Ways past write rules that the database itself offers: keys that are passed on, REPLACE, triggers, other names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import Tenancy, central_context, registry, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.decision import Decision, Denial, Mask, Means, Overlay, Ruling, Setting, WriteRules
from flask_tenant.errors import RuleDeniedError, StatementRefusedError
from flask_tenant.expressions import Kind
from flask_tenant.registry import state_of
from tests.rules.shop import WAYS, Shop, col, const, customer, denies, op, order

OPEN = op("==", col("status", Kind.TEXT), const("open", Kind.TEXT))
SMALL = Overlay((op("<=", col("total", Kind.NUMBER), const(10_000, Kind.NUMBER)),))
"""The order 2, of 20,000, is not there."""


# ---- rows that a filter takes away
@pytest.mark.parametrize("way", WAYS)
def test_an_upsert_of_a_row_that_is_not_there_is_refused(shop: Shop, way: str) -> None:
    upsert = """INSERT INTO "order" (id, total, status) VALUES (7, 1, 'new'), ({}, 1, 'mine')
        ON CONFLICT (id) DO UPDATE SET status = excluded.status {}"""
    with shop.ruled(overlays={"order": SMALL}):
        for where in ("", "WHERE excluded.total > 5", 'WHERE "order".total > 5 OR true'):
            with pytest.raises(RuleDeniedError, match="rules take away"):
                shop.send(way, upsert.format(2, where))
        assert (
            shop.send(
                way, upsert.format(2, "").replace("DO UPDATE SET status = excluded.status", "DO NOTHING")
            )
            == 1
        )
        assert shop.send(way, upsert.format(1, "").replace("(7,", "(8,")) == 2
    assert [(row[0], row[2]) for row in shop.rows()] == [
        (1, "mine"), (2, "open"), (3, "paid"), (4, "open"), (7, "new"), (8, "new"),
    ]  # fmt: skip


def test_an_upsert_by_sqlalchemy_of_a_row_that_is_not_there_is_refused(shop: Shop) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    insert = (sqlite if shop.sqlite else postgresql).insert(order)
    upsert = insert.on_conflict_do_update(index_elements=["id"], set_={"status": "mine"})
    rows = [{"id": number, "total": 1, "status": "new"} for number in (1, 2)]
    with shop.ruled(overlays={"order": SMALL}):
        for given in (rows, rows[1]):
            with pytest.raises(RuleDeniedError, match="rules take away"), shop.engine.begin() as connection:
                connection.execute(upsert, given)
        with shop.engine.begin() as connection:
            connection.execute(upsert, rows[0])
    assert [row[2] for row in shop.rows()] == ["mine", "open", "paid", "open"]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("way", WAYS)
def test_replace_deletes_no_row_that_is_not_there(shop: Shop, way: str) -> None:
    statements = (
        """REPLACE INTO "order" (id, total) VALUES (2, 1)""",
        """INSERT OR REPLACE INTO "order" (id, total) VALUES (2, 1)""",
        """UPDATE OR REPLACE "order" SET id = 2 WHERE id = 1""",
    )
    with shop.ruled(overlays={"order": SMALL}):
        for sql in statements:
            with pytest.raises(StatementRefusedError, match="REPLACE"):
                shop.send(way, sql)
        for statement in (
            order.insert().prefix_with("OR REPLACE").values(id=2, total=1),
            order.update().prefix_with("OR REPLACE").values(id=2).where(order.c.id == 1),
        ):
            with pytest.raises(StatementRefusedError, match="REPLACE"), shop.engine.begin() as connection:
                connection.execute(statement)
        assert shop.send(way, """INSERT OR IGNORE INTO "order" (id, total) VALUES (2, 1)""") == 0
    assert [row[0] for row in shop.rows()] == [1, 2, 3, 4]


@pytest.mark.parametrize("way", WAYS)
def test_the_database_deletes_no_row_that_is_not_there(shop: Shop, way: str) -> None:
    """Orders 1 and 2 hang on customer 1 by ON DELETE CASCADE, and 2 is filtered; 3 is there, and hangs on 2."""
    with shop.ruled(overlays={"order": SMALL}):
        with pytest.raises(StatementRefusedError, match="hang on rows of 'customer'"):
            shop.send(way, "DELETE FROM customer WHERE id = 1")
        assert shop.send(way, "DELETE FROM customer WHERE id = 2") == 1
        with pytest.raises(StatementRefusedError), shop.engine.begin() as connection:
            connection.execute(customer.delete())
    assert [row[0] for row in shop.rows()] == [1, 2, 4]


# ---- columns by other names, and values that nobody gave
MASKED = {"order": Overlay(masks=(("approved_by", Mask(Means.LAST, count=1)), ("status", Mask(Means.EMPTY))))}


@pytest.mark.parametrize("way", WAYS)
def test_a_masked_column_that_is_not_named_is_in_nobodys_way(shop: Shop, way: str) -> None:
    """Rules that read it, and hooks that get the whole row, see what is stored."""
    shop.tenancy.hooks._functions["seen"] = lambda row: row["status"] == "open"
    from flask_tenant.decision import Validation

    paid = op("==", col("status", Kind.TEXT), const("paid", Kind.TEXT))
    each = WriteRules(denials=(Denial("paid", (), paid),), validations=(Validation("seen", "seen"),))
    rules = dict.fromkeys((("order", "insert"), ("order", "update"), ("order", "delete")), each)
    with shop.ruled(rules, overlays=MASKED):
        assert shop.send(way, 'UPDATE "order" SET total = total + 1 WHERE id IN (1, 2)') == 2
        assert shop.send(way, 'INSERT INTO "order" (id, total) VALUES (9, 9)') == 1
        assert shop.send(way, 'DELETE FROM "order" WHERE id = 4') == 1
        for sql in ('UPDATE "order" SET total = 1', 'DELETE FROM "order" WHERE id = 3'):
            with pytest.raises(RuleDeniedError, match="'paid' forbids"):
                shop.send(way, sql)
        with pytest.raises(RuleDeniedError, match="'approved_by' of 'order' is masked"):
            shop.send(way, """INSERT INTO "order" (id, total, approved_by) VALUES (10, 1, '****')""")
    assert shop.rows() == [(1, 101, "open"), (2, 20_001, "open"), (3, 300, "paid"), (9, 9, "open")]


@pytest.mark.parametrize("way", WAYS)
def test_rules_write_what_people_do_not_see(shop: Shop, way: str) -> None:
    """``set`` is the rule's own; what RETURNING shows of it is what the view shows."""
    puts = WriteRules(settings=(Setting("by", (("approved_by", const("eve", Kind.TEXT)),)),))
    hidden = {"order": Overlay(hidden=("approved_by",))}
    with shop.ruled({("order", "insert"): puts, ("order", "update"): puts}, overlays=hidden):
        rows = shop.send(way, """INSERT INTO "order" (id, total) VALUES (9, 9) RETURNING id, approved_by""")
        rows += shop.send(way, """UPDATE "order" SET total = 1 WHERE id = 1 RETURNING id, approved_by""")
        assert rows == [(9, None), (1, None)]
    assert shop.rows(columns="id, approved_by")[0::4] == [(1, "eve"), (9, "eve")]


@pytest.mark.parametrize("way", WAYS)
def test_returning_knows_null(shop: Shop, way: str) -> None:
    """SQLite 3.40 takes a column for NOT NULL in RETURNING when the table's first one is: the tenant's always is."""
    unknown = op("!", op("is_known", col("approved_by", Kind.TEXT)))
    masks = (("approved_by", Mask(Means.LAST, count=1)), ("status", Mask(Means.EMPTY, applies=unknown)))
    with shop.ruled(overlays={"order": Overlay(masks=masks)}):
        for sql in (
            """UPDATE "order" SET total = 1 WHERE id = 1 RETURNING approved_by, status""",
            """INSERT INTO "order" (id, total) VALUES (9, 9) RETURNING approved_by, status""",
            """DELETE FROM "order" WHERE id = 9 RETURNING approved_by, status""",
        ):
            assert shop.send(way, sql) == [(None, "")]


@pytest.mark.databases("postgresql+psycopg", "postgresql+psycopg2")
@pytest.mark.parametrize("way", WAYS)
def test_errors_do_not_show_what_is_masked(shop: Shop, way: str) -> None:
    """PostgreSQL puts the whole row into some of its messages."""
    secret = "DE123456789"
    update = "UPDATE customer SET name = NULL WHERE id = 1"
    with shop.as_(), pytest.raises(Exception, match=secret):
        shop.send(way, update)  # nobody has to be shown less than what is theirs
    for overlay in (Overlay(masks=(("tax_id", Mask(Means.EMPTY)),)), Overlay(hidden=("tax_id",))):
        with (
            shop.ruled(overlays={"customer": overlay}),
            pytest.raises(Exception, match="not shown") as failed,
        ):
            shop.send(way, update)
        error = getattr(failed.value, "orig", failed.value)
        assert secret not in f"{failed.value} {error} {error.args} {error.diag.message_detail}"
        assert "violates not-null" in str(error)


@pytest.mark.databases("sqlite")
def test_hooks_get_the_same_values_from_every_database(shop: Shop) -> None:
    """SQLite keeps dates as texts, and numbers with decimals as floats."""
    import datetime as dt
    from decimal import Decimal

    from flask_tenant.decision import Validation

    seen = []
    shop.tenancy.hooks._functions["seen"] = lambda row: seen.append(row)
    rules = {("order", "insert"): WriteRules(validations=(Validation("seen", "seen"),))}
    with shop.ruled(rules), shop.engine.begin() as connection:
        day, when = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30)  # noqa: DTZ001 - as columns have them
        connection.execute(order.insert().values(id=9, total=Decimal("9.75"), issued_on=day, changed_at=when))
        connection.exec_driver_sql("""INSERT INTO "order" (id, total, issued_on) VALUES (10, 1, 'someday')""")
    assert seen[0]["total"] == Decimal("9.75")
    assert isinstance(seen[0]["total"], Decimal)
    assert (seen[0]["issued_on"], seen[0]["changed_at"]) == (day, when.replace(tzinfo=dt.UTC))
    assert seen[1]["issued_on"] == "someday"  # it is no date, and SQLite keeps it all the same


# ---- another schema
metadata = sa.MetaData()
owner = sa.Table(
    "Owner",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String, unique=True),
)
pet = sa.Table(
    "Pet", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("taxId", sa.String),
    sa.Column("code", sa.ForeignKey("Owner.code", onupdate="CASCADE", ondelete="SET NULL")),
)  # fmt: skip


class Fixed:
    """Says the same of every statement of a tenant."""

    def __init__(self) -> None:
        self.found: Ruling | None = None

    def obey(self, **decided: object) -> None:
        overlays: dict[str, Overlay] = decided.get("overlays", {})  # type: ignore[assignment]
        self.found = Ruling(Decision(1, shape=frozenset(overlays.items()), **decided))  # type: ignore[arg-type]

    def ruling(self, holder: object) -> Ruling | None:
        scope = current_scope()
        return self.found if scope is not None and scope.tenant is not None else None


@pytest.fixture
def pets(database_url: str) -> Iterator[tuple[sa.Engine, Fixed, Flask]]:
    engine, physical = sa.create_engine(database_url), sa.create_engine(database_url)
    app = Flask("pets")
    tenancy = Tenancy(app, engines=[engine])
    tenancy.exempt(physical)
    with central_context(reason="set-up", app=app):
        metadata.create_all(engine)
    state = state_of(app)
    state.create("acme", "acme")
    rules = Fixed()
    state.databases.isolations[engine].wall.rules = rules
    with tenant_context("acme", app), engine.begin() as connection:
        connection.execute(owner.insert(), [{"id": 1, "code": "a"}, {"id": 2, "code": "b"}])
        connection.execute(pet.insert(), [{"id": 1, "taxId": "DE1234", "code": "a"}])
    with tenant_context("acme", app):
        yield engine, rules, app
    engine.dispose()
    physical.dispose()
    registry._apps.discard(state)


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_keys_that_are_passed_on_and_names_in_capitals(pets: tuple[sa.Engine, Fixed, Flask]) -> None:
    engine, rules, _ = pets

    def refused(statement: object, error: type[Exception]) -> None:
        with pytest.raises(error), engine.begin() as connection:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)  # type: ignore[call-overload]

    with engine.connect() as connection:  # without a rule, the database changes the other table
        connection.execute(owner.update().where(owner.c.id == 1).values(code="c"))
        assert connection.execute(sa.select(pet.c.code)).scalar() == "c"
        connection.rollback()
    for decided in (
        {"writes": {("Pet", "update"): denies("no", op("is_known", col("code", Kind.TEXT)))}},
        {"overlays": {"Pet": Overlay((op("==", col("id", Kind.INT), const(7, Kind.INT)),))}},
    ):
        rules.obey(**decided)
        refused(owner.update().where(owner.c.id == 1).values(code="c"), StatementRefusedError)
        refused("""UPDATE "Owner" SET code = 'c' WHERE id = 1""", StatementRefusedError)
        refused(owner.delete().where(owner.c.id == 1), StatementRefusedError)
        with engine.begin() as connection:
            connection.execute(owner.update().values(id=owner.c.id + 10))
            connection.execute(owner.update().values(id=owner.c.id - 10))
    rules.obey(overlays={"Pet": Overlay(masks=(("taxId", Mask(Means.LAST, count=2)),))})
    name = "TAXID" if engine.dialect.name == "sqlite" else '"taxId"'
    refused(f"""UPDATE "Pet" SET {name} = '****34' """, RuleDeniedError)
    refused(f"""INSERT INTO "Pet" (id, {name}) VALUES (2, '****34')""", RuleDeniedError)
    refused(pet.update().values(taxId="****34"), RuleDeniedError)
    rules.found = None
    with engine.connect() as connection:
        assert connection.execute(sa.select(pet.c.taxId, pet.c.code)).all() == [("DE1234", "a")]
