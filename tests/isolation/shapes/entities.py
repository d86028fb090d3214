"""ORM queries: entities, joins along relationships, aliases, options, inheritance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.orm import (
    Bundle,
    Session,
    aliased,
    contains_eager,
    defer,
    load_only,
    undefer,
    with_loader_criteria,
)

from tests.isolation import schema as s
from tests.isolation.oracle import Case, Unordered, orm
from tests.isolation.shapes.registry import shape

C, I, L, P = s.Customer, s.Invoice, s.Line, s.Product  # noqa: E741


def rows(query: Any, parameters: Any = None) -> Case:
    """Run an ORM query: everything that it returns, entities with their columns."""

    def run(session: Session) -> Any:
        result = session.execute(query, parameters) if parameters else session.execute(query)
        found = [tuple(row) for row in result.unique()]
        return found if query._order_by_clauses else Unordered(found)

    return orm(run, str(query))


@shape()
def queries(dialect: str) -> Iterator[Any]:
    for model in (
        s.Customer,
        s.Invoice,
        s.Line,
        s.Product,
        s.Club,
        s.Setting,
        s.Category,
        s.Payment,
        s.Odd,
        s.Country,
    ):
        yield rows(sa.select(model))
        yield rows(sa.select(aliased(model)))
        yield rows(sa.select(model).order_by(*sa.inspect(model).primary_key).limit(2).offset(1))
        yield rows(sa.select(func.count()).select_from(model))
        yield rows(sa.select(sa.exists().where(sa.inspect(model).primary_key[0].is_not(None))))
    boss, other = aliased(C, name="boss"), aliased(I)
    yield rows(sa.select(C).where(C.city == "Bern"))
    yield rows(sa.select(C).filter_by(city="Bern", active=True))
    yield rows(sa.select(C.id, C.name, I.number).join(C.invoices))
    yield rows(sa.select(C, I).join(C.invoices).where(I.paid))
    yield rows(sa.select(C, I).join(I, C.id == I.payer_id))
    yield rows(sa.select(C, I).outerjoin(I, C.id == I.payer_id))
    yield rows(sa.select(C, I).join(I, C.id == I.payer_id, full=True))
    yield rows(sa.select(C, other).join(C.invoices.of_type(other)).where(other.paid))
    yield rows(sa.select(C, boss).join(C.boss.of_type(boss)))
    yield rows(sa.select(C.name, boss.name).outerjoin(C.boss.of_type(boss)).order_by(C.id))
    yield rows(sa.select(boss).join(C, C.boss_id == boss.id).distinct())
    yield rows(sa.select(I).join(I.customer).join(I.lines).where(L.qty > 2))
    yield rows(sa.select(I, L, P).join(I.lines).outerjoin(L.product))
    yield rows(sa.select(C).join(C.clubs).where(s.Club.name == "club 1"))
    yield rows(sa.select(C.name, s.Club.name).outerjoin(C.clubs))
    yield rows(sa.select(C).join(C.products).where(P.stock > 1).distinct())
    yield rows(sa.select(C).where(C.invoices.any()))
    yield rows(sa.select(C).where(~C.invoices.any(I.paid)))
    yield rows(sa.select(C).where(C.unpaid.any(I.total > 100)))
    yield rows(sa.select(C).where(C.clubs.any(s.Club.id == 1)))
    yield rows(sa.select(C).where(C.club_names.contains("club 2")))
    yield rows(sa.select(I).where(I.customer.has(C.city == "Bern")))
    yield rows(sa.select(I).where(I.customer.has(C.boss.has(C.active))))
    yield rows(sa.select(C).where(C.boss.has()))
    yield rows(sa.select(C).where(C.staff.any(C.active)))
    yield rows(sa.select(L).where(L.payments.any()))
    yield rows(sa.select(s.Payment).where(s.Payment.line.has(L.qty > 1)))
    yield rows(sa.select(I.line_count, I.number).order_by(I.number))
    yield rows(sa.select(I).where(I.line_count > 1))
    yield rows(sa.select(I).order_by(I.line_count, I.id))
    yield rows(sa.select(L.amount))
    yield rows(sa.select(L).options(undefer(L.amount)))
    yield rows(sa.select(C.domain, C.owes).order_by(C.id))
    yield rows(sa.select(C).where(C.owes > 100))
    yield rows(sa.select(C.data["colour"].as_string(), C.id))
    yield rows(sa.select(C).options(load_only(C.name)))
    yield rows(sa.select(C).options(defer(C.data), defer(C.tags)))
    yield rows(sa.select(I).join(I.customer).options(contains_eager(I.customer)))
    yield rows(sa.select(C).join(C.invoices).where(I.paid).options(contains_eager(C.invoices)).order_by(C.id))
    yield rows(sa.select(C).options(with_loader_criteria(C, C.active)))
    yield rows(sa.select(C, I).join(C.invoices).options(with_loader_criteria(I, I.paid.is_(False))))
    yield rows(
        sa.select(C, I).outerjoin(C.invoices).options(with_loader_criteria(I, lambda cls: cls.total > 50))
    )
    yield rows(sa.select(Bundle("both", C.id, C.name)).order_by(C.id))
    yield rows(sa.select(C.city, func.count(I.id)).join(C.invoices).group_by(C.city))
    yield rows(
        sa.select(C, func.count(I.id)).outerjoin(C.invoices).group_by(C.id)
        if dialect == "postgresql"
        else sa.select(C.id, func.count(I.id)).outerjoin(C.invoices).group_by(C.id)
    )
    sub = sa.select(C).where(C.active).subquery()
    yield rows(sa.select(aliased(C, sub)))
    yield rows(sa.select(aliased(C, sub), I).join(I, I.customer_id == sub.c.id))
    latest = sa.select(I.customer_id, func.max(I.id).label("last")).group_by(I.customer_id).subquery()
    yield rows(sa.select(C, I).join(latest, latest.c.customer_id == C.id).join(I, I.id == latest.c.last))
    cte = sa.select(C.id).where(C.active).cte("active")
    yield rows(sa.select(C).join(cte, cte.c.id == C.id))
    yield rows(sa.select(C).where(C.id.in_(sa.select(cte.c.id))))
    both = sa.union_all(sa.select(C).where(C.active), sa.select(C).where(C.city == "Bern")).subquery()
    yield rows(sa.select(aliased(C, both)))
    tree = sa.select(s.Category).where(s.Category.parent_id.is_(None)).cte("tree", recursive=True)
    tree = tree.union_all(sa.select(s.Category).join(tree, s.Category.parent_id == tree.c.id))
    yield rows(sa.select(aliased(s.Category, tree)))
    yield rows(
        sa.select(
            C.name, sa.select(func.count(I.id)).where(I.customer_id == C.id).scalar_subquery().label("n")
        ).order_by(C.id)
    )
    yield rows(sa.select(C).where(C.id == sa.bindparam("tenant_id")), {"tenant_id": 2})
    yield rows(sa.select(C).where(C.boss == None))  # noqa: E711
    yield rows(sa.select(s.Country, C).join(C, C.country_code == s.Country.code))
    yield rows(sa.select(s.Country).where(s.Country.code.in_(sa.select(C.country_code))))
    yield rows(sa.select(C, func.rank().over(partition_by=C.city, order_by=C.balance.desc())).where(C.id < 8))


@shape()
def legacy_queries(dialect: str) -> Iterator[Any]:
    def q(build: Any) -> Case:
        def run(session: Session) -> Any:
            found = build(session.query)
            return Unordered(found) if isinstance(found, list) else found

        return orm(run, "session.query: " + str(build.__code__.co_names))

    yield q(lambda q: q(C).all())
    yield q(lambda q: q(C).filter(C.city == "Bern").all())
    yield q(lambda q: q(C).filter_by(id=3).one())
    yield q(lambda q: q(C).order_by(C.id).first())
    yield q(lambda q: q(C).filter(C.id == 2).one_or_none())
    yield q(lambda q: q(C).count())
    yield q(lambda q: q(func.count(C.id)).scalar())
    yield q(lambda q: q(C.id, I.number).join(C.invoices).all())
    yield q(lambda q: q(C).join(I, I.payer_id == C.id).distinct().all())
    yield q(lambda q: q(C).outerjoin(C.invoices).filter(I.id.is_(None)).all())
    yield q(lambda q: q(q(C).filter(C.active).exists()).scalar())
    yield q(lambda q: q(C).filter(C.active).union(q(C).filter(C.city == "Bern")).all())
    yield q(lambda q: q(C).filter(C.active).except_(q(C).filter(C.city == "Bern")).all())
    yield q(lambda q: q(C).filter(C.id.in_(q(I.customer_id).filter(I.paid))).all())
    yield q(lambda q: q(C).order_by(C.id)[1:3])
    yield q(lambda q: list(q(C).order_by(C.id).yield_per(2)))
    yield q(lambda q: q(C).enable_assertions(False).order_by(C.id).limit(3).all())
    yield q(lambda q: q(C).with_entities(C.name).all())
    yield q(lambda q: q(C).filter(sa.text("city = :x OR active")).params(x="Bern").all())
    yield q(lambda q: q(C).update({"city": "all"}))
    yield q(lambda q: q(C).filter(C.id < 3).update({C.city: C.name}, synchronize_session=False))
    yield q(lambda q: q(s.Payment).filter(s.Payment.amount > 200).delete())
    yield q(lambda q: q(s.Payment).filter(s.Payment.line.has(L.qty > 1)).delete(synchronize_session=False))
    yield q(lambda q: q(C).with_for_update().filter(C.id == 1).one())


@shape()
def inheritance(dialect: str) -> Iterator[Any]:
    from sqlalchemy.orm import selectin_polymorphic, selectinload, with_polymorphic

    for model in (s.Party, s.Person, s.Company, s.Document, s.Letter, s.Contract):
        yield rows(sa.select(model))
        yield rows(sa.select(aliased(model)))
        yield rows(sa.select(func.count()).select_from(model))
        yield rows(sa.select(model).where(model.id > 1).order_by(model.id).limit(3))
        yield rows(sa.select(aliased(model, flat=True)))
        yield orm(
            lambda session, m=model: [session.get(m, n) for n in (1, 2, 3, 4, 20, 99)],
            f"get {model.__name__}",
        )
    everybody, flat = with_polymorphic(s.Party, "*"), with_polymorphic(s.Party, "*", aliased=True, flat=True)
    for poly in (everybody, flat):
        yield rows(sa.select(poly))
        yield rows(sa.select(poly).where(poly.Person.born > 1955))
        yield rows(
            sa.select(poly)
            .where(sa.or_(poly.Person.born > 1955, poly.Company.vat == "VAT1"))
            .order_by(poly.id)
        )
        yield rows(sa.select(poly, C).join(C, C.id == poly.id))
        yield rows(sa.select(C, poly).outerjoin(poly, C.id == poly.id))
    person, company = aliased(s.Person, flat=True), aliased(s.Company, flat=True)
    yield rows(sa.select(s.Company, person).join(s.Company.people.of_type(person)))
    yield rows(
        sa.select(s.Company, person)
        .outerjoin(s.Company.people.of_type(person))
        .order_by(s.Company.id, person.id)
    )
    yield rows(sa.select(s.Person).join(s.Person.company.of_type(company)).where(company.vat == "VAT1"))
    yield rows(sa.select(s.Company).where(s.Company.people.any(s.Person.born > 1955)))
    yield rows(sa.select(s.Person).where(s.Person.company.has(s.Company.vat == "VAT2")))
    yield rows(
        sa.select(s.Party).options(selectin_polymorphic(s.Party, [s.Person, s.Company])).order_by(s.Party.id)
    )

    def people(session: Session) -> Any:
        found = session.scalars(
            sa.select(s.Company).options(selectinload(s.Company.people)).order_by(s.Company.id)
        ).all()
        return [(c.name, [(p.name, p.born) for p in c.people]) for c in found]

    def attributes(session: Session) -> Any:
        return [(type(p).__name__, p.name, getattr(p, "vat", None), getattr(p, "born", None))
                for p in session.scalars(sa.select(s.Party).order_by(s.Party.id))]  # fmt: skip

    def change(session: Session) -> Any:
        person = session.get_one(s.Person, 3)
        person.name, person.born = "renamed", 2000
        session.get_one(s.Letter, 1).sender = "me"
        session.add_all(
            [s.Person(id=90, name="new", born=1), s.Contract(id=91, title="new"), s.Company(id=92, name="n")]
        )
        session.flush()
        session.delete(session.get_one(s.Person, 4))
        session.delete(session.get_one(s.Contract, 4))
        session.commit()
        return session.scalars(sa.select(s.Party).order_by(s.Party.id)).all()

    def added(session: Session) -> Any:
        company = s.Company(
            name="made", vat="V", people=[s.Person(name="x", born=1), s.Person(name="y", born=2)]
        )
        session.add(company)
        session.commit()
        return company.id, [p.id for p in company.people], [p.company_id for p in company.people]

    def bulk(session: Session) -> Any:
        session.execute(sa.update(s.Letter).values(sender="bulk"))
        session.execute(sa.update(s.Document).where(s.Document.kind == "contract").values(title="all"))
        session.execute(sa.delete(s.Letter).where(s.Letter.id == 1))
        session.execute(
            sa.insert(s.Letter),
            [{"id": 70 + n, "title": "t", "sender": "s", "revision": 1} for n in range(3)],
        )
        return session.scalars(sa.select(s.Document).order_by(s.Document.id)).all()

    yield from (people, attributes, change, added, bulk)
    yield orm(lambda session: session.execute(sa.update(s.Party).values(name="x")).rowcount, "update base")
    yield orm(
        lambda session: session.execute(sa.update(s.Person).where(s.Person.id == 3).values(born=1)).rowcount,
        "update child table",
    )
