"""What PostgreSQL alone has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from tests.isolation import schema as s
from tests.isolation.oracle import Case, Unordered, execute, orm
from tests.isolation.shapes.registry import shape

customer, invoice, line, item, club, setting, payment, category = (
    m.__table__ for m in (s.Customer, s.Invoice, s.Line, s.Product, s.Club, s.Setting, s.Payment, s.Category)
)
ticket, folder, entry, archived = (m.__table__ for m in (s.Ticket, s.Folder, s.Entry, s.ArchivedCustomer))
POSTGRESQL = "postgresql"


def distinct_on(query: Any, *columns: Any) -> Any:
    """DISTINCT ON, as each version of SQLAlchemy wants it written."""
    return query.ext(pg.distinct_on(*columns)) if hasattr(pg, "distinct_on") else query.distinct(*columns)


@shape(only=POSTGRESQL)
def laterals(dialect: str) -> Iterator[Any]:
    c, i, n = customer.c, invoice.c, line.c
    for outer, limit, ordered in product((False, True), (1, 3, None), (i.id, i.total.desc())):
        inner = (
            sa.select(i.id, i.number, i.total)
            .where(i.customer_id == c.id)
            .order_by(ordered, i.id)
            .limit(limit)
            .lateral("latest")
        )
        yield sa.select(c.name, inner.c.number).select_from(
            sa.join(customer, inner, sa.true(), isouter=outer)
        )
        yield sa.select(c.name, inner.c.number, n.qty).select_from(
            sa.join(customer, inner, sa.true(), isouter=outer).join(
                line, n.invoice_id == inner.c.id, isouter=outer
            )
        )
        a = customer.alias("a")
        inner = (
            sa.select(func.count().label("n"), func.max(i.total).label("m"))
            .where(i.customer_id == a.c.id)
            .lateral()
        )
        yield sa.select(a.c.name, inner.c.n, inner.c.m).select_from(
            sa.join(a, inner, sa.true(), isouter=outer)
        )
    yield sa.select(c.id, func.generate_series(1, c.id)).where(c.id < 4)
    for series in (
        func.generate_series(1, c.id).table_valued("n").render_derived("numbers").lateral(),
        func.generate_series(1, 3).table_valued("n").render_derived(),
    ):
        yield sa.select(c.id, series.c.n).select_from(customer.join(series, sa.true()))
    tags = func.unnest(c.tags).table_valued("tag").render_derived("tags")
    yield sa.select(c.id, tags.c.tag).select_from(customer.join(tags, sa.true()))
    keys = func.jsonb_each_text(c.data).table_valued("key", "value").render_derived("pairs")
    yield sa.select(c.id, keys.c.key, keys.c.value).select_from(customer.join(keys, sa.true(), isouter=True))
    objects = func.jsonb_object_keys(c.data).table_valued("k").render_derived("names").lateral()
    yield sa.select(c.id, objects.c.k).select_from(customer.join(objects, sa.true()))


@shape(only=POSTGRESQL)
def locks_and_samples(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    base = sa.select(c.id, c.name)
    for options in (
        {},
        {"read": True},
        {"nowait": True},
        {"skip_locked": True},
        {"key_share": True},
        {"read": True, "key_share": True},
        {"of": customer},
    ):
        yield base.with_for_update(**options)
        yield base.where(c.active).with_for_update(**options)
        yield base.join(invoice, i.customer_id == c.id).with_for_update(**{**options, "of": customer})
        yield sa.select(s.Customer).where(s.Customer.id < 4).with_for_update(**options)
        yield (
            sa.select(c.id, i.id)
            .join_from(customer, invoice, i.customer_id == c.id)
            .with_for_update(**{**options, "of": [customer, invoice]})
        )
        yield (
            sa.select(c.id, i.id)
            .outerjoin_from(invoice, customer, i.payer_id == c.id)
            .with_for_update(**{**options, "of": invoice})
        )
        a = customer.alias("a")
        yield sa.select(a.c.id).with_for_update(**{**options, "of": a})
        yield base.order_by(c.id).limit(2).with_for_update(**options)
    for method in (func.bernoulli(100), func.system(100)):
        for seed in (None, sa.literal(3)):
            sample = sa.tablesample(customer, method, name="sample", seed=seed)
            yield sa.select(sample.c.id, sample.c.name)
            yield sa.select(sample.c.id, i.number).join_from(sample, invoice, i.customer_id == sample.c.id)
            yield sa.select(func.count()).select_from(sample)
            yield sa.select(sample.c.id, i.number).outerjoin_from(invoice, sample, i.payer_id == sample.c.id)


@shape(only=POSTGRESQL)
def grouping_sets(dialect: str) -> Iterator[Any]:
    i, c = invoice.c, customer.c
    for grouped in (
        func.cube(i.customer_id, i.paid), func.rollup(i.customer_id, i.paid), func.grouping_sets(sa.tuple_(i.customer_id), sa.tuple_(i.paid)),
        func.grouping_sets(sa.tuple_(i.customer_id, i.paid), sa.tuple_()),
    ):  # fmt: skip
        yield sa.select(i.customer_id, i.paid, func.count(), func.sum(i.total)).group_by(grouped)
        yield sa.select(i.customer_id, i.paid, func.grouping(i.customer_id), func.count()).group_by(grouped)
        yield (
            sa.select(i.customer_id, i.paid, func.count())
            .join_from(invoice, customer, i.customer_id == c.id)
            .group_by(grouped)
        )
        yield sa.select(i.paid, func.count()).group_by(i.paid, grouped)
        yield sa.select(func.count()).select_from(
            sa.select(i.customer_id, i.paid).group_by(grouped).subquery()
        )
    yield sa.select(c.city, func.count()).group_by(func.rollup(c.city))
    yield sa.select(i.customer_id, func.count()).group_by(func.rollup(i.customer_id)).having(func.count() > 2)


@shape(only=POSTGRESQL)
def only_here(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    data, tags = sa.type_coerce(c.data, pg.JSONB), sa.type_coerce(c.tags, pg.ARRAY(sa.Text))
    for on in ((c.city,), (c.city, c.active), (func.lower(c.city),)):
        yield distinct_on(sa.select(c.city, c.id), *on).order_by(*on, c.id)
        yield distinct_on(sa.select(c.id, c.name), *on).order_by(*on, c.balance.desc(), c.id).limit(3)
        yield sa.select(func.count()).select_from(
            distinct_on(sa.select(c.id), *on).order_by(*on, c.id).subquery()
        )
        yield sa.select(c.name).where(c.id.in_(distinct_on(sa.select(c.id), *on).order_by(*on, c.id)))
    yield distinct_on(
        sa.select(c.city, i.number).join_from(customer, invoice, i.customer_id == c.id), c.city
    ).order_by(c.city, i.id)
    yield distinct_on(sa.select(s.Customer), s.Customer.city).order_by(s.Customer.city, s.Customer.id)
    yield sa.select(c.id, data["colour"].astext, data["size"].as_integer(), data.has_key("of"))
    yield sa.select(c.id).where(data.contains({"colour": "red"}))
    yield sa.select(c.id).where(data["size"].astext.cast(sa.Integer) > 4)
    yield sa.select(c.id).where(sa.literal("new") == sa.any_(tags))
    yield sa.select(c.id, tags[1], func.array_length(c.tags, 1)).where(c.tags.is_not(None))
    yield sa.select(c.id).where(tags.contains(["new"]))
    yield sa.select(func.array_agg(aggregate_order_by(c.name, c.id.desc())))
    yield sa.select(c.city, func.array_agg(aggregate_order_by(c.id, c.id))).group_by(c.city)
    yield sa.select(func.string_agg(c.name, aggregate_order_by(sa.literal(","), c.id)))
    yield sa.select(
        func.jsonb_agg(aggregate_order_by(func.jsonb_build_object("id", c.id, "n", c.name), c.id))
    )
    yield sa.select(func.percentile_cont(0.5).within_group(i.total), func.mode().within_group(i.customer_id))
    yield sa.select(i.customer_id, func.percentile_disc(0.5).within_group(i.total.desc())).group_by(
        i.customer_id
    )
    yield sa.select(c.id).where(c.name.ilike("%1"), c.name.regexp_match("[ab]1"))
    yield sa.select(c.id, func.date_trunc("month", sa.cast("2024-05-06", sa.Date)))
    yield sa.select(func.count()).where(sa.text("city ILIKE 'b%'")).select_from(customer)
    yield sa.select(c.id == sa.any_(pg.array([1, 2, 3])), c.id)
    yield sa.select(c.id).where(c.id == sa.any_(sa.select(i.customer_id).where(i.paid).scalar_subquery()))
    yield sa.select(c.id).where(
        c.balance > sa.all_(sa.select(i.total).where(i.customer_id == c.id).scalar_subquery())
    )
    yield sa.select(func.array(sa.select(c.name).order_by(c.id).scalar_subquery()))
    yield sa.select(pg.array([c.id, c.boss_id]), c.name)
    values = sa.values(sa.column("k", sa.Integer), sa.column("v", sa.String), name="pairs").data(
        [(1, "one"), (2, "two"), (77, "none")]
    )
    for kind in ({}, {"isouter": True}, {"full": True}):
        yield sa.select(values.c.v, c.name).select_from(sa.join(values, customer, values.c.k == c.id, **kind))
        yield sa.select(values.c.v, c.name).select_from(sa.join(customer, values, values.c.k == c.id, **kind))
    yield sa.update(customer).values(city=values.c.v).where(values.c.k == c.id)
    yield sa.update(customer).values(city=values.c.v).where(values.c.k == c.id).returning(c.id, c.city)
    yield sa.delete(payment).where(payment.c.invoice_id == values.c.k)
    pairs = values.cte("pairs_too") if hasattr(values, "cte") else None
    if pairs is not None:
        yield sa.select(pairs.c.v, c.name).join_from(pairs, customer, pairs.c.k == c.id)
    yield sa.insert(club).from_select(["name"], sa.select(values.c.v)).returning(club.c.name)
    yield sa.select(c.id).order_by(c.id).fetch(2, with_ties=True)
    yield sa.select(c.id, sa.tuple_(c.id, c.name) == sa.tuple_(1, "a1"))
    yield sa.select(customer).with_only_columns(c.id, maintain_column_froms=True)
    yield sa.select(sa.cast(c.tags, pg.ARRAY(sa.String)), c.id).where(c.id < 4)
    yield sa.select(func.to_tsvector("simple", c.name).op("@@")(func.to_tsquery("simple", "a1")), c.id)
    yield sa.select(c.id).where(func.coalesce(c.data, sa.cast({}, pg.JSONB)).op("->>")("colour") == "red")


@shape(only=POSTGRESQL)
def writing_ctes(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    gone = (
        sa.delete(payment)
        .where(payment.c.amount > 200)
        .returning(payment.c.invoice_id, payment.c.amount)
        .cte("gone")
    )
    yield sa.select(gone)
    yield sa.select(gone.c.amount, i.number).join_from(gone, invoice, gone.c.invoice_id == i.id)
    yield sa.select(gone.c.amount, i.number).outerjoin_from(gone, invoice, gone.c.invoice_id == i.id)
    yield sa.select(func.count(), func.sum(gone.c.amount))
    yield sa.insert(s.event_log).from_select(["message"], sa.select(sa.cast(gone.c.amount, sa.Text)))
    yield (
        sa.insert(s.event_log)
        .from_select(["message"], sa.select(sa.cast(gone.c.amount, sa.Text)))
        .returning(s.event_log.c.message)
    )
    yield sa.update(invoice).values(note="paid back").where(i.id.in_(sa.select(gone.c.invoice_id)))
    yield (
        sa.update(invoice)
        .values(total=i.total - gone.c.amount)
        .where(i.id == gone.c.invoice_id)
        .returning(i.id, i.total)
    )
    changed = (
        sa.update(customer).values(city="cte").where(c.active).returning(c.id, c.name, c.city).cte("changed")
    )
    yield sa.select(changed)
    yield sa.select(changed.c.id, i.number).join_from(changed, invoice, i.customer_id == changed.c.id)
    yield sa.select(changed.c.id, c.city).join_from(changed, customer, c.id == changed.c.id)
    made = sa.insert(club).values(name="made").returning(club.c.id, club.c.name).cte("made")
    yield sa.select(made)
    yield sa.insert(s.membership).from_select(
        ["customer_id", "club_id"],
        sa.select(c.id, made.c.id).where(c.id < 3).select_from(customer.join(made, sa.true())),
    )
    many = sa.insert(club).values([{"name": "one"}, {"name": "two"}]).returning(club).cte("many")
    yield sa.select(many)
    yield sa.select(many.c.name, made.c.name).join_from(many, made, sa.true())
    copied = (
        sa.insert(setting)
        .from_select(["key", "value"], sa.select(c.email, c.city))
        .returning(setting.c.key)
        .cte("copied")
    )
    yield sa.select(func.count()).select_from(copied)
    upsert = pg.insert(setting).values(key="title", value="cte")
    upsert = upsert.on_conflict_do_update(
        index_elements=["key"], set_={"value": upsert.excluded.value}
    ).returning(setting.c.value)
    yield sa.select(upsert.cte("upsert"))
    chain = (
        sa.delete(s.membership)
        .where(s.membership.c.customer_id.in_(sa.select(changed.c.id)))
        .returning(s.membership.c.club_id)
        .cte("chain")
    )
    yield sa.select(func.count(chain.c.club_id))
    yield sa.select(changed.c.id, gone.c.amount).join_from(changed, gone, sa.true())
    yield sa.delete(s.membership).where(s.membership.c.customer_id.in_(sa.select(changed.c.id)))
    yield sa.select(gone.c.amount).where(gone.c.invoice_id.in_(sa.select(i.id).where(i.paid)))
    using = (
        sa.delete(payment)
        .where(payment.c.invoice_id == i.id, i.paid)
        .returning(payment.c.id, i.number)
        .cte("using")
    )
    yield sa.select(using)
    moved = (
        sa.update(invoice)
        .values(customer_id=1)
        .where(i.payer_id == c.id, c.active)
        .returning(i.id, c.name)
        .cte("moved")
    )
    yield sa.select(moved)
    yield sa.select(sa.select(moved.c.id).subquery())
    yield sa.select(moved).add_cte(gone)
    yield sa.insert(club).values(name="beside").add_cte(gone)
    yield sa.insert(club).values(name="beside").add_cte(changed).returning(club.c.name)
    yield sa.select(c.id).add_cte(sa.insert(club).values(name="side").cte("side"))
    yield (
        sa.update(customer)
        .values(balance=0)
        .add_cte(sa.insert(s.event_log).values(message="m").cte("logged"))
    )
    seen = sa.select(c.id).where(c.active).cte("seen")
    yield sa.update(customer).values(city="seen").where(c.id.in_(sa.select(seen.c.id))).returning(c.id)
    yield sa.delete(payment).where(
        payment.c.invoice_id.in_(sa.select(i.id).where(i.customer_id.in_(sa.select(seen.c.id))))
    )
    tree = sa.select(category.c.id).where(category.c.id == 2).cte("below", recursive=True)
    tree = tree.union_all(sa.select(category.c.id).join(tree, category.c.parent_id == tree.c.id))
    yield (
        sa.update(category)
        .values(name="below")
        .where(category.c.id.in_(sa.select(tree.c.id)))
        .returning(category.c.id)
    )


@shape(only=POSTGRESQL)
def other_schemas(dialect: str) -> Iterator[Any]:
    f, e, a, c = folder.c, entry.c, archived.c, customer.c
    for table in (folder, entry, archived, ticket):
        yield sa.select(table)
        yield sa.select(table.alias())
        yield sa.select(s.Folder if table is folder else s.Entry)
        yield sa.select(func.count()).select_from(table)
    for kind in ({}, {"isouter": True}, {"full": True}):
        yield sa.select(f.name, e.text).select_from(sa.join(folder, entry, f.id == e.folder_id, **kind))
        yield sa.select(c.name, a.name.label("n")).select_from(
            sa.join(customer, archived, c.id == a.id, **kind)
        )
        yield sa.select(c.name, a.name.label("n")).select_from(
            sa.join(archived, customer, c.id == a.id, **kind)
        )
        yield sa.select(s.Customer.name, s.ArchivedCustomer.name.label("n")).select_from(
            sa.join(s.Customer, s.ArchivedCustomer, s.Customer.id == s.ArchivedCustomer.id, **kind)
        )
    yield sa.select(c.name).where(c.id.in_(sa.select(a.id)))
    yield (
        sa.select(a.name, func.count(c.id))
        .outerjoin_from(archived, customer, a.id == c.boss_id)
        .group_by(a.id)
    )
    yield sa.insert(folder).values(name="new").returning(folder)
    yield sa.insert(entry), [{"folder_id": 1, "text": f"t{n}"} for n in range(3)]
    yield sa.update(entry).values(text=f.name).where(e.folder_id == f.id)
    live = customer.alias("live")
    yield sa.update(archived).values(name=live.c.name).where(a.id == live.c.id).returning(a.id, a.name)
    yield sa.select(sa.text("*")).select_from(folder).where(f.id > 0).order_by(f.id)
    yield sa.select(sa.text("*")).select_from(sa.join(folder, entry)).where(sa.exists().where(a.id == f.id))
    yield sa.select(f.id).where(
        sa.exists(sa.select(sa.text("*")).select_from(entry).where(e.folder_id == f.id))
    )
    yield sa.union_all(
        sa.select(f.id), sa.select(f.id).select_from(sa.join(folder, entry, f.id == e.folder_id, full=True))
    )
    yield sa.delete(entry).where(e.folder_id == f.id, f.name == "folder 1")
    yield sa.delete(archived).where(a.id == live.c.id, live.c.active).returning(a.name)
    base = pg.insert(folder).values(name="folder 1")
    yield base.on_conflict_do_update(
        index_elements=["name"], set_={"name": base.excluded.name + "!"}
    ).returning(folder.c.name)
    yield base.on_conflict_do_nothing(constraint="folder_name_key")
    yield sa.text("SELECT f.name, e.text FROM archive.folder f JOIN archive.entry e ON e.folder_id = f.id")
    yield sa.text("SELECT * FROM archive.customer")
    yield sa.text(
        "SELECT customer.name, a.name FROM customer LEFT JOIN archive.customer a ON a.id = customer.id"
    )
    yield sa.insert(ticket).values(title="t")
    yield sa.insert(ticket).values(title="t").returning(ticket)
    yield sa.insert(ticket), [{"title": f"t{n}"} for n in range(3)]
    yield (
        sa.insert(ticket).returning(ticket.c.id, ticket.c.serial, sort_by_parameter_order=True),
        [{"title": f"t{n}"} for n in range(3)],
    )

    def flush(session: Session) -> Any:
        session.add(s.Folder(name="n", entries=[s.Entry(text="a"), s.Entry(text="b")]))
        tickets = [s.Ticket(title="x"), s.Ticket(title="y")]
        session.add_all(tickets)
        session.get_one(s.Entry, 1).text = "changed"
        session.delete(session.get_one(s.Entry, 2))
        session.commit()
        return [(t.id, t.serial) for t in tickets], [
            (f.name, [e.text for e in f.entries])
            for f in session.scalars(sa.select(s.Folder).order_by(s.Folder.id))
        ]

    yield flush
    yield orm(
        lambda session: session.execute(sa.text("SELECT count(*) FROM archive.entry")).scalar(), "count"
    )


@shape(only=POSTGRESQL)
def driver_features(dialect: str) -> Iterator[Any]:
    c = customer.c

    def named_cursor(connection: sa.Connection) -> Any:
        driver = connection.connection.driver_connection
        cursor = driver.cursor(name="named")
        cursor.execute("SELECT id, name FROM customer ORDER BY id")
        found = [cursor.fetchone(), *cursor.fetchmany(2)]
        cursor.close()
        return found

    yield Case("a named cursor", named_cursor)
    for size in (1, 3, 100):
        yield Case(
            f"streaming {size}",
            lambda x, n=size: [
                tuple(r)
                for r in x.execution_options(stream_results=True, max_row_buffer=n).execute(
                    sa.select(customer).order_by(c.id)
                )
            ],
        )
        yield Case(
            f"yield_per {size}",
            lambda x, n=size: [
                tuple(r)
                for r in x.execute(sa.select(c.id, c.name).order_by(c.id).execution_options(yield_per=n))
            ],
        )
        yield Case(
            f"streamed text {size}",
            lambda x, n=size: [
                tuple(r)
                for r in x.execution_options(stream_results=True, max_row_buffer=n).execute(
                    sa.text("SELECT name FROM customer ORDER BY id")
                )
            ],
        )
    yield Case(
        "percent signs",
        lambda x: execute(
            x, sa.select(c.id, (c.id % 3).label("50%")).where(c.name.like("%1"), sa.text("name LIKE '%1'"))
        ),
    )
    yield Case(
        "casts",
        lambda x: execute(
            x, sa.text("SELECT id::text, '%' || name FROM customer WHERE id = CAST(:x AS integer)"), {"x": 2}
        ),
    )
    yield Case(
        "many rows",
        lambda x: Unordered(
            x.execute(sa.insert(club).returning(club.c.name), [{"name": f"n{n}"} for n in range(1200)]).all()
        ),
    )
