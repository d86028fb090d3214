"""Relationship loaders, and everything that loads by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy import orm as o
from sqlalchemy.orm import Session, aliased

from tests.isolation import schema as s
from tests.isolation.oracle import Unordered, orm
from tests.isolation.shapes.registry import shape

C, I, L = s.Customer, s.Invoice, s.Line  # noqa: E741
LOADERS: dict[str, Callable[..., Any]] = {
    "lazy": o.lazyload, "joined": o.joinedload, "inner": lambda *a: o.joinedload(*a, innerjoin=True), "subquery": o.subqueryload,
    "selectin": o.selectinload, "immediate": o.immediateload, "raise": o.raiseload, "none": o.noload,
}  # fmt: skip
PATHS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "one to many": (C.invoices, lambda c: [i.number for i in c.invoices]),
    "many to one": (I.customer, lambda i: i.customer.name),
    "nullable": (I.payer, lambda i: i.payer and i.payer.name),
    "many to many": (C.clubs, lambda c: [k.name for k in c.clubs]),
    "own criteria": (C.unpaid, lambda c: [i.number for i in c.unpaid]),
    "secondary join": (C.products, lambda c: [p.name for p in c.products]),
    "composite key": (L.payments, lambda n: [p.amount for p in n.payments]),
    "to composite key": (s.Payment.line, lambda p: p.line and (p.line.invoice_id, p.line.qty)),
    "parent": (C.boss, lambda c: c.boss and c.boss.name),
    "children": (C.staff, lambda c: [k.name for k in c.staff]),
    "tree": (s.Category.children, lambda c: [k.name for k in c.children]),
    "to shared": (C.country, lambda c: c.country and c.country.name),
    "joined inheritance": (s.Company.people, lambda c: [(p.name, p.born) for p in c.people]),
    "to joined inheritance": (s.Person.company, lambda p: p.company and (p.company.name, p.company.vat)),
}


@shape()
def loaders(dialect: str) -> Iterator[Any]:
    for (path, (attribute, show)), (name, loader) in product(PATHS.items(), LOADERS.items()):
        owner = attribute.class_
        keys = sa.inspect(owner).primary_key
        if name == "none":
            continue  # deprecated in 2.1; see below
        queries = [
            sa.select(owner).order_by(*keys),
            sa.select(owner).order_by(*keys).limit(3).offset(1),
            sa.select(owner).where(keys[0].is_not(None)).order_by(*keys),
        ]  # fmt: skip
        for query in queries:

            def run(
                session: Session,
                query: Any = query,
                loader: Any = loader,
                attribute: Any = attribute,
                show: Any = show,
                name: str = name,
            ) -> Any:
                found = session.scalars(query.options(loader(attribute))).unique().all()
                if name == "raise":
                    return [str(sa.inspect(x).identity) for x in found]
                return [(str(sa.inspect(x).identity), show(x)) for x in found]

            yield orm(run, f"{path}, {name}: {query}")


@shape()
def chains(dialect: str) -> Iterator[Any]:
    def show(c: Any) -> Any:
        return c.name, [
            (i.number, [(n.position, n.product and n.product.name) for n in i.lines]) for i in c.invoices
        ]

    names = ("lazy", "joined", "subquery", "selectin")
    for one, two, three in product(names, names, names):

        def run(session: Session, one: str = one, two: str = two, three: str = three) -> Any:
            first = LOADERS[one](C.invoices)
            second = {
                "lazy": first.lazyload,
                "joined": first.joinedload,
                "subquery": first.subqueryload,
                "selectin": first.selectinload,
            }[two](I.lines)
            third = {
                "lazy": second.lazyload,
                "joined": second.joinedload,
                "subquery": second.subqueryload,
                "selectin": second.selectinload,
            }[three](L.product)
            return [
                show(c) for c in session.scalars(sa.select(C).order_by(C.id).limit(4).options(third)).unique()
            ]

        yield orm(run, f"{one} > {two} > {three}")
    for name in ("joined", "selectin", "subquery"):

        def criteria(session: Session, name: str = name) -> Any:
            found = session.scalars(
                sa.select(C).options(LOADERS[name](C.invoices.and_(I.paid))).order_by(C.id)
            ).unique()
            return [(c.name, [i.number for i in c.invoices]) for c in found]

        def everywhere(session: Session, name: str = name) -> Any:
            options = (LOADERS[name](C.invoices), o.with_loader_criteria(I, I.total > 60))
            return [
                (c.name, [i.number for i in c.invoices])
                for c in session.scalars(sa.select(C).options(*options).order_by(C.id)).unique()
            ]

        def deep(session: Session, name: str = name) -> Any:
            found = session.scalars(
                sa.select(s.Category).options(LOADERS[name](s.Category.children)).order_by(s.Category.id)
            ).unique()
            return [(c.name, [(k.name, [g.name for g in k.children]) for k in c.children]) for c in found]

        def text_filter(session: Session, name: str = name) -> Any:
            found = session.scalars(
                sa.select(C)
                .where(sa.text("customer.city = 'Bern' OR customer.active"))
                .options(LOADERS[name](C.invoices))
                .order_by(C.id)
                .limit(5)
            )
            return [(c.name, [i.number for i in c.invoices]) for c in found.unique()]

        yield from (orm(f, f"{f.__name__} {name}") for f in (criteria, everywhere, deep, text_filter))


@shape()
def by_itself(dialect: str) -> Iterator[Any]:
    def get(session: Session) -> Any:
        return (
            [session.get(C, n) for n in (1, 2, 99)],
            [session.get(L, (3, 1)), session.get(L, (3, 77))],
            session.get(s.Setting, "title"),
        )

    def get_options(session: Session) -> Any:
        c = session.get(C, 2, options=[o.selectinload(C.invoices)])
        i = session.get(I, 3, options=[o.joinedload(I.customer), o.subqueryload(I.lines)])
        return c.name, [x.number for x in c.invoices], i.customer.name, [n.qty for n in i.lines]

    def get_uuid(session: Session) -> Any:
        from tests.isolation.rows import payment_id

        return [session.get(s.Payment, payment_id(n)) for n in (1, 2, 3)], session.get(
            s.Payment, payment_id(999)
        )

    def get_locked(session: Session) -> Any:
        return session.get(C, 2, with_for_update=True), session.get(C, 3, populate_existing=True)

    def refresh(session: Session) -> Any:
        c = session.get_one(C, 2)
        session.execute(sa.update(C).values(city="other").execution_options(synchronize_session=False))
        before = c.city
        session.refresh(c)
        after = c.city
        session.refresh(c, ["name", "balance"])
        return before, after, c

    def expired(session: Session) -> Any:
        customers = session.scalars(sa.select(C).order_by(C.id)).all()
        session.expire_all()
        names = [c.name for c in customers]
        session.expire(customers[1], ["city", "data"])
        return names, customers[1].city, customers[1].data

    def after_commit(session: Session) -> Any:
        c = session.get_one(C, 1)
        c.city = "Thun"
        session.commit()
        return c.name, c.city, [i.number for i in c.invoices]

    def deferred(session: Session) -> Any:
        return [
            (n.qty, n.amount)
            for n in session.scalars(sa.select(L).order_by(L.invoice_id, L.position).limit(4))
        ]

    def column_properties(session: Session) -> Any:
        return [(i.number, i.line_count) for i in session.scalars(sa.select(I).order_by(I.id))]

    def hybrids(session: Session) -> Any:
        return [(c.domain, c.owes) for c in session.scalars(sa.select(C).order_by(C.id))]

    def proxies(session: Session) -> Any:
        return [list(c.club_names) for c in session.scalars(sa.select(C).order_by(C.id))]

    def write_only(session: Session) -> Any:
        c = session.get_one(C, 2)
        return session.scalars(c.written.select()).all(), session.scalars(
            c.written.select().where(I.paid)
        ).all()

    def dynamic(session: Session) -> Any:
        c = session.get_one(C, 2)
        return (
            c.dynamic.all(),
            c.dynamic.count(),
            c.dynamic.filter(I.paid).all(),
            c.dynamic.order_by(I.number).first(),
        )

    def merge(session: Session) -> Any:
        merged = session.merge(C(id=3, name="merged"))
        unloaded = session.merge(s.Setting(key="title", value="merged"))
        fresh = session.merge(s.Setting(key="merged", value="fresh"))
        session.flush()
        return merged, unloaded, fresh

    def merge_many(session: Session) -> Any:
        if not hasattr(session, "merge_all"):
            return [session.merge(s.Setting(key=k, value="m")) for k in ("title", "currency", "new")]
        return session.merge_all([s.Setting(key=k, value="m") for k in ("title", "currency", "new")])

    def get_many(session: Session) -> Any:
        return [session.get(C, n) for n in (3, 1, 2)], session.get_one(I, 2).number

    def with_parent(session: Session) -> Any:
        c = session.get_one(C, 2)
        other = aliased(I)
        return (
            session.scalars(sa.select(I).where(o.with_parent(c, C.invoices)).order_by(I.id)).all(),
            session.scalars(sa.select(other).where(other.customer == c).order_by(other.id)).all(),
            Unordered(session.scalars(sa.select(C).where(C.invoices.contains(session.get_one(I, 3)))).all()),
        )

    def stream(session: Session) -> Any:
        found = session.execute(sa.select(C).order_by(C.id).execution_options(yield_per=2)).scalars()
        return [[c.name for c in part] for part in found.partitions()]

    def stream_with_loader(session: Session) -> Any:
        query = sa.select(C).order_by(C.id).options(o.selectinload(C.invoices)).execution_options(yield_per=3)
        return [(c.name, [i.number for i in c.invoices]) for c in session.scalars(query)]

    def server_side(session: Session) -> Any:
        query = (
            sa.select(C, func.upper(C.name))
            .order_by(C.id)
            .execution_options(stream_results=True, max_row_buffer=2)
        )
        return [tuple(row) for row in session.execute(query)]

    def lambdas(session: Session) -> Any:
        found = []
        for city in ("Bern", "Chur"):
            query = sa.lambda_stmt(lambda: sa.select(C))
            query += lambda q: q.where(C.city == city)
            query += lambda q: q.order_by(C.id)
            found.append(session.scalars(query).all())
        return found

    def baked_lambda_criteria(session: Session) -> Any:
        low = 50
        query = sa.select(I).options(o.with_loader_criteria(I, lambda cls: cls.total > low)).order_by(I.id)
        return session.scalars(query).all()

    def is_modified(session: Session) -> Any:
        c = session.get_one(C, 4)
        c.name = c.name
        history = sa.inspect(c).attrs.boss.load_history()
        return session.is_modified(c), [x and x.name for x in history.unchanged or ()]

    yield from (
        get, get_options, get_uuid, get_locked, refresh, expired, after_commit, deferred, column_properties, hybrids, proxies,
        write_only, dynamic, merge, merge_many, get_many, with_parent, stream, stream_with_loader, server_side, lambdas,
        baked_lambda_criteria, is_modified,
    )  # fmt: skip
