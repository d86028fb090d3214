"""What the keys do to rows: per tenant, and never across."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from flask_tenant.isolate.keys import check_schema
from tests.schema.installing import CONFIG, install, live, run
from tests.schema.models import application

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


@pytest.fixture
def database(tenanted: sa.Engine, plain: sa.Engine) -> sa.Engine:
    """Two tenants with rows of the same keys. SQLite's foreign keys are on, as the wall has them."""
    application(tenanted.dialect.name).create_all(tenanted)
    for tenant in (1, 2):
        _insert(tenanted, "customer", tenant, (1, 2), email=["'a@b'", "'c@d'"], name=["'Ada'", "'Bob'"])
        _insert(
            tenanted, "invoice", tenant, (1, 2), number=["'N1'", "'N2'"], customer_id=[1, 1], payer_id=[2, 2]
        )
        _insert(tenanted, "line", tenant, (), invoice_id=[1, 2], position=[1, 1])
        _insert(tenanted, "payment", tenant, (1, 2), invoice_id=[1, 2], position=[1, 1])
        _insert(tenanted, "team", tenant, (0, 1))
        _insert(tenanted, "member", tenant, (1, 2), team_id=[1, 1])
    run(tenanted, "UPDATE invoice SET previous_id = 1 WHERE id = 2")
    return tenanted


def _insert(engine: sa.Engine, table: str, tenant: int, ids: tuple[int, ...], **values: list[object]) -> None:
    columns = {**({"id": list(ids)} if ids else {}), **values}
    count = len(next(iter(columns.values())))
    for row in range(count):
        names = ", ".join(["tenant_id", *columns])
        given = ", ".join([str(tenant), *(str(column[row]) for column in columns.values())])
        run(engine, f"INSERT INTO {table} ({names}) VALUES ({given})")


def _rows(engine: sa.Engine, sql: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def test_the_same_keys_in_two_tenants(database: sa.Engine) -> None:
    assert len(_rows(database, "SELECT 1 FROM customer")) == 4
    assert len(_rows(database, "SELECT 1 FROM line")) == 4


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO customer (tenant_id, id, email) VALUES (1, 1, 'x@y')",
        "INSERT INTO customer (tenant_id, id, email, name) VALUES (1, 9, 'x@y', 'Ada')",
        "INSERT INTO customer (tenant_id, id, email) VALUES (1, 9, 'A@B')",
        "INSERT INTO invoice (tenant_id, id, number, customer_id) VALUES (1, 9, 'N1', 1)",
        "INSERT INTO customer (id, email) VALUES (9, 'x@y')",
    ],
)
def test_keys_hold_within_a_tenant(database: sa.Engine, statement: str) -> None:
    with pytest.raises(IntegrityError):
        run(database, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO invoice (tenant_id, id, number, customer_id) VALUES (1, 9, 'N9', 7)",
        "UPDATE invoice SET payer_id = 7 WHERE tenant_id = 1 AND id = 1",
        "UPDATE invoice SET customer_name = 'Zoe' WHERE tenant_id = 1",
        "UPDATE payment SET position = 7 WHERE tenant_id = 1 AND id = 1",
    ],
)
def test_no_foreign_key_reaches_another_tenant(database: sa.Engine, statement: str) -> None:
    _insert(database, "customer", 2, (7,), email=["'z@z'"], name=["'Zoe'"])
    _insert(database, "line", 2, (), invoice_id=[1], position=[7])
    with pytest.raises(IntegrityError):
        run(database, statement)
    run(database, statement.replace("(1, 9", "(2, 9").replace("tenant_id = 1", "tenant_id = 2"))


def test_set_null_stays_in_the_tenant(database: sa.Engine) -> None:
    run(database, "DELETE FROM customer WHERE tenant_id = 1 AND id = 2")
    rows = _rows(database, "SELECT tenant_id, id, customer_id, payer_id FROM invoice ORDER BY 1, 2")
    assert rows == [(1, 1, 1, None), (1, 2, 1, None), (2, 1, 1, 2), (2, 2, 1, 2)]


def test_set_null_of_a_table_that_refers_to_itself(database: sa.Engine) -> None:
    run(database, "DELETE FROM invoice WHERE tenant_id = 1 AND id = 1")
    assert _rows(database, "SELECT tenant_id, id, previous_id FROM invoice ORDER BY 1, 2") == [
        (1, 2, None),
        (2, 1, None),
        (2, 2, 1),
    ]
    run(database, "DELETE FROM invoice")
    assert _rows(database, "SELECT 1 FROM invoice") == []


