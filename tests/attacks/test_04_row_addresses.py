"""Class 4: the address of a physical row is global, and no tenant's business."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from flask_tenant import TenancyError
from flask_tenant.errors import StatementRefusedError
from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import Customer, World, table_rows

SQLITE = attacks(
    """
SELECT rowid FROM customer

SELECT customer.rowid, name FROM customer

SELECT c._rowid_ FROM customer AS c

SELECT oid FROM customer

SELECT "rowid" FROM customer

SELECT [ROWID] FROM customer

SELECT max(rowid) FROM customer

SELECT name FROM customer ORDER BY rowid DESC

SELECT name FROM customer WHERE rowid > 2

SELECT name FROM customer GROUP BY rowid

SELECT (SELECT rowid FROM customer LIMIT 1 OFFSET 4)

DELETE FROM visit WHERE rowid > 2

UPDATE visit SET rowid = rowid + 100

UPDATE visit SET hits = 0 WHERE rowid = 4

DELETE FROM visit RETURNING rowid

SELECT x.rowid FROM (SELECT rowid, * FROM visit) x

SELECT 'visit'.rowid FROM visit

UPDATE visit SET page = (SELECT '' AS rowid), hits = (SELECT rowid) RETURNING hits

DELETE FROM visit WHERE 1 IN (SELECT 1 AS rowid) RETURNING (SELECT rowid FROM (SELECT 1 AS one))
""",
    answered=False,
) + attacks(
    """
INSERT OR REPLACE INTO visit (rowid, page, hits) VALUES (4, 'x', 1)

REPLACE INTO visit (_rowid_, page, hits) VALUES (4, 'x', 1)

INSERT INTO visit (oid, page, hits) VALUES (4, 'x', 1) ON CONFLICT DO NOTHING
""",
    "none",
    answered=False,
)  # fmt: skip

POSTGRESQL = attacks(
    """
SELECT ctid FROM customer

SELECT customer.ctid, name FROM customer

SELECT c.xmin, c.cmax, c.tableoid FROM customer c

SELECT "ctid" FROM customer

DELETE FROM visit WHERE ctid > '(0,2)'

UPDATE visit SET hits = 0 WHERE ctid = '(0,4)'

DELETE FROM visit RETURNING ctid

SELECT max(ctid) FROM customer

UPDATE visit SET hits = (SELECT 1 AS ctid), page = (SELECT ctid::text FROM (SELECT 1 AS one) q) RETURNING page

