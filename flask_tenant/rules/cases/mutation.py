"""Breaks each rule in turn. A mutation that no case notices shows what the cases do not cover."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import timedelta
from typing import Any

from ...expressions import ZONE, Call, Expression, Kind, walk
from ..language.conditions import column_said
from ..model import ALWAYS, Condition, Guard, Rule, RuleSet
from .judge import judge
from .notation import Case
from .outcome import Decide

FLIPPED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
NEGATED = {"in", "startsWith", "endsWith", "contains"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule set with one mistake.

    :param rule: the rule that is broken
    :param mistake: in words
    """

    rule: Rule
    mistake: str
    rules: RuleSet


def mutants(rules: RuleSet, wanted: Callable[[Rule], bool] = lambda rule: True) -> Iterator[Mutant]:
    """Yield a rule set without each rule, and with each of its comparisons turned round.

    :param wanted: which rules are broken
    """
    for at, rule in enumerate(rules.rules):
        if not wanted(rule):
            continue
        without = (*rules.rules[:at], *rules.rules[at + 1 :])
        yield Mutant(rule, "removed", replace(rules, rules=without))
        for comparison in _comparisons(rule, rules):
            broken, guards = _flipped(rule, rules, comparison)
            changed = (*rules.rules[:at], broken, *rules.rules[at + 1 :])
            turned = FLIPPED.get(comparison.function, f"not {comparison.function}")
            yield Mutant(
                rule,
                f"{said(comparison, rules.slots)} turned into {turned}",
                replace(rules, rules=changed, guards=guards),
            )


def survivors(
    cases: Sequence[Case],
    candidates: Iterable[Mutant],
    decide: Decide,
    step: Callable[..., None] = lambda *a: None,
) -> list[Mutant]:
    """Return the mutants that no case notices.

    :param step: called after each
    """
    left = []
    for mutant in candidates:
        if all(judge(case, mutant.rules, decide).good for case in cases):
            left.append(mutant)
        step(mutant.rule.id)
    return left


def _conditions(value: Any) -> Iterator[Condition]:
    """The conditions of a rule, wherever in it they are."""
    if isinstance(value, Condition):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _conditions(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _conditions(getattr(value, each.name))


def _comparisons(rule: Rule, rules: RuleSet) -> list[Call]:
    """Every comparison of a rule, once."""
    found: dict[Call, None] = {}
    for condition in _conditions(rule):
        for index, residual in condition.branches:
            tests = [rules.guards[index].test] if index != ALWAYS else []
            tests += [residual] if residual is not None else []
            for test in tests:
                for part in walk(test):
                    if isinstance(part, Call) and part.function in FLIPPED.keys() | NEGATED:
                        found[part] = None
    return list(found)


def _flipped(rule: Rule, rules: RuleSet, comparison: Call) -> tuple[Rule, tuple[Guard, ...]]:
    """Turn a comparison round wherever it stands in one rule; guards that others use too are copied."""
    guards = list(rules.guards)
    moved: dict[int, int] = {}

    def branch(index: int, residual: Expression | None) -> tuple[int, Expression | None]:
        if index != ALWAYS and index not in moved:
            guard = rules.guards[index]
            turned = _turned(guard.test, comparison)
            moved[index] = index
            if turned != guard.test:
                moved[index] = len(guards)
                guards.append(replace(guard, test=turned))
        return moved.get(index, index), _turned(residual, comparison) if residual is not None else None

    def rebuilt(value: Any) -> Any:
        if isinstance(value, Condition):
            return Condition(tuple(branch(*each) for each in value.branches))
        if isinstance(value, tuple):
            return tuple(rebuilt(item) for item in value)
        if is_dataclass(value) and not isinstance(value, type) and any(True for _ in _conditions(value)):
            return replace(value, **{f.name: rebuilt(getattr(value, f.name)) for f in fields(value)})
        return value

    changed: Rule = rebuilt(rule)
    return changed, tuple(guards)


def _turned(expression: Expression, comparison: Call) -> Expression:
    if expression == comparison:
        if comparison.function in FLIPPED:
            return replace(comparison, function=FLIPPED[comparison.function])
        return Call(Kind.BOOL, "!", (comparison,))
    if isinstance(expression, Call):
        return replace(expression, arguments=tuple(_turned(a, comparison) for a in expression.arguments))
    return expression


def said(expression: Expression, slots: Sequence[Expression] = ()) -> str:
    """Return an expression as an operator would write it.

    :param slots: what the places for values stand for
    """
    from ...expressions import Column, Constant, Fact, Slot

    if isinstance(expression, Constant):
        return _constant(expression.value)
    if isinstance(expression, Fact):
        return expression.name
    if isinstance(expression, Column):
        return column_said(expression.image or "row", expression.name)
    if isinstance(expression, Slot):
        return said(slots[expression.index]) if slots else f"value {expression.index}"
    arguments = [said(a, slots) for a in expression.arguments if a != ZONE]
    if expression.function in {"is_true", "not_false"}:
        return arguments[0]  # what unknown counts as is nothing that operators write
    if expression.function in {"&&", "||"}:
        return "(" + f" {expression.function} ".join(arguments) + ")"
    if len(arguments) == 2 and not expression.function.isalpha():
        return f"{arguments[0]} {expression.function} {arguments[1]}"
    if expression.function == "in":
        return f"{arguments[0]} in {arguments[1]}"
    return f"{expression.function}({', '.join(arguments)})"


def _constant(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, timedelta):
        for name, unit in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
            if not value % unit:
                return f"{name}({value // unit})"
        return f"minutes({value // timedelta(minutes=1)})"
    return "null" if value is None else str(value)
