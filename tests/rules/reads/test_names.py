"""SQLite finds tables and columns whatever the case of their names; SQLAlchemy's quoted names keep theirs."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from flask_tenant.decision import Decision, Denial, Overlay, Ruling, WriteRules
from flask_tenant.errors import RuleDeniedError, StatementRefusedError, TenancyError
from flask_tenant.expressions import Constant, Kind
from tests.rules.reads.world import EMPTY, World, call, decide, number

pytestmark = pytest.mark.databases("sqlite")

TABLES = ["customer", "Customer", "CUSTOMER", quoted_name("CUSTOMER", True)]
COLUMNS = ["tax_id", "Tax_ID", quoted_name("TAX_ID", True)]
FEW = call("<", number("rating"), Constant(Kind.NUMBER, 2))
SHOWN = [None] * 3


def customers(table: str, column: str = "tax_id") -> tuple[Any, Any]:
    found = sa.table(table, sa.column("id"), sa.column("rating"), sa.column("name"), sa.column(column))
    return found, found.c[column]


@pytest.mark.parametrize("column", COLUMNS, ids=repr)
@pytest.mark.parametrize("table", TABLES, ids=repr)
def test_filters_and_masks_hold_by_any_name(world: World, table: str, column: str) -> None:
    for overlay in (Overlay((FEW,), masks=(("tax_id", EMPTY),)), Overlay((FEW,), hidden=("tax_id",))):
        with world.under(decide({"customer": overlay})) as connection:
            source, secret = customers(table, column)
            update = source.update().values(name="x")
            assert list(connection.scalars(sa.select(secret))) == SHOWN
            assert list(connection.scalars(sa.text(f'SELECT "{column}" FROM "{table}"'))) == SHOWN
            assert list(connection.scalars(update.returning(secret))) == SHOWN
            assert list(connection.scalars(update.where(secret == "DE01").returning(source.c.id))) == []
            assert (
                connection.execute(source.update().values(name=sa.func.coalesce(secret, "-"))).rowcount == 3
            )
            assert set(connection.scalars(sa.select(source.c.name))) == {"-"}
            assert connection.execute(source.delete().where(secret.like("DE%"))).rowcount == 0


@pytest.mark.parametrize("table", TABLES, ids=repr)
def test_denials_hold_by_any_name(world: World, table: str) -> None:
    source, _ = customers(table)
    reads = Ruling(Decision(1, {}, reads={"customer": Denial("no", ("Never.",), None)}))
    statements: list[Any] = [
        sa.select(source.c.id),
        sa.select(sa.table("note", sa.column("id")).c.id).where(sa.exists(sa.select(source.c.id))),
        source.update().values(name="x"),
        source.delete(),
        sa.text(f'SELECT id FROM "{table}"'),
    ]
    for statement in statements:
        with world.under(reads) as connection, pytest.raises(RuleDeniedError, match="Never"):
            connection.execute(statement)
    denies = WriteRules(denials=(Denial("no", ("Never.",), None),))
    writes = Ruling(Decision(1, {}, writes={("customer", v): denies for v in ("insert", "update", "delete")}))
    inner = source.update().values(name="x").returning(source.c.id).cte("changed")
    for statement in (*statements[2:4], source.insert().values(id=9, rating=1, name="n")):
        with world.under(writes) as connection, pytest.raises(RuleDeniedError, match="Never"):
            connection.execute(statement)
    with world.under(writes) as connection, pytest.raises(StatementRefusedError, match="write rules"):
        connection.execute(sa.select(inner.c.id))


@pytest.mark.parametrize("name", ["tenant_id", "TENANT_ID", quoted_name("TENANT_ID", True)], ids=repr)
def test_the_tenants_column_has_no_other_name(world: World, name: str) -> None:
    note = sa.table("note", sa.column("id"), sa.column(name))
    for statement in (
        sa.select(note.c[name]),
        sa.select(note.c.id).where(note.c[name] == 2),
        sa.select(note.c.id.label(name)),
        note.update().values({name: 2}),
        note.update().ordered_values((note.c[name], 2)),
        note.insert().values({"id": 9, name: 2}),
    ):
        with world.under(None) as connection, pytest.raises(TenancyError, match=r"(?i)tenant_id"):
            connection.execute(statement)


@pytest.mark.parametrize(
    "table", ["TENANCY_TENANT", quoted_name("TENANCY_TOKEN", True), "Sqlite_Master"], ids=repr
)
def test_our_own_tables_have_no_other_names(world: World, table: str) -> None:
    found = sa.table(table, sa.column("slug"))
    for statement in (
        sa.select(found.c.slug),
        found.update().values(slug="x"),
        found.insert().values(slug="x"),
    ):
        with world.under(None) as connection, pytest.raises(StatementRefusedError, match=f"(?i){table}"):
            connection.execute(statement)


def test_a_row_has_no_address_by_another_name(world: World) -> None:
    for name in ("rowid", quoted_name("ROWID", True), quoted_name("_ROWID_", True)):
        note = sa.table("note", sa.column(name))
        for statement in (sa.select(note.c[name]), note.update().values({name: 9})):
            with (
                world.under(None) as connection,
                pytest.raises(StatementRefusedError, match="address of a row"),
            ):
                connection.execute(statement)
