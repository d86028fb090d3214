"""Every function of rule files: what it gives, what it gives of the unknown, and what it refuses."""

from __future__ import annotations

import enum
import itertools
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from flask_tenant.errors import RuleEngineError
from flask_tenant.evaluation import coerce, compiled, evaluate
from flask_tenant.expressions import FUNCTIONS, Call, Column, Constant, Expression, Fact, Kind, Slot

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
KINDS = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.NUMBER,
    Decimal: Kind.NUMBER,
    str: Kind.TEXT,
    date: Kind.DATE,
    datetime: Kind.TIME,
    timedelta: Kind.DURATION,
}


def of(value: object) -> Expression:
    if isinstance(value, Constant | Fact | Column | Slot | Call):
        return value
    if isinstance(value, tuple):
        return Constant(Kind.TEXTS if all(isinstance(item, str) for item in value) else Kind.INTS, value)
    return Constant(KINDS[type(value)], value)


def call(function: str, *arguments: object, kind: Kind = Kind.BOOL) -> Call:
    return Call(kind, function, tuple(map(of, arguments)))


def day(at: datetime, zone: str = "UTC") -> Call:
    return call("date", at, zone, kind=Kind.DATE)


def unknown(kind: Kind) -> Fact:
    return Fact(kind, "nobody.said")


CASES = [
    ("==", (1, 1), True),
    ("==", (1, Decimal("1.0")), True),
    ("==", ("a", "A"), False),
    ("==", (NOON, NOON.astimezone(timezone(timedelta(hours=5)))), True),
    ("!=", ("a", "b"), True),
    ("<", (2, 10), True),
    ("<", ("2", "10"), False),
    ("<=", (date(2026, 1, 1), date(2026, 1, 1)), True),
    (">", (0.1, Decimal("0.1")), False),
    (">=", (timedelta(hours=1), timedelta(minutes=60)), True),
    # a day is over when the next one has begun
    ("==", (day(NOON), date(2026, 3, 31)), True),
    (">", (day(NOON + timedelta(hours=12)), date(2026, 3, 31)), True),
    (">", (day(NOON, "Pacific/Auckland"), date(2026, 3, 31)), True),
    ("in", ("b", ("a", "b")), True),
    ("in", ("b", ("bb",)), False),
    ("in", (Decimal(3), (1, 2)), False),
    ("in", ("a", ()), False),
    ("startsWith", ("/reports", "/rep"), True),
    ("startsWith", ("/reports", "_rep"), False),
    ("endsWith", ("a%", "%"), True),
    ("contains", ("a_b", "ab"), False),
    ("!", (True,), False),
]
VALUES = [
    ("+", (1, 2), Kind.INT, 3),
    ("+", (1, Decimal("0.2")), Kind.NUMBER, Decimal("1.2")),
    ("+", (0.1, 0.2), Kind.NUMBER, Decimal("0.3")),
    ("+", ("a", "b"), Kind.TEXT, "ab"),
    ("+", (date(2026, 2, 28), timedelta(days=1)), Kind.DATE, date(2026, 3, 1)),
    ("+", (timedelta(days=1), NOON), Kind.TIME, NOON + timedelta(days=1)),
    ("-", (date(2026, 3, 1), timedelta(days=90)), Kind.DATE, date(2025, 12, 1)),
    ("-", (5, 7), Kind.INT, -2),
    ("*", (Decimal("1.10"), 3), Kind.NUMBER, Decimal("3.30")),
    ("size", ("äöü",), Kind.INT, 3),
    ("size", (("a", "b"),), Kind.INT, 2),
    ("lower", ("ÄBC",), Kind.TEXT, "Äbc"),
    ("upper", ("äbcß",), Kind.TEXT, "äBCß"),
    ("month_start", (date(2024, 2, 29),), Kind.DATE, date(2024, 2, 1)),
    ("month_end", (date(2024, 2, 1),), Kind.DATE, date(2024, 2, 29)),
    ("month_end", (date(9999, 12, 5),), Kind.DATE, date(9999, 12, 31)),
    ("date", (date(2026, 3, 31),), Kind.DATE, date(2026, 3, 31)),
    (
        "date",
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "UTC"),
        Kind.DATE,
        date(2025, 12, 31),
    ),
    ("date", (datetime.max.replace(tzinfo=UTC), "Pacific/Auckland"), Kind.DATE, date.max),
    ("day_start", (date(2026, 4, 1), "Pacific/Auckland"), Kind.TIME, datetime(2026, 3, 31, 11, tzinfo=UTC)),
    ("day_end", (date(2026, 4, 5), "Pacific/Auckland"), Kind.TIME, datetime(2026, 4, 5, 12, tzinfo=UTC)),
    ("day_end", (date.max, "UTC"), Kind.TIME, datetime.max.replace(tzinfo=UTC)),
    ("day_start", (date.min, "Pacific/Auckland"), Kind.TIME, datetime.min.replace(tzinfo=UTC)),
    ("if", (True, 1, 2), Kind.INT, 1),
    ("if", (False, 1, 2), Kind.INT, 2),
    ("if", (unknown(Kind.BOOL), 1, 2), Kind.INT, 2),
    ("coalesce", (unknown(Kind.TEXT), "b"), Kind.TEXT, "b"),
    ("coalesce", (unknown(Kind.TEXT),), Kind.TEXT, None),
]


@pytest.mark.parametrize(("function", "arguments", "expected"), CASES)
def test_answers(function, arguments, expected):
    assert evaluate(call(function, *arguments)) is expected


@pytest.mark.parametrize(("function", "arguments", "kind", "expected"), VALUES)
def test_values(function, arguments, kind, expected):
    found = evaluate(call(function, *arguments, kind=kind))
    assert found == expected
    assert type(found) is type(expected)


