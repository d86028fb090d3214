"""Rule sets as `check` makes them, written by hand."""

from __future__ import annotations

from typing import Any

from flask_tenant.decision import Mask, Means
from flask_tenant.expressions import Call, Column, Constant, Expression, Fact, Kind, Slot
from flask_tenant.rules.model import (
    ALWAYS,
    Cap,
    Condition,
    Deny,
    Effect,
    Filter,
    Guard,
    Hide,
    Masks,
    Place,
    Rule,
    RuleSet,
)

PLACE = Place("acme.yaml", 1)
ALL = Condition(((ALWAYS, None),))


def boolean(function: str, *arguments: Expression) -> Call:
    return Call(Kind.BOOL, function, arguments)


def text(value: str) -> Constant:
    return Constant(Kind.TEXT, value)


API = boolean("==", Fact(Kind.TEXT, "channel"), text("api"))
AUDITOR = boolean("in", text("auditor"), Fact(Kind.TEXTS, "roles"))
NO_AUDITOR = boolean("!", AUDITOR)
AGENT = boolean("in", text("agent"), Fact(Kind.TEXTS, "roles"))
MINE = boolean("==", Column(Kind.INT, "owner_id"), Slot(Kind.INT, 0))
OPEN = boolean("==", Column(Kind.TEXT, "state"), Slot(Kind.TEXT, 1))
BIG = boolean(">", Column(Kind.NUMBER, "total"), Slot(Kind.NUMBER, 2))
SLOTS: tuple[Expression, ...] = (Fact(Kind.INT, "user.id"), text("open"), Constant(Kind.NUMBER, 10000))


def sure(expression: Expression) -> Call:
    return boolean("is_true", expression)


def possible(expression: Expression) -> Call:
    return boolean("not_false", expression)


def rule(
    name: str,
    *effects: Effect,
    applies: Condition = ALL,
    verbs: tuple[Any, ...] = ("read",),
    names: tuple[str, ...] = ("ticket",),
) -> Rule:
    return Rule(name, "tenant:acme", PLACE, verbs, names, applies, effects)


def rules(*made: Rule, guards: tuple[Guard, ...] = (), **others: Any) -> RuleSet:
    return RuleSet(
        **{"tenant": "acme", "rules": made, "guards": guards, "slots": SLOTS, "version": 7, **others}
    )


GUARDS = (Guard(NO_AUDITOR, True), Guard(AGENT, False), Guard(API, True))
ACME = rules(
    rule(
        "own-or-open",
        Filter(Condition(((ALWAYS, sure(MINE)), (1, sure(OPEN))))),
        applies=Condition(((0, None),)),
    ),
    rule("api-limits", Cap(1000), applies=Condition(((2, None),)), names=("*",)),
    rule("numbers", Masks((("phone", Mask(Means.LAST, count=4)),)), Hide(("secret",)), names=("customer",)),
    rule(
        "closed",
        Deny(("Closed: ", Column(Kind.TEXT, "state"))),
        applies=Condition(((ALWAYS, possible(BIG)),)),
        verbs=("delete",),
    ),
    guards=GUARDS,
)
TABLES = ("customer", "invoice", "ticket")
