"""The unit of work: what flush writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, make_transient, make_transient_to_detached

from tests.isolation import schema as s
from tests.isolation.oracle import orm
from tests.isolation.rows import payment_id
from tests.isolation.shapes.registry import shape

C, I, L = s.Customer, s.Invoice, s.Line  # noqa: E741


def invoice(number: str, **values: Any) -> s.Invoice:
    return I(number=number, total=Decimal(5), paid=False, issued=dt.date(2025, 1, 1), **values)


@shape()
def flushes(dialect: str) -> Iterator[Any]:
    def add(session: Session) -> Any:
        c = C(name="new", email="new@x")
        session.add(c)
        session.commit()
        return c.id, c.active, c.balance, c

    def add_children(session: Session) -> Any:
        c = C(
            name="new",
            email="new@x",
            invoices=[invoice("n1", lines=[L(position=p, qty=1, price=1) for p in (1, 2)]), invoice("n2")],
        )
        session.add(c)
        session.commit()
        return [
            (i.id, i.customer_id, i.state, i.line_count, [n.position for n in i.lines]) for i in c.invoices
        ]

    def add_many(session: Session) -> Any:
        made = [s.Club(name=f"n{n}") for n in range(40)]
        session.add_all(made)
        session.commit()
        return [(c.id, c.name) for c in made]

    def add_mixed_ids(session: Session) -> Any:
        made = [s.Club(id=50 + n if n % 3 == 0 else None, name=f"n{n}") for n in range(9)]
        session.add_all(made)
        session.commit()
        return [(c.id if n % 3 == 0 else c.id is not None, c.name) for n, c in enumerate(made)]

    def add_defaults(session: Session) -> Any:
        p = s.Product(sku="n", name="N", price=1)
        i = invoice("n", customer_id=1)
        session.add_all([p, i, s.Payment(amount=1, method=s.Method.CASH)])
        session.flush()
        return p.stock, p.code, p.version, p.label, i.state, i.line_count

    def add_tree(session: Session) -> Any:
        root = s.Category(
            name="root",
            children=[s.Category(name="x", children=[s.Category(name="y")]), s.Category(name="z")],
        )
        session.add(root)
        session.commit()
        return [(c.name, c.parent_id == root.id) for c in root.children], root.id

    def many_to_many(session: Session) -> Any:
        c = session.get_one(C, 1)
        c.clubs = [
            *session.scalars(sa.select(s.Club).where(s.Club.id > 2).order_by(s.Club.id)),
            s.Club(name="own"),
        ]
        session.commit()
        return [k.name for k in c.clubs]

    def change(session: Session) -> Any:
        for c in session.scalars(sa.select(C).order_by(C.id)):
            c.city = f"{c.id}"
            c.balance += 1
        session.flush()
        return [c.city for c in session.scalars(sa.select(C).order_by(C.id))]

    def change_with_expressions(session: Session) -> Any:
        c = session.get_one(C, 3)
        c.balance = C.balance * 2
        c.city = sa.func.upper(C.name)
        session.flush()
        return c.balance, c.city

    def change_natural_key(session: Session) -> Any:
        session.get_one(s.Setting, "title").key = "heading"
        session.get_one(s.Setting, "empty").value = "full"
        session.commit()
        return session.get(s.Setting, "title"), session.get(s.Setting, "heading")

    def onupdate(session: Session) -> Any:
        p = session.get_one(s.Product, 1)
        p.price = Decimal(9)
        session.flush()
        return p.version, p.label

    def composite(session: Session) -> Any:
        n = session.get_one(L, (3, 1))
        n.qty = 99
        session.add(L(invoice_id=1, position=9, qty=1, price=1))
        session.flush()
        return n, session.get(L, (1, 9))

    def remove(session: Session) -> Any:
        for p in session.scalars(sa.select(s.Payment)):
            session.delete(p)
        session.flush()
        session.delete(session.get_one(I, 4))
        session.commit()
        return session.get(I, 4), session.scalar(sa.select(sa.func.count(L.qty)))

    def orphans(session: Session) -> Any:
        session.execute(sa.delete(s.Payment))
        i = session.get_one(I, 5)
        i.lines = i.lines[:1]
        session.commit()
        return [n.position for n in i.lines]

    def cascade(session: Session) -> Any:
        session.execute(sa.delete(s.Payment))
        session.execute(sa.update(C).values(boss_id=None))
        session.execute(sa.update(I).values(payer_id=None))
        c = session.get_one(C, 2)
        c.clubs = []
        session.delete(c)
        session.commit()
        return session.scalar(sa.select(sa.func.count(I.id)))

    def versions(session: Session) -> Any:
        d = session.get_one(s.Letter, 1)
        d.title = "changed"
        session.flush()
        return d.revision

    def stale(session: Session) -> Any:
        d = session.get_one(s.Letter, 1)
        session.execute(sa.update(s.Document).values(revision=9).execution_options(synchronize_session=False))
        d.title = "late"
        try:
            session.flush()
        except sa.orm.exc.StaleDataError as error:
            return type(error).__name__
        return "not noticed"

    def forged_update(session: Session) -> Any:
        c = C(id=3)
        make_transient_to_detached(c)
        session.add(c)
        c.city = "forged"
        session.flush()
        return c.name, c.city

    def forged_delete(session: Session) -> Any:
        p = s.Payment(id=payment_id(2))
        make_transient_to_detached(p)
        session.add(p)
        session.delete(p)
        session.flush()
        return session.get(s.Payment, payment_id(2))

    def missing_row(session: Session) -> Any:
        c = C(
            id=12 if session.scalar(sa.select(sa.func.count(C.id))) < 12 else 13
        )  # a neighbour's row, or nobody's
        make_transient_to_detached(c)
        session.add(c)
        c.city = "forged"
        try:
            session.flush()
        except sa.orm.exc.StaleDataError as error:
            return type(error).__name__
        return "updated"

    def copy(session: Session) -> Any:
        c = session.get_one(s.Club, 1)
        make_transient(c)
        c.id, c.name = None, "copy"
        session.add(c)
        session.commit()
        return c.id, c.name

    def savepoint(session: Session) -> Any:
        session.add(s.Club(name="kept"))
        session.flush()
        try:
            with session.begin_nested():
                session.add(s.Club(name="club 1"))
        except sa.exc.IntegrityError:
            session.add(s.Club(name="after"))
        with session.begin_nested() as inner:
            session.add(s.Club(name="gone"))
            session.flush()
            inner.rollback()
        session.commit()
        return session.scalars(sa.select(s.Club.name).order_by(s.Club.id)).all()

    def enums_and_json(session: Session) -> Any:
        c = session.get_one(C, 1)
        c.data, c.tags = {"x": [1, {"y": None}]}, ["a", "b"]
        p = session.get_one(s.Payment, payment_id(1))
        p.method = s.Method.CASH
        session.commit()
        return c.data, c.tags, p.method.value

    def odd_names(session: Session) -> Any:
        session.add(s.Odd(mixed="x", chosen=1, percent=5))
        session.get_one(s.Odd, 2).percent = 50
        session.commit()
        return session.scalars(sa.select(s.Odd).order_by(s.Odd.key)).all()

    yield from (
        add, add_children, add_many, add_defaults, add_tree, many_to_many, change, change_with_expressions,
        change_natural_key, onupdate, composite, remove, orphans, cascade, versions, stale, forged_update, forged_delete,
        missing_row, copy, savepoint, enums_and_json, odd_names,
    )  # fmt: skip
    if dialect == "sqlite":
        yield orm(add_mixed_ids)


@shape()
def orm_bulk(dialect: str) -> Iterator[Any]:
    rows = [{"name": f"n{n}", "email": f"n{n}@x"} for n in range(4)]

    def run(work: Any, what: str) -> Any:
        return orm(work, what)

    yield run(lambda x: bool(x.execute(sa.insert(C), rows)), "insert")
    yield run(
        lambda x: x.scalars(sa.insert(C).returning(C, sort_by_parameter_order=True), rows).all(),
        "insert returning entities",
    )
    yield run(
        lambda x: x.execute(sa.insert(C).returning(C.id, C.active), rows).all(), "insert returning columns"
    )
    yield run(
        lambda x: x.scalars(sa.insert(s.Club).values([{"name": "a"}, {"name": "b"}]).returning(s.Club)).all(),
        "insert values",
    )
    yield run(
        lambda x: x.execute(
            sa.insert(C).values(name=sa.func.upper("x"), email="e").returning(C.id, C.name)
        ).all(),
        "insert expression",
    )
    yield run(
        lambda x: (
            x.execute(sa.insert(s.Product), [{"sku": f"n{n}", "name": "N", "price": 1} for n in range(3)])
            is not None
        ),
        "defaults",
    )
    yield run(
        lambda x: x.execute(sa.insert(s.Setting), [{"key": f"n{n}"} for n in range(3)]) is not None,
        "natural key",
    )
    yield run(
        lambda x: (
            x.execute(sa.insert(s.Company), [{"name": f"n{n}", "vat": "v"} for n in range(3)]) is not None
        ),
        "two tables",
    )
    yield run(
        lambda x: x.scalars(
            sa.insert(s.Company).returning(s.Company), [{"name": f"n{n}", "vat": "v"} for n in range(3)]
        ).all(),
        "two tables back",
    )
    yield run(
        lambda x: bool(x.execute(sa.update(C), [{"id": n, "city": f"c{n}"} for n in (1, 2, 3)])),
        "update by primary key",
    )
    yield run(
        lambda x: bool(x.execute(sa.update(L), [{"invoice_id": 3, "position": 1, "qty": 70}])),
        "update by composite key",
    )
    yield run(
        lambda x: bool(x.execute(sa.update(s.Setting), [{"key": "title", "value": "b"}])),
        "update by natural key",
    )
    yield run(
        lambda x: bool(
            x.execute(
                sa.update(s.Company), [{"id": 1, "vat": "b", "name": "n"}, {"id": 2, "vat": "c", "name": "m"}]
            )
        ),
        "update two tables",
    )
    yield run(lambda x: x.bulk_save_objects([C(**row) for row in rows]), "bulk_save_objects")
    yield run(
        lambda x: x.bulk_save_objects([s.Club(name=f"n{n}") for n in range(3)], return_defaults=True),
        "bulk_save_objects back",
    )
    yield run(
        lambda x: x.bulk_insert_mappings(s.Club, [{"name": f"n{n}"} for n in range(3)]),
        "bulk_insert_mappings",
    )
    yield run(
        lambda x: x.bulk_insert_mappings(s.Club, [{"id": 30 + n, "name": f"n{n}"} for n in range(3)]),
        "bulk_insert_mappings with ids",
    )
    yield run(
        lambda x: x.bulk_insert_mappings(
            s.Company, [{"name": f"n{n}", "vat": "v"} for n in range(3)], return_defaults=True
        ),
        "bulk two tables",
    )
    yield run(
        lambda x: x.bulk_update_mappings(C, [{"id": 1, "city": "b"}, {"id": 2, "city": "c"}]),
        "bulk_update_mappings",
    )

    def conflict(session: Session) -> Any:
        from sqlalchemy.dialects import postgresql, sqlite

        insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
        statement = insert(s.Setting).values([{"key": "title", "value": "u"}, {"key": "fresh", "value": "u"}])
        statement = statement.on_conflict_do_update(
            index_elements=[s.Setting.key], set_={"value": statement.excluded.value}
        ).returning(s.Setting)
        found = session.scalars(statement, execution_options={"populate_existing": True}).all()
        return sorted((x.key, x.value) for x in found)

    yield conflict
    conditions = (
        lambda: C.id < 4, lambda: C.city == "Bern", lambda: C.invoices.any(I.paid), lambda: C.id.in_(sa.select(I.customer_id).where(I.paid)),
        lambda: sa.or_(C.active, sa.text("customer.id = 3 OR customer.id = 6")),
    )  # fmt: skip
    for condition, sync in product(conditions, ("auto", "fetch", "evaluate", False)):
        if sync == "evaluate" and conditions.index(condition) > 1:
            continue

        def update(session: Session, condition: Any = condition, sync: Any = sync) -> Any:
            loaded = session.scalars(sa.select(C).order_by(C.id)).all()
            done = session.execute(
                sa.update(C)
                .where(condition())
                .values(city="bulk")
                .execution_options(synchronize_session=sync)
            )
            return done.rowcount, [c.city for c in loaded]

        def update_returning(session: Session, condition: Any = condition, sync: Any = sync) -> Any:
            loaded = session.scalars(sa.select(C).order_by(C.id)).all()
            statement = (
                sa.update(C).where(condition()).values(balance=C.balance + 1).returning(C.id, C.balance)
            )
            found = sorted(
                tuple(r) for r in session.execute(statement.execution_options(synchronize_session=sync))
            )
            return found, [c.balance for c in loaded]

        def delete(session: Session, condition: Any = condition, sync: Any = sync) -> Any:
            session.execute(sa.delete(s.Payment))
            session.execute(sa.update(C).values(boss_id=None).execution_options(synchronize_session=False))
            loaded = session.scalars(sa.select(s.Payment)).all()
            for table in (s.membership, L.__table__, I.__table__):
                session.execute(sa.delete(table))
            done = session.execute(
                sa.delete(C).where(condition()).execution_options(synchronize_session=sync)
            )
            return done.rowcount, len(loaded), session.scalars(sa.select(C.id).order_by(C.id)).all()

        yield from (orm(f, f"{f.__name__} {sync}") for f in (update, update_returning, delete))
