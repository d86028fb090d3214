"""Class 10, keys: no key tells whether somebody else's row exists, and none is somebody else's to take."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tests.attacks.cases import Attack, attacks, on_sqlite, parametrize, withstands
from tests.attacks.world import WAYS, Customer, Invoice, Setting, Way, World

TAKEN = attacks(
    """
INSERT INTO customer (id, name, email, balance) VALUES (4, 'x', 'y', 1)

INSERT INTO customer (id, name, email, balance) VALUES (77, 'x', 'bella-3@example.com', 1)

INSERT INTO setting (key, value) VALUES ('only-bella', 'x')

INSERT INTO setting (key, value) VALUES ('only-bella', 'x') ON CONFLICT DO NOTHING

INSERT INTO setting (key, value) VALUES ('only-bella', 'x') ON CONFLICT (key) DO UPDATE SET value = 'mine'

INSERT INTO invoice (id, customer_id, number, total) VALUES (5, 2, 'R-5', 1)

UPDATE customer SET id = 4 WHERE id = 2

UPDATE customer SET email = 'corto-4@example.com' WHERE id = 2

UPDATE setting SET key = 'only-corto' WHERE key = 'logo'

INSERT INTO invoice (id, customer_id, number, total) VALUES (77, 3, 'R-77', 1)

INSERT INTO invoice (id, customer_id, number, total) SELECT 77, 4, 'R-77', 1

UPDATE invoice SET customer_id = 4

UPDATE customer SET boss_id = 3

DELETE FROM customer WHERE id = 2

DELETE FROM customer
""",
    "none",
)

SQLITE = attacks(
    """
INSERT OR REPLACE INTO setting (key, value) VALUES ('only-bella', 'x')

INSERT OR IGNORE INTO setting (key, value) VALUES ('only-bella', 'x')

INSERT OR REPLACE INTO customer (id, name, email, balance) VALUES (3, 'x', 'bella-2@example.com', 1)

REPLACE INTO customer (id, name, email, balance) VALUES (2, 'x', 'corto-4@example.com', 1)

UPDATE OR REPLACE customer SET email = 'corto-4@example.com' WHERE id = 2

UPDATE OR IGNORE setting SET key = 'only-bella' WHERE key = 'logo'

INSERT OR FAIL INTO setting (key, value) VALUES ('only-corto', 'x')

INSERT OR ROLLBACK INTO setting (key, value) VALUES ('only-corto', 'x')
""",
    "none",
)


@parametrize(TAKEN)
def test_keys_that_neighbours_have(world: World, attack: Attack) -> None:
    """What a neighbour's row has taken is free, and what only a neighbour has cannot be referred to."""
    withstands(world, attack)


@on_sqlite
@parametrize(SQLITE)
def test_conflicts_on_sqlite(world: World, attack: Attack) -> None:
    withstands(world, attack)


def test_the_control_without_tenant_keys(world: World) -> None:
    """In one database with single-tenant keys, the same statements tell, take, or destroy."""
    for key, other in (("setting", "INSERT INTO setting (key, value) VALUES ('logo', 'x')"),):
        assert isinstance(world.right(other).error, sa.exc.IntegrityError), key


@pytest.mark.parametrize("way", WAYS)
def test_existence_is_not_told(world: World, way: Way) -> None:
    """An id that a neighbour has and one that nobody has give the same answer, for every id."""
    for template in (
        "INSERT INTO customer (id, name, email, balance) VALUES ({}, 'x', 'e{}', 1)",
        "UPDATE customer SET boss_id = {} WHERE id = 2",
        "INSERT INTO invoice (id, customer_id, number, total) VALUES (77, {}, 'R-77', 1)",
        "SELECT count(*) FROM customer WHERE id = {}",
        "DELETE FROM customer WHERE id = {}",
    ):
        answers = []
        for number in (3, 4, 9999):
            outcome = world.attack(template.format(number, number), way)
            text = re.sub(rf"(?<![\w.])e?{number}\b", "N", str(outcome.error).split("[SQL")[0])
            answers.append((type(outcome.error), text, outcome.rowcount, outcome.rows))
        assert answers[0] == answers[1] == answers[2], template


def test_upserts_reach_own_rows_only(world: World) -> None:
    insert = (sqlite if world.sqlite else postgresql).insert(Setting)
    taken = insert.values(key="only-bella", value="mine")
    for statement in (
        taken.on_conflict_do_nothing(),
        taken.on_conflict_do_update(index_elements=["key"], set_={"value": "stolen"}),
    ):
        with world.as_(), world.engine.connect() as connection:
            assert connection.execute(statement.returning(Setting.value)).scalar_one() == "mine"
            assert world.others(connection) == world.neighbours()
            connection.rollback()


def test_upserts_by_a_key_that_somebody_made_by_hand(world: World) -> None:
    """Past the wall, after the start: it holds across tenants, and an upsert by it meets a neighbour's row."""
    made, gone = "CREATE UNIQUE INDEX by_hand ON setting (value)", "DROP INDEX by_hand"
    if not world.sqlite:
        made, gone = "ADD CONSTRAINT by_hand UNIQUE (value)", "DROP CONSTRAINT by_hand"
        made, gone = f"ALTER TABLE setting {made}", f"ALTER TABLE setting {gone}"
    insert: Any = (sqlite if world.sqlite else postgresql).insert(Setting)
    taken, met = (
        insert.values(key="new", value="canary-bella"),
        {} if world.sqlite else {"constraint": "by_hand"},
    )
    with world.physical.begin() as connection:
        connection.exec_driver_sql(made)
    try:
        for where in (None, Setting.key != "", sa.text("1=1 OR 1=1")):
            with world.as_(), world.engine.connect() as connection:
                connection.execute(taken.on_conflict_do_update(set_={"value": "stolen"}, where=where, **met))
                assert world.others(connection) == world.neighbours()
                connection.rollback()
    finally:
        with world.physical.begin() as connection:
            connection.exec_driver_sql(gone)


def test_automatic_ids_are_ones_own(world: World) -> None:
    """A new row's id is free for this tenant; on SQLite it is the next of this tenant's."""
    with world.as_(), Session(world.engine) as session:
        made = [Customer(name="x", email=f"e{n}", balance=0) for n in range(3)]
        session.add_all(made)
        session.flush()
        ids = [row.id for row in made]
        assert len({*ids, 1, 2}) == 5
        if world.sqlite:
            assert ids == [3, 4, 5]
        assert [session.get(Customer, i) for i in ids] == made
        session.rollback()


def test_cascades_stay_inside(world: World) -> None:
    with world.as_(), Session(world.engine) as session:
        boss = session.get_one(Customer, 1)
        session.execute(sa.update(Customer).values(boss_id=None))
        session.execute(sa.delete(Invoice))
        session.delete(boss)
        session.flush()
        assert world.others(session.connection()) == world.neighbours()
        session.rollback()
