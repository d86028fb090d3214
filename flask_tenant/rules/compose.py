"""What the rules that apply add up to: a :class:`~flask_tenant.decision.Decision`.

Each kind of effect has a way of adding up that does not depend on the order of rules, and by which another rule never
gives back what one takes away: filters AND, any deny denies, the smallest cap counts, hides unite, the stricter mask
wins. ``set``, ``route`` and ``theme`` do not add up; ``check`` refuses rules that disagree, and here the last one
counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..decision import (
    Decision,
    Denial,
    Mask,
    Means,
    Overlay,
    ResultRules,
    Setting,
    Validation,
    WriteRules,
)
from ..expressions import FALSE, TRUE, Call, Expression, Kind
from . import model
from .model import ALWAYS, Condition, Rule, RuleSet

Applies: TypeAlias = Expression | None
"""For which rows; ``None`` for all."""
KEPT = 64
"""What a group of tables keeps."""
SHAPES = 4096
"""Shapes that are kept of all rule sets together."""
Shape: TypeAlias = frozenset[tuple[str, Overlay]]
K = TypeVar("K")
V = TypeVar("V")
_shapes: dict[Shape, Shape] = {}
_overlays: dict[Overlay, Overlay] = {}
_GENERAL = frozenset({model.Route, model.Theme})


class Composer:
    """Adds up the rules of a rule set, all but those about events.

    Tables that the same rules are about form a *group*: what holds for one holds for all of them, and depends on few
    guards, so that it is kept by those.

    :param tables: what ``"*"`` stands for
    """

    def __init__(self, rules: RuleSet, tables: Iterable[str]) -> None:
        self._set = rules
        self._rules = [rule for rule in rules.rules if "event" not in rule.verbs]
        self._general = [rule for rule in self._rules if _GENERAL.intersection(map(type, rule.effects))]
        self._fires = [(rule.id, _fires(rule.applies)) for rule in self._rules]
        every = tuple(tables)
        about: dict[str, list[int]] = {}
        for number, rule in enumerate(self._rules):
            for table in every if rule.names == ("*",) else dict.fromkeys(rule.names):
                about.setdefault(table, []).append(number)
        groups: dict[tuple[int, ...], list[str]] = {}
        for table, numbers in about.items():
            groups.setdefault(tuple(numbers), []).append(table)
        self._groups = [
            _Group([self._rules[number] for number in numbers], tuple(names))
            for numbers, names in groups.items()
        ]
        self._asking: dict[int, list[int]] = {}
        """Guards, with the numbers of the groups that depend on them."""
        for number, group in enumerate(self._groups):
            for guard in group.guards:
                self._asking.setdefault(guard, []).append(number)
        self._last: tuple[frozenset[int], list[_Parts]] | None = None

    def compose(self, holding: frozenset[int]) -> Decision:
        """Return what holds.

        :param holding: indices of the guards that hold
        """
        kept: _What = _What({}, {}, {}, {}, {})
        for parts in self._parts(holding):
            for number, part in parts:
                kept[number].update(part)
        route = theme = None
        for rule in self._general:
            if residual(rule.applies, holding) is not FALSE:
                for effect in rule.effects:
                    if isinstance(effect, model.Route):
                        route = effect.engine
                    elif isinstance(effect, model.Theme):
                        theme = effect.theme
        return Decision(
            version=self._set.version,
            **kept._asdict(),
            route=route,
            slots=self._set.slots,
            fired=tuple([name for name, by in self._fires if by is None or not by.isdisjoint(holding)]),
            shape=shared(frozenset(kept.overlays.items())),
            theme=theme,
        )

    def _parts(self, holding: frozenset[int]) -> list[_Parts]:
        """Return what holds for each group: as it was found the last time, but where a guard holds now or no longer."""
        last = self._last
        if last is None:
            found = [group.what(holding) for group in self._groups]
        else:
            found = last[1].copy()
            asking = self._asking
            for number in {number for guard in holding ^ last[0] for number in asking.get(guard, ())}:
                found[number] = self._groups[number].what(holding)
        self._last = holding, found
        return found


def shared(shape: Shape) -> Shape:
    """Return the one object that stands for all equal shapes: its hash is worked out once."""
    return _one(_shapes, shape)


def _one(kept: dict[K, K], value: K) -> K:
    """Return the one object that stands for all that are equal to it: the next comparison sees it at a glance."""
    found = kept.get(value)
    if found is None:
        remember(kept, value, value, SHAPES)
        found = value
    return found


def remember(kept: dict[K, V], key: K, value: V, most: int) -> None:
    """Keep a value, and let go of the oldest where there are too many. Threads may do so at once."""
    if len(kept) >= most:
        with suppress(KeyError, StopIteration, RuntimeError):
            while len(kept) >= most:
                del kept[next(iter(kept))]
    kept[key] = value


def _fires(condition: Condition) -> frozenset[int] | None:
    """Return the guards of which one has to hold for a rule to apply to any row, ``None`` when it does anyway."""
    guards = frozenset(guard for guard, rest in condition.branches if rest is None or rest != FALSE)
    return None if ALWAYS in guards else guards


def guards_of(rules: Iterable[Rule]) -> frozenset[int]:
    """Return the indices of the guards that rules ask."""
    found: set[int] = set()
    for rule in rules:
        conditions = [
            rule.applies,
            *(effect.keep for effect in rule.effects if isinstance(effect, model.Filter)),
        ]
        found.update(guard for one in conditions for guard, _ in one.branches if guard != ALWAYS)
    return frozenset(found)


def residual(condition: Condition, holding: Collection[int]) -> Expression:
    """Return what is left to ask of a row: ``TRUE`` where nothing is, ``FALSE`` where no branch holds."""
    left: dict[Expression, None] = {}
    for guard, rest in condition.branches:
        if guard == ALWAYS or guard in holding:
            if rest is None or rest == TRUE:
                return TRUE
            if rest != FALSE:
                left[rest] = None
    return _any(tuple(left))


def strictest(masks: Sequence[Mask]) -> Mask:
    """Return the mask that shows nothing which one of several hides.

    One that shows nothing of the value wins over those that show a part of it, the shortest part over longer ones of
    the same end. Of what cannot be compared (two constants, two ends) nothing is shown. It holds wherever one of them
    does.
    """
    chosen = _strictest(masks)
    where = {mask.applies for mask in masks}
    applies = None if None in where else _any(tuple(dict.fromkeys(m.applies for m in masks if m.applies)))
    return replace(chosen, applies=applies)


def keeps(expression: Expression) -> Expression:
    """Return a condition that is true for the same rows, without what matters only where it is not.

    A database can use an index for ``a = 1``, and hardly for "``a = 1`` is true".
    """
    if isinstance(expression, Call):
        if expression.function == "is_true":
            return keeps(expression.arguments[0])
        if expression.function in {"&&", "||"}:
            return Call(Kind.BOOL, expression.function, tuple(map(keeps, expression.arguments)))
        if expression.function == "!":
            inner = expression.arguments[0]
            if isinstance(inner, Call) and inner.function == "not_false":
                return keeps(Call(Kind.BOOL, "!", inner.arguments))
            if isinstance(inner, Call) and inner.function == "!":
                return keeps(inner.arguments[0])
    return expression


class _What(NamedTuple):
    """What holds for tables: the parts of a decision that are told by their names."""

    overlays: dict[str, Overlay]
    reads: dict[str, Denial]
    caps: dict[str, tuple[int, str]]
    writes: dict[tuple[str, str], WriteRules]
    results: dict[str, ResultRules]


_Parts: TypeAlias = list[tuple[int, Any]]
_PLACES = {name: place for place, name in enumerate(_What._fields)}


class _Group:
    """Tables that the same rules are about."""

    def __init__(self, rules: Sequence[Rule], names: tuple[str, ...]) -> None:
        self.names = names
        self._rules = rules
        self.guards = guards_of(rules)
        self._known: dict[frozenset[int], _Parts] = {}

    def what(self, holding: frozenset[int]) -> _Parts:
        """Return what holds: the parts of a :class:`_What` that are not empty, with their places in it."""
        key = holding & self.guards
        found = self._known.get(key)
        if found is None:
            total = _Sum()
            for rule in self._rules:
                left = residual(rule.applies, key)
                if left is not FALSE:
                    where = None if left is TRUE else left
                    for effect in rule.effects:
                        _add(total, rule, effect, where, key)
            found = total.what(self.names)
            remember(self._known, key, found, KEPT)
        return found


@dataclass(slots=True)
class _Sum:
    """What holds for one table, in the making."""

    filters: dict[Expression, None] = field(default_factory=dict)
    masks: dict[str, list[Mask]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    reads: list[Denial] = field(default_factory=list)
    cap: tuple[int, str] | None = None
    denials: dict[str, list[Denial]] = field(default_factory=dict)
    validations: dict[str, list[Validation]] = field(default_factory=dict)
    settings: dict[str, list[Setting]] = field(default_factory=dict)
    emit: list[tuple[str, str, Applies]] = field(default_factory=list)
    redact: list[tuple[str, Applies]] = field(default_factory=list)
    transform: list[tuple[str, Applies]] = field(default_factory=list)
    hooks: list[tuple[str, Applies]] = field(default_factory=list)

    def what(self, tables: Iterable[str]) -> _Parts:
        """Return what it comes to: only the parts that are not empty, for most rules have one effect."""
        found: dict[str, dict[Any, Any]] = {}
        if self.filters or self.masks or self.hidden:
            masks = [
                (name, strictest(self.masks[name])) for name in sorted(self.masks) if name not in self.hidden
            ]
            overlay = Overlay(tuple(self.filters), tuple(masks), tuple(sorted(self.hidden)))
            found["overlays"] = dict.fromkeys(tables, _one(_overlays, overlay))
        if self.reads:
            found["reads"] = dict.fromkeys(tables, _denial(self.reads))
        if self.cap is not None:
            found["caps"] = dict.fromkeys(tables, self.cap)
        verbs = dict.fromkeys([*self.denials, *self.validations, *self.settings])
        if verbs:
            found["writes"] = {(table, verb): self._written(verb) for verb in verbs for table in tables}
        if self.emit or self.redact or self.transform or self.hooks:
            results = ResultRules(
                tuple(self.emit), tuple(self.redact), tuple(self.transform), tuple(self.hooks)
            )
            found["results"] = dict.fromkeys(tables, results)
        return [(_PLACES[name], part) for name, part in found.items()]

    def _written(self, verb: str) -> WriteRules:
        return WriteRules(
            tuple(self.denials.get(verb, ())),
            tuple(self.validations.get(verb, ())),
            tuple(self.settings.get(verb, ())),
        )


def _add(found: _Sum, rule: Rule, effect: model.Effect, where: Applies, holding: Collection[int]) -> None:
    """Add one effect of a rule that applies."""
    if isinstance(effect, model.Filter):
        keep = keeps(_kept(effect.keep, where, holding))
        if keep != TRUE:
            found.filters[keep] = None
    elif isinstance(effect, model.Masks):
        for column, mask in effect.masks:
            found.masks.setdefault(column, []).append(replace(mask, applies=where, rule=rule.id))
    elif isinstance(effect, model.Hide):
        found.hidden.update(effect.names)
    elif isinstance(effect, model.Cap):
        if found.cap is None or effect.rows < found.cap[0]:
            found.cap = (effect.rows, rule.id)
    elif isinstance(effect, model.Emit):
        found.emit.append((rule.id, effect.event, where))
    elif isinstance(effect, model.Redact):
        found.redact.extend((column, where) for column in effect.columns)
    elif isinstance(effect, model.Transform):
        found.transform.append((effect.hook, where))
    elif isinstance(effect, model.CallHook):
        found.hooks.append((effect.hook, where))
    elif isinstance(effect, model.Deny):
        denial = Denial(rule.id, effect.message, where)
        for verb in rule.verbs:
            (found.reads if verb == "read" else found.denials.setdefault(verb, [])).append(denial)
    elif isinstance(effect, model.Validate):
        for verb in rule.verbs:
            found.validations.setdefault(verb, []).append(Validation(rule.id, effect.hook, where))
    elif isinstance(effect, model.Set):
        for verb in rule.verbs:
            found.settings.setdefault(verb, []).append(Setting(rule.id, effect.values, where))


def _kept(keep: Condition, where: Applies, holding: Collection[int]) -> Expression:
    """Return which rows a filter keeps: those for which it is true, and those that its rule is not about."""
    wanted = residual(keep, holding)
    if where is None or wanted == TRUE:
        return wanted
    exempt = Call(Kind.BOOL, "!", (where,))
    return exempt if wanted == FALSE else _any((exempt, wanted))


def _denial(denials: Sequence[Denial]) -> Denial:
    """Several denials of reading one table: one for all rows wins, else wherever one of them denies."""
    for denial in denials:
        if denial.applies is None:
            return denial
    return replace(denials[0], applies=_any(tuple(dict.fromkeys(d.applies for d in denials if d.applies))))


def _any(conditions: tuple[Expression, ...]) -> Expression:
    if len(conditions) == 1:
        return conditions[0]
    return Call(Kind.BOOL, "||", conditions) if conditions else FALSE


def _strictest(masks: Sequence[Mask]) -> Mask:
    by_means: dict[Means, list[Mask]] = {}
    for mask in masks:
        by_means.setdefault(mask.means, []).append(mask)
    constants = by_means.get(Means.CONSTANT, [])
    if Means.EMPTY in by_means:
        return by_means[Means.EMPTY][0]
    if constants and all(one.value == constants[0].value for one in constants):
        return constants[0]
    if constants or len(by_means) > 1:
        return Mask(Means.EMPTY, rule=masks[0].rule)
    return min(masks, key=lambda mask: mask.count)
