"""What rules cost: ``python -m bench.rules``.

A decision that nobody has made before (cold), one that was made before (warm), and a statement of a tenant that has no
rules; loading many tenants' rule sets, and what they and 10,000 reloads leave in memory. Times are the fastest of
several turns, of the processor, which other programs do not lengthen as much as those of the clock.
"""

from __future__ import annotations

import argparse
import gc
import os
import pickle
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask_tenant.context import Scope
from flask_tenant.decision import Mask, Means
from flask_tenant.expressions import Call, Column, Constant, Expression, Fact, Kind, Slot
from flask_tenant.model import Tenant
from flask_tenant.rules.decide import Decider
from flask_tenant.rules.engine import durable_rules
from flask_tenant.rules.facts import Facts
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
from flask_tenant.rules.runtime import Rules
from tests.rules.books import MemoryBook

TENANTS, ACTIVE, RULES, RELOADS = 1_000, 100, 20, 10_000
COLD_US, LOAD_S, LOAD_MB, RELOAD_MB = 100.0, 5.0, 300.0, 50.0
WARM_US = 2.0
TABLES = tuple(f"table{number}" for number in range(20))


def boolean(function: str, *arguments: Expression) -> Call:
    """A condition."""
    return Call(Kind.BOOL, function, arguments)


def text(value: str) -> Constant:
    """A text."""
    return Constant(Kind.TEXT, value)


def rule_set(tenant: str, seed: int) -> RuleSet:
    """Twenty rules as operators write them: no two tenants compare with the same constants."""
    role, path = Fact(Kind.TEXTS, "roles"), Fact(Kind.TEXT, "path")
    tests = [boolean("!", boolean("in", text(f"role{seed}-{n}"), role)) for n in range(5)]
    tests += [
        boolean("==", Fact(Kind.TEXT, "channel"), text("api")),
        boolean("startsWith", path, text(f"/r{seed}")),
    ]
    tests += [
        boolean("in", text(f"agent{seed}"), role),
        boolean("==", Fact(Kind.INT, "month"), Constant(Kind.INT, 12)),
    ]
    tests += [
        boolean(
            "&&",
            boolean("!=", Fact(Kind.TEXT, "method"), text("GET")),
            boolean("startsWith", path, text("/x")),
        )
    ]
    guards = tuple(Guard(test, number != 7) for number, test in enumerate(tests))
    slots: tuple[Expression, ...] = (
        Fact(Kind.INT, "user.id"),
        Call(Kind.DATE, "-", (Fact(Kind.DATE, "today"), Constant(Kind.DURATION, timedelta(days=seed % 300)))),
        text(f"open{seed}"),
    )
    own = boolean("is_true", boolean("==", Column(Kind.INT, "owner_id"), Slot(Kind.INT, 0)))
    recent = boolean("is_true", boolean(">=", Column(Kind.DATE, "issued_on"), Slot(Kind.DATE, 1)))
    state = boolean("is_true", boolean("==", Column(Kind.TEXT, "state"), Slot(Kind.TEXT, 2)))
    always = Condition(((ALWAYS, None),))
    effects: list[tuple[Effect, ...]] = [
        (Filter(Condition(((ALWAYS, recent),))),),
        (Filter(Condition(((ALWAYS, own), (7, state)))),),
        (Masks((("phone", Mask(Means.LAST, count=4)),)), Hide(("note",))),
        (Cap(1000 + seed),),
        (Deny(("Not by this way",)),),
    ]
    rules = tuple(
        Rule(
            f"rule{number}",
            "tenant:" + tenant,
            Place(tenant + ".yaml", number),
            ("delete",) if number % 5 == 4 else ("read",),
            (TABLES[number],),
            always if number % 4 == 3 else Condition(((number % len(guards), None),)),
            effects[number % 5],
        )
        for number in range(RULES)
    )
    return RuleSet(tenant, rules, guards, slots, {}, 1)


