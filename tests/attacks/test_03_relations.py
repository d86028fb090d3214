"""Class 3: a relation is not always where a parser keeps its tables; and views, triggers and functions of the database.

``security_invoker`` views and row level security, which could let some of these through, come with a later issue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from flask_tenant.errors import StatementRefusedError, UnsafeObjectError
from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import WAYS, World, make_app
from tests.services.databases import MakeDatabase

SQLITE = attacks(
    """
SELECT 'only-bella' IN (SELECT key FROM setting)

SELECT name FROM customer WHERE balance IN (SELECT balance + 0 FROM customer)

SELECT (SELECT group_concat(value, ' ') FROM (SELECT value FROM setting ORDER BY value))

SELECT j.value FROM (SELECT json_group_array(page) AS a FROM (SELECT page FROM visit ORDER BY hits)) s, json_each(s.a) j

SELECT * FROM (customer)

SELECT * FROM (customer c JOIN invoice i ON c.id = i.customer_id)

SELECT count(*) FROM (((SELECT 1 FROM customer)))

WITH RECURSIVE up(id, name) AS (SELECT id, name FROM customer WHERE boss_id IS NULL UNION ALL
 SELECT c.id, c.name FROM customer c JOIN up ON c.boss_id = up.id) SELECT * FROM up
""",
    answered=True,
) + attacks(
    """
SELECT name FROM customer WHERE id IN visit

SELECT 'canary-bella' IN main.visit

SELECT 'x' NOT IN temp.visit
""",
    "none",
) + attacks(
    """
SELECT 1 WHERE ('canary-acme', 0) IN visit

SELECT 1 WHERE ('canary-bella', 0) IN main.visit
""",
    "none",
    answered=True,
)  # fmt: skip

POSTGRESQL = attacks(
    """
TABLE customer

SELECT * FROM ONLY customer

SELECT * FROM customer *

SELECT 'only-bella' IN (TABLE names) FROM (SELECT 1) x, LATERAL (SELECT 1) y
""".replace("SELECT 'only-bella' IN (TABLE names) FROM (SELECT 1) x, LATERAL (SELECT 1) y", "").strip(),
    answered=True,
) + attacks(
    """
SELECT s.n FROM generate_series(1, 1) g, LATERAL (SELECT count(*) AS n FROM customer) s

SELECT * FROM customer c, LATERAL (SELECT number FROM invoice i WHERE i.customer_id = c.id) x

SELECT * FROM (customer c JOIN invoice i ON c.id = i.customer_id)

SELECT ARRAY(SELECT name FROM customer ORDER BY name)

SELECT * FROM unnest(ARRAY(SELECT name FROM customer)) AS u(n)

SELECT value FROM json_each_text((SELECT json_object_agg(name, note) FROM customer))

VALUES ((SELECT count(*) FROM customer))

WITH gone AS (DELETE FROM visit RETURNING page) SELECT count(*), min(page) FROM gone

WITH RECURSIVE up(id, name) AS (SELECT id, name FROM customer WHERE boss_id IS NULL UNION ALL
 SELECT c.id, c.name FROM customer c JOIN up ON c.boss_id = up.id) SELECT * FROM up
""",
    answered=True,
) + attacks(
    """
SELECT customer FROM customer

SELECT c FROM customer c

SELECT row_to_json(c) FROM customer c

SELECT to_jsonb(customer) FROM customer

SELECT (c).name FROM customer c

SELECT (customer.*)::text FROM customer

SELECT count(DISTINCT c) FROM customer c

SELECT string_agg(c::text, ';' ORDER BY c.id) FROM customer c
""",
    "leaks",
) + attacks(
    """
SELECT (c).tenant_id FROM customer c

SELECT NULL::customer

SELECT * FROM json_populate_recordset(null::customer, '[{"tenant_id": 2}]')

SELECT jsonb_object_keys(to_jsonb(json_populate_record(null::customer, '{}')))

SELECT * FROM ROWS FROM (generate_series(1, 2)) x
""",
    "none",
    answered=False,
)  # fmt: skip


@on_sqlite
@parametrize(SQLITE)
def test_sqlite(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_postgresql
@parametrize(POSTGRESQL)
def test_postgresql(world: World, attack: Attack) -> None:
    withstands(world, attack)


@contextmanager
def behind(world: World, create: str, drop: str) -> Iterator[None]:
    """An object of the database that somebody made past the wall while the application runs."""
    with world.physical.begin() as connection:
        connection.exec_driver_sql(create)
    try:
        yield
    finally:
        with world.physical.begin() as connection:
            connection.exec_driver_sql(drop)


def test_a_view_over_base_tables(world: World) -> None:
    with behind(world, "CREATE VIEW everybody AS SELECT name FROM customer", "DROP VIEW everybody"):
        assert "canary-bella-1" in repr(world.bite("SELECT * FROM everybody").rows)
        for way in WAYS:
            assert world.attack("SELECT * FROM everybody", way).refused
            assert world.attack(
                "SELECT c.id FROM customer c JOIN everybody e ON e.name = c.name", way
            ).refused
        lightweight = sa.table("everybody", sa.column("name"))
        with world.as_(), world.engine.connect() as connection:
            with pytest.raises((StatementRefusedError, sa.exc.DBAPIError)) as caught:
                connection.execute(sa.select(lightweight)).all()
            world.says_nothing(str(caught.value))


@on_postgresql
def test_a_function_that_reads_a_table(world: World) -> None:
    create = "CREATE FUNCTION loot() RETURNS SETOF text LANGUAGE sql AS 'SELECT name FROM customer'"
    with behind(world, create, "DROP FUNCTION loot"):
        assert "canary-bella-1" in repr(world.bite("SELECT * FROM loot()").rows)
        for way in WAYS:
            assert world.attack("SELECT * FROM loot()", way).refused
            assert world.attack("SELECT public.loot()", way).refused
            assert world.attack('SELECT "loot"()', way).refused
        with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
            connection.execute(sa.select(sa.func.loot()))


@pytest.mark.parametrize("what", ["view", "trigger"])
def test_what_runs_below_the_wall_stops_the_start(
    make_database: MakeDatabase, back_end: str, what: str
) -> None:
    """Views and triggers that nobody has vouched for are named at start-up."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        make_app(engine)
        physical = sa.create_engine(url)
        from flask_tenant.engines import exempt_engine

        exempt_engine(physical)
        with physical.begin() as connection:
            if what == "view":
                connection.exec_driver_sql("CREATE VIEW everybody AS SELECT name FROM customer")
            elif engine.dialect.name == "sqlite":
                connection.exec_driver_sql(
                    "CREATE TRIGGER trap AFTER INSERT ON visit BEGIN DELETE FROM setting; END"
                )
            else:
                connection.exec_driver_sql(
                    "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN DELETE FROM setting; RETURN NEW; END'"
                )
                connection.exec_driver_sql(
                    "CREATE TRIGGER trap AFTER INSERT ON visit EXECUTE FUNCTION trap()"
                )
        again = sa.create_engine(url)
        with pytest.raises(UnsafeObjectError) as caught:
            make_app(again)
        assert ("everybody" if what == "view" else "trap") in str(caught.value)
        for each in (engine, physical, again):
            each.dispose()
