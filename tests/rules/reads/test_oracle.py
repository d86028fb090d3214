"""The physical-copy oracle: a read under rules gives what it gives, run plain, on a copy of the database in which
the filtered rows are deleted and the masks are written."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flask_tenant import registry
from flask_tenant.decision import Mask, Means, Overlay, Ruling
from flask_tenant.evaluation import evaluate
from flask_tenant.expressions import Constant, Kind, Slot
from tests.rules.reads.world import (
    EMPTY,
    LAST4,
    OPEN,
    TODAY,
    Base,
    World,
    call,
    decide,
    number,
    recent,
    rows_of,
)
from tests.services.databases import MakeDatabase

FEW = call("<", number("quantity"), Slot(Kind.NUMBER, 1))
NOT_PAID = call("not_false", call("!=", call("coalesce", Constant(Kind.TEXT, None), OPEN.arguments[0], kind=Kind.TEXT),
                                  Constant(Kind.TEXT, "paid")))  # fmt: skip
LARGE = call(">=", number("rating"), Constant(Kind.NUMBER, 1))
CUSTOMERS: list[Overlay] = [
    Overlay(),
    Overlay((LARGE,)),
    Overlay(masks=(("phone", LAST4), ("tax_id", EMPTY))),
    Overlay(
        (LARGE,), (("name", Mask(Means.CONSTANT, "x")), ("phone", Mask(Means.FIRST, count=3, applies=LARGE)))
    ),
    Overlay(hidden=("tax_id",), masks=(("rating", Mask(Means.CONSTANT, 2)),)),
]
INVOICES: list[Overlay] = [
    Overlay(),
    Overlay((recent(),)),
    Overlay((recent(), FEW)),
    Overlay((call("||", recent(), NOT_PAID),), (("memo", Mask(Means.LAST, count=2)), ("quantity", EMPTY))),
    Overlay(masks=(("state", Mask(Means.CONSTANT, "open", applies=FEW)), ("total", EMPTY))),
]
EXAMPLES = 1000 if os.environ.get("TENANCY_FULL") else 40
NULLABLE = {"tax_id", "memo"}
NUMBERS = {"rating", "quantity", "total"}


def shown(mask: Mask, name: str, value: Any, row: dict[str, Any], values: tuple[Any, ...]) -> Any:
    """What a mask shows, in Python."""
    if mask.applies is not None and evaluate(mask.applies, row=row, values=values) is False:
        return value
    if mask.means is Means.CONSTANT:
        return mask.value
    if mask.means is Means.EMPTY:
        return None if name in NULLABLE else 0 if name in NUMBERS else ""
    if value is None:
        return None
    if len(value) <= mask.count:
        return "****"
    return f"****{value[-mask.count :]}" if mask.means is Means.LAST else f"{value[: mask.count]}****"


def copied(rows: list[dict[str, Any]], overlay: Overlay, values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """The rows as the copy has them."""
    for row in rows:
        if all(evaluate(keep, row=row, values=values) is True for keep in overlay.filters):
            found = {name: shown(m, name, row[name], row, values) for name, m in overlay.masks}
            yield {**row, **found, **dict.fromkeys(overlay.hidden)}


class Copy:
    """A database without a wall, whose tables take what the masks leave."""

    def __init__(self, url: str, world: World) -> None:
        self.engine = sa.create_engine(url)
        registry._apps.add(world.app.extensions[registry.KEY])
        world.tenancy.exempt(self.engine)
        self.tables = sa.MetaData()
        for name in ("customer", "invoice"):
            columns = [sa.Column(c.name, c.type) for c in Base.metadata.tables[name].columns]
            sa.Table(name, self.tables, *columns)
        self.tables.create_all(self.engine)

    def fill(self, overlays: dict[str, Overlay], values: tuple[Any, ...]) -> None:
        with self.engine.begin() as connection:
            for table in self.tables.sorted_tables:
                connection.execute(table.delete())
                rows = list(copied(rows_of("acme")[table.name], overlays[table.name], values))
                if rows:
                    connection.execute(table.insert(), rows)


@pytest.fixture(scope="session")
def copy(back_end: str, make_database: MakeDatabase, standing_world: World) -> Iterator[Copy]:
    with make_database(back_end) as url:
        found = Copy(url, standing_world)
        yield found
        found.engine.dispose()


# ---- reads, as pairs of tables
CUSTOMER, INVOICE = Base.metadata.tables["customer"], Base.metadata.tables["invoice"]
COLUMNS = {"customer": ["id", "name", "tax_id", "phone", "rating"],
           "invoice": ["id", "customer_id", "issued_on", "state", "total", "quantity", "memo"]}  # fmt: skip
LITERALS: dict[str, list[Any]] = {
    "name": ["acme-1", "x", ""], "tax_id": ["DE01", "DE03", ""], "phone": ["****1111", "12", ""], "rating": [0, 1, 2],
    "state": ["open", "paid"], "total": [Decimal(0), Decimal(500)], "quantity": [0, 2, 4], "memo": ["****"],
    "id": [1, 3, 7], "customer_id": [1, 2], "issued_on": [TODAY - dt.timedelta(days=100)],
}  # fmt: skip


@st.composite
def conditions(draw: Any, sources: list[Any]) -> Any:
    source = draw(st.sampled_from(sources))
    name = draw(st.sampled_from(COLUMNS[source.ft_name]))
    column = source.c[name]
    value = draw(st.sampled_from(LITERALS[name]))
    kind = draw(st.integers(0, 7))
    if kind == 0:
        return column == value
    if kind == 1:
        return column >= value
    if kind == 2:
        return column.is_(None)
    if kind == 3:
        return column.in_([value, LITERALS[name][0]])
    if kind == 4 and isinstance(value, str):
        return sa.func.length(column) > len(value)
    if kind == 5:
        return ~(column <= value)
    if kind == 6 and name in NUMBERS:
        return column * 2 - 1 > value
    return sa.or_(column != value, column.is_(None))


@st.composite
def reads(draw: Any) -> Any:
    """Statements whose rows come in a certain order, or are compared without."""
    invoice = draw(
        st.sampled_from(
            [INVOICE, INVOICE.alias("i"), sa.select(INVOICE).subquery("s"), sa.select(INVOICE).cte("w")]
        )
    )
    customer = draw(st.sampled_from([CUSTOMER, CUSTOMER.alias("c")]))
    for element, name in ((invoice, "invoice"), (customer, "customer")):
        element.ft_name = name
    joined = draw(st.integers(0, 5))
    on = invoice.c.customer_id == customer.c.id
    sources: list[Any] = [customer, invoice]
    if joined == 0:
        start: Any = invoice
        sources = [invoice]
    elif joined == 1:
        start = customer
        sources = [customer]
    elif joined == 2:
        start = customer.join(invoice, on)
    elif joined == 3:
        start = customer.outerjoin(invoice, on)
    elif joined == 4:
        start = customer.join(invoice, sa.and_(on, draw(conditions(sources))))
    else:
        start = customer
        sources = [customer]
    shape = draw(st.integers(0, 4))
    source = draw(st.sampled_from(sources))
    name = draw(st.sampled_from(COLUMNS[source.ft_name]))
    column = source.c[name]
    if shape == 0:
        query = sa.select(column, *(s.c.id for s in sources))
    elif shape == 1:
        query = sa.select(column, sa.func.count()).group_by(column)
    elif shape == 2:
        query = sa.select(
            sa.func.min(column), sa.func.max(column), sa.func.count(column.distinct()), sa.func.count()
        )
    elif shape == 3:
        order = [column, *(s.c.id for s in sources)]
        query = sa.select(sa.func.row_number().over(order_by=order), column, *(s.c.id for s in sources))
    else:
        query = sa.select(
            sa.case((draw(conditions(sources)), 1), else_=0), *(s.c.id for s in sources)
        ).distinct()
    query = query.select_from(start)
    for condition in draw(st.lists(conditions(sources), max_size=2)):
        query = query.where(condition)
    if joined == 5:
        within = sa.select(invoice.c.id).where(on, draw(conditions([invoice])))
        query = query.where(draw(st.sampled_from([within.exists(), ~within.exists()])))
    if draw(st.booleans()) and shape == 0:
        query = query.union_all(sa.select(column, *(s.c.id for s in sources)).select_from(start))
    return query


def answer(connection: sa.Connection, statement: Any) -> list[str]:
    return sorted(repr(tuple(row)) for row in connection.execute(statement))


values_ = st.tuples(
    st.sampled_from([30, 95, 400]).map(lambda n: TODAY - dt.timedelta(days=n)),
    st.sampled_from([Decimal(2), Decimal(4)]),
)


@settings(
    max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate], deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)  # fmt: skip
@given(
    statement=reads(), customer=st.sampled_from(CUSTOMERS), invoice=st.sampled_from(INVOICES), values=values_
)
def test_a_read_under_rules_is_a_read_of_the_copy(
    world: World, copy: Copy, statement: Any, customer: Overlay, invoice: Overlay, values: tuple[Any, ...]
) -> None:
    overlays = {"customer": customer, "invoice": invoice}
    copy.fill(overlays, values)
    ruling: Ruling = decide({n: o for n, o in overlays.items() if o != Overlay()}, values)
    with copy.engine.connect() as connection:
        wanted = answer(connection, statement)
        text = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
    with world.under(ruling) as connection:
        assert answer(connection, statement) == wanted
        connection.rollback()
        found = connection.exec_driver_sql(text.replace("%", "%%") if not world.sqlite else text)
        assert len(found.fetchall()) == len(wanted)


def test_the_copy_differs_from_the_database(copy: Copy) -> None:
    """The oracle compares something: every overlay leaves its mark."""
    values = (TODAY - dt.timedelta(days=95), Decimal(2))
    for table, overlays in (("customer", CUSTOMERS), ("invoice", INVOICES)):
        rows = rows_of("acme")[table]
        for overlay in overlays[1:]:
            found = list(copied(rows, overlay, values))
            assert found
            assert found != rows
