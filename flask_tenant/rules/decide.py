"""From a rule set and facts to a decision, remembered as far as it can be.

The engine says which guards hold; :mod:`.compose` adds up the rules that then apply. What was decided once is kept by
the facts that guards read, and what was added up once by the guards that held: many facts, few decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..decision import Decision
from ..evaluation import NOTHING, compiled
from ..expressions import Expression, Fact, Kind, walk
from .compose import Composer, guards_of, remember
from .engine import Engine
from .model import Facts, RuleSet

DECISIONS = 64
"""Decisions that are kept of one rule set, by the guards that held."""
QUESTIONS = 512
"""Answers that are kept of one rule set, by the facts that its guards read."""


class Decider:
    """Decides by one rule set.

    :param rules: any but those about events
    :param engine: decides guards
    :param tables: the names of all tables, which ``"*"`` stands for
    :raises RuleEngineError: when the rule set asks what it cannot be told
    """

    def __init__(self, rules: RuleSet, engine: Engine, tables: Iterable[str]) -> None:
        self.rules = rules
        self.tables = tuple(tables)
        self._engine = engine
        self._numbers = sorted(_asked(rules))
        guards = [rules.guards[number] for number in self._numbers]
        self._loaded = engine.load(guards)
        self._composer = Composer(rules, self.tables)
        self.asked = tuple(sorted(_facts_of(guard.test for guard in guards)))
        """The facts that guards read."""
        self.facts = tuple(sorted({*self.asked, *_facts_of(rules.slots)}))
        """The facts that guards and slots read."""
        self._answers: dict[tuple[Any, ...], Decision] = {}
        self._decisions: dict[frozenset[int], Decision] = {}
        self.values = values_of(rules.slots)

    def decide(self, facts: Facts) -> Decision:
        """Return what holds.

        :param facts: those that :attr:`asked` names, typed; what is missing or ``None`` is unknown
        :raises RuleEngineError: when it cannot be decided
        """
        asked = {name: _bucket(facts.get(name)) for name in self.asked}
        key = tuple(asked.values())
        found = self._answers.get(key)
        if found is None:
            found = self._decision(asked)
            remember(self._answers, key, found, QUESTIONS)
        return found

    def holding(self, facts: Facts) -> frozenset[int]:
        """Return the indices of the guards that hold, of those that are not about events alone."""
        return frozenset(self._numbers[place] for place in self._engine.holding(self._loaded, facts))

    def _decision(self, facts: Facts) -> Decision:
        holding = self.holding(facts)
        found = self._decisions.get(holding)
        if found is None:
            found = self._composer.compose(holding)
            remember(self._decisions, holding, found, DECISIONS)
        return found


def values_of(slots: Sequence[Expression]) -> Callable[[Facts], tuple[Any, ...]]:
    """Return a function that works slots out, those that no fact changes once and for all.

    :raises RuleEngineError: for a slot that asks for more than facts
    """
    values: list[Any] = []
    rest: list[tuple[int, Any]] = []
    for index, slot in enumerate(slots):
        program = compiled(slot)
        if any(True for _ in _facts_of([slot])):
            values.append(None)
            rest.append((index, program))
        else:
            values.append(program(NOTHING, NOTHING, NOTHING, ()))
    fixed = tuple(values)

    def work(facts: Facts) -> tuple[Any, ...]:
        found = list(fixed)
        for index, program in rest:
            found[index] = program(NOTHING, NOTHING, facts, ())
        return tuple(found)

    return work if rest else lambda facts: fixed


def _bucket(value: Any) -> Any:
    """Guards see time by the minute, so that what is decided is worth keeping."""
    return value.replace(second=0, microsecond=0) if isinstance(value, datetime) else value


def _facts_of(expressions: Iterable[Expression]) -> dict[str, Kind]:
    return {
        part.name: part.kind
        for expression in expressions
        for part in walk(expression)
        if isinstance(part, Fact)
    }


def _asked(rules: RuleSet) -> frozenset[int]:
    """The guards that matter for decisions; those of event rules ask for facts of the event."""
    return guards_of(rule for rule in rules.rules if "event" not in rule.verbs)


def kinds_asked(rules: RuleSet) -> Mapping[str, Kind]:
    """Return the facts that decisions by a rule set read, with their kinds as the rule files have them."""
    tests = [rules.guards[number].test for number in _asked(rules)]
    return _facts_of([*tests, *rules.slots])
