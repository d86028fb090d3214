"""What the rules that apply add up to: a :class:`~flask_tenant.decision.Decision`.

Each kind of effect has a way of adding up that does not depend on the order of rules, and by which another rule never
gives back what one takes away: filters AND, any deny denies, the smallest cap counts, hides unite, the stricter mask
wins. ``set``, ``route`` and ``theme`` do not add up; ``check`` refuses rules that disagree, and here the last one
counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

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

Applies = Expression | None
"""For which rows; ``None`` for all."""


def compose(rules: RuleSet, holding: Collection[int], tables: Iterable[str]) -> Decision:
    """Return what holds.

    :param holding: indices of the guards that hold
    :param tables: what ``"*"`` stands for
    """
    found = _Sum()
    every = tuple(tables)
    for rule in rules.rules:
        if "event" in rule.verbs:
            continue
        applies = residual(rule.applies, holding)
        if applies == FALSE:
            continue
        found.fired.append(rule.id)
        where = None if applies == TRUE else applies
        names = every if rule.names == ("*",) else rule.names
        for effect in rule.effects:
            _add(found, rule, effect, where, names, holding)
    return found.decision(rules)


def residual(condition: Condition, holding: Collection[int]) -> Expression:
    """Return what is left to ask of a row: ``TRUE`` where nothing is, ``FALSE`` where no branch holds."""
    left: dict[Expression, None] = {}
    for guard, rest in condition.branches:
        if guard == ALWAYS or guard in holding:
            if rest is None:
                return TRUE
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


@dataclass(slots=True)
class _Writes:
    denials: list[Denial] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)


@dataclass(slots=True)
class _Results:
    emit: list[tuple[str, str, Applies]] = field(default_factory=list)
    redact: list[tuple[str, Applies]] = field(default_factory=list)
    transform: list[tuple[str, Applies]] = field(default_factory=list)
    hooks: list[tuple[str, Applies]] = field(default_factory=list)


@dataclass(slots=True)
class _Sum:
    """A decision in the making."""

    filters: dict[str, dict[Expression, None]] = field(default_factory=dict)
    masks: dict[str, dict[str, list[Mask]]] = field(default_factory=dict)
    hidden: dict[str, set[str]] = field(default_factory=dict)
    reads: dict[str, list[Denial]] = field(default_factory=dict)
    caps: dict[str, tuple[int, str]] = field(default_factory=dict)
    writes: dict[tuple[str, str], _Writes] = field(default_factory=dict)
    results: dict[str, _Results] = field(default_factory=dict)
    fired: list[str] = field(default_factory=list)
    route: str | None = None
    theme: str | None = None

    def overlays(self) -> Iterator[tuple[str, Overlay]]:
        for table in sorted({*self.filters, *self.masks, *self.hidden}):
            hidden = self.hidden.get(table, ())
            masks = self.masks.get(table, {})
            yield (
                table,
                Overlay(
                    tuple(self.filters.get(table, ())),
                    tuple((name, strictest(masks[name])) for name in sorted(masks) if name not in hidden),
                    tuple(sorted(hidden)),
                ),
            )

    def decision(self, rules: RuleSet) -> Decision:
        overlays = dict(self.overlays())
        return Decision(
            version=rules.version,
            overlays=overlays,
            reads={table: _denial(denials) for table, denials in self.reads.items()},
            caps=self.caps,
            writes={
                key: WriteRules(tuple(one.denials), tuple(one.validations), tuple(one.settings))
                for key, one in self.writes.items()
            },
            results={
                table: ResultRules(tuple(one.emit), tuple(one.redact), tuple(one.transform), tuple(one.hooks))
                for table, one in self.results.items()
            },
            route=self.route,
            slots=rules.slots,
            fired=tuple(self.fired),
            shape=frozenset(overlays.items()),
            theme=self.theme,
        )


def _add(
    found: _Sum,
    rule: Rule,
    effect: model.Effect,
    where: Applies,
    names: Sequence[str],
    holding: Collection[int],
) -> None:
    """Add one effect of a rule that applies."""
    if isinstance(effect, model.Filter):
        keep = keeps(_kept(effect.keep, where, holding))
        if keep != TRUE:
            for table in names:
                found.filters.setdefault(table, {})[keep] = None
    elif isinstance(effect, model.Masks):
        for table in names:
            columns = found.masks.setdefault(table, {})
            for column, mask in effect.masks:
                columns.setdefault(column, []).append(replace(mask, applies=where, rule=rule.id))
    elif isinstance(effect, model.Hide):
        for table in names:
            found.hidden.setdefault(table, set()).update(effect.names)
    elif isinstance(effect, model.Cap):
        for table in names:
            cap = found.caps.get(table)
            if cap is None or effect.rows < cap[0]:
                found.caps[table] = (effect.rows, rule.id)
    elif isinstance(effect, model.Route):
        found.route = effect.engine
    elif isinstance(effect, model.Theme):
        found.theme = effect.theme
    elif isinstance(effect, model.Deny | model.Validate | model.Set):
        _add_write(found, rule, effect, where, names)
    else:
        _add_result(found, rule, effect, where, names)


def _kept(keep: Condition, where: Applies, holding: Collection[int]) -> Expression:
    """Return which rows a filter keeps: those for which it is true, and those that its rule is not about."""
    wanted = residual(keep, holding)
    if where is None or wanted == TRUE:
        return wanted
    exempt = Call(Kind.BOOL, "!", (where,))
    return exempt if wanted == FALSE else _any((exempt, wanted))


def _add_write(
    found: _Sum,
    rule: Rule,
    effect: model.Deny | model.Validate | model.Set,
    where: Applies,
    names: Sequence[str],
) -> None:
    for verb in rule.verbs:
        for table in names:
            if verb == "read":
                if isinstance(effect, model.Deny):
                    found.reads.setdefault(table, []).append(Denial(rule.id, effect.message, where))
                continue
            writes = found.writes.setdefault((table, verb), _Writes())
            if isinstance(effect, model.Deny):
                writes.denials.append(Denial(rule.id, effect.message, where))
            elif isinstance(effect, model.Validate):
                writes.validations.append(Validation(rule.id, effect.hook, where))
            else:
                writes.settings.append(Setting(rule.id, effect.values, where))


def _add_result(found: _Sum, rule: Rule, effect: model.Effect, where: Applies, names: Sequence[str]) -> None:
    for table in names:
        results = found.results.setdefault(table, _Results())
        if isinstance(effect, model.Emit):
            results.emit.append((rule.id, effect.event, where))
        elif isinstance(effect, model.Redact):
            results.redact.extend((column, where) for column in effect.columns)
        elif isinstance(effect, model.Transform):
            results.transform.append((effect.hook, where))
        elif isinstance(effect, model.CallHook):
            results.hooks.append((effect.hook, where))


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
