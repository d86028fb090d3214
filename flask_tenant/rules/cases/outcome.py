"""What rules do in a case: worked out from the decision, row by row, as the wall would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from ...decision import STARS, Decision, Denial, Mask, Means
from ...evaluation import evaluate
from ...expressions import Expression
from ..model import ALWAYS, CallHook, Condition, Emit, Facts, RuleSet, Webhook
from .notation import Case

Decide: TypeAlias = Callable[[RuleSet, Facts], Decision]
"""Makes the decision of a rule set for some facts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of a case; the fields are those of the notation's ``expect``."""

    visible: bool = True
    shows: Mapping[str, Any] | None = None
    lacks: tuple[str, ...] = ()
    denied: str | None = None
    by: str = ""
    cap: int | None = None
    route: str | None = None
    sets: Mapping[str, Any] | None = None
    asks: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    redacts: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    theme: str | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """Works expressions out for one row."""

    facts: Facts
    row: Mapping[str, Any]
    old: Mapping[str, Any]
    values: Sequence[Any]

    def at(self, expression: Expression) -> Any:
        return evaluate(expression, row=self.row, old=self.old, facts=self.facts, values=self.values)

    def applies(self, expression: Expression | None) -> bool:
        """Whether something restricts here: in doubt it does."""
        return expression is None or self.at(expression) is not False


def outcome(case: Case, rules: RuleSet, decide: Decide) -> Outcome:
    """Return what rules do in a case.

    :raises RuleEngineError: when it cannot be told
    """
    if case.verb == "event":
        return _event(case, rules)
    decision = decide(rules, case.facts)
    facts = {**case.facts, "rows": case.rows}
    values = [evaluate(slot, facts=case.facts) for slot in decision.slots]
    look = _Look(facts, case.row, case.old, values)
    if case.verb == "theme":
        return Outcome(theme=getattr(decision, "theme", None))
    if case.verb == "read":
        return _read(case.target, decision, look)
    if case.verb == "result":
        return _result(case.target, decision, look)
    return _write(case, decision, look)


def _read(table: str, decision: Decision, look: _Look) -> Outcome:
    overlay = decision.overlays.get(table)
    denial = decision.reads.get(table)
    denied = denial is not None and look.applies(denial.applies)
    shows = dict(look.row)
    for column, mask in overlay.masks if overlay is not None else ():
        if look.applies(mask.applies):
            shows[column] = masked(mask, look.row.get(column))
    lacks = overlay.hidden if overlay is not None else ()
    for column in lacks:
        shows.pop(column, None)
    cap = decision.caps.get(table)
    return Outcome(
        visible=overlay is None or all(look.at(keep) is True for keep in overlay.filters),
        shows=shows,
        lacks=lacks,
        denied=_said(denial, look) if denied and denial is not None else None,
        by=denial.rule if denied and denial is not None else "",
        cap=cap[0] if cap is not None else None,
        route=decision.route,
    )


def _write(case: Case, decision: Decision, look: _Look) -> Outcome:
    overlay = decision.overlays.get(case.target)
    found = decision.writes.get((case.target, case.verb))
    before = _Look(look.facts, look.old, look.old, look.values)
    visible = overlay is None or case.verb == "insert" or all(before.at(f) is True for f in overlay.filters)
    if found is None:
        return Outcome(visible=visible)
    sets: dict[str, Any] = {}
    for setting in found.settings:
        if look.applies(setting.applies):
            sets.update((column, look.at(value)) for column, value in setting.values)
    denial = next((d for d in found.denials if look.applies(d.applies)), None)
    return Outcome(
        visible=visible,
        denied=_said(denial, look) if denial is not None else None,
        by=denial.rule if denial is not None else "",
        sets=sets,
        asks=tuple(v.hook for v in found.validations if look.applies(v.applies)),
    )


def _result(table: str, decision: Decision, look: _Look) -> Outcome:
    found = decision.results.get(table)
    if found is None:
        return Outcome()
    return Outcome(
        emits=tuple(event for _, event, applies in found.emit if look.applies(applies)),
        redacts=tuple(column for column, applies in found.redact if look.applies(applies)),
        transforms=tuple(hook for hook, applies in found.transform if look.applies(applies)),
        calls=tuple(hook for hook, applies in found.hooks if look.applies(applies)),
    )


def _event(case: Case, rules: RuleSet) -> Outcome:
    effects = [
        effect
        for rule in rules.rules
        if "event" in rule.verbs
        and case.target in rule.names
        and holds(rule.applies, rules, case.facts)
        and (rule.count is None or case.times >= rule.count.at_least)
        for effect in rule.effects
    ]
    return Outcome(
        emits=tuple(e.event for e in effects if isinstance(e, Emit)),
        calls=tuple(e.hook for e in effects if isinstance(e, CallHook)),
        webhooks=tuple(e.name for e in effects if isinstance(e, Webhook)),
    )


def holds(condition: Condition, rules: RuleSet, facts: Facts, row: Mapping[str, Any] | None = None) -> bool:
    """Whether a condition holds, worked out without the engine.

    :param row: without one, branches that ask about the row hold wherever their guards do
    """
    values = [evaluate(slot, facts=facts) for slot in rules.slots] if row is not None else []
    for index, residual in condition.branches:
        if index != ALWAYS:
            guard = rules.guards[index]
            answer = evaluate(guard.test, facts=facts)
            if not (answer is True or (answer is None and guard.possible)):
                continue
        if residual is None or row is None or evaluate(residual, row=row, facts=facts, values=values) is True:
            return True
    return False


def masked(mask: Mask, value: Any) -> Any:
    """Return what a mask shows in place of a value."""
    if mask.means is Means.CONSTANT:
        return mask.value
    if mask.means is Means.EMPTY or value is None:
        return None
    text = str(value)
    if len(text) <= mask.count:
        return STARS
    return STARS + text[-mask.count :] if mask.means is Means.LAST else text[: mask.count] + STARS


def _said(denial: Denial, look: _Look) -> str:
    return "".join(part if isinstance(part, str) else plain(look.at(part)) for part in denial.message)


def plain(value: Any) -> str:
    """Return a value as messages show it."""
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)
