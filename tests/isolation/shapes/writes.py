"""INSERT, UPDATE and DELETE as Core has them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from tests.isolation import schema as s
from tests.isolation.oracle import Case, Unordered, core, execute, learnt
from tests.isolation.shapes.registry import shape

customer, invoice, line, item, setting, category, club, payment, odd, document = (
    m.__table__
    for m in (
        s.Customer,
        s.Invoice,
        s.Line,
        s.Product,
        s.Setting,
        s.Category,
        s.Club,
        s.Payment,
        s.Odd,
        s.Document,
    )
)
NEW = {"customer_id": 1, "number": "new", "total": 5, "paid": False, "issued": dt.date(2025, 1, 1)}


@shape()
def insert_rows(dialect: str) -> Iterator[Any]:
    yield sa.insert(club).values(name="fresh")
    yield sa.insert(club), {"name": "fresh"}
    yield sa.insert(club).values(id=77, name="fresh")
    yield sa.insert(club), {"id": 77, "name": "fresh"}
    if dialect == "sqlite":  # None stands for the next id
        yield sa.insert(club).values(id=None, name="fresh")
        yield sa.insert(club), {"id": None, "name": "fresh"}
        yield sa.insert(club).values(id=sa.null(), name="fresh")
        yield sa.insert(club).values(id=sa.bindparam("x"), name="fresh"), {"x": None}
        yield sa.insert(club).values(id=sa.bindparam("x"), name="fresh"), {"x": 66}
        yield sa.insert(club).values(id=sa.cast(sa.null(), sa.Integer), name="fresh").returning(club.c.id)
        yield sa.insert(club).values([{"id": None, "name": "m1"}, {"id": None, "name": "m2"}])
        yield sa.insert(club).values([{"id": sa.null(), "name": "m1"}, {"id": 9, "name": "m2"}])
        yield sa.insert(category).values(id=None, parent_id=None, name="top")
    yield sa.insert(club).values({"name": "fresh"})
    yield sa.insert(club).values({club.c.name: "fresh"})
    yield sa.insert(club).values((88, "fresh"))
    yield sa.insert(club).values([88, "fresh"])
    yield sa.insert(club).values(name=func.upper("fresh"))
    yield sa.insert(club).values(name=sa.select(func.max(club.c.name) + "x").scalar_subquery())
    yield sa.insert(club).values(
        name=sa.select(sa.cast(func.count(), sa.Text)).select_from(customer).scalar_subquery()
    )
    yield sa.insert(club).values(id=sa.select(func.max(club.c.id) + 5).scalar_subquery(), name="fresh")
    yield sa.insert(club).values(name=sa.bindparam("n")), {"n": "fresh"}
    yield sa.insert(club).values(name=sa.bindparam("tenant")), {"tenant": "fresh"}
    yield sa.insert(club).values(name="fresh").returning(club.c.id)
    yield sa.insert(club).values(name="fresh").returning(club)
    yield (
        sa.insert(club)
        .values(name="fresh")
        .returning(club.c.name.label("n"), club.c.id + 1, sa.literal("x").label("y"))
    )
    yield sa.insert(club).returning(club.c.id, club.c.name), {"name": "fresh"}
    yield sa.insert(club).values(id=77, name="fresh").returning(func.upper(club.c.name))
    yield sa.insert(setting).values(key="k", value="v")
    yield sa.insert(setting).values(key="k").returning(setting)
    yield sa.insert(setting), {"key": "k", "value": None}
    yield sa.insert(line).values(invoice_id=1, position=9, qty=1, price=2)
    yield sa.insert(line).values(invoice_id=1, position=9, qty=1, price=2).returning(line)
    yield sa.insert(payment).values(amount=4, method=s.Method.CASH)
    yield sa.insert(payment).values(amount=4, method=s.Method.CASH).returning(payment.c.id)
    yield sa.insert(invoice).values(NEW)
    yield sa.insert(invoice).values(NEW).returning(invoice.c.state, invoice.c.id)
    yield sa.insert(item).values(sku="n", name="N", price=1)
    yield (
        sa.insert(item)
        .values(sku="n", name="N", price=1)
        .returning(item.c.label, item.c.stock, item.c.version)
    )
    yield sa.insert(odd).values(mixed="x")
    yield sa.insert(odd).values({"mixed": "x", "percent": 3}).returning(odd.c.mixed, odd.c.key)
    yield sa.insert(s.event_log).values(happened=dt.date(2024, 2, 2), message="m")
    yield sa.insert(s.event_log).values(message="m").returning(s.event_log.c.message)
    yield sa.insert(category).values(name="top")
    yield sa.insert(category).values(name="sub", parent_id=1).return_defaults()
    yield (
        sa.insert(invoice)
        .values({**NEW, "total": invoice.c.total.type.python_type("3.5")})
        .return_defaults(invoice.c.state)
    )
    yield sa.insert(club).values(name="fresh").inline()
    yield sa.insert(customer).values(name="z", email="z@z", data={"a": 1}, tags=["t"]).returning(customer)
    if dialect == "sqlite":
        yield sa.insert(club).values(name="fresh").prefix_with("OR IGNORE")
        yield sa.insert(setting).values(key="title", value="v").prefix_with("OR IGNORE")

    def own_errors() -> Iterator[Any]:
        yield sa.insert(setting).values(key="title", value="again")
        yield sa.insert(club).values(id=1, name="again")
        yield sa.insert(club).values(name="club 1")
        yield sa.insert(line).values(invoice_id=999, position=1, qty=1, price=1)
        yield sa.insert(invoice).values({**NEW, "number": None})
        yield sa.insert(s.membership).values(customer_id=1, club_id=999)

    for statement in own_errors():
        yield Case(f"fails: {statement}", lambda c, q=statement: execute(c, q), fails=True)


@shape()
def insert_many(dialect: str) -> Iterator[Any]:
    fresh = [{"name": f"fresh {n}"} for n in range(5)]
    numbered = [{"id": 50 + n, **row} for n, row in enumerate(fresh)]
    mixed = [{"id": None, "name": "m1"}, {"id": 70, "name": "m2"}, {"id": None, "name": "m3"}]
    for rows in (fresh, numbered, fresh[:1]):
        yield sa.insert(club), rows
        yield sa.insert(club).values(rows)
        yield sa.insert(club).values(rows).returning(club.c.id, club.c.name)
        yield sa.insert(club).returning(club), rows
        yield sa.insert(club).returning(club.c.id, sort_by_parameter_order=True), rows
        yield (
            sa.insert(club)
            .returning(club.c.id, club.c.name, sort_by_parameter_order=True)
            .execution_options(insertmanyvalues_page_size=2),
            rows,
        )
        yield (
            sa.insert(club).values(name=sa.bindparam("n")).returning(club.c.name),
            [{"n": r["name"]} for r in rows],
        )
    yield sa.insert(club).values([(81, "x"), (82, "y")])
    yield sa.insert(setting), [{"key": f"k{n}", "value": "v"} for n in range(30)]
    yield sa.insert(setting).values([{"key": f"k{n}", "value": "v"} for n in range(30)])
    yield (
        sa.insert(setting).returning(setting.c.key, sort_by_parameter_order=True),
        [{"key": f"k{n}", "value": "v"} for n in range(30)],
    )
    yield sa.insert(item), [{"sku": f"n{n}", "name": "N", "price": n} for n in range(4)]
    yield sa.insert(item).values([{"sku": f"n{n}", "name": "N", "price": n} for n in range(4)])
    yield (
        sa.insert(item).returning(item.c.code, item.c.label, sort_by_parameter_order=True),
        [{"sku": f"n{n}", "name": "N", "price": n} for n in range(4)],
    )
    yield sa.insert(payment), [{"amount": n, "method": s.Method.CARD} for n in range(1, 4)]
    yield (
        sa.insert(payment).returning(payment.c.id, sort_by_parameter_order=True),
        [{"amount": n, "method": s.Method.CARD} for n in range(1, 4)],
    )
    yield sa.insert(line), [{"invoice_id": 1, "position": n, "qty": 1, "price": 1} for n in (7, 8, 9)]
    yield (
        sa.insert(line).returning(line.c.position, sort_by_parameter_order=True),
        [{"invoice_id": 1, "position": n, "qty": 1, "price": 1} for n in (9, 8, 7)],
    )
    yield sa.insert(s.event_log), [{"message": f"m{n}"} for n in range(3)]
    yield sa.insert(invoice), [{**NEW, "number": f"n{n}"} for n in range(3)]
    yield sa.insert(invoice).values(state="late"), [{**NEW, "number": f"n{n}"} for n in range(3)]
    yield sa.insert(customer).values(
        [
            {
                "name": "z",
                "email": f"z{n}@z",
                "balance": sa.select(func.max(customer.c.balance)).scalar_subquery(),
            }
            for n in range(3)
        ]
    )
    yield sa.insert(odd), [{"mixed": f"x{n}", "percent": n} for n in range(3)]
    yield (
        sa.insert(odd).returning(odd.c.mixed, sort_by_parameter_order=True),
        [{"mixed": f"x{n}", "percent": n} for n in range(3)],
    )
    if dialect == "sqlite":  # PostgreSQL refuses a NULL for the id
        yield sa.insert(club), mixed
        yield sa.insert(club), mixed[:1]
        yield sa.insert(club).values(mixed[:1])


@shape()
def insert_select(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    sources = [
        sa.select(c.name), sa.select(c.email + c.name), sa.select(c.email).distinct(), sa.select(c.email).where(c.active),
        sa.select(c.email).order_by(c.id).limit(3), sa.select(c.email).join_from(customer, invoice, i.payer_id == c.id).distinct(),
        sa.select(i.number).union(sa.select(c.name)), sa.select(sa.literal("one")), sa.select(c.city).group_by(c.city).where(c.city.is_not(None)),
        sa.select(sa.func.max(c.name)),
    ]  # fmt: skip
    for source in sources:
        yield core(sa.insert(club).from_select(["name"], source), ids="any")
        yield core(sa.insert(club).from_select([club.c.name], source).returning(club.c.name), ids="any")
        yield sa.insert(setting).from_select(["key"], source)
        inner = source.subquery()
        of = inner.columns.values()[0]
        filled = sa.select(of, sa.literal("n"), sa.literal(1))
        yield core(sa.insert(item).from_select(["sku", "name", "price"], filled), ids="any")
        filled = filled.add_columns(sa.literal("x"), sa.literal(7))
        names = ["sku", "name", "price", "code", "version"]
        yield core(sa.insert(item).from_select(names, filled, include_defaults=False), ids="any")
        ordered = sa.select(of, sa.literal("n"), sa.literal(1)).order_by(of.desc())
        yield sa.insert(item).from_select(["sku", "name", "price"], ordered)
    yield sa.insert(club).from_select(["id", "name"], sa.select(c.id + 100, c.name))
    yield sa.insert(club).from_select(["name", "id"], sa.select(c.name, c.id + 100)).returning(club)
    yield sa.insert(line).from_select(
        ["invoice_id", "position", "qty", "price"],
        sa.select(line.c.invoice_id, line.c.position + 10, line.c.qty, line.c.price),
    )
    yield sa.insert(s.event_log).from_select(["happened", "message"], sa.select(i.issued, i.number))
    yield sa.insert(s.event_log).from_select(["happened", "message"], sa.select(s.event_log))
    yield sa.insert(s.membership).from_select(
        ["customer_id", "club_id"],
        sa.select(c.id, club.c.id).where(
            ~sa.exists().where(s.membership.c.customer_id == c.id, s.membership.c.club_id == club.c.id),
            club.c.id != c.id,
        ),
    )
    chosen = sa.select(c.email, c.id).where(c.active).cte("chosen")
    yield core(sa.insert(club).from_select(["name"], sa.select(chosen.c.email)), ids="any")
    yield core(
        sa.insert(club).from_select(
            ["name"], sa.select(c.email + "x").where(c.id.in_(sa.select(chosen.c.id)))
        ),
        ids="any",
    )
    copies = sa.select(i.customer_id, i.number + "b", i.total, i.paid, i.issued)
    columns = ["customer_id", "number", "total", "paid", "issued"]
    yield core(sa.insert(invoice).from_select(columns, copies), ids="any")
    yield sa.insert(invoice).from_select(columns, copies.order_by(i.id))
    if dialect == "sqlite":  # NULL stands for the next id
        yield core(sa.insert(club).from_select(["id", "name"], sa.select(sa.null(), c.name)), ids="any")
        yield sa.insert(club).from_select(["id", "name"], sa.select(sa.null(), c.name).order_by(c.id))
    written = sa.text("SELECT name, city FROM customer").columns(
        sa.column("name", sa.String), sa.column("city", sa.String)
    )
    yield sa.insert(setting).from_select(["key", "value"], written)
    yield sa.insert(setting).from_select(
        ["key", "value"], sa.select(sa.text("email"), sa.text("city")).select_from(customer)
    )


@shape()
def update_rows(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    mine = i.customer_id == c.id
    yield sa.update(customer).values(city="Thun")
    yield sa.update(customer).values(city="Thun", active=False).where(c.id == 3)
    yield sa.update(customer).values({c.city: "Thun"}).where(sa.or_(c.id == 1, c.city == "Bern"))
    yield sa.update(customer).where(c.active).values(balance=c.balance + 1)
    yield sa.update(customer).values(balance=sa.select(func.count()).where(mine).scalar_subquery())
    yield (
        sa.update(customer)
        .values(balance=sa.select(func.sum(i.total)).where(mine).scalar_subquery())
        .where(sa.exists().where(mine))
    )
    yield sa.update(customer).where(c.id.in_(sa.select(i.customer_id).where(i.paid))).values(city="payer")
    yield sa.update(customer).where(sa.exists().where(mine, i.total > 200)).values(city="big")
    yield (
        sa.update(customer)
        .where(c.balance == sa.select(func.max(c.balance)).correlate(None).scalar_subquery())
        .values(city="max")
    )
    other = customer.alias()
    yield (
        sa.update(customer)
        .where(c.balance == sa.select(func.max(other.c.balance)).scalar_subquery())
        .values(city="max")
    )
    yield sa.update(customer).values(
        boss_id=sa.select(func.min(other.c.id)).where(other.c.id != c.id).scalar_subquery()
    )
    yield sa.update(customer).where(c.id == sa.bindparam("b_id")).values(city=sa.bindparam("b_city")), [
        {"b_id": 1, "b_city": "x"}, {"b_id": 2, "b_city": "y"},
    ]  # fmt: skip
    yield sa.update(customer).where(c.id == sa.bindparam("tenant_id")).values(city="t"), {"tenant_id": 2}
    yield sa.update(customer).where(c.id == sa.bindparam("tenant_id")).values(city=sa.bindparam("v")), [
        {"tenant_id": 2, "v": "x"}, {"tenant_id": 3, "v": "y"},
    ]  # fmt: skip
    yield sa.update(customer).where(c.id == 2), {"city": "param", "active": False}
    yield sa.update(customer).ordered_values((c.city, "x"), (c.balance, c.balance * 2))
    yield sa.update(setting).values(key=setting.c.key + "!")
    yield sa.update(setting).values(key="renamed").where(setting.c.key == "empty")
    yield (
        sa.update(club)
        .values(id=club.c.id + 100)
        .where(~sa.exists().where(s.membership.c.club_id == club.c.id))
    )
    yield (
        sa.update(line)
        .values(position=line.c.position + 10)
        .where(~sa.exists().where(payment.c.invoice_id == line.c.invoice_id))
    )
    yield sa.update(item).values(price=3)
    yield sa.update(odd).values(mixed="m", percent=odd.c.percent + 1).where(odd.c.chosen > 1)
    yield sa.update(s.event_log).values(message="m")
    yield sa.update(customer).values(data={"a": 1}, tags=["x"]).where(c.id < 3)
    yield sa.update(customer).values(city=sa.case((c.active, "yes"), else_="no"))
    yield sa.update(customer).values(city=sa.null())
    yield sa.update(s.Country.__table__).values(name="x").where(s.Country.code == "none")
    for statement in (
        sa.update(customer).values(city="r").where(c.id < 4),
        sa.update(customer).values(balance=c.balance * 2),
    ):
        yield statement.returning(c.id, c.city)
        yield statement.returning(customer)
        yield statement.returning(func.upper(c.name), (c.balance + 1).label("more"))
    # UPDATE … FROM
    for condition in (mine, sa.and_(mine, i.paid), sa.and_(mine, i.number == "2024-003")):
        one = sa.update(customer).values(city="from").where(condition)
        yield one
        yield one.returning(c.id)
        yield sa.update(invoice).values(note=c.name).where(condition)
        yield (
            sa.update(invoice)
            .values(note=c.name + "!", state=sa.cast(c.id, sa.Text))
            .where(condition)
            .returning(i.id, i.note)
        )
    totals = sa.select(i.customer_id, func.sum(i.total).label("t")).group_by(i.customer_id).subquery("totals")
    yield sa.update(customer).values(balance=totals.c.t).where(totals.c.customer_id == c.id)
    cte = sa.select(i.customer_id, func.sum(i.total).label("t")).group_by(i.customer_id).cte("totals")
    yield sa.update(customer).values(balance=cte.c.t).where(cte.c.customer_id == c.id)
    yield (
        sa.update(customer)
        .values(city="cte")
        .where(c.id.in_(sa.select(cte.c.customer_id).where(cte.c.t > 100)))
    )
    yield sa.update(customer).values(city="boss").where(other.c.boss_id == c.id)
    yield sa.update(line).values(price=item.c.price).where(line.c.product_id == item.c.id, item.c.stock > 1)
    yield (
        sa.update(line)
        .values(qty=0)
        .where(line.c.invoice_id == i.id, i.customer_id == c.id, c.city == "Bern")
    )
    if dialect == "postgresql":
        yield sa.update(line).values(qty=0).where(line.c.invoice_id == i.id, c.active).where(mine)
        a = customer.alias("a")
        yield sa.update(a).values(city="alias").where(a.c.id == 2)
        yield sa.update(a).values(city=i.number).where(a.c.id == i.customer_id, i.number == "2024-006")
    yield Case(
        "fails: duplicate", lambda conn: execute(conn, sa.update(club).values(name="same")), fails=True
    )
    yield Case(
        "fails: reference", lambda conn: execute(conn, sa.update(invoice).values(customer_id=999)), fails=True
    )


@shape()
def delete_rows(dialect: str) -> Iterator[Any]:
    c, i, n = customer.c, invoice.c, line.c
    yield sa.delete(payment)
    yield sa.delete(payment).where(payment.c.amount > 200)
    yield sa.delete(payment).where(sa.or_(payment.c.amount > 400, payment.c.invoice_id == 1))
    yield sa.delete(s.event_log)
    yield sa.delete(setting).where(setting.c.key.in_(["title", "empty"]))
    yield sa.delete(setting).where(setting.c.key == sa.bindparam("tenant_id")), {"tenant_id": "title"}
    yield sa.delete(setting).where(setting.c.key == sa.bindparam("k")), [{"k": "title"}, {"k": "empty"}]
    yield sa.delete(s.membership).where(s.membership.c.customer_id.in_(sa.select(c.id).where(c.active)))
    yield sa.delete(payment).where(sa.exists().where(n.invoice_id == payment.c.invoice_id, n.qty > 2))
    yield sa.delete(payment).where(
        payment.c.amount == sa.select(func.max(payment.c.amount)).correlate(None).scalar_subquery()
    )
    same = payment.alias()
    yield sa.delete(payment).where(payment.c.amount < sa.select(func.avg(same.c.amount)).scalar_subquery())
    yield sa.delete(odd).where(odd.c.mixed.like("%1"))
    yield sa.delete(invoice).where(~sa.exists().where(payment.c.invoice_id == i.id))  # lines go with it
    yield sa.delete(customer).where(c.id == 999)
    for statement in (sa.delete(payment).where(payment.c.amount > 200), sa.delete(s.membership)):
        columns = statement.table.c
        yield statement.returning(*columns)
        yield statement.returning(list(columns)[0].label("first"))
        yield statement.returning(sa.literal(1).label("one"))
    gone = sa.select(i.id).where(i.paid).cte("gone")
    yield sa.delete(payment).where(payment.c.invoice_id.in_(sa.select(gone.c.id)))
    if dialect == "postgresql":  # DELETE … USING
        yield sa.delete(payment).where(payment.c.invoice_id == i.id, i.paid)
        yield (
            sa.delete(payment)
            .where(payment.c.invoice_id == i.id, i.customer_id == c.id, c.active)
            .returning(payment.c.amount)
        )
        yield sa.delete(s.membership).where(s.membership.c.customer_id == c.id, c.city == "Bern")
        yield sa.delete(payment).where(same.c.amount > payment.c.amount)
        yield sa.delete(payment).where(payment.c.invoice_id == gone.c.id)
        totals = sa.select(i.id, func.count().label("n")).join_from(invoice, line).group_by(i.id).subquery()
        yield sa.delete(payment).where(payment.c.invoice_id == totals.c.id, totals.c.n > 1)
        yield (
            sa.delete(payment)
            .where(payment.c.invoice_id == i.id)
            .where(sa.text("invoice.paid OR invoice.id = 1"))
        )
        a = payment.alias("a")
        yield sa.delete(a).where(a.c.amount > 200)
    yield Case("fails: still referenced", lambda conn: execute(conn, sa.delete(customer)), fails=True)


@shape()
def several_in_turn(dialect: str) -> Iterator[Any]:
    """Statements that see each other's rows, with savepoints between them."""

    def in_turn(*statements: Any) -> Case:
        def run(connection: sa.Connection) -> Any:
            return [execute(connection, q, ordered=False) for q in statements]

        return Case("; ".join(map(str, statements)), run)

    club_rows = sa.select(club)
    for first, second in product(
        (
            sa.insert(club).values(name="one"), sa.insert(club).values([{"name": "one"}, {"name": "two"}]),
            sa.insert(club).values(id=30, name="thirty"), sa.insert(club).from_select(["name"], sa.select(customer.c.email)),
            sa.delete(s.membership), sa.update(club).values(name=club.c.name + "!"),
        ),
        (sa.insert(club).values(name="later"), sa.insert(club).values(name="later").returning(club.c.id), sa.delete(s.membership)),
    ):  # fmt: skip
        yield in_turn(first, second, club_rows)
    yield in_turn(
        sa.insert(club).values(name="x"),
        sa.delete(club).where(club.c.name == "x"),
        sa.insert(club).values(name="y"),
        club_rows,
    )

    def savepoints(connection: sa.Connection) -> Any:
        with connection.begin_nested():
            connection.execute(sa.insert(club).values(name="kept"))
        inner = connection.begin_nested()
        connection.execute(sa.insert(club).values(name="gone"))
        connection.execute(sa.delete(payment))
        inner.rollback()
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(club).values(name="club 1"))
        except sa.exc.IntegrityError:
            connection.execute(sa.insert(club).values(name="instead"))
        return Unordered(connection.execute(club_rows).all()), connection.scalar(
            sa.select(func.count(payment.c.id))
        )

    yield Case("savepoints", savepoints)

    def options(connection: sa.Connection) -> Any:
        result = connection.execution_options(stream_results=True, yield_per=3).execute(
            sa.select(customer).order_by(customer.c.id)
        )
        return [[tuple(row) for row in part] for part in result.partitions()]

    yield Case("partitions", options)

    def returned_defaults(connection: sa.Connection) -> Any:
        result = connection.execute(sa.insert(invoice).values(NEW).return_defaults(invoice.c.state))
        return result.returned_defaults, result.inserted_primary_key

    yield Case("returned defaults", returned_defaults)

    def many_keys(connection: sa.Connection) -> Any:
        result = connection.execute(
            sa.insert(club).returning(club.c.id, sort_by_parameter_order=True),
            [{"name": f"z{n}"} for n in range(2500)],
        )
        found = result.scalars().all()
        return found, connection.execute(sa.select(club.c.name).where(club.c.id == found[1700])).scalar()

    yield Case("2,500 rows", many_keys)

    def scalars(connection: sa.Connection) -> Any:
        return [
            connection.scalars(sa.select(customer.c.name).order_by(customer.c.id)).all(),
            connection.execute(sa.select(customer).order_by(customer.c.id)).mappings().first(),
            connection.execute(sa.select(customer.c.id, customer.c.city).order_by(customer.c.id))
            .columns(1)
            .all(),
            connection.execute(sa.select(customer.c.city).order_by(customer.c.id)).unique().scalars().all(),
            learnt(connection.execute(sa.select(customer).where(sa.false()))),
        ]

    yield Case("results", scalars)
