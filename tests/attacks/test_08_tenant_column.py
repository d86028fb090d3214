"""Class 8: the tenant column is nobody's to read, set, sort by or collide with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from flask_tenant.errors import HiddenColumnError, StatementRefusedError
from flask_tenant.isolate import hidden
from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import Customer, Setting, World, visit

COMMON = attacks(
    """
SELECT tenant_id FROM customer

SELECT TENANT_ID, name FROM customer

SELECT customer.tenant_id FROM customer

SELECT c."tenant_id" FROM customer c

SELECT name FROM customer ORDER BY tenant_id DESC, id

SELECT name FROM customer WHERE tenant_id = 2

SELECT tenant_id, count(*) FROM customer GROUP BY tenant_id

SELECT max(tenant_id) FROM customer

SELECT c.name FROM customer c JOIN invoice i USING (tenant_id)

SELECT (SELECT max(tenant_id) FROM visit)

WITH x AS (SELECT tenant_id AS t FROM customer) SELECT t FROM x

UPDATE visit SET tenant_id = 2

UPDATE visit SET hits = tenant_id

UPDATE visit SET "tenant_id" = 2 WHERE hits = 0

DELETE FROM visit WHERE tenant_id <> 1

DELETE FROM visit RETURNING tenant_id

INSERT INTO visit (page, hits, tenant_id) VALUES ('x', 1, 2)

INSERT INTO visit (tenant_id, page) SELECT 2, name FROM customer

INSERT INTO setting (tenant_id, key, value) VALUES (2, 'logo', 'x') ON CONFLICT (tenant_id, key) DO UPDATE SET value = 'x'
""",
    answered=False,
) + attacks(
    """
INSERT INTO setting (key, value) VALUES ('logo', 'x') ON CONFLICT (key) DO UPDATE SET tenant_id = 2

INSERT INTO setting (key, value) VALUES ('logo', 'x') ON CONFLICT (tenant_id, key) DO NOTHING

SELECT id AS tenant_id FROM customer

SELECT 1 AS tenant_id
""",
    "none",
    answered=False,
)  # fmt: skip

SQLITE = attacks(
    """
UPDATE visit SET 'tenant_id' = 2

UPDATE visit SET [tenant_id] = 2

UPDATE visit SET `Tenant_Id` = 2

SELECT `tenant_id` FROM customer

SELECT [TENANT_ID] FROM customer

INSERT INTO visit (page, 'tenant_id') VALUES ('x', 2)
""",
    answered=False,
) + attacks(
    """
INSERT INTO visit VALUES (2, 'x', 1)

INSERT INTO visit VALUES ('x', 1, 2)
"""
)

POSTGRESQL = attacks(
    """
SELECT U&"\\0074enant_id" FROM customer

UPDATE visit SET (page, tenant_id) = ('x', 2)

SELECT (c).tenant_id FROM customer c

UPDATE invoice AS note SET number = (SELECT row_to_json(note)::text FROM customer AS c(a, b, d, e, f, g) LIMIT 1)

DELETE FROM visit AS note RETURNING (SELECT note::text FROM customer AS c(a, b, d, e, f, g) LIMIT 1)

UPDATE customer SET note = (SELECT row_to_json(customer)::text FROM (invoice AS customer CROSS JOIN visit) AS j LIMIT 1)

UPDATE customer SET note = (SELECT to_json(customer.*)::text FROM (invoice AS customer CROSS JOIN visit) AS j LIMIT 1)

SELECT c.tenant_id FROM customer AS c
""",
    answered=False,
) + attacks(
    """
INSERT INTO visit VALUES (2, 'x', 1)

