"""An expression means in SQL what it means in Python."""

from __future__ import annotations

import datetime as dt
import sqlite3
from decimal import Decimal
from functools import cache
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tenant.decision import Decision, Ruling
from flask_tenant.errors import RuleEngineError
from flask_tenant.evaluation import evaluate
from flask_tenant.expressions import FUNCTIONS, Call, Column, Constant, Expression, Fact, Kind, Slot
from flask_tenant.isolate.drivers.sqlite import GuardedConnection
from flask_tenant.isolate.overlay.render import RENDERERS, Dialect, Place, plain, render, truth
from flask_tenant.isolate.overlay.values import literal_value
from tests.services.postgres import PostgresServer

TEXTS = ["", "a", "A", "ab", "b%", "it's", "ä\\x", ":y ?", "Zz"]
DATES = [dt.date(2024, 2, 29), dt.date(2026, 11, 22), dt.date(1999, 12, 31), dt.date(9999, 12, 31)]
TIMES = [
    dt.datetime(2026, 11, 22, 23, 59, 59, 999999, dt.UTC),
    dt.datetime(2024, 2, 29, 0, 0, 0, 0, dt.UTC),
    dt.datetime(2000, 1, 1, 12, 30, 15, 250000, dt.UTC),
]
INTS = [0, 1, -7, 4, 2**31 - 1]
NUMBERS = [Decimal(0), Decimal("0.25"), Decimal(-7), Decimal("10000.5"), Decimal(4)]
SPANS = [dt.timedelta(days=90), dt.timedelta(days=-1), dt.timedelta(hours=25), dt.timedelta(microseconds=-1)]
VALUES: dict[Kind, list[Any]] = {
    Kind.BOOL: [True, False], Kind.INT: INTS, Kind.NUMBER: NUMBERS, Kind.TEXT: TEXTS, Kind.DATE: DATES,
    Kind.TIME: TIMES, Kind.DURATION: SPANS, Kind.TEXTS: [(), ("a",), ("ab", "it's", "")],
    Kind.INTS: [(), (1, 4), (-7,)],
}  # fmt: skip
KINDS = (Kind.BOOL, Kind.INT, Kind.NUMBER, Kind.TEXT, Kind.DATE, Kind.TIME)
PG = {
    "bool": "boolean", "int": "integer", "number": "numeric(20, 4)", "text": "character varying(40)",
    "date": "date", "timestamp": "timestamp with time zone",
}  # fmt: skip
ROWS = [
    {kind.value: VALUES[kind][(n * 7 + k) % len(VALUES[kind])] if (n + k) % 4 else None for k, kind in enumerate(KINDS)}
    for n in range(16)
]  # fmt: skip
ZONES = ["UTC", "Pacific/Auckland", "America/St_Johns"]
SLOTS = {kind: n for n, kind in enumerate(VALUES)}


def leaf(kind: Kind) -> st.SearchStrategy[Expression]:
    found: list[st.SearchStrategy[Expression]] = [
        st.sampled_from([*VALUES[kind], *([None] if kind in KINDS else [])]).map(lambda v: Constant(kind, v)),
        st.just(Slot(kind, SLOTS[kind])),
    ]
    if kind in KINDS:
        found += [st.just(Column(kind, kind.value))] * 2
    return st.one_of(found)


@cache
def expressions(kind: Kind, depth: int = 3) -> st.SearchStrategy[Expression]:
    """Typed expressions."""
    if depth == 0 or kind in (Kind.DURATION, Kind.TEXTS, Kind.INTS):
        return leaf(kind)

    def of(name: str, *kinds: Kind) -> st.SearchStrategy[Expression]:
        return st.tuples(*(expressions(k, depth - 1) for k in kinds)).map(lambda a: Call(kind, name, a))

    found = [
        leaf(kind), of("if", Kind.BOOL, kind, kind), of("coalesce", kind, kind), of("coalesce", kind),
    ]  # fmt: skip
    if kind is Kind.BOOL:
        for k in (Kind.INT, Kind.NUMBER, Kind.TEXT, Kind.DATE, Kind.TIME):
            found += [of(o, k, k) for o in ("==", "!=", "<", ">=")] + [of("is_known", k)]
        found += [of(o, Kind.INT, Kind.NUMBER) for o in ("<=", ">", "==")]
        found += [
            of("&&", Kind.BOOL, Kind.BOOL, Kind.BOOL),
            of("||", Kind.BOOL, Kind.BOOL),
            of("!", Kind.BOOL),
        ]
        found += [of(o, Kind.BOOL) for o in ("is_true", "not_false")] + [of("==", Kind.BOOL, Kind.BOOL)]
        found += [of(o, Kind.TEXT, Kind.TEXT) for o in ("startsWith", "endsWith", "contains")]
        found += [of("in", Kind.TEXT, Kind.TEXTS), of("in", Kind.INT, Kind.INTS)]
    elif kind in (Kind.INT, Kind.NUMBER):
        found += [of(o, kind, kind) for o in ("+", "-", "*")]
        if kind is Kind.INT:
            found += [of("size", Kind.TEXT), of("size", Kind.TEXTS)]
    elif kind is Kind.TEXT:
        found += [of("lower", Kind.TEXT), of("upper", Kind.TEXT), of("+", Kind.TEXT, Kind.TEXT)]
    elif kind is Kind.DATE:
        found += [
            of("month_start", Kind.DATE),
            of("month_end", Kind.DATE),
            of("date", Kind.DATE),
            st.builds(
                lambda at, zone: Call(Kind.DATE, "date", (at, Constant(Kind.TEXT, zone))),
                expressions(Kind.TIME, depth - 1),
                st.sampled_from(ZONES),
            ),
        ]
        found += [of("+", Kind.DATE, Kind.DURATION), of("-", Kind.DATE, Kind.DURATION)]
    elif kind is Kind.TIME:
        found += [
            of("+", Kind.TIME, Kind.DURATION),
            of("+", Kind.DURATION, Kind.TIME),
            of("-", Kind.TIME, Kind.DURATION),
        ]
    return st.one_of(found)


