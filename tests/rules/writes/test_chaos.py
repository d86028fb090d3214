"""Connections that write the same few rows at once: what a trigger of the database's has seen is what rules allow."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from flask_tenant.errors import RuleDeniedError, StatementRefusedError
from tests.rules.shop import WAYS, Shop
from tests.rules.writes.races import LEVELS, RULES, Doing, Other
from tests.services.availability import FULL

STATEMENTS = [
    """UPDATE "order" SET status = 'mine' WHERE id = {a}""",
    """UPDATE "order" SET status = 'mine' WHERE id IN ({a}, {b})""",
    """UPDATE "order" SET status = 'mine' WHERE total < 1000""",
    """UPDATE "order" o SET status = 'mine' FROM customer c WHERE c.id = o.customer_id AND o.id < {a}""",
    """INSERT INTO "order" (id, customer_id, total, status) VALUES ({a}, 1, 1, 'mine'), ({b}, 2, 1, 'mine')
    ON CONFLICT (id) DO UPDATE SET status = 'mine', total = "order".total + 1""",
    'DELETE FROM "order" WHERE id = {a}',
    'DELETE FROM "order" WHERE total < 50',
    "DELETE FROM customer WHERE id = {c}",
]
OTHERS = [
    """UPDATE "order" SET total = {total}, status = 'open' WHERE tenant_id = {acme} AND id = {a}""",
    """INSERT INTO "order" (tenant_id, id, customer_id, total, status) VALUES ({acme}, {a}, {c}, {total}, 'open')
    ON CONFLICT DO NOTHING""",
    'DELETE FROM "order" WHERE tenant_id = {acme} AND id = {a}',
    "INSERT INTO customer (tenant_id, id, name) VALUES ({acme}, 1, 'x'), ({acme}, 2, 'y') ON CONFLICT DO NOTHING",
]
WATCH = [
    "CREATE TABLE IF NOT EXISTS seen (verb text, id int, old numeric, new numeric, status text)",
    "DELETE FROM seen",
    """CREATE OR REPLACE FUNCTION watches() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('app.who', true) IS DISTINCT FROM 'other' THEN
        INSERT INTO seen VALUES (TG_OP, coalesce(NEW.id, OLD.id), OLD.total, NEW.total, NEW.status);
    END IF; RETURN NULL; END $$""",
    """CREATE OR REPLACE TRIGGER watches AFTER INSERT OR UPDATE OR DELETE ON "order"
    FOR EACH ROW EXECUTE FUNCTION watches()""",
]
FORBIDDEN = {
    "old": "old > 10000",
    "filter": "old > 10000",
    "new": "verb = 'UPDATE' AND new > 10000 OR verb = 'DELETE' AND old > 10000",
    "mask": "old > 10000 AND (verb = 'DELETE' OR status = 'mine')",
}
ROUNDS = 400


@pytest.mark.skipif(not FULL, reason="a minute: in the long run only")
@pytest.mark.databases("postgresql+psycopg", "postgresql+psycopg2")
@pytest.mark.parametrize("rules", FORBIDDEN)
def test_nothing_is_written_that_rules_forbid(shop: Shop, rules: str) -> None:
    other = Other(shop)
    done: Counter[str] = Counter()

    def given(chance: random.Random) -> dict[str, int]:
        a, b = chance.sample(range(1, 9), 2)
        return {
            "a": a,
            "b": b,
            "c": chance.choice((1, 2)),
            "total": chance.choice((30, 20_000)),
            "acme": other.acme,
        }

    def others(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(ROUNDS):
            statements = [chance.choice(OTHERS).format(**given(chance)) for _ in range(chance.randint(1, 2))]
            try:
                other.does("SET LOCAL app.who = 'other'", *statements)
            except SQLAlchemyError:
                done["other failed"] += 1

    def mine(seed: int) -> None:
        chance = random.Random(seed)
        level = LEVELS[max(0, seed - 2) % 3]
        for _ in range(ROUNDS):
            sql, way = chance.choice(STATEMENTS).format(**given(chance)), chance.choice(WAYS)
            try:
                with shop.as_(), shop.engine.connect() as plain:
                    connection = plain.execution_options(isolation_level=level)
                    shop.send(way, sql, connection)
                    connection.commit()
            except (RuleDeniedError, StatementRefusedError):
                done["refused"] += 1
            except (
                SQLAlchemyError,
                shop.engine.dialect.loaded_dbapi.Error,
            ):  # a cursor's own, on the raw way
                done["failed"] += 1
            else:
                done["written"] += 1

    with shop.physical.begin() as connection:
        for sql in WATCH:
            connection.exec_driver_sql(sql)
    try:
        with shop.ruled(**RULES[rules]):
            works = [Doing(lambda n=n: others(n)) for n in range(3)] + [
                Doing(lambda n=n: mine(n)) for n in range(4)
            ]
            for work in works:
                work.ended(600)
        with shop.physical.connect() as connection:
            counted = "SELECT verb, count(*) FROM seen GROUP BY 1"
            assert {verb for verb, _ in connection.exec_driver_sql(counted)} == {"INSERT", "UPDATE", "DELETE"}
            assert not connection.execute(sa.text(f"SELECT * FROM seen WHERE {FORBIDDEN[rules]}")).all()
    finally:
        with shop.physical.begin() as connection:
            connection.exec_driver_sql('DROP TRIGGER watches ON "order"')
            connection.exec_driver_sql("DROP TABLE seen")
    assert done["refused"] > 20, done
    assert done["written"] > 100, done