def yardstick() -> float:
    """Milliseconds for a million empty turns of a loop: how fast this machine is at the moment."""
    return fastest(15, lambda turn: sum(1 for _ in range(1_000_000)) // 1_000_000) / 1_000


def resident() -> float:
    """Resident memory in MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def fastest(turns: int, work: Callable[[int], int]) -> float:
    """Microseconds for one of what ``work`` does; it returns how many it has done."""
    best = float("inf")
    for turn in range(turns):
        start = time.process_time()
        count = work(turn)
        best = min(best, (time.process_time() - start) / count * 1e6)
    return best


class Holder:
    """A connection, as far as rules are concerned."""

    def __init__(self) -> None:
        self.ft_held: dict[str, object] = {}


class World:
    """A server that knows many tenants."""

    def __init__(self, stored: list[bytes]) -> None:
        self.roles: list[str] = []
        self.channel = "page"
        self.tenants = [Tenant(number + 1, f"t{number}", "") for number in range(len(stored) + 1)]
        self.scope = Scope(self.tenants[0])
        self.book = MemoryBook(pickle.loads(one) for one in stored)
        self.facts = Facts()
        self.facts.provider("roles", Kind.TEXTS)(lambda: self.roles)
        self.facts.provider("user.id", Kind.INT)(lambda: 7)
        self.facts.provider("channel", Kind.TEXT)(lambda: self.channel)
        self.facts.provider("path", Kind.TEXT)(lambda: "/invoices")
        self.facts.provider("method", Kind.TEXT)(lambda: "GET")
        self.rules = Rules(lambda: self.scope, self.facts, self.book, lambda: TABLES)

    def visit(self, number: int, holder: Holder) -> None:
        """Ask as for one statement of a tenant."""
        self.scope = Scope(self.tenants[number])
        self.rules.ruling(holder)


def two_facts() -> RuleSet:
    """A rule set that reads two facts."""
    full = rule_set("t0", 0)
    guards = (full.guards[0], full.guards[5])
    made = tuple(
        Rule(one.id, one.scope, one.place, one.verbs, one.names, Condition(((n % 2, None),)), (Cap(10),))
        for n, one in enumerate(full.rules)
    )
    return RuleSet("t0", made, guards, (), {}, 1)


def main() -> None:
    """Measure, print, and fail where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--reloads", type=int, default=RELOADS)
    arguments = parser.parse_args()
    figures: list[tuple[str, float, float, str]] = []

    stored = [pickle.dumps(rule_set(f"t{number}", number)) for number in range(TENANTS)]
    before, start = resident(), time.process_time()
    world = World(stored)
    for number in range(TENANTS):
        world.visit(number, Holder())
    figures.append((f"{TENANTS} rule sets, each decided once", time.process_time() - start, LOAD_S, "s"))
    figures.append(("their memory", resident() - before, LOAD_MB, "MB"))

    def cold(turn: int) -> int:
        for number in range(ACTIVE):
            world.roles = [f"role{number}-{turn % 5}", f"turn{turn}"]
            world.visit(number, holders[number])
        return ACTIVE

    holders = [Holder() for _ in range(ACTIVE)]
    for number in range(ACTIVE):
        world.visit(number, holders[number])
    figures.append(("cold decision, guards as never before", fastest(5, cold), COLD_US, "us"))

    def other_facts(turn: int) -> int:
        for number in range(ACTIVE):
            world.roles = [f"nobody{turn}-{number}"]
            world.visit(number, holders[number])
        return ACTIVE

    figures.append(
        ("facts as never before, that change no guard", fastest(arguments.turns, other_facts), COLD_US, "us")
    )

    holder = holders[0]
    world.scope = Scope(world.tenants[0])
    ruling = world.rules.ruling

    def warm(turn: int) -> int:
        for _ in range(5_000):
            ruling(holder)
        return 5_000

    figures.append(("warm ruling, seven facts", fastest(arguments.turns, warm), float("inf"), "us"))
    world.book.activate(two_facts())
    holder.ft_held.clear()
    figures.append(("warm ruling, two facts", fastest(arguments.turns, warm), WARM_US, "us"))
    world.scope = Scope(world.tenants[-1])
    holder.ft_held.clear()
    figures.append(("tenant without rules", fastest(arguments.turns, warm), 0.5, "us"))

    engine = durable_rules()
    before = resident()
    for number in range(arguments.reloads):
        made = rule_set("t0", number)
        Decider(made, engine, TABLES).decide({"roles": (f"role{number}-1",), "month": 12})
    figures.append(
        (f"{arguments.reloads} reloads, each with other contents", resident() - before, RELOAD_MB, "MB")
    )

    print(f"yardstick: {yardstick():.0f} ms for a million turns of a loop")
    missed = 0
    for name, value, limit, unit in figures:
        missed += value > limit
        bound = (
            "" if limit == float("inf") else f"at most {limit:g} {unit}{'   MISSED' if value > limit else ''}"
        )
        print(f"{name:45} {value:9.2f} {unit:3} {bound}")
    if missed:
        raise SystemExit(f"{missed} targets were missed")


if __name__ == "__main__":
    main()