SELECT * FROM customer c(tenant_id)
""",
    "none",
)


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


light = sa.table("visit", sa.column("page"), sa.column("hits"), sa.column("tenant_id"))
customer, setting = Customer.__table__, Setting.__table__


def upsert(**kw: Any) -> Callable[[World], Any]:
    def make(world: World) -> Any:
        insert: Any = (sqlite if world.sqlite else postgresql).insert(setting).values(key="logo", value="x")
        return insert.on_conflict_do_update(index_elements=["key"], **kw)

    return make


CORE: dict[str, Callable[[World], Any]] = {
    "select": lambda _: sa.select(light.c.tenant_id),
    "select light": lambda _: sa.select(light),
    "select column": lambda _: sa.select(sa.column("tenant_id")).select_from(customer),
    "select literal": lambda _: sa.select(sa.literal_column("tenant_id")).select_from(customer),
    "select case": lambda _: sa.select(sa.literal_column('customer.TENANT_id')).select_from(customer),
    "select text": lambda _: sa.select(sa.text("tenant_id")).select_from(customer),
    "where": lambda _: sa.select(customer.c.id).where(sa.text("tenant_id = 2")),
    "where column": lambda _: sa.select(customer.c.id).where(sa.column("tenant_id") == 2),
    "order": lambda _: sa.select(customer.c.id).order_by(sa.column("tenant_id").desc()),
    "order text": lambda _: sa.select(customer.c.id).order_by(sa.text("tenant_id DESC")),
    "group": lambda _: sa.select(sa.func.count()).select_from(customer).group_by(sa.text("tenant_id")),
    "function": lambda _: sa.select(sa.func.max(sa.column("tenant_id"))).select_from(customer),
    "subquery": lambda _: sa.select(sa.select(light.c.tenant_id).subquery()),
    "cte": lambda _: sa.select(sa.select(light.c.tenant_id).cte()),
    "update": lambda _: sa.update(light).values(tenant_id=2),
    "update keys": lambda _: sa.update(light).values({light.c.tenant_id: 2}),
    "update from": lambda _: sa.update(visit).values(hits=sa.column("tenant_id")),
    "update where": lambda _: sa.update(visit).values(hits=1).where(sa.column("tenant_id") == 2),
    "update ordered": lambda _: sa.update(light).ordered_values((light.c.tenant_id, 2)),
    "delete": lambda _: sa.delete(light).where(light.c.tenant_id != 1),
    "delete returning": lambda _: sa.delete(light).returning(light.c.tenant_id),
    "insert": lambda _: sa.insert(light).values(page="x", tenant_id=2),
    "insert many": lambda _: sa.insert(light).values([{"page": "x", "tenant_id": 2}, {"page": "y", "tenant_id": 3}]),
    "insert select": lambda _: sa.insert(light).from_select(
        ["page", "tenant_id"], sa.select(customer.c.name, sa.literal(2))
    ),
    "insert returning": lambda _: sa.insert(light).values(page="x").returning(light.c.tenant_id),
    "upsert": upsert(set_={"tenant_id": 2}),
    "upsert where": upsert(set_={"value": "y"}, where=sa.column("tenant_id") == 2),
    "upsert value": upsert(set_={"value": sa.column("tenant_id")}),
}  # fmt: skip


ORDERED = pytest.param("update ordered", marks=pytest.mark.every_version)


@pytest.mark.parametrize("name", [*(name for name in CORE if name != "update ordered"), ORDERED])
def test_core(world: World, name: str) -> None:
    with world.as_(), world.engine.connect() as connection, pytest.raises(HiddenColumnError):
        connection.execute(CORE[name](world))


@pytest.mark.parametrize("name", ["select", "where", "update", "delete", "insert", "insert select"])
def test_core_has_teeth(world: World, name: str) -> None:
    statement = CORE[name](world)
    with world.physical.connect() as connection:
        rows = connection.execute(statement)
        if name in ("select", "where"):
            assert len(rows.all()) > 2
        else:
            from tests.attacks.world import table_rows

            assert world.neighbours(table_rows(connection)) != world.neighbours()
        connection.rollback()


@pytest.mark.parametrize("rows", [{"page": "x", "tenant_id": 2}, [{"page": "x", "tenant_id": 2}] * 2])
def test_parameters_name_columns(world: World, rows: Any) -> None:
    """``execute(insert, {...})`` takes columns from the parameters' keys."""
    with world.as_(), world.engine.connect() as connection:
        with pytest.raises(HiddenColumnError):
            connection.execute(sa.insert(light), rows)
        with pytest.raises((StatementRefusedError, sa.exc.CompileError)):
            connection.execute(sa.insert(visit), rows)
        with pytest.raises((StatementRefusedError, sa.exc.CompileError)):
            connection.execute(sa.update(visit), rows)


def test_bulk_keys(world: World) -> None:
    """The ORM's bulk operations ignore keys that are no attribute: the row is the attacker's."""
    rows = [{"key": "bulk", "value": "x", "tenant_id": 2}]
    for write in ("insert", "bulk_insert_mappings"):
        with world.as_(), Session(world.engine) as session:
            try:
                if write == "insert":
                    session.execute(sa.insert(Setting), rows)
                else:
                    session.bulk_insert_mappings(Setting, rows)
            except (StatementRefusedError, sa.exc.SQLAlchemyError):
                continue
            assert session.get(Setting, "bulk") is not None
            assert world.others(session.connection()) == world.neighbours()
            session.rollback()


@pytest.mark.parametrize("name", ["tenant_id", "TENANT_ID", "ft_w", "param_1"])
def test_bind_names_do_not_collide(world: World, name: str) -> None:
    """A parameter of the application that is called like ours is the application's still."""
    select = sa.select(customer.c.id).where(customer.c.balance >= sa.bindparam(name))
    text = sa.text(f"SELECT id FROM customer WHERE balance >= :{name}")
    update = sa.update(visit).values(hits=sa.bindparam(name)).returning(visit.c.hits)
    for value in (2, 101):
        for statement in (select, text, update):
            with world.as_(), world.engine.connect() as connection:
                mine = sorted(connection.execute(statement, {name: value}).scalars())
                assert world.others(connection) == world.neighbours()
                connection.rollback()
            with world.single.connect() as connection:
                right = sorted(connection.execute(statement, {name: value}).scalars())
                connection.rollback()
            assert mine == right
    with world.as_(), world.engine.connect() as connection:
        rows = connection.execute(sa.select(customer.c.id), {hidden.WHERE_KEY: 2, hidden.STAMP_KEY: 2}).all()
        assert len(rows) == 2


def test_the_value_is_bound_at_execution_only(world: World) -> None:
    """Neither a compiled statement nor its text holds a tenant's id."""
    with world.as_():
        compiled = sa.select(customer.c.id).compile(world.engine)
        assert 1 not in {**compiled.binds, **(compiled.params if not compiled.binds else {})}.values()
    with world.as_("bella"), world.engine.connect() as connection:
        rows = connection.execute(sa.select(customer.c.name)).scalars().all()
        assert len(rows) == 3
        assert all("bella" in row for row in rows)
