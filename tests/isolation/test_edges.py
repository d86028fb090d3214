"""Where the statement compiler has to refuse, or must not show what is hidden."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import column, func, literal_column, table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.expression import ClauseElement, ColumnElement, Executable, FromClause
from sqlalchemy.types import UserDefinedType

from flask_tenant.errors import RefusedError
from tests.isolation import schema as s
from tests.isolation.world import World

customer, invoice, club, setting = (m.__table__ for m in (s.Customer, s.Invoice, s.Club, s.Setting))
c, i = customer.c, invoice.c
BACK_ENDS = ("sqlite", "postgresql+psycopg")
pytestmark = pytest.mark.databases(*BACK_ENDS)


def element(base: Any, render: Callable[[Any, Any], str], *parts: Any) -> Any:
    """An element with SQL of its own, of a class that nobody else has."""
    made = type("Own", (base,), {"inherit_cache": False, "type": sa.Text(), "parts": parts})
    compiles(made)(lambda self, compiler, **kw: render(compiler, self))
    return made()


def own(text_: str) -> Any:
    return element(ColumnElement, lambda compiler, _: text_)


class Statement(Executable, ClauseElement):
    inherit_cache = False


@compiles(Statement)
def _statement(self: Any, compiler: Any, **kw: Any) -> str:
    return "SELECT name FROM customer"


class Quoted(ColumnElement[str]):
    """Puts what it holds between quotes: the inner quotes would end them."""

    inherit_cache = False
    type = sa.Text()


@compiles(Quoted)
def _quoted(self: Any, compiler: Any, **kw: Any) -> str:
    return f"'{compiler.process(func.coalesce(c.city, literal_column(chr(39) + ' OR 1=1 OR ' + chr(39))), **kw)}'"


class Hinted(FromClause):
    """A table with something behind it."""

    inherit_cache = False
    named_with_column = False
    _hide_froms = ()


@compiles(Hinted)
def _hinted(self: Any, compiler: Any, **kw: Any) -> str:
    return "customer"


def unquoted(name: str) -> Any:
    return quoted_name(name, quote=False)


REFUSED: dict[str, Any] = {
    "another operator": sa.select(c.id).where(c.id.op("= 1 OR 1 =")(1)),
    "an operator that comments": sa.select(c.id).where(c.id.op("--")(1)),
    "a prefix": sa.select(c.id).prefix_with("name FROM customer --"),
    "a suffix": sa.select(c.id).suffix_with("UNION SELECT name FROM customer"),
    "a suffix that goes on": sa.select(c.id).where(c.active).suffix_with("OR 1 = 1"),
    "a prefix of INSERT": sa.insert(club).values(name="x").prefix_with("INTO customer"),
    "a prefix of UPDATE": sa.update(club).values(name="x").prefix_with("customer SET city = 1 --"),
    "a statement hint": sa.select(c.id).with_statement_hint("*/ OR 1 = 1 /*"),
    "a name in FROM that is SQL": sa.select(text("1")).select_from(table(unquoted("customer, invoice"))),
    "a column that is SQL": sa.select(column(unquoted("(SELECT name FROM customer)"))),
    "a label that is SQL": sa.select(c.id.label(unquoted("x, (SELECT name FROM customer) AS y"))),
    "an alias that is SQL": sa.select(customer.alias(unquoted("x, customer")).c.id),
    "a field of EXTRACT": sa.select(sa.extract(unquoted("year FROM now()) , (SELECT 1"), i.issued)),
    "an unknown function": sa.select(func.pg_read_file("/etc/passwd")),
    "a function with a schema": sa.select(func.evil.count(1)),
    "the tenant column": sa.select(table("customer", column("tenant_id")).c.tenant_id),
    "the tenant column alone": sa.select(column("tenant_id")).select_from(customer),
    "the tenant column in capitals": sa.select(column("Tenant_Id")).select_from(customer),
    "the tenant column as text": sa.select(text("tenant_id")).select_from(customer),
    "the tenant column in a condition": sa.select(c.id).where(text("tenant_id = 2")),
    "the tenant column as a label": sa.select(c.city.label("tenant_id"), func.count()).group_by("tenant_id"),
    "the tenant column in VALUES": sa.insert(table("club", column("name"), column("tenant_id"))).values(name="x", tenant_id=2),
    "the tenant column in SET": sa.update(table("club", column("tenant_id"))).values(tenant_id=2),
    "the tenant column in FROM SELECT": sa.insert(table("club", column("name"), column("tenant_id"))).from_select(
        ["name", "tenant_id"], sa.select(c.name, c.id)
    ),
    "the tenant column in RETURNING": sa.update(club).values(name="x").returning(column("tenant_id")),
    "the tenant column in ORDER BY": sa.select(c.id).order_by(text("tenant_id")),
    "the tenant column in USING": sa.select(text("1")).select_from(text("customer JOIN invoice USING (tenant_id)")),
    "a subquery as literal column": sa.select(literal_column("(SELECT city FROM customer")),
    "text that closes a parenthesis": sa.select(c.id).where(sa.or_(text("1=0) OR (1=1"), c.id == 1)),
    "text with a comment": sa.select(c.id).where(text("1=1 --")),
    "text with a semicolon": sa.select(c.id).where(text("1=1; DELETE FROM customer")),
    "SQL in LIMIT": sa.select(c.id).limit(literal_column("1 UNION SELECT id FROM customer")),
    "an element that is a statement": Statement(),
    "an element that closes a parenthesis": sa.select(c.id).where(own("1 = 1) OR (1 = 1")),
    "an element that goes on": sa.select(own("1, (SELECT name FROM customer) AS x FROM customer --")),
    "an element that calls": sa.select(own("pg_read_file('/etc/passwd')")),
    "an element that names the tenant column": sa.select(c.id).where(own("customer.tenant_id = 2")),
    "an element that quotes": sa.select(Quoted(), c.id),
    "an element with our placeholder": sa.select(own(":ft_part_0 "), c.id),
    "an element as a whole SELECT": sa.select(c.id).where(sa.exists(sa.select(own("1 FROM customer")))),
    "an element with a bad part": sa.select(
        element(ColumnElement, lambda compiler, _: f"{compiler.process(c.name)}, (SELECT max(name) FROM invoice"), c.id
    ),
    "UPDATE of a CTE": sa.update(sa.select(customer).cte()).values(city="x"),
    "DELETE of a join": sa.delete(sa.join(customer, invoice, c.id == i.customer_id)),
    "a row's address": sa.select(table("customer", column("rowid"), column("ctid")).c.rowid),
    "our own table": sa.select(table("tenancy_tenant", column("slug"))),
    "our own table in a subquery": sa.select(c.id).where(sa.exists(sa.select(text("1")).select_from(table("tenancy_tenant")))),
    "the catalogue": sa.select(table("sqlite_master", column("name"))),
    "PostgreSQL's catalogue": sa.select(table("pg_class", column("relname"), schema="pg_catalog")),
}  # fmt: skip
ONLY = {
    "a row's address": "sqlite", "a field of EXTRACT": "postgresql", "the catalogue": "sqlite", "PostgreSQL's catalogue": "postgresql",
}  # fmt: skip


@pytest.mark.every_driver
@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str, world: World) -> None:
    if ONLY.get(what, world.dialect) != world.dialect:
        return  # the other database has no such thing
    with world.as_tenant("a") as connection, pytest.raises(RefusedError) as refusal:
        connection.execute(REFUSED[what]).all()
    assert refusal.value.hint or "(line" in str(refusal.value)
    world.check_untouched()


def test_no_schema_is_translated(world: World) -> None:
    """Where ``schema_translate_map`` points is known at execution only."""
    with world.as_tenant("a") as connection:
        mapped = connection.execution_options(
            schema_translate_map={"x": "main" if world.dialect == "sqlite" else "public"}
        )
        moved = sa.Table("customer", sa.MetaData(), sa.Column("id", sa.Integer), schema="x")
        with pytest.raises(RefusedError, match="schema_translate_map"):
            mapped.execute(sa.select(moved))


class Evil(UserDefinedType[str]):
    """Renders the name of a type that is none."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "text), (SELECT max(name) FROM customer"


ROW = "row_to_json(customer)"
SHOWS: dict[str, Any] = {
    "RETURNING * of UPDATE": sa.update(customer).values(city="x").returning(text("*")),
    "RETURNING * of UPDATE, literal": sa.update(customer).values(city="x").returning(literal_column("*")),
    "RETURNING * of DELETE": sa.delete(s.Payment).returning(text("*")),
    "RETURNING * of INSERT": sa.insert(club).values(name="y").returning(text("*")),
    "RETURNING one table's *": sa.update(customer).values(city="x").where(c.id == i.customer_id).returning(text("invoice.*")),
    "*": sa.select(text("*")).select_from(customer),
    "* of a join": sa.select(literal_column("*")).select_from(customer.join(invoice, c.id == i.customer_id)),
    "* in EXISTS": sa.select(c.id).where(sa.exists(sa.select(text("*")).select_from(invoice).where(i.customer_id == c.id))),
    "* in UNION": sa.select(text("*")).select_from(sa.select(text("id, name")).select_from(club).union_all(sa.select(text("*")).select_from(club)).subquery()),
    "* in a CTE": sa.select(text("*")).select_from(sa.select(text("*")).select_from(customer).cte("x")),
    "NATURAL JOIN": sa.select(text("*")).select_from(text("membership NATURAL JOIN (SELECT id AS customer_id, city FROM customer) AS x")),
    "a whole row": sa.select(text("customer")).select_from(customer),
    "a whole row, literal": sa.select(literal_column("customer")).select_from(customer),
    "a whole row, column": sa.select(column("customer")).select_from(customer),
    "a whole row of an alias": sa.select(column("q")).select_from(customer.alias("q")),
    "a row as JSON": sa.select(func.row_to_json(literal_column("customer"))).select_from(customer),
    "a row as JSON, *": sa.select(func.to_jsonb(literal_column("customer.*"))).select_from(customer),
    "a row as JSON, column": sa.select(func.row_to_json(column("customer"))).select_from(customer),
    "a row as JSON, table": sa.select(func.row_to_json(customer.table_valued())),
    "rows as JSON": sa.select(func.jsonb_agg(customer.table_valued())),
    "a row of the outer query": sa.select(sa.select(text(ROW)).scalar_subquery()).select_from(customer),
    "a row in WHERE": sa.select(c.id, text("1")).where(text(f"{ROW}::text LIKE '%tenant_id%'")),
    "a row in WHERE, *": sa.select(c.id).where(text("to_json(customer.*)::text LIKE '%tenant_id%'")),
    "a row in WHERE, any *": sa.select(c.id).where(text("EXISTS (SELECT 1 FROM (SELECT customer.*) AS x WHERE x::text LIKE '%tenant_id%')")),
    "a row in WHERE of UPDATE, *": sa.update(customer).values(city="x").where(text("to_json(customer.*)::text LIKE '%tenant_id%'")).returning(c.id),
    "a row in ON": sa.select(c.id).select_from(customer.join(invoice, text(f"{ROW}::text LIKE '%tenant_id%'"))),
    "a row in ORDER BY": sa.select(c.id).order_by(text(f"{ROW}::text")),
    "a row in GROUP BY": sa.select(func.count()).select_from(customer).group_by(text(f"{ROW}::text")),
    "a row in HAVING": sa.select(func.count()).select_from(customer).having(text(f"max({ROW}::text) LIKE '%tenant_id%'")),
    "a row in EXISTS": sa.select(c.id).where(sa.exists(sa.select(sa.literal(1)).where(text(f"{ROW}::text LIKE '%tenant_id%'")))),
    "a row in SET": sa.update(customer).values(city=text(f"{ROW}::text")).returning(c.city),
    "a row in RETURNING": sa.update(customer).values(city="y").returning(text(ROW)),
    "a row in RETURNING of INSERT": sa.insert(club).values(name="z").returning(text("row_to_json(club)")),
    "a row in DO UPDATE": postgresql.insert(setting).values(key="title").on_conflict_do_update(
        index_elements=["key"], set_={"value": text("row_to_json(setting)::text")}
    ).returning(setting.c.value),
    "a row in an element": sa.select(own("to_jsonb(customer)")).select_from(customer),
    "a row in an element, late": sa.select(c.id).where(own("to_jsonb(customer)::text LIKE '%tenant_id%'")),
    "a column as a function": sa.select(text("tenant_id(customer)")).select_from(customer),
    "a field of a row": sa.select(text("(customer).tenant_id")).select_from(customer),
    "a type's name": sa.select(sa.cast(c.name, Evil()), c.id),
}  # fmt: skip


@pytest.mark.every_driver
@pytest.mark.parametrize("what", SHOWS)
def test_what_is_hidden_stays_hidden(what: str, world: World) -> None:
    """Answered without the tenant column, or refused; a database's own error (SQLite has no rows as values) tells nothing."""
    with world.as_tenant("a") as connection:
        transaction = connection.begin()
        try:
            result = connection.execute(SHOWS[what])
            keys, rows = list(result.keys()), result.all()
        except RefusedError:
            return
        except DBAPIError as error:
            assert world.dialect == "sqlite" or "RETURNING" in what
            assert "tenant_id" not in str(error).replace("%tenant_id%", "")  # noqa: PT017
            return
        finally:
            transaction.rollback()
    assert bool(rows) is ("%tenant_id%" not in str(SHOWS[what]))
    assert "tenant_id" not in keys
    for value in itertools.chain.from_iterable(rows):
        shown = value.keys() if isinstance(value, dict) else ()
        assert "tenant_id" not in shown
        assert "tenant_id" not in str(value)


def test_caller_cannot_bind_our_parameters(world: World) -> None:
    """A parameter of the name of ours is not taken for it."""
    with world.as_tenant("a") as connection:
        query = sa.select(c.name)
        compiled = query.compile(connection)
        names = list(compiled.params) or list(getattr(compiled, "ft_keys", ()))
        assert names
        found = connection.execute(query, dict.fromkeys(names, world.ids["b"])).scalars().all()
        assert {name[0] for name in found} == {"a"}
        marker = names[0]
        written = text(f"SELECT name FROM customer WHERE id > 0 AND :{marker} = :{marker}")
        rows = connection.execute(written, {marker: world.ids["b"]}).scalars().all()
        assert {name[0] for name in rows} == {"a"}


def test_values_are_not_rendered_into_the_text(world: World) -> None:
    """The tenant is bound, so that a compiled statement serves every tenant."""
    with world.as_tenant("a") as connection:
        rendered = str(sa.select(c.id).where(c.id == 1).compile(connection))
    assert "tenant_id = " in rendered
    assert f"tenant_id = {world.ids['a']}" not in rendered


@pytest.mark.parametrize("statement", [
    sa.select(customer).where(c.id == 1), sa.update(customer).values(city="x"), sa.insert(club).values(name="x"),
    sa.delete(s.Payment), sa.text("SELECT 1 FROM customer"),
], ids=str)  # fmt: skip
def test_statements_stay_the_applications_own(statement: Any, world: World) -> None:
    """Compiling changes nothing of the statement that the application holds."""
    before = str(statement)
    with world.as_tenant("a") as connection:
        transaction = connection.begin()
        connection.execute(statement)
        transaction.rollback()
    assert str(statement) == before
    assert "tenant_id" not in before
