"""A rule set as JSON, for the store, and back: what is activated is loaded without reading a rule file again.

Expressions stand in one list, each once and after those that it is made of, and are referred to by number. What comes
back from a database is not trusted: every name, number and type is looked at again, and what does not fit refuses the
whole set. Equal expressions of different sets are one object, so that a thousand tenants with like rules need little.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from ...decision import Mask, Means
from ...errors import RuleFileError
from ...expressions import Column, Constant, Expression, Fact, Kind, Slot, walk
from .. import model
from ..model import ALWAYS, Condition, Count, Effect, Guard, Place, Rule, RuleSet
from .branches import ROWS
from .json_values import condition_of, dict_of, int_of, list_of, one_of, refuse, text_of, texts_of
from .pool import LEAVES, Pool, shared_call, shared_facts

FORMAT = 1
LARGEST_EXPRESSION = 10_000
"""Parts of one expression, spelt out: a list that refers to itself twice at each step would else grow without end."""

_VERBS = frozenset(get_args(model.Verb))
_ONCE = frozenset({"", "hour", "day", "month"})


def dump(ruleset: RuleSet) -> str:
    """Return a rule set as JSON."""
    pool = Pool()
    data = {
        "format": FORMAT,
        "tenant": ruleset.tenant,
        "version": ruleset.version,
        "facts": {name: kind.value for name, kind in ruleset.facts.items()},
        "guards": [[pool.add(guard.test), int(guard.possible)] for guard in ruleset.guards],
        "slots": [pool.add(slot) for slot in ruleset.slots],
        "rules": [_rule(rule, pool) for rule in ruleset.rules],
        "expressions": pool.entries,
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def restore(text: str) -> RuleSet:
    """Return the rule set that :func:`dump` wrote.

    :raises RuleFileError: when it is anything else
    """
    try:
        return _Restored(json.loads(text, parse_constant=refuse)).ruleset()
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise RuleFileError(
            f"A stored rule set cannot be read: {type(error).__name__} {error}",
            value=text[:80],
            hint="It was not written by this version of flask_tenant, or was changed since: activate the rules again",
        ) from error


def _rule(rule: Rule, pool: Pool) -> list[Any]:
    count = rule.count
    return [
        rule.id,
        rule.scope,
        [rule.place.file, rule.place.line, rule.place.column],
        list(rule.verbs),
        list(rule.names),
        _condition(rule.applies, pool),
        [_effect(effect, pool) for effect in rule.effects],
        count and [None if count.by is None else pool.add(count.by), count.at_least, count.within],
        rule.once,
    ]


def _condition(condition: Condition, pool: Pool) -> list[list[Any]]:
    return [[guard, None if row is None else pool.add(row)] for guard, row in condition.branches]


def _effect(effect: Effect, pool: Pool) -> list[Any]:
    name = type(effect).__name__
    if isinstance(effect, model.Filter):
        return [name, _condition(effect.keep, pool)]
    if isinstance(effect, model.Masks):
        return [name, [[column, *_mask(mask, pool)] for column, mask in effect.masks]]
    if isinstance(effect, model.Deny):
        return [name, [part if isinstance(part, str) else pool.add(part) for part in effect.message]]
    if isinstance(effect, model.Set):
        return [name, [[column, pool.add(value)] for column, value in effect.values]]
    (field,) = effect.__dataclass_fields__
    value = getattr(effect, field)
    return [name, list(value) if isinstance(value, tuple) else value]


def _mask(mask: Mask, pool: Pool) -> list[Any]:
    if mask.applies is not None:
        raise ValueError("A mask of a rule set holds where its rule does")
    value = None if mask.means is not Means.CONSTANT else pool.add(Constant(_kind(mask.value), mask.value))
    return [mask.means.value, value, mask.count, mask.rule]


def _kind(value: Any) -> Kind:
    kinds_of: dict[type, Kind] = {
        bool: Kind.BOOL, int: Kind.INT, Decimal: Kind.NUMBER, str: Kind.TEXT,
        datetime: Kind.TIME, date: Kind.DATE, timedelta: Kind.DURATION,
    }  # fmt: skip
    return kinds_of[type(value)]


# ---- and back
class _Restored:
    """Puts a rule set together from its data, and believes none of it."""

    def __init__(self, data: Any) -> None:
        if dict_of(data).get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}, found {data.get('format')!r}")
        self._data = data
        self._facts = shared_facts(
            tuple((text_of(name), Kind(kind)) for name, kind in dict_of(data["facts"]).items())
        )
        self._expressions: list[Expression] = []
        self._sizes: list[int] = []
        for entry in list_of(data["expressions"]):
            self._add(list_of(entry))
        self._slots = tuple(self._about_request(number) for number in list_of(data["slots"]))
        self._guards = tuple(self._guard(*list_of(each)) for each in list_of(data["guards"]))

    def ruleset(self) -> RuleSet:
        data = self._data
        rules = tuple(self._rule(*list_of(each)) for each in list_of(data["rules"]))
        if len({rule.id for rule in rules}) != len(rules):
            raise ValueError("two rules have one id")
        return RuleSet(
            text_of(data["tenant"]), rules, self._guards, self._slots, self._facts, int_of(data["version"])
        )

    def _add(self, entry: list[Any]) -> None:
        size = 1
        found: Expression
        if entry[0] == "x":
            numbers = [int_of(number) for number in entry[2:]]
            if any(not 0 <= number < len(self._expressions) for number in numbers):
                raise ValueError("an expression is made of later ones")
            size += sum(self._sizes[number] for number in numbers)
            found = shared_call(text_of(entry[1]), tuple(self._expressions[number] for number in numbers))
        else:
            kind = Kind(entry[1])
            found = LEAVES[entry[0]](kind, *entry[2:])
            if isinstance(found, Fact) and found.name != ROWS and self._facts.get(found.name) is not kind:
                raise ValueError(f"the fact {found.name} is not declared as {kind}")
        if size > LARGEST_EXPRESSION:
            raise ValueError("an expression is too large")
        self._expressions.append(found)
        self._sizes.append(size)

    def _expression(self, number: Any) -> Expression:
        if not 0 <= int_of(number) < len(self._expressions):
            raise ValueError(f"there is no expression {number}")
        found: Expression = self._expressions[number]
        return found

    def _about_request(self, number: Any) -> Expression:
        found = self._expression(number)
        if any(
            isinstance(part, Column | Slot) or (isinstance(part, Fact) and part.name == ROWS)
            for part in walk(found)
        ):
            raise ValueError("something about a row is asked of the request")
        return found

    def _guard(self, number: Any, possible: Any) -> Guard:
        return Guard(condition_of(self._about_request(number)), bool(one_of(possible, (0, 1))))

    def _slotted(self, expression: Expression) -> Expression:
        """A residual or value: its slots are there, and of the right kind."""
        for part in walk(expression):
            if isinstance(part, Slot) and (
                not 0 <= part.index < len(self._slots) or self._slots[part.index].kind is not part.kind
            ):
                raise ValueError(f"there is no slot {part.index} of type {part.kind}")
        return expression

    def _condition(self, branches: Any) -> Condition:
        found: list[tuple[int, Expression | None]] = []
        for guard, row in map(list_of, list_of(branches)):
            if not ALWAYS <= int_of(guard) < len(self._guards):
                raise ValueError(f"there is no guard {guard}")
            found.append((guard, None if row is None else condition_of(self._slotted(self._expression(row)))))
        return Condition(tuple(found))

    def _rule(
        self,
        id_: Any,
        scope: Any,
        place: Any,
        verbs: Any,
        names: Any,
        applies: Any,
        effects: Any,
        count: Any,
        once: Any,
    ) -> Rule:
        file, line, column = list_of(place)
        found = Rule(
            id=text_of(id_),
            scope=text_of(scope),
            place=Place(text_of(file), int_of(line), int_of(column)),
            verbs=texts_of(verbs, _VERBS),  # type: ignore[arg-type]
            names=texts_of(names),
            applies=self._condition(applies),
            effects=tuple(self._effect(*list_of(each)) for each in list_of(effects)),
            count=None if count is None else self._count(*list_of(count)),
            once=one_of(text_of(once), _ONCE),
        )
        if (
            found.scope.partition(":")[0] not in {"all", "plan", "tenant"}
            or not found.verbs
            or not found.effects
        ):
            raise ValueError(f"the rule {found.id} has no scope, no verb or no effect")
        return found

    def _count(self, by: Any, at_least: Any, within: Any) -> Count:
        if not isinstance(within, float | int) or within <= 0 or int_of(at_least) < 1:
            raise ValueError("a count is not positive")
        return Count(None if by is None else self._about_request(by), at_least, float(within))

    def _effect(self, name: Any, value: Any) -> Effect:
        if name == "Filter":
            return model.Filter(self._condition(value))
        if name == "Masks":
            return model.Masks(tuple(self._mask(*list_of(each)) for each in list_of(value)))
        if name == "Deny":
            return model.Deny(
                tuple(part if isinstance(part, str) else self._expression(part) for part in list_of(value))
            )
        if name == "Set":
            return model.Set(
                tuple((text_of(column), self._expression(number)) for column, number in list_of(value))
            )
        if name == "Cap":
            if int_of(value) < 1:
                raise ValueError("a cap is not positive")
            return model.Cap(value)
        if name in _OF_NAMES:
            return _OF_NAMES[name](texts_of(value))
        return _OF_NAME[name](text_of(value))

    def _mask(self, column: Any, means: Any, value: Any, count: Any, rule: Any) -> tuple[str, Mask]:
        constant = None if value is None else self._expression(value)
        if (means == Means.CONSTANT) != isinstance(constant, Constant) or (
            means in {Means.LAST, Means.FIRST} and int_of(count) < 1
        ):
            raise ValueError(f"the mask of {column} is not one")
        shown = constant.value if isinstance(constant, Constant) else None
        return text_of(column), Mask(Means(means), shown, int_of(count), None, text_of(rule))


_OF_NAME: Mapping[str, Callable[[str], Effect]] = {
    each.__name__: each
    for each in (
        model.Route, model.Validate, model.Emit, model.Transform, model.CallHook, model.Webhook, model.Theme
    )
}  # fmt: skip
_OF_NAMES: Mapping[str, Callable[[tuple[str, ...]], Effect]] = {"Hide": model.Hide, "Redact": model.Redact}
