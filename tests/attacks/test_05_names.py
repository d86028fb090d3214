"""Class 5, names: shadowed, quoted, folded, qualified, and spelt with what only looks like white space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from flask_tenant import TenancyError
from flask_tenant.errors import StatementRefusedError
from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import WAYS, Customer, World

COMMON = attacks(
    """
SELECT * FROM CUSTOMER

SELECT Customer.NAME FROM cUsToMeR

SELECT "customer"."name" FROM "customer"

SELECT c.name FROM customer AS c

SELECT "c c".name FROM customer "c c"

SELECT customer.name FROM customer AS customer

SELECT setting.name FROM customer AS setting

WITH other AS (SELECT * FROM customer) SELECT other.name FROM other

WITH a AS (SELECT name FROM customer), b AS (SELECT * FROM a) SELECT * FROM b

SELECT name FROM (SELECT name FROM customer) AS customer

WITH setting AS (SELECT name FROM customer) SELECT * FROM setting

SELECT customer.name FROM invoice JOIN customer ON customer.id = invoice.customer_id
""",
    answered=True,
) + attacks(
    """
WITH customer AS (SELECT 1 AS id) SELECT * FROM customer

WITH customer AS (SELECT 'x' AS name) SELECT name FROM customer WHERE EXISTS (SELECT 1 FROM customer)
""",
    "none",
    answered=True,
)  # fmt: skip

SQLITE = attacks(
    """
SELECT * FROM main.customer

SELECT * FROM MAIN.CUSTOMER

SELECT * FROM "main" . "customer"

SELECT * FROM [customer]

SELECT * FROM `customer`

SELECT * FROM 'customer'

SELECT main.customer.name FROM main.customer

WITH customer AS (SELECT 1 AS id) SELECT count(*) FROM main.customer

WITH customer AS (SELECT * FROM main.customer) SELECT * FROM customer

WITH main AS (SELECT 1 AS x) SELECT count(*) FROM main.customer, main

DELETE FROM main.visit

UPDATE main.visit SET hits = 0

SELECT "CUSTOMER".name FROM "Customer"
"""
) + attacks(
    """
SELECT * FROM temp.customer

SELECT * FROM nowhere.customer

SELECT * FROM "customer "

SELECT * FROM pragma_main.customer
""",
    "none",
)  # fmt: skip

POSTGRESQL = attacks(
    """
SELECT * FROM public.customer

SELECT * FROM "public"."customer"

SELECT public.customer.name FROM public.customer

WITH customer AS (SELECT 1 AS id) SELECT count(*) FROM public.customer

WITH customer AS (SELECT * FROM public.customer) SELECT * FROM customer

SELECT * FROM U&"\\0063ustomer"

SELECT * FROM U&"!0063ustomer" UESCAPE '!'

DELETE FROM public.visit

DELETE FROM ONLY visit

UPDATE public.visit SET hits = 0

SELECT test.public.customer.name FROM customer
""".replace("\n\nSELECT test.public.customer.name FROM customer", "")
) + attacks(
    """
SELECT * FROM "Customer"

SELECT * FROM "CUSTOMER"

SELECT * FROM pg_temp.customer

SELECT * FROM pg_catalog.customer

SELECT * FROM nowhere.customer

