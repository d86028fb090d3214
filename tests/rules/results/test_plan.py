"""How many rows have to be seen before the first is given."""

from __future__ import annotations

import pytest

from flask_tenant.decision import Decision, ResultRules, Ruling
from flask_tenant.expressions import Call, Constant, Expression, Fact, Kind
from flask_tenant.isolate.results.plan import AHEAD, Plan
from flask_tenant.rules.language import branches, conditions
from flask_tenant.rules.language.conditions import Names
from tests.rules.language.world import VOCABULARY


def plan(text: str, values: tuple[object, ...] = ()) -> tuple[Plan, Expression]:
    """A plan with one rule that redacts where a condition holds."""
    names = Names(VOCABULARY.facts, rows=True)
    found = branches.condition(
        conditions.condition(text, names), possible=True, collected=branches.Collected()
    )
    ((_, condition),) = found.branches
    assert condition is not None
    rules = ResultRules(redact=(("iban", condition),))
    return Plan(Ruling(Decision(), values), None, (("invoice", rules),)), condition


@pytest.mark.parametrize("limit", [0, 1, 500, 9000])
@pytest.mark.parametrize("symbol", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("bound", [False, True])
def test_as_many_as_it_takes_to_know(limit: int, symbol: str, bound: bool) -> None:
    text = f"rows {symbol} user.id" if bound else f"rows {symbol} {limit}"
    found, condition = plan(text, (limit,) if bound else ())
    ahead = found.ahead()
    assert limit < ahead < AHEAD
    assert found.applies(condition, ahead) is found.applies(condition, 10 * AHEAD), "more rows change nothing"


def test_a_number_with_a_fraction_counts_whole() -> None:
    found, condition = plan("rows > 500.5")
    assert not found.applies(condition, 500)
    assert found.applies(condition, found.ahead())
    assert found.applies(condition, None), "who knows"
    bare = Call(Kind.BOOL, ">", (Fact(Kind.INT, "rows"), Constant(Kind.INT, 500)))
    assert found.applies(bare, None), "nor does a condition that nobody has made certain"
    assert not found.applies(bare, 500)


@pytest.mark.parametrize("text", ["rows * 0.001 > 1", "rows - user.id > 5", "rows in user.teams"])
def test_what_cannot_be_read_off_is_looked_at_as_far_as_it_goes(text: str) -> None:
    assert plan(text, (5, 5))[0].ahead() == AHEAD
