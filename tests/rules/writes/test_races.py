"""Two transactions race: a row that another one changes meanwhile is judged as it is, or nothing is written."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upserting
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from flask_tenant.errors import RuleDeniedError, StatementRefusedError
from tests.rules.shop import Shop, order
from tests.rules.writes.races import (
    ALONE,
    DELETES,
    GROWS,
    LEVELS,
    LOOKED,
    POSTGRESQL,
    RULES,
    SHRINKS,
    UNDONE,
    UPDATES,
    Doing,
    Other,
    Work,
    as_acme,
    between,
    sql,
)
from tests.rules.writes.test_onward import World


@pytest.mark.databases(*POSTGRESQL)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.filterwarnings("ignore:DELETE statement on table:sqlalchemy.exc.SAWarning")
def test_a_row_that_grows_while_a_statement_waits_for_it(shop: Shop, level: str) -> None:
    """READ COMMITTED goes on with the row as it is then; the other levels end the transaction."""
    other = Other(shop)
    whole = level == "READ COMMITTED"
    tried = [(f"update {n}", w) for n, w in UPDATES.items() if whole or n in ("text", "upsert")]
    tried += [(f"delete {n}", w) for n, w in DELETES.items() if whole or n == "core"]
    refused = 0
    for rules in RULES:
        for name, work in tried:
            with other.doing(GROWS):
                doing = Doing(lambda work=work, rules=rules: as_acme(shop, RULES[rules], work, level))
                other.waits_for(doing)
            try:
                doing.ended()
            except (RuleDeniedError, SQLAlchemyError):
                refused += 1
            row = shop.rows()[0]
            assert row[:2] == (1, 20_000), (rules, name)
            assert row[2] == ("late" if rules == "set" and row[2] != "open" else "open"), (rules, name)
            other.does(SHRINKS)
    assert refused >= (50 if whole else len(tried) * len(RULES))


NEW = """INSERT INTO "order" (tenant_id, id, total, status) VALUES ({acme}, 9, 20000, 'theirs')"""
INTO = """INSERT INTO "order" (id, total, status) VALUES (1, 1, 'mine'), (9, 1, 'mine') ON CONFLICT (id) """
UPSERTS: dict[str, Work] = {
    "text": sql(f"{INTO} DO UPDATE SET status = 'mine', total = 1"),
    "returning": sql(f"{INTO} DO UPDATE SET status = 'mine', total = 1 RETURNING id"),
    "name": sql(
        f"{INTO.replace('(id, total', 'AS o (id, total', 1)} DO UPDATE SET status = 'mine', total = 1"
    ),
    "many": lambda c: c.execute(
        sa.text(
            'INSERT INTO "order" (id, total, status) VALUES (:id, 1, :status) '
            "ON CONFLICT (id) DO UPDATE SET status = 'mine', total = 1"
        ),
        [{"id": 1, "status": "mine"}, {"id": 9, "status": "mine"}],
    ),
    "core": lambda c: c.execute(
        upserting(order)
        .values([{"id": n, "total": 1, "status": "mine"} for n in (1, 9)])
        .on_conflict_do_update(index_elements=["id"], set_={"status": "mine", "total": 1})
    ),
}
COMES = {
    **UPSERTS,
    "update": sql("""UPDATE "order" SET status = 'mine', total = 1 WHERE id IN (1, 9)"""),
}


@pytest.mark.databases(*POSTGRESQL)
@pytest.mark.parametrize("rules", ["old", "mask", "set"])
@pytest.mark.parametrize("moment", [UNDONE, LOOKED], ids=["undone", "looked"])
def test_a_row_that_comes_after_the_look(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, rules: str, moment: str
) -> None:
    other = Other(shop)
    for name, work in COMES.items():
        with between(monkeypatch, moment, lambda: other.does(NEW)):
            if rules == "set":
                as_acme(shop, RULES[rules], work)
            else:
                with pytest.raises(RuleDeniedError):
                    as_acme(shop, RULES[rules], work)
        assert [row for row in shop.rows() if row[0] == 9] == [
            (9, 1, "late") if rules == "set" else (9, 20_000, "theirs")
        ], name
        shop.fill()


@pytest.mark.databases(*POSTGRESQL)
def test_an_upsert_that_waits_for_a_new_row(shop: Shop) -> None:
    """At any other level than READ COMMITTED PostgreSQL ends the transaction."""
    other = Other(shop)
    for level in LEVELS:
        for name, work in UPSERTS.items():
            with other.doing(NEW):
                doing = Doing(lambda work=work, level=level: as_acme(shop, RULES["old"], work, level))
                other.waits_for(doing)
            with pytest.raises(RuleDeniedError if level == LEVELS[0] else OperationalError):
                doing.ended()
            assert shop.rows()[-1] == (9, 20_000, "theirs"), name
            shop.fill()


@pytest.mark.databases(*POSTGRESQL)
def test_an_upsert_that_meets_its_own_new_row_again(shop: Shop) -> None:
    """It is new all the same: nobody else has had it."""
    upsert = sa.text(
        'INSERT INTO "order" (id, total) VALUES (:id, :total) '
        "ON CONFLICT (id) DO UPDATE SET total = excluded.total"
    )
    rows = [{"id": 9, "total": 20_000}, {"id": 1, "total": 1}, {"id": 9, "total": 2}]
    as_acme(shop, RULES["old"], lambda connection: connection.execute(upsert, rows))
    assert [row[1] for row in shop.rows() if row[0] in (1, 9)] == [1, 2]


@pytest.mark.databases(*POSTGRESQL)
def test_an_upsert_into_partitions(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL tells nothing of system columns in their RETURNING."""
    world = World(database_url)
    try:
        world.fill()
        world.physically(
            "CREATE TABLE log (tenant_id int NOT NULL, id int NOT NULL, text text, PRIMARY KEY (tenant_id, id)) "
            "PARTITION BY LIST (tenant_id)",
            "CREATE TABLE log_1 PARTITION OF log DEFAULT",
            "INSERT INTO log VALUES (1, 1, 'open')",
        )
        world.activate('- {id: no, for: {update: log}, when: old.text == "closed", deny: "Closed."}')
        upsert = (
            "INSERT INTO log (id, text) VALUES (1, 'mine'), (2, 'mine') "
            "ON CONFLICT (id) DO UPDATE SET text = 'mine'"
        )
        with (
            between(monkeypatch, LOOKED, lambda: world.physically("INSERT INTO log VALUES (1, 2, 'closed')")),
            pytest.raises(RuleDeniedError, match="Closed"),
        ):
            world.write(upsert)
        rows = "SELECT id, text FROM log ORDER BY id"
        assert world.physically(rows) == [(1, "open"), (2, "closed")]
        world.physically("DELETE FROM log WHERE id = 2")
        world.write(upsert)
        assert world.physically(rows) == [(1, "mine"), (2, "mine")]
    finally:
        world.close()


def test_a_row_that_hangs_on_a_deleted_one_is_taken_away_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order 3 hangs on customer 2 by ON DELETE CASCADE."""
    other = Other(shop)
    grows = """UPDATE "order" SET total = 20000 WHERE tenant_id = {acme} AND id = 3"""
    adds = """INSERT INTO "order" (tenant_id, id, customer_id, total) VALUES ({acme}, 9, 2, 20000)"""
    deletes = sql("DELETE FROM customer WHERE id = 2")
    for moment in (UNDONE, LOOKED, ALONE):
        for writes in (grows, adds):
            did: list[bool] = []

            def meanwhile(writes: str = writes, did: list[bool] = did) -> None:
                try:
                    other.does(writes, patience_ms=100)
                except OperationalError:  # the row, or the file, is locked
                    did.append(False)
                else:
                    did.append(True)

            with between(monkeypatch, moment, meanwhile):
                try:
                    as_acme(shop, RULES["filter"], deletes)
                except StatementRefusedError:
                    assert did == [True]
                else:
                    assert did == [False], (moment, writes)
            found = [row[:2] for row in shop.rows() if row[1] == 20_000]
            assert len(found) == (2 if did[0] else 1), (moment, writes)
            shop.fill()
