"""Class 6, precedence: the tenant's predicate holds whatever the application puts beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from flask_tenant import TenancyError
from tests.attacks.cases import Attack, attacks, parametrize, withstands
from tests.attacks.world import Country, Customer, Invoice, Setting, World, table_rows, visit

RAW = attacks(
    """
SELECT name FROM customer WHERE 1=1 OR 1=1

SELECT name FROM customer WHERE id = 1 OR name IS NOT NULL OR id = 2

SELECT name FROM customer WHERE NOT id = 77 OR 1=1

SELECT name FROM customer WHERE id = 1 AND 1=2 OR 1=1

DELETE FROM visit WHERE 1=1 OR 1=1

DELETE FROM visit WHERE hits = 1 OR page IS NOT NULL

UPDATE customer SET note = 'x' WHERE id = 1 OR 1=1

SELECT c.name, i.number FROM customer c JOIN invoice i ON i.customer_id = c.id OR 1=1

SELECT c.name, i.number FROM customer c LEFT JOIN invoice i ON 1=1 OR 1=1

SELECT c.name, i.number FROM invoice i RIGHT JOIN customer c ON i.customer_id = c.id OR 1=1

SELECT c.name, i.number FROM customer c FULL JOIN invoice i ON c.id = i.customer_id

SELECT name, count(*) FROM customer GROUP BY name HAVING count(*) > 0 OR 1=1

SELECT c.name FROM customer c CROSS JOIN invoice i WHERE c.id = i.customer_id OR 1=1

SELECT name FROM customer WHERE id IN (SELECT customer_id FROM invoice WHERE 1=1 OR 1=1) OR 1=1

SELECT (SELECT count(*) FROM invoice i WHERE i.customer_id = c.id OR 1=1) FROM customer c