def test_set_null_of_several_columns_and_a_cascade_before_it(database: sa.Engine) -> None:
    run(
        database, "DELETE FROM customer WHERE tenant_id = 1 AND id = 1"
    )  # its invoices and their lines go with it
    assert _rows(database, "SELECT tenant_id, invoice_id FROM line ORDER BY 1, 2") == [(2, 1), (2, 2)]
    assert _rows(database, "SELECT tenant_id, id, invoice_id, position FROM payment ORDER BY 1, 2") == [
        (1, 1, None, None),
        (1, 2, None, None),
        (2, 1, 1, 1),
        (2, 2, 2, 1),
    ]


def test_set_default(database: sa.Engine) -> None:
    run(database, "DELETE FROM team WHERE tenant_id = 1 AND id = 1")
    assert _rows(database, "SELECT tenant_id, id, team_id FROM member ORDER BY 1, 2") == [
        (1, 1, 0),
        (1, 2, 0),
        (2, 1, 1),
        (2, 2, 1),
    ]


def test_on_update_cascade(database: sa.Engine) -> None:
    run(
        database,
        "UPDATE invoice SET customer_name = 'Ada'",
        "UPDATE customer SET name = 'Eve' WHERE tenant_id = 1 AND id = 1",
    )
    assert _rows(database, "SELECT DISTINCT tenant_id, customer_name FROM invoice ORDER BY 1") == [
        (1, "Eve"),
        (2, "Ada"),
    ]


@pytest.mark.databases("sqlite")
def test_on_update_set_null(database: sa.Engine) -> None:
    for tenant in (1, 2):
        _insert(database, "room", tenant, (1, 2))
        _insert(database, "booking", tenant, (1, 2), room_id=[1, 2])
    run(database, "UPDATE room SET id = 3 WHERE tenant_id = 1 AND id = 1")
    assert _rows(database, "SELECT tenant_id, id, room_id FROM booking ORDER BY 1, 2") == [
        (1, 1, None),
        (1, 2, 2),
        (2, 1, 1),
        (2, 2, 2),
    ]


@pytest.mark.databases("sqlite")
def test_a_lost_trigger_is_named_and_fails_closed(database: sa.Engine) -> None:
    name = "tenancy_delete_invoice_payer_id"
    run(database, f"DROP TRIGGER {name}")
    with database.connect() as connection:
        assert [problem.key for problem in check_schema(connection, CONFIG)] == [name]
    with pytest.raises(IntegrityError):
        run(database, "DELETE FROM customer WHERE tenant_id = 1 AND id = 2")
    run(database, "CREATE TABLE country2 (a)")  # any change of tables settles what is missing
    assert name in {found.name for found in live(database).objects}


@pytest.mark.databases("sqlite")
def test_our_triggers_go_with_their_tables(database: sa.Engine) -> None:
    assert {found.table for found in live(database).objects} == {
        "customer",
        "invoice",
        "line",
        "team",
        "room",
        "strictly",
    }
    run(database, "DROP TABLE booking")
    assert "room" not in {found.table for found in live(database).objects}


@pytest.mark.databases("postgresql+psycopg")
def test_exclusion_stays_in_the_tenant(database: sa.Engine) -> None:
    run(database, "INSERT INTO reservation (tenant_id, room, during) VALUES (1, 1, '[1,3]'), (2, 1, '[1,3]')")
    with pytest.raises(IntegrityError):
        run(database, "INSERT INTO reservation (tenant_id, room, during) VALUES (1, 1, '[2,2]')")


@pytest.mark.databases("postgresql+psycopg")
def test_match_full_of_one_column_allows_null(database: sa.Engine) -> None:
    run(database, "INSERT INTO document (tenant_id, customer_id) VALUES (1, NULL)")
    with pytest.raises(IntegrityError):
        run(database, "INSERT INTO document (tenant_id, customer_id) VALUES (1, 99)")


@pytest.mark.databases("sqlite")
def test_a_second_engine_to_the_same_file_sees_the_same(database: sa.Engine) -> None:
    again = install(sa.create_engine(database.url))
    try:
        assert sa.inspect(again).get_pk_constraint("line")["constrained_columns"] == [
            "invoice_id",
            "position",
        ]
    finally:
        again.dispose()
