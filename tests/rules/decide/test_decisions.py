"""What a decision is made of."""

from __future__ import annotations

import itertools

import pytest

from flask_tenant.decision import Denial, Mask, Means, Overlay
from flask_tenant.errors import RuleEngineError
from flask_tenant.expressions import FALSE, Column, Constant, Fact, Kind, Slot
from flask_tenant.rules.compose import Composer, strictest
from flask_tenant.rules.decide import Decider
from flask_tenant.rules.engine import Reference, durable_rules
from flask_tenant.rules.model import (
    CallHook,
    Cap,
    Condition,
    Deny,
    Emit,
    Filter,
    Guard,
    Hide,
    Masks,
    Redact,
    Route,
    Set,
    Theme,
    Transform,
    Validate,
    Webhook,
)

from .sets import (
    ACME,
    ALL,
    API,
    BIG,
    GUARDS,
    MINE,
    OPEN,
    SLOTS,
    TABLES,
    boolean,
    possible,
    rule,
    rules,
    sure,
)


def decide(made, **facts):
    return Decider(made, durable_rules(), TABLES).decide(
        {name.replace("_", "."): v for name, v in facts.items()}
    )


def overlay(decision, table="ticket"):
    return decision.overlays[table]


def test_a_decision():
    found = decide(ACME, channel="api", roles=("agent",), user_id=3)
    assert found.version == 7
    assert found.fired == ("own-or-open", "api-limits", "numbers", "closed")
    assert overlay(found) == Overlay(filters=(boolean("||", MINE, OPEN),))
    assert overlay(found, "customer") == Overlay(
        masks=(("phone", Mask(Means.LAST, count=4)),), hidden=("secret",)
    )
    assert found.caps == dict.fromkeys(TABLES, (1000, "api-limits"))
    (denial,) = found.writes["ticket", "delete"].denials
    assert denial == Denial("closed", ("Closed: ", Column(Kind.TEXT, "state")), possible(BIG))
    assert found.shape == frozenset(found.overlays.items())
    assert found.slots == SLOTS


def test_only_what_applies():
    found = decide(ACME, channel="page", roles=("auditor",), user_id=3)
    assert found.fired == ("numbers", "closed")
    assert set(found.overlays) == {"customer"}
    assert found.caps == {}


def test_unknown_restricts():
    found = decide(ACME)
    assert found.fired == ("own-or-open", "api-limits", "numbers", "closed")
    assert overlay(found).filters == (MINE,), (
        "whether somebody is an agent is not known: open tickets stay hidden"
    )


@pytest.mark.parametrize(
    ("when", "possible_guard", "facts", "applies"),
    [
        (API, True, {"channel": "api"}, True),
        (API, True, {"channel": "page"}, False),
        (API, True, {}, True),
        (API, False, {}, False),
        (boolean("!", API), True, {}, True),
        (boolean("!", API), True, {"channel": "api"}, False),
        (boolean("!=", *API.arguments), True, {}, True),
    ],
)
def test_unknown_is_safe(when, possible_guard, facts, applies):
    made = rules(
        rule("deny", Deny(("No",)), applies=Condition(((0, None),))), guards=(Guard(when, possible_guard),)
    )
    assert ("ticket" in decide(made, **facts).reads) is applies


# ---- filters
@pytest.mark.parametrize(
    ("applies", "keep", "expected"),
    [
        (ALL, ALL, ()),
        (ALL, Condition(()), (FALSE,)),
        (ALL, Condition(((-1, sure(MINE)),)), (MINE,)),
        (ALL, Condition(((-1, sure(MINE)), (-1, None))), ()),
        (Condition(()), Condition(()), ()),
        (
            Condition(((-1, possible(BIG)),)),
            Condition(((-1, sure(MINE)),)),
            (boolean("||", boolean("!", BIG), MINE),),
        ),
        (Condition(((-1, possible(BIG)),)), Condition(()), (boolean("!", BIG),)),
        (Condition(((-1, possible(BIG)),)), ALL, ()),
        (Condition(((-1, possible(BIG)), (-1, None))), Condition(()), (FALSE,)),
    ],
)
def test_filters(applies, keep, expected):
    found = decide(rules(rule("one", Filter(keep), applies=applies)))
    assert (overlay(found).filters if found.overlays else ()) == expected


def test_filters_add_up():
    one, two = (rule(str(n), Filter(Condition(((-1, sure(e)),)))) for n, e in enumerate((MINE, OPEN)))
    assert overlay(decide(rules(one, two, one))).filters == (MINE, OPEN)


# ---- everything else
def test_every_effect_has_its_place():
    every = [
        rule("w", Validate("approval"), Set((("by", Slot(Kind.INT, 0)),)), verbs=("insert", "update")),
        rule(
            "r",
            Emit("exported"),
            Redact(("iban", "phone")),
            Transform("shorten"),
            CallHook("count"),
            verbs=("result",),
            applies=Condition(((-1, boolean(">", Fact(Kind.INT, "rows"), Slot(Kind.INT, 0))),)),
        ),
        rule("t", Theme("winter"), verbs=("theme",), names=()),
        rule("e", Webhook("ops"), verbs=("event",), names=("login.failed",)),
        rule("go", Route("replica"), names=("*",)),
        rule("no", Deny(("No",))),
        rule("less", Cap(10)),
        rule("more", Cap(100)),
    ]
    found = decide(rules(*every))
    assert set(found.writes) == {("ticket", "insert"), ("ticket", "update")}
    for written in found.writes.values():
        assert [one.hook for one in written.validations] == ["approval"]
        assert written.settings[0].values == (("by", Slot(Kind.INT, 0)),)
    result = found.results["ticket"]
    condition = result.emit[0][2]
    assert condition is not None
    assert result.emit == (("r", "exported", condition),)
    assert result.redact == (("iban", condition), ("phone", condition))
    assert result.transform == (("shorten", condition),)
    assert result.hooks == (("count", condition),)
    assert (found.theme, found.route) == ("winter", "replica")
    assert found.reads == {"ticket": Denial("no", ("No",))}
    assert found.caps == {"ticket": (10, "less")}
    assert "e" not in found.fired


