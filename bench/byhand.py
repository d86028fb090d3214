"""The same work with hand-written predicates and stamps, on the same physical schema."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, exists, func, insert, select, text, union_all, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, contains_eager, joinedload

from bench.byhand_models import Customer, Invoice, Line, Product, tenant
from bench.cases import BATCH, TODAY, Work, shown, table_of

customer, invoice, line, product = (table_of(m) for m in (Customer, Invoice, Line, Product))

BY_KEY = text("SELECT id, name, email, city FROM customer WHERE tenant_id = :tenant AND id = :id")
JOIN = (
    "SELECT i.id, i.number, i.issued, c.name FROM invoice i "
    "JOIN customer c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id "
    "WHERE i.tenant_id = {} AND c.city = {} AND i.status = {} ORDER BY i.issued DESC, i.id LIMIT 20"
)
BY_NAME = text(JOIN.format(":tenant", ":city", ":status"))
INSERT = {
    "sqlite": "INSERT INTO product (tenant_id, id, sku, name, price) VALUES "
    "(?, (SELECT coalesce(max(id), 0) + 1 FROM product WHERE tenant_id = ?), ?, ?, ?)",
    "postgresql": "INSERT INTO product (tenant_id, sku, name, price) VALUES (%s, %s, %s, %s)",
}


def list_query() -> Any:
    """A list with a join, as the ORM is asked for it."""
    return (
        select(Invoice)
        .join(Invoice.customer)
        .options(contains_eager(Invoice.customer))
        .where(Invoice.tenant_id == tenant(), Invoice.status == "open", Customer.city == "Bonn")
        .order_by(Invoice.issued.desc(), Invoice.id)
        .limit(20)
    )


def report_query() -> Any:
    """A statement of some size."""
    sums = (
        select(line.c.invoice_id, func.sum(line.c.amount).label("total"))
        .join_from(
            line, product, and_(product.c.tenant_id == line.c.tenant_id, product.c.id == line.c.product_id)
        )
        .where(line.c.tenant_id == tenant(), product.c.price > 500)
        .group_by(line.c.invoice_id)
        .cte("sums")
    )
    other = invoice.alias("other")
    again = exists().where(
        other.c.tenant_id == tenant(),
        other.c.customer_id == customer.c.id,
        other.c.status == "open",
        other.c.id != invoice.c.id,
    )
    part = (
        select(customer.c.city, customer.c.name, invoice.c.number, sums.c.total)
        .join_from(
            invoice,
            customer,
            and_(customer.c.tenant_id == invoice.c.tenant_id, customer.c.id == invoice.c.customer_id),
        )
        .join(sums, sums.c.invoice_id == invoice.c.id)
    )
    return union_all(
        part.where(invoice.c.tenant_id == tenant(), invoice.c.status == "open", again),
        part.where(
            invoice.c.tenant_id == tenant(),
            invoice.c.status == "paid",
            ~again,
            customer.c.city.in_(["Bonn", "Bern"]),
        ),
    )


def late_update() -> Any:
    """An UPDATE with a subquery."""
    late = select(customer.c.id).where(customer.c.tenant_id == tenant(), customer.c.city == "Bonn")
    return (
        update(invoice)
        .where(invoice.c.tenant_id == tenant(), invoice.c.status == "open", invoice.c.customer_id.in_(late))
        .values(memo="late")
    )


def page_query() -> Any:
    """What the small application's page shows."""
    return (
        select(Invoice)
        .options(joinedload(Invoice.customer))
        .where(Invoice.tenant_id == tenant(), Invoice.status == "open")
        .order_by(Invoice.issued.desc(), Invoice.id)
        .limit(20)
    )


