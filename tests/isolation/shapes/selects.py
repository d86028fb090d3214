"""SELECT from one table at a time, put together in every way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from tests.isolation import schema as s
from tests.isolation.oracle import core
from tests.isolation.shapes.registry import shape

customer, invoice, line, item, setting, category = (
    m.__table__ for m in (s.Customer, s.Invoice, s.Line, s.Product, s.Setting, s.Category)
)
odd, country, document, payment = (m.__table__ for m in (s.Odd, s.Country, s.Document, s.Payment))
OWN = (
    customer,
    invoice,
    line,
    item,
    setting,
    category,
    odd,
    document,
    payment,
    s.membership,
    s.event_log,
    s.Club.__table__,
)


@shape()
def whole_tables(dialect: str) -> Iterator[Any]:
    for table in (*OWN, country):
        yield sa.select(table)
        yield sa.select(table.alias("other"))
        yield sa.select(sa.func.count()).select_from(table)
        yield sa.select(*list(table.c)[:2]).distinct()
        yield sa.select(table).limit(100).offset(1).order_by(*table.c)
        yield sa.select(sa.literal(1)).select_from(table)
        yield sa.select(sa.exists().select_from(table))
        yield sa.select(list(table.c)[0].label("renamed")).select_from(table)


@shape()
def conditions(dialect: str) -> Iterator[Any]:
    c = customer.c
    simple = [
        c.id == 2, c.id > 3, c.city == "Bern", c.city.is_(None), c.active, ~c.active, c.name.like("%2"),
        c.city.in_(["Bern", "Chur"]), c.id.in_([]), c.id.not_in([1, 2]), c.balance.between(10, 60),
        func.lower(c.city) == "bern", c.name.startswith("a"), c.email.contains("@"), c.id % 2 == 0,
        sa.tuple_(c.id, c.active).in_([(1, True), (3, False)]), c.boss_id.is_not_distinct_from(None),
        sa.case((c.id > 4, "high"), else_="low") == "high", c.city.op("||")("x") == "Bernx", sa.true(), sa.false(),
        c.city.collate("NOCASE" if dialect == "sqlite" else "C") == "Bern", sa.cast(c.id, sa.Text) == "3",
        func.coalesce(c.city, "none") != "none", sa.type_coerce(c.id, sa.Integer) == 4, sa.not_(c.id == 2),
    ]  # fmt: skip
    for condition in simple:
        yield sa.select(c.id, c.name).where(condition)
    for one, two in product(simple[:9], simple[9:15]):
        yield sa.select(c.id).where(sa.or_(one, two))
    for one, two in product(simple[:5], simple[9:12]):
        yield sa.select(c.id).where(one).where(two)
        yield sa.select(c.id).where(sa.not_(sa.and_(one, two)))
        yield sa.select(c.id).where(sa.or_(sa.and_(one, two), c.id == 1))
    yield sa.select(c.id).filter_by(city="Bern")
    yield sa.select(c.id).where(c.id == sa.bindparam("tenant_id")), {"tenant_id": 2}
    yield sa.select(c.id).where(c.id == sa.bindparam("param_1")).where(c.id > 0), {"param_1": 2}
    yield sa.select(c.id).where(c.id.in_(sa.bindparam("ids", expanding=True))), {"ids": [1, 2, 3]}
    yield sa.select(c.id).where(c.id == sa.literal(2, literal_execute=True))


@shape()
def grouping(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    total = func.sum(i.total)
    for keys in ((i.customer_id,), (i.paid,), (i.customer_id, i.paid), (i.customer_id % 2,), (i.note,)):
        yield sa.select(*keys, func.count(), total).group_by(*keys)
        yield sa.select(*keys, func.max(i.number)).group_by(*keys).having(func.count() > 1)
        yield sa.select(*keys).group_by(*keys).order_by(*keys).limit(3)
        yield sa.select(func.count(sa.distinct(i.customer_id)), func.min(i.id)).where(keys[0].is_not(None))
    # GROUP BY a primary key stands for all columns of its table
    for key in ((c.id,), (c.id, c.name), (c.active, c.id)):
        yield (
            sa.select(c.id, c.name, c.email, func.count(i.id))
            .join_from(customer, invoice, i.customer_id == c.id)
            .group_by(*key)
        )
        yield (
            sa.select(c.id, c.name, func.count(i.id))
            .outerjoin_from(customer, invoice, i.customer_id == c.id)
            .group_by(*key)
            .order_by(c.name)
        )
        yield (
            sa.select(customer, func.max(i.number))
            .join_from(customer, invoice, i.payer_id == c.id)
            .group_by(*key)
        )
    a, b = customer.alias(), customer.alias("b")
    yield (
        sa.select(a.c.id, a.c.name, func.count(b.c.id))
        .outerjoin_from(a, b, b.c.boss_id == a.c.id)
        .group_by(a.c.id)
    )
    yield sa.select(b, func.count(a.c.id)).join_from(b, a, a.c.boss_id == b.c.id).group_by(b.c.id)
    yield (
        sa.select(a.c.id, a.c.name, b.c.name, b.c.id)
        .join_from(a, b, a.c.boss_id == b.c.id)
        .group_by(a.c.id, b.c.id)
    )
    yield sa.select(line).group_by(line.c.invoice_id, line.c.position)
    yield sa.select(line, func.count()).group_by(line.c.position, line.c.invoice_id).having(line.c.qty > 1)
    yield (
        sa.select(invoice, func.count(line.c.qty))
        .join_from(invoice, line)
        .group_by(i.id)
        .having(func.count() > 1)
    )
    yield (
        sa.select(c.id, c.name, country.c.name.label("land"), func.count(i.id))
        .select_from(customer.join(country).join(invoice, i.customer_id == c.id))
        .group_by(c.id, country.c.code)
    )
    yield sa.select(c.id.label("x"), func.count()).group_by("x")
    yield sa.select(c.city.label("place"), func.count()).group_by("place").order_by(sa.desc("place"))
    yield sa.select(c.id, c.name).group_by(sa.text("customer.id"))
    yield sa.select(c.city).group_by(sa.text("1"))
    yield sa.select(func.count(c.id)).group_by(sa.text("lower(city)"))
    inner = (
        sa.select(c.id, c.name, func.count(i.id).label("n"))
        .join_from(customer, invoice, i.customer_id == c.id)
        .group_by(c.id)
        .subquery()
    )
    yield sa.select(inner).where(inner.c.n > 1)
    yield sa.select(
        c.id, c.name, sa.select(func.count()).where(i.customer_id == c.id).scalar_subquery()
    ).group_by(c.id)
    yield sa.select(
        func.count(), func.sum(i.total), func.avg(i.total), func.min(i.issued), func.max(i.issued)
    )
    yield sa.select(func.count().filter(i.paid), func.sum(i.total).filter(i.note.is_(None)))
    yield sa.select(sa.func.coalesce(func.max(i.id), 0) + 1)


@shape()
def ordering(dialect: str) -> Iterator[Any]:
    c = customer.c
    keys: list[Any] = [
        c.name, c.name.desc(), c.city.nulls_first(), c.city.desc().nulls_last(), c.balance.desc(), func.lower(c.email),
        sa.case((c.active, 0), else_=1), c.id % 3, func.abs(c.id - 4), sa.text("lower(name) DESC"), sa.text("email"),
        sa.text("customer.balance DESC"), c.boss_id.nulls_last(),
    ]  # fmt: skip
    for key, limit, offset in product(keys, (None, 3), (None, 2)):
        query = sa.select(c.id, c.name, c.city).order_by(key, c.id)
        yield query.limit(limit).offset(offset)
    yield sa.select(c.id.label("n"), c.name).order_by(sa.desc("n"))
    yield sa.select(customer).order_by("balance", "id")
    yield sa.select(c.id).order_by(
        sa.select(func.count()).where(invoice.c.customer_id == c.id).scalar_subquery(), c.id
    )
    yield sa.select(c.id).order_by(c.id).slice(2, 4)
    yield sa.select(c.id).order_by(None)
    if dialect == "postgresql":
        yield sa.select(c.id).order_by(c.id).fetch(3)
        yield sa.select(c.id, c.active).order_by(c.active, c.id).fetch(3, with_ties=True).offset(1)


@shape()
def distinct(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    for columns in (
        (c.city,),
        (c.city, c.active),
        (c.active,),
        (func.lower(c.city),),
        (c.country_code, c.city),
    ):
        yield sa.select(*columns).distinct()
        yield sa.select(*columns).distinct().order_by(*columns)
        yield sa.select(func.count()).select_from(sa.select(*columns).distinct().subquery())
        yield sa.select(func.count(sa.distinct(columns[0])))
    yield sa.select(c.name).join_from(customer, invoice, i.customer_id == c.id).distinct()
    yield sa.select(i.customer_id).distinct().limit(3).order_by(i.customer_id)


@shape()
def subqueries(dialect: str) -> Iterator[Any]:
    c, i, n = customer.c, invoice.c, line.c
    mine = i.customer_id == c.id
    yield sa.select(c.id).where(c.id.in_(sa.select(i.customer_id)))
    yield sa.select(c.id).where(c.id.not_in(sa.select(i.payer_id).where(i.payer_id.is_not(None))))
    yield sa.select(c.id).where(sa.exists().where(mine))
    yield sa.select(c.id).where(~sa.exists().where(mine, i.paid))
    yield sa.select(c.id).where(sa.select(i.id).where(mine, i.paid).exists())
    yield sa.select(c.id).where(~sa.select(sa.literal(1)).select_from(invoice).where(mine).exists())
    yield sa.select(sa.exists(sa.select(i.id).where(i.number == "2024-001")))
    yield sa.select(c.id, sa.select(func.count()).where(mine).scalar_subquery().label("n"))
    yield sa.select(c.id, sa.select(func.sum(i.total)).where(mine).correlate(customer).scalar_subquery())
    yield sa.select(
        c.id, sa.select(func.sum(i.total)).where(mine).correlate_except(invoice).scalar_subquery()
    )
    yield sa.select(c.id).where(c.balance > sa.select(func.avg(c.balance)).correlate(None).scalar_subquery())
    other = customer.alias()
    yield sa.select(c.id).where(c.balance >= sa.select(func.max(other.c.balance)).scalar_subquery())
    yield sa.select(c.id).where(
        c.balance >= sa.select(func.max(other.c.balance)).where(other.c.active == c.active).scalar_subquery()
    )
    for source in (
        sa.select(customer).where(c.active), sa.select(c.id, c.name).limit(100), sa.select(c.id, c.name).distinct(),
        sa.select(c.id, func.count().label("k")).group_by(c.id), sa.select(c.id, func.row_number().over(order_by=c.id).label("r")),
    ):  # fmt: skip
        sub = source.subquery()
        yield sa.select(sub)
        yield sa.select(sub.c.id).where(sub.c.id > 2)
        yield sa.select(sub.c.id, i.number).join_from(sub, invoice, i.customer_id == sub.c.id)
        yield sa.select(sub.c.id, i.number).outerjoin_from(sub, invoice, i.customer_id == sub.c.id)
        yield sa.select(sub.c.id, i.number).outerjoin_from(invoice, sub, i.customer_id == sub.c.id)
        yield sa.select(func.count()).select_from(sub.alias())
        yield sa.select(c.name).where(c.id.in_(sa.select(sub.c.id)))
        deep = sa.select(sub.c.id).where(sub.c.id != 3).subquery("deep")
        yield sa.select(deep)
        yield sa.select(customer.c.name, deep.c.id).join_from(customer, deep, c.id == deep.c.id)
    yield sa.select(c.id).where(
        c.id.in_(sa.select(i.customer_id).where(i.id.in_(sa.select(n.invoice_id).where(n.qty > 2))))
    )
    yield sa.select(c.id).where(
        sa.exists().where(mine, sa.exists().where(n.invoice_id == i.id, n.product_id.is_not(None)))
    )
    yield sa.select(
        c.id, sa.select(func.max(sa.select(func.count()).where(n.invoice_id == i.id).correlate(invoice).scalar_subquery()))
        .where(mine).scalar_subquery(),
    )  # fmt: skip
    yield sa.select(
        sa.select(func.count()).select_from(customer).scalar_subquery()
        + sa.select(func.count(i.id)).scalar_subquery()
    )
    yield sa.select(sa.tuple_(c.id, c.active).in_(sa.select(i.customer_id, i.paid)))
    yield sa.select(c.id).where(sa.tuple_(c.id, c.active).in_(sa.select(i.customer_id, i.paid)))
    yield sa.select(sa.literal("x").label("t"), sa.select(c.name).where(c.id == 1).scalar_subquery())
    if dialect == "postgresql":
        yield sa.select(c.id).where(c.id == sa.any_(sa.select(i.customer_id).scalar_subquery()))
        yield sa.select(c.id).where(c.id != sa.all_(sa.select(i.customer_id).where(i.paid).scalar_subquery()))
        yield sa.select(
            c.id, sa.func.array(sa.select(i.number).where(mine).order_by(i.number).scalar_subquery())
        )


@shape()
def common_tables(dialect: str) -> Iterator[Any]:
    c, i, g = customer.c, invoice.c, category.c
    for source in (
        sa.select(customer).where(c.active), sa.select(i.customer_id.label("id"), func.sum(i.total).label("t")).group_by(i.customer_id),
        sa.select(c.id, c.name).order_by(c.id).limit(4), sa.select(c.id).union_all(sa.select(i.id)), sa.select(c.id).distinct(),
    ):  # fmt: skip
        cte = source.cte("chosen")
        yield sa.select(cte)
        yield sa.select(cte.c.id).where(cte.c.id > 1)
        yield sa.select(cte.c.id, c.name).join_from(cte, customer, cte.c.id == c.id)
        yield sa.select(cte.c.id, c.name).outerjoin_from(customer, cte, cte.c.id == c.id)
        twice = cte.alias("twice")
        yield sa.select(cte.c.id, twice.c.id).join_from(cte, twice, cte.c.id == twice.c.id)
        yield sa.select(c.id).where(c.id.in_(sa.select(cte.c.id)))
        yield sa.select(c.id).where(sa.exists().where(cte.c.id == c.id)).union(sa.select(cte.c.id))
        second = sa.select(cte.c.id).where(cte.c.id < 6).cte("second")
        yield sa.select(second.c.id, cte.c.id).join_from(second, cte, second.c.id == cte.c.id)
        yield sa.select(
            sa.select(func.count()).select_from(cte).scalar_subquery(),
            sa.select(func.count()).select_from(second).scalar_subquery(),
        )
        nested = source.cte("inner_one", nesting=True)
        yield sa.select(sa.select(nested.c.id).subquery().c.id)
        yield sa.select(c.id).where(c.id.in_(sa.select(nested.c.id)))
        if dialect == "postgresql":
            yield sa.select(source.cte("kept").prefix_with("MATERIALIZED", dialect="postgresql"))
        # a CTE of the name of a table, its own and another's
        for name in ("country", "setting", *(("customer", "invoice") if dialect == "postgresql" else ())):
            yield sa.select(
                source.cte(name)
            )  # (on SQLite a CTE that reads the table of its own name is recursive)
    tree = (
        sa.select(g.id, g.name, sa.literal(0).label("depth"))
        .where(g.parent_id.is_(None))
        .cte("tree", recursive=True)
    )
    below = category.alias("below")
    for union in (tree.union_all, tree.union):
        whole = union(
            sa.select(below.c.id, below.c.name, tree.c.depth + 1).join(tree, below.c.parent_id == tree.c.id)
        )
        yield sa.select(whole)
        yield sa.select(func.max(whole.c.depth), func.count())
        yield sa.select(whole.c.name, g.name).join_from(whole, category, g.parent_id == whole.c.id)
        yield sa.select(g.id).where(g.id.in_(sa.select(whole.c.id).where(whole.c.depth == 1)))
    up = sa.select(g.id, g.parent_id).where(g.id == 6).cte("up", recursive=True)
    up = up.union(sa.select(g.id, g.parent_id).where(g.id == up.c.parent_id))
    yield sa.select(up.c.id)
    chain = sa.select(customer.c.id, customer.c.boss_id).where(c.id == 5).cte("chain", recursive=True)
    chain = chain.union_all(sa.select(c.id, c.boss_id).join(chain, c.id == chain.c.boss_id))
    yield sa.select(chain).order_by(chain.c.id)
    yield sa.select(c.name).join(chain, chain.c.id == c.id).order_by(c.name)
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 5))
    yield sa.select(numbers.c.n, c.name).outerjoin_from(numbers, customer, c.id == numbers.c.n)


@shape()
def set_operations(dialect: str) -> Iterator[Any]:
    c, i, g = customer.c, invoice.c, category.c
    parts = [
        sa.select(c.id), sa.select(i.customer_id), sa.select(g.id).where(g.parent_id.is_not(None)),
        sa.select(i.id).join_from(invoice, line).where(line.c.qty > 2), sa.select(func.count(c.id)), sa.select(c.id).distinct(),
    ]  # fmt: skip
    for one, two in product(parts, parts):
        for combine in (sa.union, sa.union_all, sa.intersect, sa.except_):
            if one is not two:
                yield core(combine(one, two))
    for combine in (sa.union, sa.union_all, sa.intersect, sa.except_):
        both = combine(sa.select(c.id.label("n")), sa.select(i.customer_id))
        yield both.order_by("n").limit(4)
        sub = both.subquery()
        yield sa.select(sub.c.n, c.name).join_from(sub, customer, c.id == sub.c.n)
        yield sa.select(func.count()).select_from(sub)
        yield sa.select(c.name).where(c.id.in_(both))
        yield sa.select(both.cte("both"))
        yield sa.union_all(sa.select(sub.c.n), sa.select(g.id))
    yield sa.union(*parts)
    yield sa.union_all(*parts).order_by("id")
    if dialect == "postgresql":
        yield sa.union(sa.intersect(parts[0], parts[1]), sa.except_(parts[1], parts[2]))
        yield sa.intersect_all(parts[0], parts[1])
        yield sa.except_all(parts[0], parts[1])
        yield sa.union(parts[0].order_by(c.id).limit(2), parts[1].order_by(i.customer_id).limit(2))


@shape()
def windows(dialect: str) -> Iterator[Any]:
    i = invoice.c
    functions = [
        func.row_number(), func.rank(), func.dense_rank(), func.sum(i.total), func.count(), func.lag(i.number),
        func.lead(i.number, 2), func.first_value(i.id), func.ntile(3), func.percent_rank(), func.max(i.issued),
    ]  # fmt: skip
    windows_ = [
        {"order_by": i.id}, {"partition_by": i.customer_id, "order_by": i.id},
        {"partition_by": [i.paid, i.customer_id], "order_by": [i.issued.desc(), i.id]},
    ]  # fmt: skip
    for function, window in product(functions, windows_):
        yield sa.select(i.id, function.over(**window).label("w"))
    for frame in ({"rows": (-1, 1)}, {"rows": (None, 0)}, {"range_": (None, None)}, {"groups": (0, 1)}):
        if "groups" in frame and not hasattr(sa.func.sum(i.id).over(order_by=i.id), "groups"):
            continue
        yield sa.select(i.id, func.sum(i.total).over(order_by=i.id, **frame))
    ranked = sa.select(
        i.id, i.customer_id, func.row_number().over(partition_by=i.customer_id, order_by=i.id).label("r")
    ).subquery()
    yield sa.select(ranked.c.id).where(ranked.c.r == 1)
    yield sa.select(customer.c.name, ranked.c.id).join_from(
        customer, ranked, sa.and_(ranked.c.customer_id == customer.c.id, ranked.c.r <= 2)
    )
    yield sa.select(i.customer_id, func.sum(func.sum(i.total)).over(order_by=i.customer_id)).group_by(
        i.customer_id
    )


@shape()
def expressions(dialect: str) -> Iterator[Any]:
    c = customer.c
    for expression in (
        c.name + "!", -c.id, c.id * 2 + 1, func.upper(c.name), func.length(c.name), func.coalesce(c.city, "?"),
        sa.case((c.active, c.name), else_=None), sa.cast(c.balance, sa.Integer), c.city.is_(None), func.substr(c.name, 1, 1),
        sa.literal("fixed"), sa.null(), func.nullif(c.city, "Bern"), func.round(c.balance), c.id.label("my id"),
        sa.extract("month", sa.literal(__import__("datetime").date(2024, 5, 1))), c.data["colour"].as_string(),
        c.data["size"].as_integer(), c.active.is_(True), func.abs(-c.id), sa.literal_column("1"), sa.literal_column("name"),
        sa.literal_column("upper(customer.name)"), sa.text("balance"), sa.text("customer.city AS town"), func.max(c.id).over(),
        func.replace(c.name, "a", "b"), sa.func.char_length(c.name) if dialect == "postgresql" else func.instr(c.name, "1"),
    ):  # fmt: skip
        yield sa.select(c.id, expression).select_from(customer)
        yield sa.select(expression).select_from(customer).where(c.id < 4)
    yield sa.select(odd)
    yield sa.select(odd.c.mixed, odd.c.chosen, odd.c.percent).where(odd.c.chosen > 1).order_by(odd.c.mixed)
    yield sa.select(odd.c.key).where(odd.c.percent == 20)
    yield sa.select(odd.alias("Another Name").c.mixed)
    yield sa.select(payment.c.id, payment.c.method).where(payment.c.method == s.Method.CARD)
    yield sa.select(customer.c.id, invoice.c.id, invoice.c.customer_id).join(
        invoice, invoice.c.customer_id == customer.c.id
    )
