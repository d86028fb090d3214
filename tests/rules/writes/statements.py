"""Made-up writes and write rules, and how a statement of the model is said in SQLAlchemy, in SQL, and by objects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from flask_tenant.decision import Denial, Mask, Means, Overlay, Setting, Validation, WriteRules
from flask_tenant.expressions import Expression, Kind, Slot
from tests.rules.shop import Order, Shop, big, col, const, customer, op, order
from tests.rules.writes.model import COLUMNS, FURTHER, Row, Statement, Test, Value

DAYS = [dt.date(2024, 1, 15), dt.date(2024, 2, 20), dt.date(2024, 3, 31)]
ORDERS: list[Row] = [
    dict(zip(COLUMNS, row, strict=True))
    for row in (
        (1, 1, 100, "open", "eve", DAYS[0]),
        (2, 1, 20_000, "open", None, DAYS[1]),
        (3, 2, 300, "paid", "adam", DAYS[2]),
        (4, None, 5, "open", None, None),
        (5, 2, 7_000, "late", "eve", DAYS[1]),
        (6, 3, 90, "paid", "", DAYS[0]),
        (7, 3, 1_001, "openly", "evelyn", None),
    )
]
CUSTOMERS: list[Row] = [
    {"id": 1, "name": "Ann", "tax_id": "DE123456789"},
    {"id": 2, "name": "Bob", "tax_id": None},
    {"id": 3, "name": "Eve", "tax_id": "DE3"},
]

# ---- rules
STATUS, TOTAL, BY = col("status", Kind.TEXT), col("total", Kind.NUMBER), col("approved_by", Kind.TEXT)
EVE = op("==", BY, const("eve", Kind.TEXT))
"""Unknown for most rows."""
SOON = op(">=", col("issued_on", Kind.DATE), Slot(Kind.DATE, 1))
LARGE = op(">", TOTAL, Slot(Kind.NUMBER, 2))
CONDITIONS: list[Expression] = [
    big(6_000), EVE, SOON, LARGE, op("!", EVE), op("&&", big(50), op("startsWith", STATUS, const("open", Kind.TEXT))),
    op("!=", STATUS, const("paid", Kind.TEXT)), op("||", op("is_known", BY), LARGE),
]  # fmt: skip
CHANGES: list[Expression] = [
    op("<", col("total", Kind.NUMBER, "new"), col("total", Kind.NUMBER, "old")),
    op("!=", col("status", Kind.TEXT, "new"), col("status", Kind.TEXT, "old")),
    op("==", col("approved_by", Kind.TEXT, "old"), const("eve", Kind.TEXT)),
]
ROWS = [const(None, Kind.BOOL), op("is_known", BY)]

FILTERS: list[tuple[Expression, ...]] = [
    (),
    (),
    (SOON,),
    (op("!", LARGE),),
    (op("not_false", EVE),),
    (SOON, big(200)),
]
MASKS: list[tuple[tuple[str, Mask], ...]] = [
    (),
    (),
    (("status", Mask(Means.LAST, count=2)),),
    (("approved_by", Mask(Means.EMPTY)),),
    (("approved_by", Mask(Means.CONSTANT, "eve", applies=LARGE)), ("total", Mask(Means.CONSTANT, 5))),
    (("status", Mask(Means.FIRST, count=4, applies=EVE)), ("total", Mask(Means.EMPTY, applies=big(1_000)))),
]
OVERLAYS = st.builds(
    lambda filters, masks, hidden: Overlay(filters, masks, tuple(n for n in hidden if n not in dict(masks))),
    st.sampled_from(FILTERS),
    st.sampled_from(MASKS),
    st.sampled_from([(), (), (), ("issued_on",), ("approved_by",), ("status",)]),
)
OTHERS = st.sampled_from([
    Overlay(), Overlay(), Overlay((op("!=", col("name", Kind.TEXT), const("Bob", Kind.TEXT)),)),
])  # fmt: skip
HOOKS = {
    "small": lambda row: row["total"] < 15_000,
    "written": lambda row: row["status"] != "joined" and not row["status"].endswith("!"),
}
SETTINGS = [
    (("approved_by", Slot(Kind.TEXT, 0)),),
    (("status", const("pending", Kind.TEXT)), ("approved_by", const(None, Kind.TEXT))),
    (("status", op("+", STATUS, const("+", Kind.TEXT), kind=Kind.TEXT)),),
    (
        ("total", op("+", TOTAL, const(Decimal(1), Kind.NUMBER), kind=Kind.NUMBER)),
        ("issued_on", Slot(Kind.DATE, 1)),
    ),
]
MESSAGES: list[tuple[str | Expression, ...]] = [(), ("no",), ("not ", TOTAL, " of ", STATUS)]


@st.composite
def write_rules(draw: Any) -> dict[str, WriteRules]:
    """Rules by verb: few deny everything, most ask for the row."""
    found = {}
    for verb in draw(
        st.sampled_from([(), ("insert", "update"), ("update",), ("delete",), ("insert", "update", "delete")])
    ):
        asked = CONDITIONS + (CHANGES if verb == "update" else [])
        when = st.one_of(st.sampled_from(asked), st.sampled_from(asked), st.sampled_from(asked), st.none())
        mostly = st.sampled_from(asked)
        denials = draw(
            st.lists(st.builds(Denial, st.just("d"), st.sampled_from(MESSAGES), mostly), max_size=1)
        )
        if draw(st.integers(0, 15)) == 0:
            denials.append(Denial("all", draw(st.sampled_from(MESSAGES))))
        validations = draw(
            st.lists(st.builds(Validation, st.just("v"), st.sampled_from(sorted(HOOKS)), when), max_size=1)
        )
        settings = []
        if verb != "delete":
            settings = draw(
                st.lists(st.builds(Setting, st.just("s"), st.sampled_from(SETTINGS), when), max_size=1)
            )
        found[verb] = WriteRules(tuple(denials), tuple(validations), tuple(settings))
    return found


VALUES = st.tuples(
    st.sampled_from(["eve", "root"]),
    st.sampled_from([DAYS[0], DAYS[1]]),
    st.sampled_from([Decimal(500), Decimal(9_000)]),
)

# ---- statements
tests = st.one_of(
    st.builds(Test, st.just("total"), st.sampled_from([">", "<="]), st.sampled_from([5, 99, 1_000, 7_000])),
    st.builds(
        Test, st.just("status"), st.sampled_from(["=", "<>", "starts"]), st.sampled_from(["open", "paid", "****"])
    ),
    st.builds(Test, st.just("approved_by"), st.sampled_from(["=", "<>"]), st.sampled_from(["eve", ""])),
    st.builds(Test, st.sampled_from(["approved_by", "issued_on", "customer_id"]), st.just("null")),
    st.builds(Test, st.just("issued_on"), st.just(">"), st.sampled_from(DAYS)),
    st.builds(Test, st.just("id"), st.just("in"), st.sampled_from([(1, 2), (4, 5, 6), (1, 3, 5, 7), (2,)])),
)  # fmt: skip
wheres = st.lists(tests, max_size=2).map(tuple)
TOTALS = st.sampled_from([1, 99, 1_001, 8_000, 20_001])
constants = {
    "total": TOTALS,
    "status": st.sampled_from(["open", "paid", "joined", "****en", "open!"]),
    "approved_by": st.sampled_from([None, "eve", "adam", ""]),
    "issued_on": st.sampled_from([None, *DAYS]),
}


def assigned(verb: str) -> st.SearchStrategy[tuple[tuple[str, Value], ...]]:
    """What a statement writes into one to three columns."""
    total = [
        st.builds(Value, st.just("constant"), TOTALS),
        st.builds(Value, st.just("plus"), st.sampled_from([-10, 1, 5_000])),
    ]
    status = [st.builds(Value, st.just("constant"), constants["status"]), st.just(Value("joined", "!"))]
    by = [st.builds(Value, st.just("constant"), constants["approved_by"]), st.just(Value("column", "status"))]
    day = [
        st.builds(Value, st.just("constant"), constants["issued_on"]),
        st.just(Value("column", "issued_on")),
    ]
    if verb == "upsert":
        total.append(st.just(Value("excluded", "total")))
        status.append(st.just(Value("excluded", "status")))
    if verb == "from":
        by.append(st.just(Value("customer")))
        status.append(st.just(Value("customer")))
    each = {"total": total, "status": status, "approved_by": by, "issued_on": day}
    if verb == "select":  # a column that admits no NULL has to be there
        wanted = st.sampled_from(
            [("total", "status"), ("total",), ("total", "approved_by", "status"), ("total", "issued_on")]
        )
    else:
        wanted = st.lists(st.sampled_from(sorted(each)), min_size=1, max_size=3, unique=True).map(tuple)
    return wanted.flatmap(
        lambda names: st.tuples(*(st.tuples(st.just(n), st.one_of(*each[n])) for n in names))
    )


@st.composite
def statements(draw: Any) -> Statement:
    """A statement of the model."""
    verb = draw(
        st.sampled_from(
            [
                "insert",
                "insert",
                "select",
                "upsert",
                "upsert",
                "update",
                "update",
                "from",
                "delete",
                "flush",
                "remove",
            ]
        )
    )
    returning = draw(st.sampled_from([(), (), ("id", "status"), ("id", "approved_by", "total")]))
    if verb in ("insert", "upsert"):
        columns = draw(
            st.sampled_from(
                [
                    ("total", "status"),
                    ("total",),
                    ("total", "status", "approved_by"),
                    ("total", "issued_on", "status"),
                ]
            )
        )
        ids = draw(
            st.lists(
                st.sampled_from([1, 2, 3, 5, 6, 7, 60, 61] if verb == "upsert" else [50, 51, 52, 53]),
                min_size=1, max_size=3, unique=True,
            )
        )  # fmt: skip
        rows = tuple((("id", n), *((name, draw(constants[name])) for name in columns)) for n in ids)
        if verb == "insert":
            return Statement(verb, rows, returning=returning)
        if draw(st.integers(0, 5)) == 0:
            return Statement(verb, rows, returning=returning, nothing=True)
        known = {name for name, _ in rows[0]}
        sets = tuple(
            (name, value if value.what != "excluded" or value.of in known else Value("constant", "open"))
            for name, value in draw(assigned(verb))
        )
        return Statement(verb, rows, draw(wheres), sets, returning)
    where = draw(wheres)
    if verb in ("delete", "remove"):
        return Statement(verb, where=where, returning=returning if verb == "delete" else ())
    return Statement(verb, (), where, draw(assigned(verb)), returning if verb != "flush" else ())


WAYS = ("core", "entity", "text", "driver", "cursor", "many")


# ---- in SQLAlchemy
def _column(target: Any, name: str) -> Any:
    return target.c[name] if hasattr(target, "c") else getattr(target, name)


def _condition(test: Test, target: Any) -> Any:
    column = _column(target, test.column)
    if test.op == "null":
        return column.is_(None)
    if test.op == "in":
        return column.in_(test.value)
    if test.op == "starts":
        return sa.func.substr(column, 1, len(test.value)) == test.value
    return column.op(test.op)(test.value)


def _value(value: Value, name: str, target: Any, excluded: Any = None) -> Any:
    if value.what == "column":
        return _column(target, value.of)
    if value.what == "plus":
        return _column(target, "total") + value.of
    if value.what == "joined":
        return _column(target, "status") + value.of
    if value.what == "excluded":
        return excluded[value.of]
    if value.what == "customer":
        return customer.c.name
    return sa.null() if value.of is None else sa.literal(value.of, order.c[name].type)


def build(statement: Statement, target: Any, dialect: str) -> Any:
    """Return a statement for SQLAlchemy.

    :param target: the table, an alias of it, or the entity
    """
    where = [_condition(test, target) for test in statement.where]
    sets = {name: _value(value, name, target) for name, value in statement.sets if value.what != "excluded"}
    found: Any
    if statement.verb == "insert":
        found = sa.insert(target).values([dict(row) for row in statement.rows])
    elif statement.verb == "select":
        query = sa.select(_column(target, "id") + FURTHER, *sets.values()).where(*where)
        found = sa.insert(target).from_select(["id", *sets], query)
    elif statement.verb == "upsert":
        from sqlalchemy.dialects import postgresql, sqlite

        insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert
        found = insert(target).values([dict(row) for row in statement.rows])
        if statement.nothing:
            found = found.on_conflict_do_nothing(index_elements=["id"])
        else:
            sets = {n: _value(value, n, target, found.excluded) for n, value in statement.sets}
            found = found.on_conflict_do_update(
                index_elements=["id"], set_=sets, where=sa.and_(*where) if where else None
            )
    elif statement.verb in ("update", "from"):
        found = sa.update(target).values(sets).where(*where)
        if statement.verb == "from":
            found = found.where(_column(target, "customer_id") == customer.c.id)
    else:
        found = sa.delete(target).where(*where)
    if statement.returning:
        found = found.returning(*(_column(target, name) for name in statement.returning))
    return found


def execute(
    shop: Shop, connection: sa.Connection, statement: Statement, way: str
) -> tuple[int | None, list[Any] | None]:
    """Execute a statement in one of several ways; return how many rows it wrote, and what it returned.

    ``None`` stands for what this way does not tell.
    """
    if statement.verb in ("flush", "remove"):
        return _objects(connection, statement), None
    dialect = connection.dialect.name
    if way == "many" and statement.verb == "insert":
        return _many(shop, connection, statement)
    if way in ("core", "many"):
        # SQLAlchemy has no alias for the table that an INSERT writes.
        aliased = way == "many" and statement.verb in ("update", "from", "delete")
        return _told(connection.execute(build(statement, order.alias("o") if aliased else order, dialect)))
    if way == "entity":
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            found = _told(
                session.execute(
                    build(statement, Order, dialect), execution_options={"synchronize_session": False}
                )
            )
            session.commit()
            return found
    text = str(
        build(statement, order.alias("o") if _aliased(statement) else order, dialect).compile(
            dialect=shop.physical.dialect, compile_kwargs={"literal_binds": True}
        )
    )
    if way == "text":
        return _told(connection.execute(sa.text(text)))
    if way == "driver":
        return _told(connection.exec_driver_sql(text))
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text)
        rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else None
        return (None, rows) if rows is not None else (cursor.rowcount, None)
    finally:
        cursor.close()


def _aliased(statement: Statement) -> bool:
    """SQL text calls its table by another name, now and then."""
    return statement.verb in ("update", "from", "delete") and len(statement.where) == 1


def _told(result: Any) -> tuple[int | None, list[Any] | None]:
    if getattr(result, "returns_rows", True):  # what the ORM gives has rows and no word about it
        return None, [tuple(row) for row in result]
    return result.rowcount if result.rowcount >= 0 else None, None


def _many(shop: Shop, connection: sa.Connection, statement: Statement) -> tuple[int | None, list[Any] | None]:
    """Several sets of parameters: by the ORM with RETURNING, by a driver's cursor, or by SQLAlchemy."""
    rows = [dict(row) for row in statement.rows]
    if statement.returning:
        query = sa.insert(Order).returning(*(_column(Order, name) for name in statement.returning))
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            found = [tuple(row) for row in session.execute(query, rows)]
            session.commit()
            return None, found
    if len(rows) == 2:
        connection.execute(sa.insert(order), rows)
        return None, None
    mark = "?" if shop.sqlite else "%s"
    text = f'INSERT INTO "order" ({", ".join(rows[0])}) VALUES ({", ".join([mark] * len(rows[0]))})'
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(
            text,
            [
                tuple(v.isoformat() if shop.sqlite and isinstance(v, dt.date) else v for v in row.values())
                for row in rows
            ],
        )
    finally:
        cursor.close()
    return None, None


def _objects(connection: sa.Connection, statement: Statement) -> int | None:
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        query = sa.select(Order).where(*(_condition(test, Order) for test in statement.where))
        found = session.scalars(query.order_by(Order.id)).all()
        for one in found:
            if statement.verb == "remove":
                session.delete(one)
                continue
            shown = {name: getattr(one, name) for name in COLUMNS}
            for name, value in statement.sets:
                setattr(one, name, value.worked_out(shown))
        session.commit()
    return None
