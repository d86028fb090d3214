"""The application's code as it is: for the untouched application, and under flask_tenant."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exists, func, insert, select, text, union_all, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, contains_eager, joinedload

from bench.cases import BATCH, TODAY, Work, shown, table_of
from bench.models import Customer, Invoice, Line, Product

customer, invoice, line, product = (table_of(m) for m in (Customer, Invoice, Line, Product))

BY_KEY = text("SELECT id, name, email, city FROM customer WHERE id = :id")
JOIN = (
    "SELECT i.id, i.number, i.issued, c.name FROM invoice i JOIN customer c ON c.id = i.customer_id "
    "WHERE c.city = {} AND i.status = {} ORDER BY i.issued DESC, i.id LIMIT 20"
)
BY_NAME = text(JOIN.format(":city", ":status"))
INSERT = "INSERT INTO product (sku, name, price) VALUES ({})"


def list_query() -> Any:
    """A list with a join, as the ORM is asked for it."""
    return (
        select(Invoice)
        .join(Invoice.customer)
        .options(contains_eager(Invoice.customer))
        .where(Invoice.status == "open", Customer.city == "Bonn")
        .order_by(Invoice.issued.desc(), Invoice.id)
        .limit(20)
    )


def report_query() -> Any:
    """A statement of some size."""
    sums = (
        select(line.c.invoice_id, func.sum(line.c.amount).label("total"))
        .join_from(line, product, product.c.id == line.c.product_id)
        .where(product.c.price > 500)
        .group_by(line.c.invoice_id)
        .cte("sums")
    )
    other = invoice.alias("other")
    again = exists().where(
        other.c.customer_id == customer.c.id, other.c.status == "open", other.c.id != invoice.c.id
    )
    part = (
        select(customer.c.city, customer.c.name, invoice.c.number, sums.c.total)
        .join_from(invoice, customer, customer.c.id == invoice.c.customer_id)
        .join(sums, sums.c.invoice_id == invoice.c.id)
    )
    return union_all(
        part.where(invoice.c.status == "open", again),
        part.where(invoice.c.status == "paid", ~again, customer.c.city.in_(["Bonn", "Bern"])),
    )


def late_update() -> Any:
    """An UPDATE with a subquery."""
    late = select(customer.c.id).where(customer.c.city == "Bonn")
    return (
        update(invoice).where(invoice.c.status == "open", invoice.c.customer_id.in_(late)).values(memo="late")
    )


def page_query() -> Any:
    """What the small application's page shows."""
    return (
        select(Invoice)
        .options(joinedload(Invoice.customer))
        .where(Invoice.status == "open")
        .order_by(Invoice.issued.desc(), Invoice.id)
        .limit(20)
    )


class Single(Work):
    """Nothing here knows of tenants."""

    def get_orm(self, session: Session) -> Any:
        found = session.get_one(Customer, next(self.keys))
        session.expunge_all()
        return found.email

    def get_core(self, connection: Connection) -> Any:
        query = select(customer.c.id, customer.c.name, customer.c.email, customer.c.city)
        return tuple(connection.execute(query.where(customer.c.id == next(self.keys))).one())

    def get_fresh(self, _: None) -> Any:
        with Session(self.engine) as session:
            return session.get_one(Customer, next(self.keys)).email

    def list_orm(self, session: Session) -> Any:
        found = shown(session.scalars(list_query()))
        session.expunge_all()
        return found

    def list_core(self, connection: Connection) -> Any:
        query = (
            select(invoice.c.id, invoice.c.number, invoice.c.issued, customer.c.name)
            .join_from(invoice, customer, customer.c.id == invoice.c.customer_id)
            .where(invoice.c.status == "open", customer.c.city == "Bonn")
            .order_by(invoice.c.issued.desc(), invoice.c.id)
            .limit(20)
        )
        return [tuple(row) for row in connection.execute(query)]

    def load_many(self, session: Session) -> Any:
        prices = [found.price for found in session.scalars(select(Product))]
        session.expunge_all()
        return sum(prices)

    def lazy(self, session: Session) -> Any:
        found = session.get_one(Invoice, next(self.keys))
        lines = [line.amount for line in found.lines]
        session.expunge_all()
        return lines

    def aggregate(self, connection: Connection) -> Any:
        query = (
            select(customer.c.city, func.count(invoice.c.id.distinct()), func.sum(line.c.amount))
            .join_from(customer, invoice, invoice.c.customer_id == customer.c.id)
            .join(line, line.c.invoice_id == invoice.c.id)
            .where(invoice.c.status == "open")
            .group_by(customer.c.city)
            .order_by(customer.c.city)
        )
        return [tuple(row) for row in connection.execute(query)]

    def raw_key(self, connection: Connection) -> Any:
        return tuple(connection.execute(BY_KEY, {"id": next(self.keys)}).one())

    def raw_join(self, connection: Connection) -> Any:
        return [tuple(r) for r in connection.execute(BY_NAME, {"city": "Bonn", "status": "open"})]

    def raw_driver(self, connection: Connection) -> Any:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        return [tuple(r) for r in connection.exec_driver_sql(JOIN.format(mark, mark), ("Bonn", "open"))]

    def insert_children(self, session: Session) -> Any:
        lines = [Line(position=n, product_id=n, amount=100 * n) for n in (1, 2, 3)]
        made = Invoice(
            number=f"new-{next(self.numbers)}", customer_id=1, status="draft", issued=TODAY, lines=lines
        )
        session.add(made)
        session.flush()
        written = len({line.id for line in made.lines})
        session.expunge_all()
        return written

    def update_set(self, connection: Connection) -> Any:
        memo = f"seen {next(self.numbers) % 10}"
        return connection.execute(
            update(invoice).where(invoice.c.status == "open").values(memo=memo)
        ).rowcount

    def update_keys(self, session: Session) -> Any:
        price = next(self.numbers)
        session.execute(update(Product), [{"id": n, "price": price + n} for n in range(1, 101)])
        return 100

    def insert_many(self, connection: Connection) -> Any:
        connection.execute(insert(product), self.products())
        return BATCH

    def insert_returning(self, connection: Connection) -> Any:
        return len(connection.execute(insert(product).returning(product.c.id), self.products()).all())

    def insert_orm(self, session: Session) -> Any:
        made = [Product(**values) for values in self.products()]
        session.add_all(made)
        session.flush()
        written = len({p.id for p in made})
        session.expunge_all()
        return written

    def insert_raw(self, connection: Connection) -> Any:
        marks = "?, ?, ?" if connection.dialect.name == "sqlite" else "%s, %s, %s"
        connection.exec_driver_sql(INSERT.format(marks), [tuple(v.values()) for v in self.products()])
        return BATCH

    def compile_key(self, _: None) -> Any:
        return self.compiled(select(customer).where(customer.c.id == 7))

    def compile_list(self, _: None) -> Any:
        return self.compiled(list_query())

    def compile_report(self, _: None) -> Any:
        return self.compiled(report_query())

    def compile_insert(self, _: None) -> Any:
        return self.compiled(insert(product).values(sku="x", name="x", price=1))

    def compile_update(self, _: None) -> Any:
        return self.compiled(late_update())