def test_logic_is_kleenes():
    sides: dict[bool | None, Expression] = {True: of(True), False: of(False), None: unknown(Kind.BOOL)}
    for (a, left), (b, right) in itertools.product(sides.items(), repeat=2):
        both = False if a is False or b is False else None if a is None or b is None else True
        either = True if a is True or b is True else None if a is None or b is None else False
        assert evaluate(call("&&", left, right)) is both
        assert evaluate(call("||", left, right)) is either
    for a, side in sides.items():
        assert evaluate(call("!", side)) is (None if a is None else not a)
        assert evaluate(call("is_true", side)) is (a is True)
        assert evaluate(call("not_false", side)) is (a is not False)
        assert evaluate(call("is_known", side)) is (a is not None)


def test_what_is_unknown_stays_unknown():
    seen = set()
    for function, arguments, *rest in [*CASES, *VALUES]:
        if function in {"if", "coalesce"}:
            continue
        kind = rest[0] if len(rest) == 2 else Kind.BOOL
        for place in range(len(arguments)):
            given = list(map(of, arguments))
            given[place] = unknown(given[place].kind)
            assert evaluate(call(function, *given, kind=kind)) is None, function
            seen.add(function)
    assert seen | {"if", "coalesce", "&&", "||", "is_true", "not_false", "is_known"} == set(FUNCTIONS)


def test_where_values_come_from():
    row, old = {"total": Decimal(5), "at": datetime(2026, 1, 1)}, {"total": Decimal(3)}  # noqa: DTZ001
    new_column, old_column = Column(Kind.NUMBER, "total", "new"), Column(Kind.NUMBER, "total", "old")
    assert evaluate(call("-", new_column, old_column, kind=Kind.NUMBER), row=row, old=old) == 2
    assert evaluate(Column(Kind.TIME, "at"), row=row) == datetime(2026, 1, 1, tzinfo=UTC)
    assert evaluate(Column(Kind.TEXT, "gone"), row=row) is None
    assert evaluate(Fact(Kind.TEXTS, "roles"), facts={"roles": ["a"]}) == ("a",)
    assert evaluate(Slot(Kind.INT, 1), values=(None, 7)) == 7
    assert evaluate(Slot(Kind.INT, 0), values=(None, 7)) is None
    with pytest.raises(RuleEngineError, match="slot 2"):
        evaluate(Slot(Kind.INT, 2), values=(None, 7))


WRONG = [
    (Kind.INT, "10001"),
    (Kind.INT, True),
    (Kind.INT, 1.0),
    (Kind.NUMBER, "1"),
    (Kind.NUMBER, float("nan")),
    (Kind.NUMBER, Decimal("NaN")),
    (Kind.NUMBER, float("inf")),
    (Kind.NUMBER, False),
    (Kind.BOOL, 1),
    (Kind.BOOL, "true"),
    (Kind.TEXT, 1),
    (Kind.TEXT, b"a"),
    (Kind.DATE, NOON),
    (Kind.DATE, "2026-01-01"),
    (Kind.TIME, date(2026, 1, 1)),
    (Kind.TIME, datetime(2026, 1, 1)),  # noqa: DTZ001
    (Kind.TIME, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))),
    (Kind.DURATION, 5),
    (Kind.TEXTS, "abc"),
    (Kind.TEXTS, ["a", None]),
    (Kind.TEXTS, {"a": 1}),
    (Kind.TEXTS, {"a", 1}),
    (Kind.INTS, ["1"]),
    (Kind.INTS, [True]),
]


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_values_of_another_type_are_refused(kind, value):
    with pytest.raises(RuleEngineError, match=r"is no"):
        coerce(kind, value)
    with pytest.raises(RuleEngineError, match=r"The fact f: "):
        evaluate(Fact(kind, "f"), facts={"f": value})


def test_values_are_brought_into_form():
    class Role(enum.StrEnum):
        ADMIN = "admin"

    assert type(coerce(Kind.TEXT, Role.ADMIN)) is str
    assert coerce(Kind.TEXTS, {"b", Role.ADMIN}) == ("admin", "b")
    assert coerce(Kind.NUMBER, 0.1) == Decimal("0.1")
    assert coerce(Kind.TIME, NOON.astimezone(timezone(timedelta(hours=9)))).utcoffset() == timedelta(0)
    for kind in Kind:
        assert coerce(kind, None) is None


@pytest.mark.parametrize(
    "wrong",
    [
        call("==", "1", 1),
        call("<", True, False),
        call("<", ("a",), ("b",)),
        call("in", 1, ("a",)),
        call("in", "a", "abc"),
        call("&&", 1, True),
        call("+", "a", 1, kind=Kind.TEXT),
        call("+", 1, 1, kind=Kind.TEXT),
        call("-", date(2026, 1, 1), date(2026, 1, 1), kind=Kind.DURATION),
        call("matches", "a", "a"),
        call("if", True, 1, "a", kind=Kind.INT),
        call("!", True, True),
    ],
    ids=lambda wrong: wrong.function,
)
def test_types_that_do_not_fit_are_refused(wrong):
    with pytest.raises(RuleEngineError):
        compiled(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        call("+", date(9999, 12, 31), timedelta(days=1), kind=Kind.DATE),
        call("+", Decimal("1e200"), Decimal(1), kind=Kind.NUMBER),
        call("*", Decimal("1e999999"), Decimal("1e999999"), kind=Kind.NUMBER),
    ],
    ids=lambda wrong: wrong.function,
)
def test_what_cannot_be_worked_out_is_an_error(wrong):
    with pytest.raises(RuleEngineError, match="cannot be worked out"):
        evaluate(wrong)
