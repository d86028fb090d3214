"""Joins of every kind and nesting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from tests.isolation import schema as s
from tests.isolation.shapes.registry import shape

customer, invoice, line, item, category, country, payment = (
    m.__table__ for m in (s.Customer, s.Invoice, s.Line, s.Product, s.Category, s.Country, s.Payment)
)
KINDS: tuple[dict[str, bool], ...] = ({}, {"isouter": True}, {"full": True})


def joined(left: Any, right: Any, on: Any, kind: dict[str, bool]) -> Any:
    return sa.join(left, right, on, **kind)


@shape()
def two_tables(dialect: str) -> Iterator[Any]:
    a, b = customer.alias("a"), invoice.alias("b")
    sides = [
        (customer, invoice, customer.c, invoice.c), (a, invoice, a.c, invoice.c), (customer, b, customer.c, b.c), (a, b, a.c, b.c),
        (invoice, customer, customer.c, invoice.c), (b, a, a.c, b.c),
    ]  # fmt: skip
    for (left, right, c, i), kind in product(sides, KINDS):
        source = joined(left, right, c.id == i.payer_id, kind)
        yield sa.select(c.id, i.id).select_from(source)
        yield sa.select(c.id, i.number).select_from(source).where(c.id.is_not(None))
        yield sa.select(c.id, i.number).select_from(source).where(i.id.is_(None))
        yield sa.select(func.count(), func.count(c.id), func.count(i.id)).select_from(source)
        yield sa.select(c.name, i.number).select_from(source).order_by(i.id.nulls_last(), c.id).limit(4)
        if dialect == "sqlite" or "full" not in kind:
            yield sa.select(c.id, i.id).select_from(
                joined(left, right, sa.and_(c.id == i.payer_id, i.paid), kind)
            )
            yield sa.select(c.id, i.id).select_from(
                joined(left, right, sa.or_(c.id == i.payer_id, i.id == 1), kind)
            )
        yield sa.select(c.city, func.count(i.id)).select_from(source).group_by(c.city)


@shape()
def itself(dialect: str) -> Iterator[Any]:
    for left, right in (
        (customer, customer.alias()),
        (customer.alias("x"), customer),
        (customer.alias("x"), customer.alias("y")),
    ):
        for kind in KINDS:
            source = joined(left, right, left.c.boss_id == right.c.id, kind)
            yield sa.select(left.c.id, right.c.id).select_from(source)
            yield sa.select(left.c.name, right.c.name).select_from(source).where(right.c.active)
            yield sa.select(left.c.name).select_from(source).where(right.c.id.is_(None))
    x = customer.alias("x")
    yield sa.select(customer.c.id, x.c.id).where(customer.c.id == x.c.boss_id)
    yield sa.select(x.alias("z"))
    deep = x.alias("z")
    yield sa.select(deep.c.id, customer.c.name).join_from(deep, customer, deep.c.boss_id == customer.c.id)
    yield sa.select(customer.c.id).where(sa.exists().where(x.c.boss_id == customer.c.id))
    yield sa.select(customer.c.id).where(customer.c.id.in_(sa.select(customer.alias("customer_1").c.boss_id)))
    anonymous = customer.alias()
    yield sa.select(customer, anonymous.c.name.label("boss")).outerjoin_from(
        customer, anonymous, anonymous.c.id == customer.c.boss_id
    )


@shape()
def three_and_more(dialect: str) -> Iterator[Any]:
    c, i, n, p = customer.c, invoice.c, line.c, item.c
    for one, two in product(KINDS, KINDS):
        flat = joined(joined(customer, invoice, c.id == i.payer_id, one), line, i.id == n.invoice_id, two)
        yield sa.select(c.id, i.id, n.position).select_from(flat)
        yield sa.select(c.id, i.id, n.position).select_from(flat).where(sa.or_(n.qty > 2, n.qty.is_(None)))
        right = joined(customer, joined(invoice, line, i.id == n.invoice_id, two), c.id == i.payer_id, one)
        yield sa.select(c.id, i.id, n.position).select_from(right)
        yield sa.select(func.count(), func.count(c.id), func.count(n.qty)).select_from(right)
        left = joined(joined(line, item, n.product_id == p.id, one), invoice, n.invoice_id == i.id, two)
        yield sa.select(p.sku, i.number, n.position).select_from(left)
    for one, two, three in product(KINDS[:2], KINDS, KINDS[:2]):
        both = joined(
            joined(customer, invoice, c.id == i.payer_id, one),
            joined(line, item, n.product_id == p.id, three),
            i.id == n.invoice_id,
            two,
        )
        yield sa.select(c.id, i.id, n.position, p.id).select_from(both)
        yield sa.select(c.id, func.count(p.id)).select_from(both).group_by(c.id)
    # comma joins, beside others
    yield sa.select(c.name, i.number).where(c.id == i.customer_id)
    yield sa.select(c.name, i.number, n.qty).where(c.id == i.customer_id, n.invoice_id == i.id)
    yield (
        sa.select(c.name, i.number, n.qty)
        .select_from(customer, sa.join(invoice, line))
        .where(c.id == i.customer_id)
    )
    yield (
        sa.select(c.name, i.number, n.qty)
        .select_from(customer, sa.outerjoin(invoice, line))
        .where(c.id == i.customer_id)
    )
    yield sa.select(c.id, country.c.name).join_from(customer, country)
    yield sa.select(c.id, country.c.name).outerjoin_from(customer, country)
    yield (
        sa.select(country.c.code, func.count(c.id)).outerjoin_from(country, customer).group_by(country.c.code)
    )
    yield sa.select(country.c.code, c.id).select_from(
        joined(country, customer, country.c.code == c.country_code, {"full": True})
    )
    yield sa.select(c.name, s.Club.__table__.c.name).select_from(
        customer.join(s.membership).join(s.Club.__table__)
    )
    yield sa.select(c.name, s.Club.__table__.c.name).select_from(
        customer.outerjoin(sa.join(s.membership, s.Club.__table__))
    )
    yield sa.select(line, payment.c.amount).select_from(line.outerjoin(payment))
    yield sa.select(line.c.qty, payment.c.amount).select_from(payment.outerjoin(line))
    yield sa.select(line.c.qty, payment.c.amount).select_from(payment.join(line, full=True))


@shape()
def derived_sides(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    counts = sa.select(i.payer_id, func.count().label("n")).group_by(i.payer_id).subquery("counts")
    few = sa.select(customer).where(c.active).limit(100).subquery("few")
    cte = sa.select(i.payer_id, func.max(i.number).label("last")).group_by(i.payer_id).cte("latest")
    for kind in KINDS:
        yield sa.select(c.id, counts.c.n).select_from(
            joined(customer, counts, c.id == counts.c.payer_id, kind)
        )
        yield sa.select(c.id, counts.c.n).select_from(
            joined(counts, customer, c.id == counts.c.payer_id, kind)
        )
        yield sa.select(few.c.id, counts.c.n).select_from(
            joined(few, counts, few.c.id == counts.c.payer_id, kind)
        )
        yield sa.select(few.c.id, i.number).select_from(joined(few, invoice, few.c.id == i.payer_id, kind))
        yield sa.select(c.id, cte.c.last).select_from(joined(customer, cte, c.id == cte.c.payer_id, kind))
        yield sa.select(cte.c.last, counts.c.n).select_from(
            joined(cte, counts, counts.c.payer_id == cte.c.payer_id, kind)
        )
    whole = sa.select(c.id, i.number).join_from(customer, invoice, c.id == i.customer_id).subquery()
    yield sa.select(whole.c.number, c.name).join_from(whole, customer, whole.c.id == c.id)
    yield sa.select(sa.join(customer, invoice, c.id == i.customer_id).select().subquery())
    yield sa.select(customer.join(invoice, c.id == i.customer_id))
    yield sa.select(sa.outerjoin(customer, invoice, c.id == i.payer_id)).where(i.id.is_(None))
    if dialect == "sqlite":  # knows VALUES without names for its columns
        return
    values = sa.values(sa.column("k", sa.Integer), sa.column("v", sa.String), name="pairs").data(
        [(1, "one"), (3, "three"), (77, "none")]
    )
    for kind in KINDS[:2]:
        yield sa.select(values.c.v, c.name).select_from(joined(values, customer, values.c.k == c.id, kind))
        yield sa.select(values.c.v, c.name).select_from(joined(customer, values, values.c.k == c.id, kind))
    yield sa.select(values)


@shape()
def text_in_on(dialect: str) -> Iterator[Any]:
    for on in (
        "customer.id = invoice.payer_id",
        "customer.id = invoice.payer_id OR invoice.id = 1",
        "1 = 1 OR 1 = 1",
        "1 = 1",
    ):
        for kind in KINDS[:2]:
            yield sa.select(customer.c.id, invoice.c.id).select_from(
                joined(customer, invoice, sa.text(on), kind)
            )
            yield sa.select(customer.c.id, invoice.c.id).select_from(
                joined(customer, invoice, sa.and_(sa.text(on), invoice.c.paid), kind)
            )
            yield sa.select(customer.c.id, invoice.c.id).select_from(
                joined(customer, invoice, sa.literal_column(f"({on})"), kind)
            )