def test_guards_of_event_rules_are_not_asked():
    made = rules(
        rule("e", Webhook("ops"), verbs=("event",), names=("login.failed",), applies=Condition(((0, None),))),
        rule("no", Deny(("No",)), applies=Condition(((1, None),))),
        guards=(Guard(boolean("==", Fact(Kind.TEXT, "event.ip"), API.arguments[1]), True), GUARDS[2]),
    )
    decider = Decider(made, durable_rules(), TABLES)
    assert decider.asked == ("channel",)
    assert decider.holding({"channel": "api"}) == {1}


def test_conditional_denials_of_reading():
    made = [
        rule("a", Deny(("A",)), applies=Condition(((-1, possible(BIG)),))),
        rule("b", Deny(("B",)), applies=Condition(((-1, possible(MINE)),))),
    ]
    assert decide(rules(*made)).reads["ticket"] == Denial(
        "a", ("A",), boolean("||", possible(BIG), possible(MINE))
    )
    assert decide(rules(*made, rule("c", Deny(("C",))))).reads["ticket"] == Denial("c", ("C",))


def test_masks_of_hidden_columns_are_gone():
    made = rules(rule("m", Masks((("phone", Mask(Means.EMPTY)),)), Hide(("phone",))))
    assert overlay(decide(made)) == Overlay(hidden=("phone",))


def test_equal_shapes_are_one_object():
    other = rules(*ACME.rules, guards=GUARDS, tenant="globex", slots=(Constant(Kind.INT, 9), *SLOTS[1:]))
    one, two = decide(ACME, roles=("agent",)), decide(other, roles=("agent",))
    assert one.shape
    assert one.shape is two.shape
    assert one.shape is not decide(ACME, roles=()).shape


def test_decisions_are_kept_by_what_guards_read():
    class Counting(Reference):
        asked = 0

        def holding(self, loaded, facts):
            self.asked += 1
            return super().holding(loaded, facts)

    engine = Counting()
    decider = Decider(ACME, engine, TABLES)
    assert decider.asked == ("channel", "roles")
    assert decider.facts == ("channel", "roles", "user.id")
    first = decider.decide({"channel": "api", "roles": ("x",), "user.id": 1})
    assert decider.decide({"channel": "api", "roles": ("x",), "user.id": 2}) is first
    assert engine.asked == 1
    assert decider.decide({"channel": "api", "roles": ("y",)}) is first, "other facts, the same guards"
    assert engine.asked == 2
    assert decider.decide({"channel": "page", "roles": ("y",)}) is not first


def test_what_is_kept_is_bounded():
    decider = Decider(ACME, Reference(), TABLES)
    for number in range(3000):
        decider.decide({"channel": str(number), "roles": ()})
    assert 0 < len(decider._answers) <= 512


def test_slots():
    decider = Decider(ACME, Reference(), TABLES)
    assert decider.values({"user.id": 3}) == (3, "open", 10000)
    assert decider.values({}) == (None, "open", 10000)
    with pytest.raises(RuleEngineError, match=r"user\.id"):
        decider.values({"user.id": "3"})


# ---- masks
MASKS = [
    Mask(Means.EMPTY),
    Mask(Means.CONSTANT, "x"),
    Mask(Means.CONSTANT, "y"),
    Mask(Means.LAST, count=4),
    Mask(Means.LAST, count=2),
    Mask(Means.FIRST, count=2),
]
VALUE = "0123456789"


def shown(mask):
    """Places of a value that a mask shows."""
    if mask.means is Means.LAST:
        return set(range(len(VALUE) - mask.count, len(VALUE)))
    return set(range(mask.count)) if mask.means is Means.FIRST else set()


def test_masks_never_give_back_what_another_takes():
    for size in (1, 2, 3):
        for some in itertools.product(MASKS, repeat=size):
            found = strictest(some)
            assert shown(found) == set.intersection(*map(shown, some)), some
            for order in itertools.permutations(some):
                assert strictest(order) == found, "in whatever order"
            if Means.EMPTY in {one.means for one in some}:
                assert found.means is Means.EMPTY, "a constant says that there is a value"
            if found.means is Means.CONSTANT:
                assert {one.value for one in some if one.means is Means.CONSTANT} == {found.value}
    assert strictest([MASKS[3], Mask(Means.EMPTY, applies=BIG)]).applies is None
    both = strictest([Mask(Means.LAST, count=4, applies=MINE), Mask(Means.EMPTY, applies=BIG)])
    assert (both.means, both.applies) == (Means.EMPTY, boolean("||", MINE, BIG))


def test_what_was_added_up_before_changes_nothing():
    """Only groups whose guards have changed are added up anew: whichever began to hold, or holds no longer."""
    every = [frozenset(some) for size in range(4) for some in itertools.combinations(range(3), size)]
    for first, second in itertools.product(every, repeat=2):
        used = Composer(ACME, TABLES)
        used.compose(first)
        assert used.compose(second) == Composer(ACME, TABLES).compose(second), (first, second)
    assert len({str(Composer(ACME, TABLES).compose(one)) for one in every}) > 4
