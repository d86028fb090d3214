"""durable-rules and plain Python decide alike."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flask_tenant.errors import RuleEngineError
from flask_tenant.expressions import Call, Column, Constant, Fact, Kind
from flask_tenant.rules.engine import Reference
from flask_tenant.rules.engine.durable import BATCH, DurableRules
from flask_tenant.rules.model import Guard
from tests.services.availability import FULL

from .made_up import boolean, conditions, facts, guards, random_facts

ENGINE = DurableRules()
REFERENCE = Reference()
RULE_SETS, SETS = (2_000, 500) if FULL else (60, 4)
"""Sets of guards, and sets of facts for each of them: a million at full length."""


def test_made_up_guards(record_property):
    tried = held = 0

    @settings(
        max_examples=RULE_SETS, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(guards(), max_size=12), st.randoms(use_true_random=False))
    def check(guards, chance):
        nonlocal tried, held
        gate, plain = ENGINE.load(guards), REFERENCE.load(guards)
        # Hypothesis takes a hundred times as long to make facts up as it takes to ask about them.
        chance = random.Random(chance.getrandbits(32))
        for some in (random_facts(chance) for _ in range(SETS)):
            found = ENGINE.holding(gate, some)
            assert found == REFERENCE.holding(plain, some), (guards, some)
            tried, held = tried + 1, held + bool(found)

    check()
    record_property(
        "figure", f"durable-rules and plain Python: {tried} sets of facts alike, {held} with guards that hold"
    )
    assert held > tried / 4


@settings(max_examples=2000 if FULL else 50, deadline=None, derandomize=True, database=None)
@given(conditions(), facts())
def test_polarity(test, some):
    """What holds for sure is possible."""
    gate = ENGINE.load([Guard(test, False), Guard(test, True)])
    assert ENGINE.holding(gate, some) in (frozenset(), frozenset({1}), frozenset({0, 1}))


API = boolean("==", Fact(Kind.TEXT, "channel"), Constant(Kind.TEXT, "api"))
NOT_API = boolean("!=", Fact(Kind.TEXT, "channel"), Constant(Kind.TEXT, "api"))
AUDITOR = boolean("in", Constant(Kind.TEXT, "auditor"), Fact(Kind.TEXTS, "roles"))
MANY = boolean(">", Fact(Kind.INT, "rows"), Constant(Kind.INT, 500))
LATE = boolean(">=", Fact(Kind.NUMBER, "usage.ratio"), Constant(Kind.NUMBER, 0.8))
LISTED = boolean("in", Fact(Kind.TEXT, "channel"), Constant(Kind.TEXTS, ("page", "api")))
NOBODY = boolean("in", Fact(Kind.TEXT, "channel"), Constant(Kind.TEXTS, ()))


@pytest.mark.parametrize(
    "test",
    [API, NOT_API, AUDITOR, MANY, LATE, LISTED, NOBODY, boolean("!", LISTED), boolean("!", AUDITOR)],
    ids=str,
)
def test_unknown_is_the_safe_side(test):
    """A restriction holds in doubt, an exemption does not, and neither is a matter of how it is written."""
    gate = ENGINE.load([Guard(test, True), Guard(test, False)])
    assert ENGINE.holding(gate, {}) == {0}
    assert ENGINE.holding(gate, dict.fromkeys(("channel", "roles", "rows", "usage.ratio"))) == {0}


def test_every_combination_of_two_comparisons():
    seen = set()
    values = {"channel": [None, "api", "job"], "rows": [None, 500, 501]}
    for function, possible in itertools.product(["&&", "||"], [True, False]):
        guards = [
            Guard(boolean(function, *pair), possible)
            for pair in itertools.product(
                [API, NOT_API, boolean("!", API), LISTED], [MANY, boolean("!", MANY), LATE]
            )
        ]
        gate = ENGINE.load(guards)
        for some in itertools.product(*values.values()):
            known = dict(zip(values, some, strict=True))
            found = ENGINE.holding(gate, known)
            assert found == REFERENCE.holding(REFERENCE.load(guards), known)
            seen.update(found)
    assert seen == set(range(12))


def test_more_lines_than_a_batch_holds():
    guards = [
        Guard(boolean("==", Fact(Kind.INT, "rows"), Constant(Kind.INT, number)), number % 2 == 0)
        for number in range(3 * BATCH + 1)
    ]
    gate = ENGINE.load(guards)
    for rows in (0, BATCH - 1, BATCH, 3 * BATCH):
        assert ENGINE.holding(gate, {"rows": rows}) == {rows}
    assert ENGINE.holding(gate, {}) == set(range(0, 3 * BATCH + 1, 2))


def test_conditions_that_would_make_too_many_lines():
    parts = [
        boolean(
            "||",
            *(boolean("==", Fact(Kind.TEXT, "path"), Constant(Kind.TEXT, f"{row}{n}")) for n in range(5)),
        )
        for row in range(5)
    ]
    wide = boolean("&&", *parts)
    gate = ENGINE.load([Guard(wide, True), Guard(boolean("!", wide), True), Guard(wide, False)])
    assert ENGINE.holding(gate, {"path": "00"}) == {1}
    assert ENGINE.holding(gate, {}) == {0, 1}


def test_no_guards_at_all():
    assert ENGINE.holding(ENGINE.load([]), {}) == frozenset()


@pytest.mark.parametrize(
    "test", [Column(Kind.BOOL, "paid"), Fact(Kind.INT, "rows"), Call(Kind.BOOL, "matches", (API,))], ids=str
)
def test_what_is_no_guard_is_refused(test):
    with pytest.raises(RuleEngineError):
        ENGINE.load([Guard(test, True)])


@pytest.mark.parametrize("wrong", ["10001", 10001.0, float("nan"), True, [1]])
def test_facts_of_another_type_are_refused(wrong):
    gate = ENGINE.load([Guard(MANY, True)])
    with pytest.raises(RuleEngineError, match="The fact rows"):
        ENGINE.holding(gate, {"rows": wrong})
