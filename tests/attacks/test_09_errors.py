"""Class 9, errors: they read as a database of one's own would have worded them, wherever one looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from flask_tenant import TenancyError
from tests.attacks.cases import on_postgresql
from tests.attacks.world import (
    HIDDEN,
    WAYS,
    Customer,
    Invoice,
    Setting,
    Way,
    World,
    error_text,
    foreign_words,
    run,
    visit,
)

FAILING = {
    "unique": "INSERT INTO customer (id, name, email, balance) VALUES (77, 'x', 'ann@example.com', 1)",
    "primary key": "INSERT INTO customer (id, name, email, balance) VALUES (1, 'x', 'y', 1)",
    "natural key": "INSERT INTO setting (key, value) VALUES ('logo', 'x')",
    "unique by update": "UPDATE customer SET email = 'same@example.com'",
    "key by update": "UPDATE setting SET key = 'logo'",
    "foreign key": "INSERT INTO invoice (id, customer_id, number, total) VALUES (77, 99, 'R-77', 1)",
    "foreign key to a neighbour's": "INSERT INTO invoice (id, customer_id, number, total) VALUES (77, 4, 'R-77', 1)",
    "foreign key by update": "UPDATE customer SET boss_id = 3 WHERE id = 2",
    "referred row": "DELETE FROM customer WHERE id = 1",
    "not null": "INSERT INTO customer (id, name, email) VALUES (77, 'x', 'y')",
    "not null by update": "UPDATE customer SET name = NULL",
    "check": "INSERT INTO customer (id, name, email, balance) VALUES (77, 'x', 'y', 10000000)",
    "check by update": "UPDATE customer SET balance = 10000000",
    "unknown column": "SELECT nope FROM customer",
    "unknown column by update": "UPDATE customer SET nope = 1",
    "unknown column by insert": "INSERT INTO visit (nope) VALUES (1)",
    "too few values": "INSERT INTO setting (key, value) VALUES ('x')",
    "too few values of a query": "INSERT INTO visit (page, hits) SELECT 'x'",
    "a type": "INSERT INTO visit (hits) SELECT name FROM customer",
    "a cast": "SELECT CAST(name AS integer) + 1 FROM customer",
    "a division": "SELECT 1 / (balance - balance) FROM customer",
    "an ambiguous column": "SELECT id FROM customer, invoice",
    "two rows": "SELECT (SELECT name FROM customer ORDER BY id)",
    "a group": "SELECT name, count(*) FROM customer GROUP BY note",
    "no such table": "SELECT * FROM nowhere",
    "syntax": "SELECT FROM WHERE customer",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FAILING)
def test_raw(world: World, name: str, way: Way) -> None:
    """The same kind of error as alone, or ours; and nothing in it that is not the attacker's."""
    sql = FAILING[name]
    error, right = world.attack(sql, way).error, world.right(sql, way).error
    if isinstance(error, TenancyError):
        world.says_nothing(str(error))
        return
    assert type(error).__name__ == type(right).__name__, f"{error!r} is not {right!r}"
    if error is None:
        world.withstands(sql, way)
        return
    looks_like(world, error, right)


def looks_like(world: World, error: Any, right: Any) -> None:
    """Assert that an error is the one of a database of one's own, its excerpt of the text apart."""
    text = error_text(error)
    assert not re.search(rf"\b{HIDDEN}\b", text), text
    assert "(hidden)" not in text
    assert "ft_" not in text
    for word in foreign_words():
        assert word not in text
    for mine, others in ((error, right), (getattr(error, "orig", None), getattr(right, "orig", None))):
        if mine is None:
            continue
        assert first_lines(str(mine)) == first_lines(str(others))
        diag, expected = getattr(mine, "diag", None), getattr(others, "diag", None)
        for field in (
            "message_primary",
            "message_detail",
            "constraint_name",
            "column_name",
            "table_name",
            "sqlstate",
        ):
            if diag is not None:
                assert getattr(diag, field) == getattr(expected, field), field


def first_lines(text: str) -> list[str]:
    """An error's own words: without the excerpt of the text that PostgreSQL marks, and without hints."""
    lines = [
        line for line in text.splitlines() if not line.startswith(("LINE ", "HINT:", "[SQL", "[parameters"))
    ]
    return [line for line in lines if line.strip(" ^")]


