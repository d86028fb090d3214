"""Corners: tables without metadata, comments by instrumentation, reflection, SQLAlchemy's less known constructs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import column, event, func, table
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session, registry

from tests.isolation import schema as s
from tests.isolation.oracle import Case, Unordered, execute, orm
from tests.isolation.shapes.registry import shape

customer, invoice, club, setting = (m.__table__ for m in (s.Customer, s.Invoice, s.Club, s.Setting))


@shape()
def lightweight(dialect: str) -> Iterator[Any]:
    c = table("customer", column("id", sa.Integer), column("name", sa.String), column("active", sa.Boolean))
    i = table("invoice", column("id"), column("customer_id"), column("payer_id"), column("number"))
    yield sa.select(c)
    yield sa.select(c.c.name).where(c.c.id > 2)
    yield sa.select(c.alias("x"))
    for kind in ({}, {"isouter": True}, {"full": True}):
        yield sa.select(c.c.name, i.c.number).select_from(sa.join(c, i, c.c.id == i.c.payer_id, **kind))
        yield sa.select(c.c.name, invoice.c.number).select_from(
            sa.join(c, invoice, c.c.id == invoice.c.payer_id, **kind)
        )
    yield sa.select(c.c.id).where(sa.exists().where(i.c.customer_id == c.c.id))
    yield sa.select(func.count()).select_from(c)
    yield sa.select(func.count()).select_from(table("customer"))
    yield sa.select(column("name")).select_from(table("customer"))
    yield sa.select(sa.text("*")).select_from(table("customer"))
    yield (
        sa.select(column("name"), column("number"))
        .select_from(table("customer"))
        .join(i, sa.text("customer.id = invoice.customer_id"))
    )
    yield sa.select(c.c.name).where(c.c.id.in_(sa.select(i.c.customer_id)))
    yield sa.update(c).values(name="light").where(c.c.id == 1)
    yield sa.update(c).values(name=i.c.number).where(c.c.id == i.c.payer_id, i.c.number == "2024-003")
    yield sa.delete(table("payment", column("amount"))).where(column("amount") > 200)
    light = table("club", column("id"), column("name"))
    yield sa.insert(light).values(id=50, name="light")
    yield sa.insert(light), [{"id": 50, "name": "x"}, {"id": 51, "name": "y"}]
    yield sa.insert(light).values(name="light")
    yield sa.insert(light), [{"name": "x"}, {"name": "y"}]
    yield sa.insert(table("setting", column("key"), column("value"))).values(key="k", value="v")
    yield sa.insert(table("setting", column("key"), column("value"))).from_select(
        ["key", "value"], sa.select(c.c.name, c.c.name)
    )
    yield sa.select(table("Odd Name", column("Mixed Case"), column("select")))
    other = sa.Table(
        "customer", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text)
    )
    yield sa.select(other)
    yield sa.select(other.alias("o").c.name)
    if dialect == "postgresql":
        yield sa.select(table("entry", column("text"), schema="archive"))
        yield sa.select(table("customer", column("name"), schema="public"))
        yield sa.select(table("customer", column("name"), schema="archive"))


@shape()
def less_known(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    yield sa.select(c.id, sa.label("twice", c.id * 2)).order_by("twice")
    yield sa.select(sa.func.count(c.id).label("n"), c.city).group_by(c.city).order_by(sa.desc("n"), c.city)
    yield sa.select(c.id).select_from(customer, invoice).where(c.id == i.customer_id)
    yield sa.select(customer).with_only_columns(c.id, c.name)
    yield sa.select(c.id).add_columns(c.name).reduce_columns()
    yield (
        sa.select(customer, invoice)
        .join_from(customer, invoice, c.id == i.customer_id)
        .set_label_style(sa.LABEL_STYLE_TABLENAME_PLUS_COL)
    )
    yield (
        sa.select(customer, invoice)
        .join_from(customer, invoice, c.id == i.customer_id)
        .set_label_style(sa.LABEL_STYLE_NONE)
    )
    yield sa.select(customer, customer.c.id).join_from(customer, invoice, c.id == i.customer_id)
    yield sa.select(c.id, c.id, c.name, c.id.label("id"))
    yield sa.select(sa.literal_column("'x'").label("x"), c.id)
    yield sa.select(sa.bindparam("anything", 5), c.id)
    yield (
        sa.select(c.id).where(sa.bindparam("flag", True))
        if dialect == "postgresql"
        else sa.select(c.id).where(sa.bindparam("flag", 1) == 1)
    )
    yield sa.select(c.name).where(
        c.name.in_(sa.select(sa.text("name")).select_from(sa.text("customer")).where(sa.text("id < 4")))
    )
    yield (
        sa.select(sa.type_coerce(c.data, sa.JSON)["colour"].as_string())
        if dialect == "sqlite"
        else sa.select(c.data["colour"].as_string())
    )
    yield sa.select(c.id).where(sa.func.lower(c.name).op("LIKE")("a%"))
    yield sa.select(c.id.op("+")(1), c.id.op("*")(2).op("-")(1))
    yield sa.select(
        c.id,
        (c.city + "/").concat(c.name),
        c.balance // 10,
        c.id.bitwise_and(1) if hasattr(c.id, "bitwise_and") else c.id,
    )
    yield sa.select(c.id).where(sa.between(c.id, 2, 4), sa.not_(sa.or_(c.id == 3, c.city == "x")))
    yield sa.select(c.id).where(~(c.id > 3) | (c.city.is_(None) & c.active))
    yield sa.select(c.id).where(c.id.op("%")(2) == 0)
    yield sa.select(sa.func.coalesce(sa.select(c.name).where(c.id == 1).scalar_subquery(), "none"))
    yield sa.select(c.id, sa.over(sa.func.count(), partition_by=c.city))
    yield sa.select(sa.func.count(sa.distinct(c.city)), sa.func.count(c.city.distinct()))
    yield sa.select(sa.funcfilter(sa.func.count(), c.active))
    yield (
        sa.select(sa.within_group(sa.func.mode(), c.city))
        if dialect == "postgresql"
        else sa.select(sa.func.total(c.balance))
    )
    yield sa.select(sa.collate(c.city, "C" if dialect == "postgresql" else "NOCASE"), c.id)
    yield sa.select(sa.cast(c.id, sa.String(10)))
    yield sa.select(c.id).where(sa.exists(sa.select(i.id).where(i.customer_id == c.id).correlate(customer)))
    yield sa.select(c.id)
    yield sa.select(sa.exists().where(c.id == 1), sa.exists().where(c.id == 99))
    yield sa.select(sa.select(c.id).where(c.id == 1).label("one"), sa.select(sa.func.max(i.id)).label("two"))
    yield customer.select().where(c.id == 2)
    yield (
        customer.insert().values(name="n", email="n@n")
        if dialect == "sqlite"
        else customer.insert().values(name="n", email="n@n").returning(c.id)
    )
    yield customer.update().values(city="n").where(c.id == 2)
    yield customer.join(invoice, c.id == i.customer_id).select()
    yield sa.select(customer).with_hint(customer, "/* hint */", "oracle")
    yield sa.select(c.id).with_statement_hint("nothing", "oracle").prefix_with("nothing", dialect="oracle")
    yield sa.select(sa.literal(1).label("one")).select_from(customer)
    yield sa.select(sa.case({1: "one", 2: "two"}, value=c.id, else_="more"))
    yield sa.select(sa.tuple_(c.id, c.city).in_([(1, "Bern"), (2, "Chur")]), c.id)
    yield sa.select(sa.func.count()).select_from(
        customer.outerjoin(invoice, sa.and_(c.id == i.payer_id, i.paid)).outerjoin(club, club.c.id == i.id)
    )
    yield sa.select(sa.func.max(c.id))
    yield sa.select(sa.extract("year", i.issued), sa.func.count()).group_by(sa.extract("year", i.issued))
    yield sa.select(sa.literal("tenant_id"), c.name)
    yield sa.select(c.name.label("tenant"), c.id)
    yield sa.select(
        sa.null().label("n"), sa.true().label("t") if dialect == "postgresql" else sa.literal(1), c.id
    )


@shape()
def instrumented(dialect: str) -> Iterator[Any]:
    c = customer.c
    statements = (
        sa.select(c.id, c.name), sa.select(c.id).where(c.id.in_([1, 2, 3])), sa.insert(club).values(name="n"), sa.update(customer).values(city="x"),
        sa.delete(s.Payment), sa.text("SELECT name FROM customer"), sa.insert(club).returning(club.c.name),
    )  # fmt: skip
    for statement in statements:
        for template in ("{} /* route='/x',action='y' */", "/* app:shop */ {}"):

            def run(connection: sa.Connection, statement: Any = statement, template: str = template) -> Any:
                def comment(
                    conn: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool
                ) -> Any:
                    return template.format(sql), parameters

                event.listen(connection, "before_cursor_execute", comment, retval=True)
                values = [{"name": f"n{n}"} for n in range(3)] if statement is statements[-1] else None
                return execute(connection, statement, values)

            yield Case(f"{template}: {statement}", run)

    def seen(connection: sa.Connection) -> Any:
        noted = []

        def note(conn: Any, element: Any, multi: Any, params: Any, options: Any) -> None:
            noted.append((str(element), multi, params))

        event.listen(connection, "before_execute", note)
        connection.execute(sa.select(c.id).where(c.id == 2))
        connection.execute(sa.insert(club), [{"name": "n"}])
        return noted

    yield Case("what a listener is shown", seen)
    yield Case(
        "without cache",
        lambda x: execute(x.execution_options(compiled_cache=None), sa.select(c.id, c.name).order_by(c.id)),
    )
    for options in (
        {"logging_token": "x"}, {"no_parameters": True} if dialect == "sqlite" else {"insertmanyvalues_page_size": 1},
        {"preserve_rowcount": True}, {"yield_per": 2},
    ):  # fmt: skip
        yield Case(
            f"options {options}",
            lambda x, o=options: execute(x, sa.select(c.id, c.name).order_by(c.id).execution_options(**o)),
        )


@shape()
def reflected(dialect: str) -> Iterator[Any]:
    def tables(connection: sa.Connection) -> Any:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        return {
            name: (
                [(c.name, c.nullable, c.primary_key) for c in t.c],
                sorted(str(k.target_fullname) for k in t.foreign_keys),
            )
            for name, t in metadata.tables.items()
        }

    def reads(connection: sa.Connection) -> Any:
        metadata = sa.MetaData()
        metadata.reflect(connection, only=["customer", "invoice", "line", "product"])
        t = metadata.tables
        c, i = t["customer"], t["invoice"]
        return [
            Unordered(
                connection.execute(sa.select(c.c.id, i.c.number).join_from(c, i, i.c.customer_id == c.c.id))
            ),
            Unordered(connection.execute(sa.select(c.c.name))),
            connection.execute(sa.update(i).values(note="r").where(i.c.id == 3)).rowcount,
            connection.execute(
                sa.insert(t["product"]).values(sku="r", name="r", price=1, code="c", version=1, stock=0)
            ).rowcount,
        ]

    def automapped(connection: sa.Connection) -> Any:
        base = automap_base()
        base.prepare(autoload_with=connection)
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            kind = base.classes.invoice
            found = session.scalars(sa.select(kind).order_by(kind.id)).all()
            session.add(base.classes.club(name="auto"))
            session.flush()
            return [(i.id, i.number, len(i.line_collection)) for i in found], sorted(base.classes.keys())

    def imperative(connection: sa.Connection) -> Any:
        metadata = sa.MetaData()
        metadata.reflect(connection, only=["setting", "club"])

        class Plain:
            pass

        mapped = registry()
        mapped.map_imperatively(Plain, metadata.tables["setting"])
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            one = session.get(Plain, "title")
            one.value = "changed"  # type: ignore[union-attr, attr-defined]
            session.commit()
            found = session.scalars(sa.select(Plain)).all()
            answer = Unordered((p.key, p.value) for p in found)  # type: ignore[attr-defined]
        mapped.dispose()
        return answer

    def inspected(connection: sa.Connection) -> Any:
        inspector = sa.inspect(connection)
        names = sorted(inspector.get_table_names())
        return names, [
            (n, inspector.get_pk_constraint(n)["constrained_columns"], [c["name"] for c in inspector.get_columns(n)],
             sorted(tuple(u["column_names"]) for u in inspector.get_unique_constraints(n)),
             sorted((tuple(f["constrained_columns"]), f["referred_table"], tuple(f["referred_columns"])) for f in inspector.get_foreign_keys(n)))
            for n in names
        ]  # fmt: skip

    yield Case("reflect", tables)
    yield Case("read what was reflected", reads)
    yield Case("automap", automapped)
    yield Case("map what was reflected", imperative)
    yield Case("inspect", inspected)
    yield Case("has_table", lambda x: [sa.inspect(x).has_table(n) for n in ("customer", "nothing")])
    yield orm(
        lambda x: (
            sa.inspect(x.connection()).get_columns("customer")
            and [k["name"] for k in sa.inspect(x.connection()).get_columns("customer")]
        ),
        "columns",
    )


@shape()
def functions_in_each_databases_own_words(dialect: str) -> Iterator[Any]:
    c = customer.c
    for moment in (func.now(), func.localtimestamp()):
        yield sa.select(c.id, moment.is_not(None))
        yield sa.insert(club).values(name=sa.case((moment.is_not(None), "timely")))
        yield sa.update(customer).where(moment.is_not(None)).values(name=func.lower(c.name))
    yield sa.select(func.char_length(c.name))
    yield sa.select(c.id, func.aggregate_strings(c.name, ", ")).group_by(c.id)


@shape()
def words_that_look_like_functions(dialect: str) -> Iterator[Any]:
    c, i = customer.c, invoice.c
    yield sa.select(func.distinct(c.name))
    yield sa.select(func.count(func.distinct(c.name)))
    yield orm(lambda session: session.query(func.count(func.distinct(s.Customer.name))).scalar())
    yield sa.select(i.payer_id, func.count(func.distinct(i.number))).group_by(i.payer_id)
    if dialect == "postgresql":
        numbers = sa.select(sa.cast(sa.literal("{2024-001,x}"), ARRAY(sa.String)).label("n")).subquery()
        yield sa.select(i.id, i.number).join(numbers, i.number == func.any(numbers.c.n))
