"""Turns guards into what durable-rules is asked: *lines*, each an AND of "this rank is within these bounds".

A guard holds if one of its lines does. A line brings its bounds along, so that one set of native rules, which is made
once, serves every rule file there will ever be: native rules are never freed in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from sys import intern
from typing import TypeAlias

from ...errors import RuleEngineError
from ...expressions import Call, Constant, Expression, Fact, Kind, walk
from ..model import Facts, Guard
from .scales import NEVER, Range, Scale, comparison

WIDTH = 3
"""The largest number of comparisons in a line; what is longer is worked out before, and asked as one."""
LINES = 16
"""The largest number of lines of a guard, likewise."""

Ranks: TypeAlias = tuple[int | None, ...]
"""One for each scale, ``None`` for unknown."""
Term: TypeAlias = tuple[Expression, bool]
"""A comparison, and whether it is negated."""
Line: TypeAlias = tuple[tuple[int, Range], ...]
"""Numbers of scales, with bounds."""
Question: TypeAlias = tuple[str, tuple[int, ...]]
"""The form of a line with its bounds, and the ranks that it is asked about."""


class Gate:
    """The guards of one rule set, loaded.

    :param guards: over facts and constants
    :raises RuleEngineError: for anything else
    """

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._numbers: dict[Expression, int] = {}
        self._scales: list[Scale] = []
        self.always: frozenset[int] = frozenset()
        self.seen: dict[tuple[int | None, ...], frozenset[int]] = {}
        self.lines: list[AskedLine] = []
        drafts = [_branches(_over_facts(guard)) for guard in guards]
        for draft in drafts:
            for term in {term for branch in draft for term in branch}:
                self._take(term)
        for scale in self._scales:
            scale.settle()
        for index, (guard, draft) in enumerate(zip(guards, drafts, strict=True)):
            if () in draft:
                self.always |= {index}
                continue
            self.lines += [AskedLine(index, guard.possible, line) for line in self._lines(draft)]

    def ranks(self, facts: Facts) -> Ranks:
        """Return where the facts stand on each scale, ``None`` for unknown."""
        return tuple([scale.rank(facts) for scale in self._scales])

    def _take(self, term: Term) -> None:
        subject, function, constants = comparison(term[0])
        number = self._numbers.get(subject)
        if number is None:
            number = self._numbers[subject] = len(self._scales)
            self._scales.append(Scale(subject))
        self._scales[number].add(function, constants)

    def _lines(self, draft: list[tuple[Term, ...]]) -> list[Line]:
        found: list[Line] = []
        for branch in draft:
            choices = [self._places(term) for term in branch]
            found += product(*choices)
        return found

    def _places(self, term: Term) -> list[tuple[int, Range]]:
        subject, function, constants = comparison(term[0])
        number = self._numbers[subject]
        ranges = self._scales[number].ranges(function, constants, term[1])
        return [(number, one) for one in ranges or [NEVER]]


class AskedLine:
    """A line, and what asks about it.

    :param guard: index of the guard that holds if the line does
    """

    def __init__(self, guard: int, possible: bool, line: Line) -> None:
        self.guard = guard
        kind, fields, places = ("p" if possible else "s"), [], []
        for at, (scale, (low, high)) in enumerate(line):
            name = f"{kind}{len(line)}{at}"
            fields.append(f'"{name}a":%d')
            places.append(3 * scale + (1 if possible else 0))
            if possible:
                fields.append(f'"{name}k":%d')
                places.append(3 * scale + 2)
            fields.append(f'"{name}l":{low},"{name}h":{high}')
        # One string for all lines alike: what a question is known by is compared as often as it is asked.
        self._text = intern("{" + ",".join(['"id":"%d"', *fields]) + "}")
        self._places = places

    def asks(self, values: Sequence[int]) -> Question:
        """Return what the answer depends on: nothing else does it, whichever rule set the line is of.

        :param values: of :func:`spread_out`
        """
        return self._text, tuple([values[place] for place in self._places])


def spread_out(ranks: Ranks) -> list[int]:
    """Return three numbers for each scale: rank or -1, rank or 0, whether it is known."""
    values: list[int] = []
    for rank in ranks:
        values += (-1, 0, 0) if rank is None else (rank, rank, 1)
    return values


def batch(questions: Iterable[Question]) -> str:
    """Return the JSON text that asks several questions, between one that has to hold and one that must not."""
    asked = [text % (number, *values) for number, (text, values) in enumerate(questions)]
    return f"[{YES},{','.join(asked)},{NO}]"


YES = '{"id":"yes","s10a":1,"s10l":1,"s10h":1}'
NO = '{"id":"no","p10a":1,"p10k":1,"p10l":2,"p10h":2}'


def native_rules() -> dict[str, object]:
    """Return the definition of the only native rules: one for each form that a line can have.

    In a line of sure comparisons an unknown rank is -1, which is within no bounds. In a line of possible ones it is 0
    and comes with a *known* of 0, by which the bounds are multiplied: it is then within any.
    """
    found: dict[str, object] = {}
    for kind, width in product("sp", range(1, WIDTH + 1)):
        tests: list[object] = []
        for at in range(width):
            name = f"{kind}{width}{at}"
            for function, bound in (("$gte", "l"), ("$lte", "h")):
                value: object = {"$m": name + bound}
                if kind == "p":
                    value = {"$mul": {"$l": value, "$r": {"$m": name + "k"}}}
                tests.append({function: {name + "a": value}})
        found[f"{kind}{width}"] = {"all": [{"m": {"$and": tests}}]}
    return found


# ---- conditions as an OR of ANDs
def _over_facts(guard: Guard) -> Guard:
    for part in walk(guard.test):
        if not isinstance(part, Constant | Fact | Call):
            raise RuleEngineError(f"A guard is about the request alone, not about {part!r}", value=part)
    if guard.test.kind is not Kind.BOOL:
        raise RuleEngineError(f"A guard is true or false, not a {guard.test.kind.value}", value=guard.test)
    return guard


def _branches(guard: Guard) -> list[tuple[Term, ...]]:
    """Return an OR of ANDs of comparisons; an empty AND is true. Where there would be too many: one comparison."""
    found = _spread(guard.test, False, guard.possible)
    lines = sum(_count(branch) for branch in found) if found is not None else LINES + 1
    if found is None or lines > LINES or any(len(branch) > WIDTH for branch in found):
        return [((guard.test, False),)]
    return found


def _count(branch: tuple[Term, ...]) -> int:
    """How many lines an AND may become: one for each stretch of values that a comparison admits."""
    count = 1
    for expression, negated in branch:
        _, function, constants = comparison(expression)
        stretches = len(constants) + 1 if negated or function == "!=" else len(constants)
        count *= max(stretches if function in {"==", "!=", "in"} else 1, 1)
    return count


def _spread(expression: Expression, negated: bool, possible: bool) -> list[tuple[Term, ...]] | None:
    """``None`` stands for too many."""
    if isinstance(expression, Constant):
        holds = possible if expression.value is None else expression.value is not negated
        return [()] if holds else []
    if isinstance(expression, Call) and expression.function == "!":
        return _spread(expression.arguments[0], not negated, possible)
    if isinstance(expression, Call) and expression.function in {"&&", "||"}:
        parts = [_spread(argument, negated, possible) for argument in expression.arguments]
        if (expression.function == "||") is not negated:
            branches = [branch for part in parts for branch in part or ()]
        else:
            branches = _crossed([part if part is not None else [] for part in parts])
        return None if None in parts or len(branches) > LINES else branches
    return [((expression, negated),)]


def _crossed(parts: list[list[tuple[Term, ...]]]) -> list[tuple[Term, ...]]:
    found: list[tuple[Term, ...]] = [()]
    for part in parts:
        found = [tuple(dict.fromkeys(left + right)) for left in found for right in part]
        if len(found) > LINES:
            break
    return found