UPDATE customer SET note = i.number FROM invoice i WHERE i.customer_id = customer.id OR 1=1
""",
    answered=True,
)


@parametrize(RAW)
def test_raw(world: World, attack: Attack) -> None:
    withstands(world, attack)


customer, invoice = Customer.__table__, Invoice.__table__
OR = sa.text("1=1 OR 1=1")
other = sa.alias(customer, "other")

STATEMENTS: dict[str, Callable[[], Any]] = {
    "where text": lambda: sa.select(customer.c.name).where(OR),
    "where two texts": lambda: sa.select(customer.c.name).where(OR).where(sa.text("id > 0 OR id < 0")),
    "where literal": lambda: sa.select(customer.c.name).where(sa.literal_column("1=1 OR 1=1", sa.Boolean)),
    "where op": lambda: sa.select(customer.c.name).where(customer.c.id.op("= 1 OR id >")(0)),
    "where op()": lambda: sa.select(customer.c.name).where(customer.c.id.op("=")(sa.text("1 OR 1=1"))),
    "where and_": lambda: sa.select(customer.c.name).where(sa.and_(OR, customer.c.id > 0)),
    "where or_": lambda: sa.select(customer.c.name).where(sa.or_(OR, customer.c.id > 0)),
    "where between": lambda: sa.select(customer.c.name).where(customer.c.id.between(1, sa.text("2 OR 1=1"))),
    "having text": lambda: sa.select(customer.c.name, sa.func.count()).group_by(customer.c.name).having(OR),
    "suffix": lambda: sa.select(customer.c.name).suffix_with("OR 1=1"),
    "prefix": lambda: sa.select(customer.c.name).prefix_with("name, (SELECT max(name) FROM customer),"),
    "statement hint": lambda: sa.select(customer.c.name).with_statement_hint("OR 1=1"),
    "hint": lambda: sa.select(customer.c.name).with_hint(customer, "OR 1=1"),
    "order by text": lambda: sa.select(customer.c.name).order_by(sa.text("1 LIMIT 100 --")),
    "group by text": lambda: sa.select(customer.c.name).group_by(sa.text("name UNION SELECT name FROM customer")),
    "limit text": lambda: sa.select(customer.c.name).limit(sa.literal_column("100 --")),
    "from text": lambda: sa.select(sa.column("name")).select_from(sa.text("customer")),
    "literal subquery": lambda: sa.select(sa.literal_column("(SELECT max(name) FROM customer)")),
    "text in columns": lambda: sa.select(sa.text("name FROM customer WHERE 1=1 OR 1=1 --")).select_from(customer),
    "join on text": lambda: sa.select(customer.c.name, invoice.c.number).select_from(customer.join(invoice, OR)),
    "left join on text": lambda: sa.select(customer.c.name, invoice.c.number).select_from(
        customer.outerjoin(invoice, sa.text("customer.id = invoice.customer_id OR 1=1"))
    ),
    "full join": lambda: sa.select(customer.c.name, invoice.c.number).select_from(
        customer.join(invoice, customer.c.id == invoice.c.customer_id, full=True)
    ),
    "cartesian": lambda: sa.select(customer.c.name, invoice.c.number).select_from(customer, invoice),
    "itself": lambda: sa.select(customer.c.name, other.c.name).select_from(customer, other).where(OR),
    "alias": lambda: sa.select(other.c.name).where(sa.text("other.id = 1 OR 1=1")),
    "exists": lambda: sa.select(Country.code).where(sa.exists().where(customer.c.balance > 300)),
    "in": lambda: sa.select(Country.code).where(sa.literal("only-bella").in_(sa.text("SELECT key FROM setting"))),
    "union": lambda: sa.select(customer.c.name).where(OR).union(sa.select(customer.c.email).where(OR)),
    "cte": lambda: sa.select(sa.select(customer.c.name).where(OR).cte("x").c.name),
    "subquery": lambda: sa.select(sa.select(customer.c.name).where(OR).subquery().c.name),
    "scalar": lambda: sa.select(sa.select(sa.func.count(customer.c.id)).where(OR).scalar_subquery()),
    "function": lambda: sa.select(sa.func.max(customer.c.name)),
    "window": lambda: sa.select(sa.func.count().over(), customer.c.name),
    "text statement": lambda: sa.text("SELECT name FROM customer WHERE id = :id OR 1=1").bindparams(id=1),
    "text columns": lambda: sa.text("SELECT name FROM customer").columns(customer.c.name),
    "text subquery": lambda: sa.select(
        sa.text("SELECT name FROM customer").columns(sa.column("name")).subquery("x").c.name
    ),
    "delete": lambda: sa.delete(visit).where(OR),
    "delete all": lambda: sa.delete(visit),
    "delete in": lambda: sa.delete(visit).where(visit.c.page.in_(sa.select(Setting.value).where(OR))),
    "delete using": lambda: sa.delete(visit).where(visit.c.hits < customer.c.id),
    "update": lambda: sa.update(customer).values(note="x").where(OR),
    "update literal": lambda: sa.update(customer).values(note=sa.literal_column("(SELECT max(name) FROM customer)")),
    "update scalar": lambda: sa.update(customer).values(
        note=sa.select(sa.func.max(other.c.name)).scalar_subquery()
    ),
    "update from": lambda: sa.update(customer).values(note=invoice.c.number).where(OR),
    "insert select": lambda: sa.insert(visit).from_select(["page"], sa.select(customer.c.name).where(OR)),
    "insert literal": lambda: sa.insert(visit).values(page=sa.literal_column("(SELECT max(name) FROM customer)")),
    "orm": lambda: sa.select(Customer.name).where(OR),
    "orm join": lambda: sa.select(Customer.name, Invoice.number).join(Invoice, OR),
    "orm outer join": lambda: sa.select(Customer.name, Invoice.number).outerjoin(Invoice, OR),
    "orm alias": lambda: sa.select(aliased(Customer).name).where(OR),
    "orm delete": lambda: sa.delete(Invoice).where(OR).execution_options(synchronize_session=False),
    "orm update": lambda: sa.update(Customer).values(note="x").where(OR).execution_options(synchronize_session=False),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*cartesian product")
@pytest.mark.parametrize("name", STATEMENTS)
def test_core_and_orm(world: World, name: str) -> None:
    """Equal to the answer of a database of one's own, or refused."""
    refused = 0
    for through in ("connection", "session"):
        try:
            rows, mine = answer(world, STATEMENTS[name](), through, pool=True)
        except TenancyError as error:
            world.says_nothing(str(error))
            refused += 1
            continue
        except (sa.exc.DBAPIError, sa.exc.CompileError, NotImplementedError) as error:
            with pytest.raises(type(error)):
                answer(world, STATEMENTS[name](), through, pool=False)
            world.says_nothing(str(error))
            continue
        right, left = answer(world, STATEMENTS[name](), through, pool=False)
        assert rows == right, name
        assert mine == left, name
        assert bites(world, STATEMENTS[name](), right), f"{name} is harmless past the wall"
    if name.split()[0] in ("delete", "update", "orm", "exists", "union", "cte"):
        assert not refused, f"{name} was refused"


def answer(world: World, statement: Any, through: str, *, pool: bool) -> tuple[Any, Any]:
    """The rows of a statement (in no order), and the attacker's tables afterwards."""
    if not pool:
        with world.single.connect() as connection:
            connection.begin()
            world.begin(connection)
            rows, left = execute(connection, statement, through), table_rows(connection)
            connection.rollback()
            return rows, left
    with world.as_(), world.engine.connect() as connection:
        connection.begin()
        world.begin(connection)
        rows = execute(connection, statement, through)
        assert world.others(connection) == world.neighbours(), f"{statement} changed the neighbours' rows"
        mine = world.mine(connection)
        connection.rollback()
        return rows, mine


def execute(connection: sa.Connection, statement: Any, through: str) -> Any:
    if through == "connection":
        result: Any = connection.execute(statement)
        rows = sorted(map(repr, result)) if result.returns_rows else None
        return rows, result.rowcount if rows is None else None
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        result = session.execute(statement)
        rows = sorted(map(repr, result)) if getattr(result, "returns_rows", True) else None
        count = result.rowcount if rows is None else None
        session.commit()
        return rows, count


def bites(world: World, statement: Any, right: Any) -> bool:
    with world.physical.connect() as connection:
        try:
            rows = execute(connection, statement, "connection")
        except sa.exc.DBAPIError:
            return True  # such as an INSERT that names no tenant
        changed = world.neighbours(table_rows(connection)) != world.neighbours()
        connection.rollback()
        return changed or rows != right