class ByHand(Work):
    """Every statement says whose rows it means."""

    def get_orm(self, session: Session) -> Any:
        found = session.get_one(Customer, (tenant(), next(self.keys)))
        session.expunge_all()
        return found.email

    def get_core(self, connection: Connection) -> Any:
        query = select(customer.c.id, customer.c.name, customer.c.email, customer.c.city)
        mine = query.where(customer.c.tenant_id == tenant(), customer.c.id == next(self.keys))
        return tuple(connection.execute(mine).one())

    def get_fresh(self, _: None) -> Any:
        with Session(self.engine) as session:
            return session.get_one(Customer, (tenant(), next(self.keys))).email

    def list_orm(self, session: Session) -> Any:
        found = shown(session.scalars(list_query()))
        session.expunge_all()
        return found

    def list_core(self, connection: Connection) -> Any:
        same = and_(customer.c.tenant_id == invoice.c.tenant_id, customer.c.id == invoice.c.customer_id)
        query = (
            select(invoice.c.id, invoice.c.number, invoice.c.issued, customer.c.name)
            .join_from(invoice, customer, same)
            .where(invoice.c.tenant_id == tenant(), invoice.c.status == "open", customer.c.city == "Bonn")
            .order_by(invoice.c.issued.desc(), invoice.c.id)
            .limit(20)
        )
        return [tuple(row) for row in connection.execute(query)]

    def load_many(self, session: Session) -> Any:
        prices = [
            found.price for found in session.scalars(select(Product).where(Product.tenant_id == tenant()))
        ]
        session.expunge_all()
        return sum(prices)

    def lazy(self, session: Session) -> Any:
        found = session.get_one(Invoice, (tenant(), next(self.keys)))
        lines = [line.amount for line in found.lines]
        session.expunge_all()
        return lines

    def aggregate(self, connection: Connection) -> Any:
        mine = and_(invoice.c.tenant_id == customer.c.tenant_id, invoice.c.customer_id == customer.c.id)
        below = and_(line.c.tenant_id == invoice.c.tenant_id, line.c.invoice_id == invoice.c.id)
        query = (
            select(customer.c.city, func.count(invoice.c.id.distinct()), func.sum(line.c.amount))
            .join_from(customer, invoice, mine)
            .join(line, below)
            .where(customer.c.tenant_id == tenant(), invoice.c.status == "open")
            .group_by(customer.c.city)
            .order_by(customer.c.city)
        )
        return [tuple(row) for row in connection.execute(query)]

    def raw_key(self, connection: Connection) -> Any:
        return tuple(connection.execute(BY_KEY, {"tenant": tenant(), "id": next(self.keys)}).one())

    def raw_join(self, connection: Connection) -> Any:
        values = {"tenant": tenant(), "city": "Bonn", "status": "open"}
        return [tuple(r) for r in connection.execute(BY_NAME, values)]

    def raw_driver(self, connection: Connection) -> Any:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        query = JOIN.format(mark, mark, mark)
        return [tuple(r) for r in connection.exec_driver_sql(query, (tenant(), "Bonn", "open"))]

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
        mine = and_(invoice.c.tenant_id == tenant(), invoice.c.status == "open")
        return connection.execute(update(invoice).where(mine).values(memo=memo)).rowcount

    def update_keys(self, session: Session) -> Any:
        price, mine = next(self.numbers), tenant()
        rows = [{"tenant_id": mine, "id": n, "price": price + n} for n in range(1, 101)]
        session.execute(update(Product), rows)
        return 100

    def products(self, many: int = BATCH) -> list[dict[str, Any]]:
        mine, first = tenant(), next(self.numbers) * many
        return [
            {"tenant_id": mine, "sku": f"new-{n}", "name": f"Product {n}", "price": n}
            for n in range(first, first + many)
        ]

    def insert_many(self, connection: Connection) -> Any:
        connection.execute(insert(product), self.products())
        return BATCH

    def insert_returning(self, connection: Connection) -> Any:
        # On SQLite, several rows of one INSERT would all get the same id: number them.
        rows = self._numbered(connection) if connection.dialect.name == "sqlite" else self.products()
        return len(connection.execute(insert(product).returning(product.c.id), rows).all())

    def insert_orm(self, session: Session) -> Any:
        made = [Product(**values) for values in self.products()]
        session.add_all(made)
        session.flush()
        written = len({p.id for p in made})
        session.expunge_all()
        return written

    def numbered_many(self, connection: Connection) -> Any:
        connection.execute(insert(product), self._numbered(connection))
        return BATCH

    def numbered_orm(self, session: Session) -> Any:
        made = [Product(**values) for values in self._numbered(session.connection())]
        session.add_all(made)
        session.flush()
        written = len({p.id for p in made})
        session.expunge_all()
        return written

    def insert_raw(self, connection: Connection) -> Any:
        sqlite, mine = connection.dialect.name == "sqlite", tenant()
        rows = [
            (mine, mine, v["sku"], v["name"], v["price"]) if sqlite else tuple(v.values())
            for v in self.products()
        ]
        connection.exec_driver_sql(INSERT[connection.dialect.name], rows)
        return BATCH

    def _numbered(self, connection: Connection) -> list[dict[str, Any]]:
        """New products with ids. Safe behind BEGIN IMMEDIATE only: two writers would find the same id."""
        highest = select(func.coalesce(func.max(product.c.id), 0)).where(product.c.tenant_id == tenant())
        first = connection.scalars(highest).one() + 1
        return [{"id": n, **values} for n, values in enumerate(self.products(), first)]

    def compile_key(self, _: None) -> Any:
        return self.compiled(select(customer).where(customer.c.tenant_id == tenant(), customer.c.id == 7))

    def compile_list(self, _: None) -> Any:
        return self.compiled(list_query())

    def compile_report(self, _: None) -> Any:
        return self.compiled(report_query())

    def compile_insert(self, _: None) -> Any:
        return self.compiled(insert(product).values(tenant_id=tenant(), sku="x", name="x", price=1))

    def compile_update(self, _: None) -> Any:
        return self.compiled(late_update())