CORE: dict[str, Callable[[], Any]] = {
    "unique": lambda: sa.insert(Customer).values(id=77, name="x", email="ann@example.com", balance=1),
    "primary key": lambda: sa.insert(Customer).values(id=1, name="x", email="y", balance=1),
    "many": lambda: sa.insert(Setting).values([{"key": "a", "value": "x"}, {"key": "logo", "value": "x"}]),
    "foreign key": lambda: sa.insert(Invoice).values(id=77, customer_id=4, number="R-77", total=1),
    "not null": lambda: sa.insert(Customer).values(id=77, name="x", email="y", balance=sa.null()),
    "check": lambda: sa.update(Customer).values(balance=10000000),
    "key by update": lambda: sa.update(Setting).values(key="logo"),
    "referred row": lambda: sa.delete(Customer).where(Customer.id == 1),
    "insert select": lambda: sa.insert(Setting).from_select(["key", "value"], sa.select(Setting.key, Setting.value)),
    "unknown column": lambda: sa.select(sa.table("customer", sa.column("nope"))),
    "a misspelt column": lambda: sa.select(sa.table("customer", sa.column("tenant_idd"))),
    "a cast": lambda: sa.select(sa.cast(Customer.name, sa.Integer) + 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CORE)
def test_core(world: World, name: str) -> None:
    error = failure(world, CORE[name], pool=True)
    right = failure(world, CORE[name], pool=False)
    assert type(error) is type(right)
    if error is not None:
        looks_like(world, error, right)
        assert error.statement == right.statement
        assert error.params == right.params


def failure(world: World, make: Callable[[], Any], *, pool: bool) -> Any:
    engine = world.engine if pool else world.single
    with world.as_(), engine.connect() as connection:
        try:
            connection.execute(make()).close()
        except sa.exc.DBAPIError as error:
            return error
        finally:
            connection.rollback()
    return None


def test_a_flush_that_fails(world: World) -> None:
    """The ORM's errors quote the statement and its parameters."""
    errors = []
    for engine in (world.engine, world.single):
        with world.as_(), Session(engine) as session:
            session.add_all([Setting(key="k", value="v"), Setting(key="logo", value="again")])
            with pytest.raises(sa.exc.IntegrityError) as caught:
                session.flush()
            errors.append(caught.value)
    looks_like(world, *errors)


def test_many_rows_that_fail(world: World) -> None:
    errors = []
    for engine in (world.engine, world.single):
        with world.as_(), engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.insert(visit), [{"page": "x", "hits": 1}, {"page": "x", "hits": object()}])
        errors.append(caught.value)
    assert HIDDEN not in error_text(errors[0])
    assert "ft_" not in error_text(errors[0])


@pytest.mark.every_driver
@on_postgresql
@pytest.mark.parametrize("way", ["engine", "driver"])
def test_an_error_at_commit(world: World, way: str) -> None:
    """A deferred foreign key is checked by COMMIT, which no cursor sends."""
    with world.physical.begin() as connection:
        names = [key["name"] for key in sa.inspect(connection).get_foreign_keys("invoice")]
        connection.exec_driver_sql(
            f"ALTER TABLE invoice ALTER CONSTRAINT {names[0]} DEFERRABLE INITIALLY DEFERRED"
        )
    try:
        with world.as_(), world.engine.connect() as connection:
            connection.execute(sa.insert(Invoice).values(id=77, customer_id=4, number="R-77", total=1))
            error: Any = None
            try:
                connection.commit() if way == "engine" else connection.connection.driver_connection.commit()
            except Exception as caught:
                error = caught
        assert "violates foreign key" in str(error)
        assert "(customer_id)=(4)" in str(error)
        assert HIDDEN not in error_text(error)
    finally:
        with world.physical.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE invoice ALTER CONSTRAINT {names[0]} NOT DEFERRABLE")


def test_the_control_names_the_column(world: World) -> None:
    """Past the wall the database does name it."""
    named = 0
    for sql in FAILING.values():
        sql = (
            sql.replace(" (id,", " (tenant_id, id,")
            .replace("(key,", "(tenant_id, key,")
            .replace("VALUES (", "VALUES (1, ")
        )
        error = world.bite(sql, "raw").error
        named += error is not None and HIDDEN in str(error)
    assert named >= 4


def test_what_outcome_says_is_all(world: World) -> None:
    """The harness itself: it would notice a leak in a message."""
    with world.physical.connect() as connection:
        outcome = run(connection, "INSERT INTO setting VALUES (1, 'logo', 'x')", "text")
    with pytest.raises(AssertionError):
        world.says_nothing(error_text(outcome.error))  # type: ignore[arg-type]