slot_values = st.tuples(*(st.sampled_from([*VALUES[kind], None]) for kind in SLOTS))


def in_python(expression: Expression, values: Any) -> list[Any]:
    return [evaluate(expression, row=row, values=values) for row in ROWS]


def in_sql(expression: Expression, values: Any, dialect: Dialect, run: Any) -> list[list[Any]]:
    """The values of an expression, and where it holds."""
    place = Place(
        dialect,
        lambda name: f't."{name}"',
        lambda slot: literal_value(slot, Ruling(None, values), dialect),  # type: ignore[arg-type]
        lambda name: PG[name],
    )
    known, holds = render(expression, place), truth(expression, place)
    assert not any(sign in known for sign in "%:\\\0")
    rows = run(f"SELECT {known}, CASE WHEN {holds} THEN 1 ELSE 0 END FROM t ORDER BY nr")
    return [list(column) for column in zip(*rows, strict=True)]


def check(expression: Expression, values: Any, dialect: Dialect, run: Any) -> None:
    try:
        wanted = in_python(expression, values)
    except RuleEngineError:
        return  # a date beyond the calendar: refused in Python, an error or unknown in SQL
    found, holds = in_sql(expression, values, dialect, run)
    assert [None if v is None else bool(v) for v in found] == wanted
    assert [bool(v) for v in holds] == [v is True for v in wanted]


def test_there_is_a_renderer_for_every_function() -> None:
    assert RENDERERS.keys() == FUNCTIONS.keys()


def test_a_fact_has_no_place_in_sql() -> None:
    place = Place("sqlite", str, str, str)
    with pytest.raises(RuleEngineError, match="roles"):
        render(Fact(Kind.TEXTS, "roles"), place)
    start = Call(Kind.TIME, "day_start", (Column(Kind.DATE, "date"), Constant(Kind.TEXT, "UTC")))
    with pytest.raises(RuleEngineError, match="'day_start' is asked of the request"):
        render(start, place)
    with pytest.raises(RuleEngineError, match="Lists are compared"):
        render(Call(Kind.BOOL, "==", (Constant(Kind.TEXTS, ("a",)), Constant(Kind.TEXTS, ("a",)))), place)
    with pytest.raises(RuleEngineError, match="'took' is a duration"):
        render(Column(Kind.DURATION, "took"), place)


@pytest.mark.parametrize("index", [-1, 0, 1])
def test_a_value_that_is_not_there_is_no_other(index: int) -> None:
    for ruling in (None, Ruling(Decision(1), (5,) if index else ())):
        with pytest.raises(RuleEngineError):
            literal_value(Slot(Kind.INT, index), ruling, "sqlite")


@pytest.fixture(scope="module")
def lite() -> Any:
    connection = sqlite3.connect(":memory:", factory=GuardedConnection)
    connection.execute(
        "CREATE TABLE t (nr INT, bool BOOLEAN, int INT, number NUMERIC, text VARCHAR(40) COLLATE NOCASE, "
        "date DATE, timestamp DATETIME)"
    )
    assert connection.ft_wall is None, "what is tried is what rules become"
    for n, row in enumerate(ROWS):
        values = [plain(kind, row[kind.value], "sqlite") for kind in KINDS]
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", [n, *values])
    yield lambda sql: connection.execute(sql).fetchall()
    connection.close()


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> Any:
    with postgres_server.database() as name:
        url = sa.make_url(postgres_server.url(name, driver="psycopg")).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute("SET TimeZone = 'America/New_York'")
            columns = ", ".join(f'"{kind.value}" {PG[kind.value]}' for kind in KINDS)
            connection.execute(f"CREATE TABLE t (nr int, {columns})".encode())
            for n, row in enumerate(ROWS):
                connection.execute(
                    "INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s)", [n, *(row[k.value] for k in KINDS)]
                )
            yield lambda sql: connection.execute(sql.encode()).fetchall()


CAREFUL = settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


@CAREFUL
@given(expressions(Kind.BOOL), slot_values)
def test_sqlite_says_what_python_says(lite: Any, expression: Expression, values: Any) -> None:
    check(expression, values, "sqlite", lite)


@CAREFUL
@given(expressions(Kind.BOOL), slot_values)
def test_postgresql_says_what_python_says(postgres: Any, expression: Expression, values: Any) -> None:
    check(expression, values, "postgresql", postgres)
