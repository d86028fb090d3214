"""Made-up facts and guards."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from flask_tenant.expressions import Call, Constant, Expression, Fact, Kind
from flask_tenant.rules.model import Guard

TEXTS = ["", "api", "page", "10001", "/reports/x", "ä", "A", "\x00", '"', "%d", "\\", "a\nb", "🙂"]
SCALAR: dict[Kind, list[Any]] = {
    Kind.BOOL: [True, False],
    Kind.INT: [-(2**70), -1, 0, 1, 2, 10000, 10001, 2**63],
    Kind.NUMBER: [Decimal("-0.5"), Decimal(0), Decimal("0.8"), Decimal("0.80"), Decimal(10001)],
    Kind.TEXT: TEXTS,
    Kind.DATE: [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28)],
    Kind.TIME: [datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)],
    Kind.DURATION: [timedelta(0), timedelta(days=90)],
}
LISTS: dict[Kind, list[Any]] = {Kind.TEXTS: TEXTS, Kind.INTS: [0, 1, 2, 10001]}
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    **{kind: st.sampled_from(values) for kind, values in SCALAR.items()},
    **{kind: st.lists(st.sampled_from(values), max_size=4).map(tuple) for kind, values in LISTS.items()},
}
FACTS = {
    "flag": Kind.BOOL,
    "user.id": Kind.INT,
    "rows": Kind.INT,
    "usage.ratio": Kind.NUMBER,
    "channel": Kind.TEXT,
    "path": Kind.TEXT,
    "today": Kind.DATE,
    "now": Kind.TIME,
    "age": Kind.DURATION,
    "roles": Kind.TEXTS,
    "groups": Kind.INTS,
}
SCALARS = [Kind.INT, Kind.NUMBER, Kind.TEXT, Kind.DATE, Kind.TIME, Kind.DURATION]
NUMBERS = {Kind.INT: [Kind.INT, Kind.NUMBER], Kind.NUMBER: [Kind.INT, Kind.NUMBER]}


def facts() -> st.SearchStrategy[dict[str, Any]]:
    """Facts of which any may be missing or None."""
    return st.fixed_dictionaries(
        {}, optional={name: st.none() | VALUES[kind] for name, kind in FACTS.items()}
    )


def random_facts(chance: random.Random) -> dict[str, Any]:
    """Facts as :func:`facts` makes them, a thousand times faster."""
    found: dict[str, Any] = {}
    for name, kind in FACTS.items():
        drawn = chance.random()
        if drawn < 0.1:
            found[name] = None
        elif drawn > 0.2:
            found[name] = (
                chance.choice(SCALAR[kind])
                if kind in SCALAR
                else tuple(chance.choices(LISTS[kind], k=chance.randrange(5)))
            )
    return found


def fact(kind: Kind) -> st.SearchStrategy[Expression]:
    return st.sampled_from([Fact(kind, name) for name, known in FACTS.items() if known is kind])


def constant(kind: Kind) -> st.SearchStrategy[Expression]:
    return VALUES[kind].map(lambda value: Constant(kind, value))


def constant_in(*texts: str) -> st.SearchStrategy[Expression]:
    return st.sampled_from([Constant(Kind.TEXT, text) for text in texts])


def term(kind: Kind) -> st.SearchStrategy[Expression]:
    plain = fact(kind) | constant(kind)
    if kind is Kind.DATE:
        zone = constant_in("UTC", "Pacific/Auckland", "America/Havana")
        local = st.builds(lambda a, z: Call(kind, "date", (a, z)), fact(Kind.TIME), zone)
        shifted = st.builds(lambda a: Call(kind, "month_end", (a,)), fact(Kind.DATE) | local)
        return plain | local | shifted
    if kind is Kind.INT:
        return plain | st.builds(lambda a: Call(kind, "size", (a,)), fact(Kind.TEXTS) | fact(Kind.TEXT))
    return plain


def boolean(function: str, *arguments: Expression) -> Expression:
    return Call(Kind.BOOL, function, arguments)


@st.composite
def comparisons(draw: st.DrawFn) -> Expression:
    """One comparison, of whatever form."""
    form = draw(st.integers(0, 6))
    if form == 0:
        return draw(fact(Kind.BOOL) | constant(Kind.BOOL) | st.just(Constant(Kind.BOOL, None)))
    if form == 1:
        function = draw(st.sampled_from(["startsWith", "endsWith", "contains"]))
        return boolean(function, draw(term(Kind.TEXT)), draw(term(Kind.TEXT)))
    if form == 2:
        kind, many = draw(
            st.sampled_from([(Kind.TEXT, Kind.TEXTS), (Kind.INT, Kind.INTS), (Kind.NUMBER, Kind.INTS)])
        )
        return boolean("in", draw(term(kind)), draw(term(many)))
    if form == 3:
        return boolean("is_known", draw(fact(draw(st.sampled_from(list(FACTS.values()))))))
    if form == 4:
        start = Call(
            Kind.TIME, "day_start", (draw(term(Kind.DATE)), draw(constant_in("UTC", "Asia/Kolkata")))
        )
        return boolean(draw(st.sampled_from(["<", ">", "==", "!="])), draw(term(Kind.TIME)), start)
    kind = draw(st.sampled_from(SCALARS))
    other = draw(st.sampled_from(NUMBERS.get(kind, [kind])))
    function = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    return boolean(function, draw(term(kind)), draw(term(other)))


def conditions() -> st.SearchStrategy[Expression]:
    """Comparisons, put together in any way."""
    return st.recursive(
        comparisons(),
        lambda inner: st.one_of(
            st.builds(lambda a: boolean("!", a), inner),
            st.builds(lambda f, a: boolean(f, a), st.sampled_from(["is_true", "not_false"]), inner),
            st.builds(
                lambda f, parts: boolean(f, *parts),
                st.sampled_from(["&&", "||"]),
                st.lists(inner, min_size=1, max_size=4),
            ),
        ),
        max_leaves=12,
    )


def guards() -> st.SearchStrategy[Guard]:
    return st.builds(Guard, conditions(), st.booleans())
