"""Class 11, planner: a join of many tables is answered, and in a time that is no attack on everybody else."""

from __future__ import annotations

import time

import sqlalchemy as sa

from tests.attacks.world import WAYS, Customer, World

TABLES = 18
LIMIT_SECONDS = 5.0
"""The prototype took minutes; by itself the database takes a few hundredths of a second."""


def test_raw_join_of_many_tables(world: World) -> None:
    def join(tables: int) -> str:
        joined = " ".join(f"JOIN customer c{n} ON c{n}.id = c{n - 1}.id" for n in range(2, tables + 1))
        return f"SELECT c1.name, c{tables}.name FROM customer c1 {joined}"

    sql = join(TABLES)
    for way in WAYS:
        began = time.monotonic()
        world.withstands(sql, way, answered=True)
        assert time.monotonic() - began < LIMIT_SECONDS
    # without the wall the ids of three tenants meet: three rows to the power of the number of tables
    assert world.has_teeth(join(3))


def test_raw_outer_join_of_many_tables(world: World) -> None:
    """Rows that have no partner stay, however the tables are filtered."""
    joined = " ".join(f"LEFT JOIN customer c{n} ON c{n}.id = c{n - 1}.id + 1" for n in range(2, 12))
    outcome = world.withstands(f"SELECT c1.name, c2.name, c3.name FROM customer c1 {joined}", answered=True)
    assert sorted(map(tuple, outcome.rows or ()), key=repr) == [
        ("canary-acme-1", "canary-acme-2", None),
        ("canary-acme-2", None, None),
    ]


def test_core_join_of_many_tables(world: World) -> None:
    aliases = [sa.alias(Customer.__table__, f"c{n}") for n in range(TABLES)]
    joined = aliases[0]
    for before, after in zip(aliases, aliases[1:], strict=False):
        joined = joined.join(after, before.c.id == after.c.id)  # type: ignore[assignment]
    statement = sa.select(*(a.c.name for a in aliases)).select_from(joined)
    began = time.monotonic()
    with world.as_(), world.engine.connect() as connection:
        rows = sorted(map(tuple, connection.execute(statement)))
    assert time.monotonic() - began < LIMIT_SECONDS
    assert rows == [("canary-acme-1",) * TABLES, ("canary-acme-2",) * TABLES]


def test_text_that_takes_long_to_read(world: World) -> None:
    """Nesting and repetition cost us no more than the database: the raw SQL enforcer reads in linear time."""
    deep = "(" * 400 + "1" + ")" * 400
    wide = " OR ".join(f"id = {n}" for n in range(3000))
    subqueries = (
        "SELECT name FROM customer"
        + "".join(f" WHERE id IN (SELECT id FROM customer{tail}" for tail in [""] * 40)
        + ")" * 40
    )
    for sql in (
        f"SELECT name FROM customer WHERE id = {deep}",
        f"SELECT name FROM customer WHERE {wide}",
        f"SELECT name FROM customer WHERE note = '{'x' * 200_000}'",
        subqueries,
        "SELECT " + "name || " * 2000 + "'x' FROM customer",
        "SELECT name FROM customer " + "/* x */" * 5000,
        "SELECT name FROM customer WHERE " + "NOT " * 500 + "id = 1",
        "SELECT 1 FROM customer WHERE id IN (" + "(" * 2000,
    ):
        began = time.process_time()
        outcome = world.attack(sql)
        assert time.process_time() - began < LIMIT_SECONDS, sql[:60]
        assert "canary-bella" not in repr(outcome.rows)
