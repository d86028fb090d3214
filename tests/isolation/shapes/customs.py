"""Elements with SQL of their own, as SQLAlchemy's documentation teaches to write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement
from sqlalchemy.types import UserDefinedType

from tests.isolation import schema as s
from tests.isolation.shapes.registry import shape

customer, invoice, club = (m.__table__ for m in (s.Customer, s.Invoice, s.Club))


class greatest(FunctionElement[Any]):  # noqa: N801
    name = "greatest"
    inherit_cache = True
    type = sa.Integer()


@compiles(greatest)
def _greatest(element: Any, compiler: Any, **kw: Any) -> str:
    return compiler.visit_function(element)


@compiles(greatest, "sqlite")
def _greatest_by_case(element: Any, compiler: Any, **kw: Any) -> str:
    one, two = list(element.clauses)
    return compiler.process(sa.case((one > two, one), else_=two), **kw)


class coalesced(FunctionElement[Any]):  # noqa: N801
    inherit_cache = True
    type = sa.String()


@compiles(coalesced)
def _coalesced(element: Any, compiler: Any, **kw: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **kw)})"


class Either(ColumnElement[bool]):
    """An OR without parentheses."""

    inherit_cache = True
    type = sa.Boolean()
    _traverse_internals = [  # noqa: RUF012
        ("left", sa.sql.visitors.InternalTraversal.dp_clauseelement), ("right", sa.sql.visitors.InternalTraversal.dp_clauseelement),
    ]  # fmt: skip

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right


@compiles(Either)
def _either(element: Any, compiler: Any, **kw: Any) -> str:
    return f"{compiler.process(element.left, **kw)} OR {compiler.process(element.right, **kw)}"


class Largest(ColumnElement[int]):
    """Reads a table in SQL of its own."""

    inherit_cache = True
    type = sa.Integer()
    _traverse_internals = []  # noqa: RUF012


@compiles(Largest)
def _largest(element: Any, compiler: Any, **kw: Any) -> str:
    return "(SELECT max(id) FROM invoice)"


class now(FunctionElement[Any]):  # noqa: N801
    inherit_cache = True
    type = sa.Date()


@compiles(now)
def _now(element: Any, compiler: Any, **kw: Any) -> str:
    return "CURRENT_DATE"


class Shouted(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "VARCHAR(99)"

    def column_expression(self, column: Any) -> Any:
        return func.upper(column, type_=self)

    def bind_expression(self, value: Any) -> Any:
        return func.lower(value, type_=self)


@shape()
def custom_elements(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    expressions = (
        greatest(c.id, 3),
        greatest(c.id, c.boss_id),
        coalesced(c.city, "none"),
        coalesced(c.city, c.name, "x"),
        Largest(),
        Largest() + c.id,
    )
    for expression in expressions:
        yield sa.select(c.id, expression)
        yield sa.select(c.id, expression.label("labelled")).where(c.active)
        yield sa.select(c.id).where(expression == expression)
        yield sa.select(c.id).order_by(expression, c.id)
        yield sa.select(func.count(), expression).select_from(customer).group_by(c.id, expression)
        yield sa.select(func.max(expression))
    for condition in (
        Either(c.id == 1, c.id == 2),
        Either(c.active, c.city == "Bern"),
        Either(sa.text("1 = 1"), c.id == 1),
    ):
        yield sa.select(c.id).where(condition)
        yield sa.select(c.id).where(c.id > 1, condition)
        yield sa.select(c.id).where(sa.and_(condition, c.id > 1))
        yield sa.select(c.id, i.id).select_from(sa.join(customer, invoice, condition))
        yield sa.select(c.id, i.id).select_from(
            sa.outerjoin(customer, invoice, sa.and_(c.id == i.payer_id, condition))
        )
        yield sa.update(customer).values(city="either").where(condition)
    yield sa.select(c.id, Either(sa.exists().where(i.customer_id == c.id), c.active))
    yield sa.select(c.id).where(Either(c.id.in_(sa.select(i.customer_id).where(i.paid)), c.id == 5))
    yield sa.select(now() == now(), c.id)
    yield sa.insert(club).values(name=coalesced(sa.null(), "made"))
    yield sa.insert(s.event_log).values(happened=now(), message="today").returning(s.event_log.c.message)
    yield sa.update(customer).values(balance=greatest(c.id, 5)).returning(c.id, c.balance)
    yield sa.select(sa.type_coerce(c.name, Shouted()), c.id)
    yield sa.select(c.id).where(sa.type_coerce(c.name, Shouted()) == "a1")
    yield sa.select(sa.cast(c.name, Shouted()))
