"""How effects add up: in any order alike, the same twice as once, and never less for one rule more."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tenant.decision import Decision, Mask, Means, Overlay
from flask_tenant.rules.compose import Composer
from flask_tenant.rules.model import ALWAYS, Cap, Condition, Deny, Effect, Filter, Hide, Masks, Rule
from tests.services.availability import examples

from .sets import BIG, MINE, OPEN, TABLES, possible, rule, rules, sure
from .test_decisions import MASKS, shown

CONDITIONS = [
    Condition(((ALWAYS, None),)),
    Condition(()),
    Condition(((0, None),)),
    Condition(((1, None), (2, possible(BIG)))),
    Condition(((ALWAYS, possible(BIG)),)),
]
KEEPS = [
    Condition(((ALWAYS, sure(MINE)),)),
    Condition(((ALWAYS, sure(MINE)), (1, sure(OPEN)))),
    Condition(((2, None),)),
]
EFFECTS: list[Effect] = [
    *(Filter(keep) for keep in KEEPS),
    *(Masks((("phone", mask),)) for mask in MASKS),
    Hide(("phone",)),
    Hide(("note", "secret")),
    Cap(10),
    Cap(1000),
    Deny(("No",)),
]
NAMES = [("*",), ("ticket",), ("customer", "ticket")]


@st.composite
def some_rules(draw: st.DrawFn) -> list[Rule]:
    """Up to six rules, each with an id of its own."""
    made = draw(
        st.lists(
            st.tuples(st.sampled_from(EFFECTS), st.sampled_from(CONDITIONS), st.sampled_from(NAMES)),
            max_size=6,
        )
    )
    return [
        rule(str(number), effect, applies=applies, names=names)
        for number, (effect, applies, names) in enumerate(made)
    ]


HOLDING = st.frozensets(st.integers(0, 2))


def decided(made: list[Rule], holding: frozenset[int]) -> Decision:
    return Composer(rules(*made), TABLES).compose(holding)


def content(found: Decision) -> object:
    """What does not depend on the order of rules: conditions as sets, without names of rules."""
    overlays = {
        table: (
            frozenset(one.filters),
            tuple(
                (column, mask.means, mask.value, mask.count, mask.applies is None)
                for column, mask in one.masks
            ),
            one.hidden,
        )
        for table, one in found.overlays.items()
    }
    reads = {table: denial.applies is None for table, denial in found.reads.items()}
    return overlays, reads, {table: cap[0] for table, cap in found.caps.items()}, frozenset(found.fired)


PROPERTY = settings(max_examples=examples(400), deadline=None, derandomize=True, database=None)


@PROPERTY
@given(some_rules(), HOLDING, st.randoms(use_true_random=False))
def test_in_any_order(made, holding, random):
    shuffled = made.copy()
    random.shuffle(shuffled)
    assert content(decided(shuffled, holding)) == content(decided(made, holding))


@PROPERTY
@given(some_rules(), HOLDING)
def test_twice_is_once(made, holding):
    assert content(decided(made + made, holding)) == content(decided(made, holding))


@PROPERTY
@given(some_rules(), some_rules(), HOLDING)
def test_more_rules_never_show_more(made, more, holding):
    less, all_of = decided(made, holding), decided(made + more, holding)
    for table, one in less.overlays.items():
        other = all_of.overlays[table]
        assert set(one.filters) <= set(other.filters)
        assert set(one.hidden) <= set(other.hidden)
        masks = dict(other.masks)
        for column, mask in one.masks:
            if column not in other.hidden:
                assert shown(masks[column]) <= shown(mask)
                assert masks[column].applies is None or mask.applies is not None
    assert set(less.reads) <= set(all_of.reads)
    for table, denial in less.reads.items():
        assert all_of.reads[table].applies is None or denial.applies is not None
    for table, (rows, _) in less.caps.items():
        assert all_of.caps[table][0] <= rows


@PROPERTY
@given(some_rules(), HOLDING)
def test_each_table_by_itself(made, holding):
    """What is kept for several tables together is what each would have got alone."""
    found = decided(made, holding)
    for table in TABLES:
        alone = [one for one in made if one.names == ("*",) or table in one.names]
        own = Composer(rules(*alone), (table,)).compose(holding)
        assert found.overlays.get(table) == own.overlays.get(table)
        assert found.reads.get(table) == own.reads.get(table)
        assert found.caps.get(table) == own.caps.get(table)


def test_the_empty_overlay_is_none():
    assert decided([rule("none", Filter(CONDITIONS[0]))], frozenset()).overlays == {}
    assert hash(Overlay(hidden=("a",))) == hash(Overlay(hidden=("a",))) != hash(Overlay())
    assert Mask(Means.EMPTY) == Mask(Means.EMPTY, rule="another")
