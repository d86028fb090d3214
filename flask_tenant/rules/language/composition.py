"""Whether rules of several files go together, and that a narrower scope never widens what a wider one allows.

Much of that holds by construction. Every effect but ``set``, ``route`` and ``theme`` only takes away, and they add up:
filters AND, any deny denies, the smallest cap counts, hides unite, the stricter mask wins. A rule has no words for
another rule: ``unless`` stands inside the one that it exempts from, and an id is given once, so that no file can
redefine, exempt from or switch off what another says. What is left is checked here:

- two masks of one column that cannot be compared, two values set to one column, two routes;
- ``set`` of a narrower scope on a column that a wider one looks at, masks or hides: it would decide what the wider
  rule sees;
- a value or a message that would show elsewhere what a rule masks or hides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from ...decision import Mask, Means
from ..model import Place, Rule
from .claims import Claim
from .findings import Findings
from .source import breadth

_STRICTNESS = {Means.EMPTY: 3, Means.CONSTANT: 2, Means.LAST: 1, Means.FIRST: 1}


def compose(rules: Iterable[Rule], claims: Iterable[Claim], findings: Findings) -> None:
    """Find what does not go together."""
    _ids(rules, findings)
    by_what: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_what[claim.what].append(claim)
    _masks(by_what["mask"], findings)
    _sets(by_what["set"], findings)
    _routes(by_what["route"], findings)
    _widening(by_what, findings)
    _showing(by_what, findings)


def comparable(one: Mask, other: Mask) -> bool:
    """Whether one of two masks is at least as strict as the other.

    From the strictest: empty, a constant, a part. Of two parts of the same end, the shorter is stricter. Two constants
    that differ cannot be compared, nor can two ends.
    """
    if _STRICTNESS[one.means] != _STRICTNESS[other.means]:
        return True
    return one.means is other.means and (one.means is not Means.CONSTANT or one.value == other.value)


def _ids(rules: Iterable[Rule], findings: Findings) -> None:
    first: dict[str, Rule] = {}
    for rule in rules:
        earlier = first.setdefault(rule.id, rule)
        if earlier is not rule:
            what = (
                "an id is given once, and no rule can be redefined"
                if earlier.scope != rule.scope
                else "expected another id"
            )
            findings.error(rule.place, f'there is a rule "{rule.id}" at {_at(earlier.place)} already; {what}')


def _masks(claims: list[Claim], findings: Findings) -> None:
    for one, other in _pairs(claims, lambda claim: (claim.table, claim.column)):
        if not comparable(one.value, other.value):
            findings.error(
                other.place,
                f'the rule "{one.rule}" at {_at(one.place)} masks "{other.column}" in another way, and neither is'
                " stricter: use the same mask in both, or empty in one of them",
            )


def _sets(claims: list[Claim], findings: Findings) -> None:
    for one, other in _pairs(claims, lambda claim: (claim.table, claim.verb, claim.column)):
        if one.value != other.value:
            findings.error(
                other.place,
                f'the rule "{one.rule}" at {_at(one.place)} sets "{other.column}" of "{other.table}" to something else:'
                " make it one rule, with a value such as row.total > 100 ? 'a' : 'b'",
            )


def _routes(claims: list[Claim], findings: Findings) -> None:
    for one, other in _pairs(claims, lambda claim: ()):
        if one.value != other.value:
            findings.error(
                other.place,
                f'the rule "{one.rule}" at {_at(one.place)} routes to "{one.value}": a statement has one engine',
            )


def _widening(by_what: dict[str, list[Claim]], findings: Findings) -> None:
    watched: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for what in ("condition", "mask", "hide"):
        for claim in by_what[what]:
            watched[claim.table, claim.column].append(claim)
    for claim in by_what["set"]:
        wider = [
            each for each in watched[claim.table, claim.column] if breadth(each.scope) < breadth(claim.scope)
        ]
        if wider:
            findings.error(
                claim.place,
                f'the rule "{wider[0].rule}" at {_at(wider[0].place)} depends on "{claim.column}", and holds for more:'
                " a narrower scope cannot set it",
            )


def _showing(by_what: dict[str, list[Claim]], findings: Findings) -> None:
    secret: dict[tuple[str, str], Claim] = {}
    for what in ("mask", "hide"):
        for claim in by_what[what]:
            secret.setdefault((claim.table, claim.column), claim)
    for what, wrong in (
        ("message", "this message would show it"),
        ("value", "this value would store it elsewhere"),
    ):
        for claim in by_what[what]:
            found = secret.get((claim.table, claim.column))
            if found is not None:
                findings.error(
                    claim.place,
                    f'the rule "{found.rule}" at {_at(found.place)} masks or hides "{claim.column}"; {wrong}',
                )
    for claim in by_what["condition"]:
        found = secret.get((claim.table, claim.column))
        if found is not None:
            findings.note(
                claim.place,
                f'"{claim.column}" is masked or hidden by the rule "{found.rule}", and this condition reads its raw'
                " value: which rows it is true for tells something of it",
            )


def _pairs(claims: list[Claim], key: object) -> Iterable[tuple[Claim, Claim]]:
    """Yield each claim with the first that differs from it in the rule and has the same key."""
    groups: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        groups[key(claim)].append(claim)  # type: ignore[operator]
    for group in groups.values():
        yield from ((one, other) for one, other in combinations(group, 2) if one.rule != other.rule)


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}"