UPDATE customer SET note = (SELECT customer.ctid::text FROM (invoice AS customer CROSS JOIN visit) AS j LIMIT 1)
""",
    answered=False,
)


@on_sqlite
@parametrize(SQLITE)
def test_sqlite(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_postgresql
@parametrize(POSTGRESQL)
def test_postgresql(world: World, attack: Attack) -> None:
    withstands(world, attack)


@pytest.mark.parametrize("name", ["rowid", "_rowid_", "oid", "ctid", "xmin"])
def test_core(world: World, name: str) -> None:
    """The same through constructs that take any name."""
    table = Customer.__table__
    statements = [
        sa.select(sa.literal_column(name)).select_from(table),
        sa.select(sa.literal_column(f"customer.{name}")).select_from(table),
        sa.select(sa.column(name)).select_from(table),
        sa.select(sa.table("customer", sa.column("id"), sa.column(name))),
        sa.select(table.c.id).where(sa.text(f"{name} IS NOT NULL")),
        sa.select(table.c.id).order_by(sa.text(name)),
        # names that the statement itself gives somewhere are not meant by those elsewhere
        sa.select(sa.text(f"(SELECT 1 AS {name}), {name}")).select_from(table),
        sa.select(sa.text(f"(SELECT 1 AS {name}), (SELECT {name})")).select_from(table),
        sa.select(table.c.id).where(sa.text(f"(SELECT 1 AS {name}) = 1 AND {name} IS NOT NULL")),
    ]
    exists = name in ("rowid", "_rowid_", "oid") if world.sqlite else name in ("ctid", "xmin")
    for statement in statements:
        if exists and not (name == "xmin" and statement._order_by_clauses):  # xid has no order
            with world.physical.connect() as connection:
                connection.execute(statement)
        with world.as_(), world.engine.connect() as connection:
            with pytest.raises((TenancyError, sa.exc.DBAPIError)):
                connection.execute(statement)


@on_sqlite
@pytest.mark.parametrize("name", ["rowid", "_rowid_", "ROWID"])
def test_core_writes(world: World, name: str) -> None:
    """INSERT OR REPLACE at an address that is in use would destroy whosever row is there."""
    table: Any = sa.table("visit", sa.column(name), sa.column("page"), sa.column("hits"))
    row = {name: 4, "page": "x", "hits": 1}
    replace = sa.insert(table).prefix_with("OR REPLACE")
    with world.physical.connect() as connection:  # the control
        physical = sa.table("visit", *(sa.column(c.name) for c in table.c), sa.column("tenant_id"))
        connection.execute(sa.insert(physical).prefix_with("OR REPLACE").values(**row, tenant_id=1))
        assert world.neighbours(table_rows(connection)) != world.neighbours()
        connection.rollback()
    source = sa.select(sa.literal(4), sa.literal("x"), sa.literal(1))
    upsert = sqlite.insert(table).values(page="x", hits=1)
    for statement, parameters in (
        (replace.values(row), None),
        (replace.values([row]), None),
        (replace, [row, row]),
        (replace.from_select([name, "page", "hits"], source), None),
        (upsert.on_conflict_do_update(set_={name: 4}), None),
        (sa.update(table).values({name: 100}), None),
        (sa.update(table), {name: 100}),
        (sa.update(table).values(hits=0).where(table.c[name] == 4), None),
        (sa.delete(table).where(table.c[name] == 4), None),
        (sa.delete(table).returning(table.c[name]), None),
    ):
        with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
            connection.execute(statement, parameters)


@on_sqlite
def test_lastrowid_is_never_the_physical_row(world: World) -> None:
    """SQLite remembers the last insert of the whole connection: of another tenant, too."""
    with world.as_("corto"), world.engine.begin() as connection:
        connection.execute(Customer.__table__.insert().values(name="x", email="last@example.com", balance=0))
    with world.physical.connect() as connection:
        physical = connection.exec_driver_sql("SELECT max(rowid) FROM customer").scalar()
    assert physical > 5  # the control: nobody has so many customers
    with world.as_(), world.engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT 1")
        assert cursor.lastrowid == 0, "somebody else's last row"
        cursor.execute("INSERT OR IGNORE INTO setting (key, value) VALUES ('logo', 'x')")
        assert cursor.lastrowid == 0
        assert connection.execute(sa.text("UPDATE customer SET note = 'x'")).lastrowid == 0
        insert = "INSERT INTO customer (name, email, balance) VALUES ('n', '{}', 1)"
        cursor.execute(insert.format("a"))
        assert cursor.lastrowid == 3
        assert connection.execute(sa.text(insert.format("b"))).lastrowid == 4
        assert connection.exec_driver_sql(insert.format("c")).lastrowid == 5
        ignored = "INSERT OR IGNORE INTO setting (key, value) VALUES ('logo', 'x')"
        assert connection.execute(sa.text(ignored)).lastrowid == 5, "of the last row that was inserted"
        light = sa.table("customer", sa.column("name"), sa.column("email"), sa.column("balance"))
        assert connection.execute(light.insert().values(name="n", email="d", balance=1)).lastrowid == 6
        cursor.execute("INSERT INTO setting (key, value) VALUES ('k', 'v')")
        assert cursor.lastrowid is None, "a table without an automatic id has only the physical row"
        cursor.execute("SELECT 1")
        assert cursor.lastrowid is None
        connection.rollback()
    with world.physical.begin() as connection:
        connection.exec_driver_sql("DELETE FROM customer WHERE email = 'last@example.com'")


@on_sqlite
def test_changes_of_others_are_not_counted(world: World) -> None:
    """``total_changes`` counts over the connection's whole life."""
    world.engine.dispose()  # an earlier test may have left several connections, which take turns
    with world.engine.connect() as connection:  # the pool's connection, whoever has it
        driver = connection.connection.driver_connection
    with world.as_("bella"), world.engine.begin() as connection:
        connection.execute(sa.text("UPDATE visit SET hits = hits"))
    assert sqlite3.Connection.total_changes.__get__(driver) > 0  # type: ignore[attr-defined]
    with world.as_(), world.engine.connect() as connection:
        assert connection.connection.driver_connection is driver
        assert connection.connection.driver_connection.total_changes == 0
        connection.execute(sa.text("UPDATE visit SET hits = hits"))
        assert connection.connection.driver_connection.total_changes == 2
        connection.rollback()
