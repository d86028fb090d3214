"""INSERT … ON CONFLICT."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite

from tests.isolation import schema as s
from tests.isolation.oracle import core
from tests.isolation.shapes.registry import shape

setting, club, invoice, line, customer = (
    m.__table__ for m in (s.Setting, s.Club, s.Invoice, s.Line, s.Customer)
)
NEW = {"customer_id": 1, "total": 5, "paid": False, "issued": dt.date(2025, 1, 1)}


@shape()
def conflicts(dialect: str) -> Iterator[Any]:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    targets = [["key"], [setting.c.key]]
    rows: list[Any] = [
        {"key": "title", "value": "new"}, {"key": "fresh", "value": "new"},
        [{"key": "title", "value": "one"}, {"key": "fresh", "value": "two"}, {"key": "empty", "value": "three"}],
    ]  # fmt: skip
    for row, target in product(rows, targets):
        base = insert(setting).values(row)
        new = base.excluded
        updates = [
            base.on_conflict_do_nothing(), base.on_conflict_do_nothing(index_elements=target),
            base.on_conflict_do_update(index_elements=target, set_={"value": new.value}),
            base.on_conflict_do_update(index_elements=target, set_={"value": "fixed"}),
            base.on_conflict_do_update(index_elements=target, set_={"value": setting.c.value + "+" + new.value}),
            base.on_conflict_do_update(index_elements=target, set_={"value": func.upper(new.value)}, where=setting.c.value.is_not(None)),
            base.on_conflict_do_update(index_elements=target, set_={"value": new.value}, where=sa.text("setting.value IS NULL OR 1 = 1")),
            base.on_conflict_do_update(index_elements=target, set_={"value": new.value}, where=sa.and_(sa.text("1 = 0 OR setting.key = 'title'"), setting.c.key != "x")),
            base.on_conflict_do_update(index_elements=target, set_=dict(value=sa.select(func.max(customer.c.name)).scalar_subquery())),
            base.on_conflict_do_update(index_elements=target, set_={"value": new.value}, where=setting.c.value != new.value),
            base.on_conflict_do_update(index_elements=target, set_={"value": new.value}, where=sa.false()),
        ]  # fmt: skip
        for statement in updates:
            yield statement
            yield statement.returning(setting.c.key, setting.c.value)
        yield insert(setting).on_conflict_do_nothing(), row
        again = insert(setting)
        again = again.on_conflict_do_update(index_elements=target, set_={"value": again.excluded.value})
        yield again, row
        yield again.returning(setting), row
    # a unique key, beside an automatic id
    for row in (
        {"name": "club 2"},
        {"name": "fresh"},
        [{"name": "club 3"}, {"name": "fresh"}],
        {"id": 2, "name": "other"},
    ):
        ids: Any = "ranked" if isinstance(row, list) else "same"  # a row that is there takes no number
        base = insert(club).values(row)
        yield core(base.on_conflict_do_nothing(), ids=ids)
        yield core(base.on_conflict_do_nothing().returning(club.c.name), ids=ids)
        if "id" not in row:
            yield core(base.on_conflict_do_nothing(index_elements=["name"]), ids=ids)
            yield core(
                base.on_conflict_do_update(index_elements=["name"], set_={"name": base.excluded.name + "!"}),
                ids=ids,
            )
            yield core(
                base.on_conflict_do_update(
                    index_elements=[club.c.name], set_={"name": club.c.name + "!"}
                ).returning(club.c.name),
                ids=ids,
            )
            yield core(insert(club).on_conflict_do_nothing(index_elements=["name"]), row, ids=ids)
            if isinstance(row, list):
                yield core(insert(club).on_conflict_do_nothing().returning(club.c.name), row, ids=ids)
        else:
            yield core(
                base.on_conflict_do_update(index_elements=["id"], set_={"name": base.excluded.name}), ids=ids
            )
            yield core(
                base.on_conflict_do_update(
                    index_elements=[club.c.id], set_={"name": base.excluded.name}
                ).returning(club),
                ids=ids,
            )
            if dialect == "postgresql":
                yield core(
                    base.on_conflict_do_update(
                        constraint="club_pkey", set_={"name": base.excluded.name}
                    ).returning(club),
                    ids=ids,
                )
                yield core(base.on_conflict_do_nothing(constraint=club.primary_key), ids=ids)
                yield core(
                    base.on_conflict_do_update(
                        constraint=club.primary_key, set_={"name": base.excluded.name}
                    ),
                    ids=ids,
                )
    for position in (1, 50):
        base = insert(line).values(invoice_id=3, position=position, qty=77, price=1)
        yield base.on_conflict_do_update(
            index_elements=["invoice_id", "position"], set_={"qty": base.excluded.qty}
        )
        yield base.on_conflict_do_update(
            index_elements=["position", "invoice_id"], set_={"qty": line.c.qty + 1}
        ).returning(line)
        yield base.on_conflict_do_nothing(index_elements=line.primary_key.columns)
    for number in ("2024-002", "fresh"):
        base = insert(invoice).values({**NEW, "number": number})
        yield base.on_conflict_do_update(index_elements=["number"], set_={"note": base.excluded.number})
        yield base.on_conflict_do_update(index_elements=["number"], set_={"note": "x"}).returning(
            invoice.c.number, invoice.c.note
        )
        if dialect == "postgresql":
            yield base.on_conflict_do_update(
                constraint="uq_invoice_number", set_={"note": base.excluded.number}
            )
            yield base.on_conflict_do_nothing(constraint="uq_invoice_number").returning(invoice.c.number)
            unique = next(k for k in invoice.constraints if isinstance(k, sa.UniqueConstraint))
            yield base.on_conflict_do_update(constraint=unique, set_={"note": "u"})
    # from a SELECT
    source = sa.select(customer.c.name, customer.c.city).where(sa.true())
    base = insert(setting).from_select(["key", "value"], source)
    yield base.on_conflict_do_nothing()
    yield base.on_conflict_do_update(index_elements=["key"], set_={"value": base.excluded.value})
    copied = insert(setting).from_select(
        ["key", "value"], sa.select(setting.c.key, setting.c.value + "!").where(setting.c.key != "x")
    )
    yield copied.on_conflict_do_update(
        index_elements=["key"], set_={"value": copied.excluded.value}
    ).returning(setting)
    clubs = insert(club).from_select(
        ["name"], sa.select(customer.c.email).where(customer.c.id > 0).order_by(customer.c.id)
    )
    yield clubs.on_conflict_do_nothing(index_elements=["name"]).returning(club.c.name)
    # several clauses: SQLite alone takes two, 2.1 and later render them
    if dialect == "postgresql":
        cte = sa.select(customer.c.name).where(customer.c.active).cte("active")
        base = insert(club).from_select(["name"], sa.select(cte.c.name))
        yield base.on_conflict_do_nothing()


@shape()
def partial_targets(dialect: str) -> Iterator[Any]:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    for key in ("title", "fresh"):
        base = insert(setting).values(key=key, value="v")
        yield (
            base.on_conflict_do_update(
                index_elements=["key"], index_where=setting.c.key.is_not(None), set_={"value": "p"}
            )
            if dialect == "postgresql"
            else base.on_conflict_do_update(index_elements=["key"], set_={"value": "p"})
        )
        yield base.on_conflict_do_update(index_elements=["key"], set_={setting.c.value: "col"})
        yield base.on_conflict_do_update(
            index_elements=[sa.column("key")], set_={"value": base.excluded.value}
        )
        yield base.on_conflict_do_update(index_elements=[sa.text("key")], set_={"value": base.excluded.value})