SELECT * FROM "customer "
""",
    "none",
)  # fmt: skip


@parametrize(COMMON)
def test_common(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_sqlite
@parametrize(SQLITE)
def test_sqlite(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_postgresql
@parametrize(POSTGRESQL)
def test_postgresql(world: World, attack: Attack) -> None:
    withstands(world, attack)


SPACES = [
    "\u00a0",
    "\u2003",
    "\u3000",
    "\u200b",
    "\ufeff",
    "\u0085",
    "\u2028",
    "\u1680",
    "\x0b",
    "\x1c",
    "\x00",
    "\x1a",
]


@pytest.mark.parametrize("space", SPACES, ids=[f"U+{ord(c):04X}" for c in SPACES])
@pytest.mark.parametrize("way", WAYS)
def test_what_looks_like_white_space(world: World, space: str, way: str) -> None:
    """A parser that skips it sees two tokens where the database sees one name, or the end of the text."""
    for template in (
        "SELECT name FROM customer{}WHERE id = 1",
        "SELECT name FROM{}customer",
        "SELECT name FROM customer {} WHERE id = 1",
        "SELECT name FROM customer --{}\n WHERE id = 2",
        "SELECT name FROM customer WHERE name = 'x' OR{}1=1",
        "DELETE FROM visit{}WHERE hits = 0",
    ):
        outcome = world.attack(template.format(space), way)  # type: ignore[arg-type]
        if outcome.refused:
            continue
        comment = "--" in template
        assert comment, f"{template.format(space)!r} was not refused: {outcome}"
        world.withstands(template.format(space), way)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["cuſtomer", "customerſ", "CUſTOMER", "ｃustomer", "customeŕ", "İnvoice", "K"]
)
def test_letters_that_fold_differently(world: World, name: str) -> None:
    """``str.upper()`` makes an ASCII word of some that no database knows."""
    for way in WAYS:
        assert world.attack(f"SELECT * FROM {name}", way).error is not None
        world.withstands(f"SELECT * FROM {name}", way)
    world.withstands("ſELECT * FROM customer")
    world.withstands("SELECT * FROM customer WHERE id = 1 unıon SELECT * FROM customer")


def unquoted(name: str) -> Any:
    """A name that SQLAlchemy is told not to quote."""
    return quoted_name(name, quote=False)


LOOT = "(SELECT max(name) FROM customer)"
MORE = f"name, {LOOT}"
table = Customer.__table__

NAMES: dict[str, Callable[[], Any]] = {
    "table": lambda: sa.select(sa.table(unquoted("customer, visit"), sa.column("page"))),
    "table comment": lambda: sa.select(sa.table(unquoted("customer --"), sa.column("name"))),
    "table query": lambda: sa.select(sa.table(unquoted(LOOT), sa.column("name"))),
    "schema": lambda: sa.select(sa.table("customer", sa.column("name"), schema=unquoted("x.customer, x"))),
    "column": lambda: sa.select(sa.column(unquoted(LOOT))).select_from(table),
    "more columns": lambda: sa.select(table.c.id, sa.column(unquoted(MORE))),
    "column of a table": lambda: sa.select(sa.table("customer", sa.column(unquoted(f"name || {LOOT}")))),
    "label": lambda: sa.select(table.c.name.label(unquoted(f"x, {LOOT} AS y"))),
    "alias": lambda: sa.select(sa.alias(table, unquoted("x, customer"))),
    "cte": lambda: sa.select(sa.select(table.c.name).cte(unquoted(f"x AS {LOOT}, y")).c.name),
    "collation": lambda: sa.select(sa.collate(table.c.name, unquoted(f'"C", {LOOT}'))),
    "order by": lambda: sa.select(table.c.name).order_by(sa.column(unquoted(LOOT))),
    "update": lambda: sa.update(sa.table("visit", sa.column(unquoted("hits = 0, page")))).values(
        {"hits = 0, page": "x"}
    ),
    "insert": lambda: sa.insert(sa.table("visit", sa.column(unquoted("hits, page")))).values({"hits, page": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_brings_in_no_sql(world: World, name: str) -> None:
    # The statement with the name in quotes is equal to this one for SQLAlchemy's cache: it may be there, and is harmless.
    options = {"compiled_cache": None}
    with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
        connection.execute(NAMES[name](), execution_options=options)


def test_a_name_could_bring_in_sql(world: World) -> None:
    """The control: past the wall some of them read the neighbours' rows."""
    for name in ("column", "more columns", "column of a table", "label", "order by"):
        with world.physical.connect() as connection:
            connection.execute(NAMES[name]())
    with world.physical.connect() as connection:
        assert "canary-corto" in repr(connection.execute(NAMES["more columns"]()).all())


def test_quoted_names_are_just_names(world: World) -> None:
    for name in ("customer, visit", "customer --", LOOT):
        with world.as_(), world.engine.connect() as connection:
            with pytest.raises((TenancyError, sa.exc.DBAPIError)) as caught:
                connection.execute(sa.select(sa.table(name, sa.column("name"))))
            world.says_nothing(str(caught.value), name)


def test_a_text_and_an_expression_of_a_tables_name(world: World) -> None:
    """A text in a statement cannot know what the statement's common table expressions are called."""
    shadow = sa.select(sa.literal("x").label("name")).cte("customer")
    inside = sa.text("(SELECT max(name) FROM customer)")
    for statement in (
        sa.select(inside).add_cte(shadow),
        sa.select(shadow.c.name, inside),
        sa.select(sa.text("name")).select_from(sa.text("customer")).add_cte(shadow),
    ):
        with world.single.connect() as connection:
            assert "x" in connection.execute(statement).one()
        with world.as_(), world.engine.connect() as connection:
            with pytest.raises(StatementRefusedError, match="bears the same name"):
                connection.execute(statement)
    other = sa.select(sa.literal("x").label("name")).cte("another")
    with world.as_(), world.engine.connect() as connection:
        assert connection.execute(sa.select(other.c.name, inside)).one() == ("x", "canary-acme-2")
        assert connection.execute(sa.select(shadow.c.name)).scalar() == "x"
