"""The application's own SQL, whole and in every place that a statement has for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func, text
from sqlalchemy.orm import Session

from tests.isolation import schema as s
from tests.isolation.oracle import Case, Unordered, learnt
from tests.isolation.shapes.registry import shape

customer, invoice, line = (m.__table__ for m in (s.Customer, s.Invoice, s.Line))

WHOLE = (
    "SELECT id, name FROM customer",
    "SELECT * FROM customer WHERE city = 'Bern' OR 1 = 1",
    "SELECT c.*, i.number FROM customer c JOIN invoice i ON i.customer_id = c.id",
    "SELECT c.name, count(i.id) FROM customer AS c LEFT JOIN invoice AS i ON i.payer_id = c.id GROUP BY c.name",
    "SELECT name FROM customer WHERE id IN (SELECT customer_id FROM invoice WHERE paid)",
    "SELECT name FROM customer c WHERE EXISTS (SELECT 1 FROM invoice WHERE customer_id = c.id AND note IS NOT NULL)",
    "WITH big AS (SELECT customer_id, sum(total) AS t FROM invoice GROUP BY customer_id) SELECT name, t FROM big JOIN customer ON id = customer_id",
    "SELECT id FROM customer UNION SELECT customer_id FROM invoice",
    "SELECT (SELECT count(*) FROM invoice WHERE customer_id = customer.id) AS n, name FROM customer",
    "SELECT count(*) FROM line, invoice WHERE line.invoice_id = invoice.id",
    "SELECT name, row_number() OVER (ORDER BY id) FROM customer",
    'SELECT "Mixed Case" FROM "Odd Name"',
    "SELECT country.name, customer.name FROM country JOIN customer ON country.code = customer.country_code",
    "SELECT DISTINCT city FROM customer",
    "SELECT name FROM customer ORDER BY id LIMIT 3",
    "WITH RECURSIVE t(id, d) AS (SELECT id, 0 FROM category WHERE parent_id IS NULL UNION ALL SELECT c.id, d + 1 FROM category c JOIN t ON c.parent_id = t.id) SELECT * FROM t",
)  # fmt: skip
BOUND = (
    ("SELECT name FROM customer WHERE id = :id", {"id": 2}),
    ("SELECT name FROM customer WHERE id > :id AND city = :city OR id = :id", {"id": 2, "city": "Bern"}),
    ("SELECT name, :label AS label FROM customer", {"label": "it's"}),
    ("SELECT name FROM customer WHERE name LIKE :pattern", {"pattern": "%1"}),
    ("SELECT name FROM customer WHERE id = :tenant_id", {"tenant_id": 2}),
    ("SELECT name FROM customer WHERE name LIKE '%2' AND id > :low", {"low": 0}),
    ("SELECT name FROM customer ORDER BY id LIMIT :n", {"n": 2}),
)


@shape()
def whole_text(dialect: str) -> Iterator[Any]:
    for sql in WHOLE:
        yield text(sql)
    yield from ((text(sql), values) for sql, values in BOUND)
    for sql, values in BOUND:
        yield text(sql).bindparams(**values)
    yield (
        text("SELECT name FROM customer WHERE id IN :ids").bindparams(sa.bindparam("ids", expanding=True)),
        {"ids": [1, 3]},
    )
    yield (
        text("SELECT name FROM customer WHERE id IN :ids").bindparams(sa.bindparam("ids", expanding=True)),
        {"ids": []},
    )
    yield text("UPDATE customer SET city = 'Thun' WHERE id < 4")
    yield text("UPDATE invoice SET note = :note WHERE customer_id = :c"), {"note": "n", "c": 2}
    yield (
        text("UPDATE invoice SET note = :note WHERE id = :c"),
        [{"note": "n", "c": 2}, {"note": "m", "c": 3}],
    )
    yield text("DELETE FROM payment")
    yield (
        text(
            "DELETE FROM line WHERE invoice_id = :i AND NOT EXISTS (SELECT 1 FROM payment WHERE payment.invoice_id = line.invoice_id)"
        ),
        {"i": 4},
    )
    yield text("INSERT INTO setting (key, value) VALUES (:k, :v)"), {"k": "new", "v": "x"}
    yield (
        text("INSERT INTO setting (key, value) VALUES (:k, :v)"),
        [{"k": f"new{n}", "v": "x"} for n in range(3)],
    )
    yield text("INSERT INTO setting (key, value) SELECT name, city FROM customer")
    yield text(
        "INSERT INTO setting (key, value) VALUES ('title', 'mine') ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    yield text("INSERT INTO club (name) VALUES ('fresh') RETURNING name")
    yield text("DELETE FROM payment RETURNING amount")


@shape()
def text_with_columns(dialect: str) -> Iterator[Any]:
    c = customer.c
    for sql in (
        "SELECT id, name FROM customer",
        "SELECT id, name FROM customer WHERE city = 'Bern' OR active",
    ):
        plain = text(sql).columns(sa.column("id", sa.Integer), sa.column("name", sa.String))
        yield plain
        sub = plain.subquery("chosen")
        yield sa.select(sub.c.name).where(sub.c.id > 2)
        yield sa.select(sub.c.id, invoice.c.number).join_from(sub, invoice, invoice.c.customer_id == sub.c.id)
        yield sa.select(sub.c.id, invoice.c.number).outerjoin_from(
            sub, invoice, invoice.c.payer_id == sub.c.id
        )
        yield sa.select(sub.c.id, c.email).outerjoin_from(customer, sub, c.id == sub.c.id)
        cte = plain.cte("written")
        yield sa.select(cte.c.id, cte.c.name)
        yield sa.select(cte.c.id, c.email).join_from(cte, customer, c.id == cte.c.id)
        yield sa.select(c.id).where(c.id.in_(sa.select(cte.c.id)))
    typed = text("SELECT id, name, balance FROM customer").columns(
        id=sa.Integer, name=sa.String, balance=sa.Numeric
    )
    yield typed
    yield text("SELECT id, name FROM customer WHERE id = :x").columns(c.id, c.name), {"x": 3}

    def entities(session: Session) -> Any:
        query = sa.select(s.Customer).from_statement(text("SELECT * FROM customer ORDER BY id"))
        return session.scalars(query).all()

    def some_columns(session: Session) -> Any:
        written = text("SELECT id, name FROM customer WHERE id < :n ORDER BY id").columns(
            s.Customer.id, s.Customer.name
        )
        return session.scalars(sa.select(s.Customer).from_statement(written), {"n": 4}).all()

    def subquery(session: Session) -> Any:
        written = text("SELECT id, name FROM customer").columns(s.Customer.id, s.Customer.name).subquery()
        alias = sa.orm.aliased(s.Customer, written)
        return [(a.id, a.name) for a in session.scalars(sa.select(alias).order_by(alias.id))]

    def legacy(session: Session) -> Any:
        return (
            session.query(s.Customer)
            .from_statement(text("SELECT * FROM customer WHERE id = :i"))
            .params(i=2)
            .all()
        )

    yield from (entities, some_columns, subquery, legacy)


@shape()
def text_in_select(dialect: str) -> Iterator[Any]:
    c = customer.c
    conditions = (
        "city = 'Bern'", "customer.id = 1 OR customer.id = 3", "1 = 1 OR 1 = 1", "id IN (SELECT customer_id FROM invoice WHERE paid)",
        "EXISTS (SELECT 1 FROM invoice WHERE invoice.customer_id = customer.id)", "name LIKE '%1'", "lower(city) = 'bern'",
        "balance > (SELECT avg(balance) FROM customer)", "active", "NOT active OR city IS NULL",
    )  # fmt: skip
    for condition in conditions:
        yield sa.select(c.id, c.name).where(text(condition))
        yield sa.select(c.id).where(c.active).where(text(condition))
        yield sa.select(c.id).where(sa.or_(text(condition), c.id == 2))
        yield sa.select(c.id).where(sa.and_(text(condition), c.id > 1))
        yield sa.select(c.id).where(sa.and_(c.id > 1, text(condition)))
        yield sa.select(c.id).where(sa.literal_column(f"({condition})", sa.Boolean) == sa.true())
        yield sa.select(c.id).where(sa.and_(sa.or_(c.active, text(condition)), text("1 = 1 OR 1 = 1")))
        yield sa.select(c.id).where(sa.literal_column(f"({condition})", sa.Boolean))
        yield sa.select(func.count()).select_from(customer).where(text(condition))
        yield sa.select(sa.case((text(condition), "yes"), else_="no"), c.id)
        yield sa.select(c.city, func.count()).group_by(c.city).having(text("count(*) >= 1"))
        yield sa.update(customer).values(city="Thun").where(text(condition))
        yield sa.delete(s.Payment.__table__).where(text("amount > 300 OR amount < 200"))
    yield sa.select(c.id).where(text("id = :x OR city = :y").bindparams(x=1, y="Bern"))
    yield sa.select(c.id).where(text("id = :tenant_id")), {"tenant_id": 3}
    for columns in (
        (text("id"), text("name")), (text("*"),), (text("customer.*"),), (text("id, name AS n, city"),), (text("count(*)"),),
        (text("upper(name) AS big"),), (text("(SELECT count(*) FROM invoice WHERE customer_id = customer.id) AS n"), c.id),
        (sa.literal_column("*"),), (sa.literal_column("customer.name"), c.id), (sa.literal_column("count(*)"),), (text("1 AS one"),),
        (sa.literal_column("name || '!'").label("loud"),), (text("max(id)"), text("min(id)")),
        (sa.literal_column("(SELECT max(total) FROM invoice)"), c.id),
    ):  # fmt: skip
        yield sa.select(*columns).select_from(customer)
        yield sa.select(*columns).select_from(customer).where(c.id > 2)
        if c.id not in columns:
            yield sa.select(*columns).select_from(customer.alias("customer"))
    for sources in (
        (text("customer"),), (text("customer AS c"),), (text("customer JOIN invoice ON invoice.customer_id = customer.id"),),
        (text("(SELECT id FROM customer) AS x"),),
    ):  # fmt: skip
        yield sa.select(func.count()).select_from(*sources)
        yield sa.select(text("*")).select_from(*sources)
    yield sa.select(text("name")).select_from(text("customer"))
    yield (
        sa.select(text("c.name, i.number"))
        .select_from(text("customer c, invoice i"))
        .where(text("c.id = i.customer_id"))
    )
    yield (
        sa.select(invoice.c.id, text("c.name"))
        .select_from(invoice, text("customer c"))
        .where(text("c.id = invoice.customer_id"))
    )
    for order in (
        "id",
        "name DESC",
        "lower(name), id",
        "city IS NULL, city, id",
        "(SELECT count(*) FROM invoice WHERE customer_id = customer.id), id",
    ):
        yield sa.select(c.id, c.name).order_by(text(order))
        yield sa.select(c.id, c.name).order_by(text(order)).limit(3)
    for group in ("city", "customer.city", "lower(city)", "city, active"):
        yield sa.select(func.count()).select_from(customer).group_by(text(group))
    yield (
        sa.select(text("*"))
        .select_from(customer.outerjoin(invoice, customer.c.id == invoice.c.payer_id))
        .where(text("number IS NULL"))
    )
    yield sa.select(text("*")).select_from(customer.join(invoice, customer.c.id == invoice.c.payer_id))
    yield sa.select(text("invoice.*"), c.name).select_from(
        customer.join(invoice, customer.c.id == invoice.c.payer_id)
    )
    yield sa.select(func.count(text("*"))).select_from(customer)
    yield sa.select(func.sum(text("balance"))).select_from(customer)
    yield sa.select(c.id).where(c.id.in_(sa.select(text("customer_id")).select_from(invoice)))
    yield sa.update(customer).values(balance=text("balance * 2"))
    yield sa.update(customer).values(
        balance=text("(SELECT coalesce(sum(total), 0) FROM invoice WHERE customer_id = customer.id)")
    )
    yield sa.update(customer).values({"city": sa.literal_column("upper(name)")})
    yield sa.insert(s.Setting).values(key="k", value=text("(SELECT max(name) FROM customer)"))
    yield sa.insert(s.Setting).values(key="k", value=sa.literal_column("'a' || 'b'"))
    yield sa.delete(s.Payment).where(text("invoice_id IN (SELECT id FROM invoice WHERE paid)"))
    yield sa.select(c.id, c.name).prefix_with("ALL")
    yield sa.select(c.id).with_statement_hint("/* a hint */")
    yield sa.select(c.id).prefix_with("/* from the application */")
    yield sa.select(c.id).suffix_with("/* behind */")


@shape()
def driver_text(dialect: str) -> Iterator[Any]:
    marks = {"?": "?" if dialect == "sqlite" else "%s", "%": "%" if dialect == "sqlite" else "%%"}

    def run(sql: str, values: Any) -> Case:
        return Case(
            sql, lambda c: learnt(c.exec_driver_sql(sql, values) if values else c.exec_driver_sql(sql))
        )

    for sql in WHOLE:
        yield run(sql, None)
    for sql, values in (
        ("SELECT name FROM customer WHERE id = ?", (2,)), ("SELECT name FROM customer WHERE id > ? OR city = ?", (3, "Bern")),
        ("SELECT ? AS x, name FROM customer WHERE name LIKE '%1' AND id < ?", ("it", 9)),
        ("UPDATE customer SET city = ? WHERE id = ?", ("Thun", 3)), ("INSERT INTO setting (key, value) VALUES (?, ?)", ("k", "v")),
        ("DELETE FROM payment WHERE amount > ?", (200,)), ("SELECT count(*) FROM line WHERE (invoice_id, position) IN (SELECT invoice_id, position FROM payment WHERE amount > ?)", (100,)),
    ):  # fmt: skip
        mine = sql.replace("%", marks["%"]).replace("?", marks["?"])
        yield run(mine, values)
    for sql, many in (
        ("UPDATE customer SET city = ? WHERE id = ?", [("Thun", 1), ("Visp", 2)]),
        ("INSERT INTO setting (key, value) VALUES (?, ?)", [("k", "v"), ("l", "w")]),
    ):
        yield run(sql.replace("?", marks["?"]), many)

    def cursor(sql: str, values: Any) -> Case:
        def work(connection: sa.Connection) -> Any:
            mark = connection.connection.cursor()
            mark.execute(sql.replace("?", marks["?"]), *([values] if values else []))
            if mark.description is None:
                return mark.rowcount
            return [d[0] for d in mark.description], Unordered(mark.fetchall())

        return Case(f"a driver's cursor: {sql}", work)

    for sql, values in product(WHOLE[:8], (None,)):
        yield cursor(sql, values)
    yield cursor("SELECT name FROM customer WHERE id = ? OR id = ?", (1, 4))
    yield cursor("UPDATE invoice SET note = ? WHERE customer_id = ?", ("x", 2))
    yield cursor("DELETE FROM payment WHERE amount < ?", (400,))
    yield cursor("INSERT INTO setting (key, value) VALUES (?, ?)", ("k", "v"))
