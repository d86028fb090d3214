"""Checks the rule files that hold for one tenant, and makes one rule set of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ...expressions import Expression, Fact, Kind, walk
from ..model import Condition, Count, Deny, Filter, Place, Rule, RuleSet, Set
from . import schema
from .bypasses import find_bypasses
from .claims import Built
from .composition import compose
from .document import Document, read
from .findings import Findings, lines
from .rules import build
from .source import ALL, Source, breadth
from .vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule set that is fit to be activated.

    :param notes: what an operator should know all the same, each as ``file:line:column: …``
    """

    ruleset: RuleSet
    notes: tuple[str, ...] = ()


def check(sources: Iterable[Source], vocabulary: Vocabulary, tenant: str = "") -> Checked:
    """Check the files that hold for one tenant together: for all, for its plan, and its own.

    :param vocabulary: what they may name
    :param tenant: slug of the tenant that they hold for; without it, the one that a file names
    :raises RuleFileError: with every finding, each as ``file:line:column: what was expected``
    """
    findings, built = Findings(), Built()
    scoped = [
        (scope, document)
        for source in sources
        if (document := _document(source, findings)) is not None
        and (scope := _scope(source, document, findings)) is not None
    ]
    scoped.sort(key=lambda each: breadth(each[0]))
    tenant = _together(scoped, tenant, findings)
    for scope, document in scoped:
        build(document, scope, vocabulary, findings, built)
    compose(built.rules, built.claims, findings)
    find_bypasses(built.rules, vocabulary, findings)
    findings.stop()
    rules = tuple(built.rules)
    guards, slots = tuple(built.collected.guards), tuple(built.collected.slots)
    facts = _facts(rules, (*(guard.test for guard in guards), *slots))
    return Checked(RuleSet(tenant, rules, guards, slots, facts), lines(findings.notes))


def _document(source: Source, findings: Findings) -> Document | None:
    document, errors = _conforming(source.name, source.text)
    findings.errors.extend(errors)
    return document


@lru_cache(maxsize=8)
def _conforming(name: str, text: str) -> tuple[Document | None, tuple[tuple[Place, str], ...]]:
    """Read a file. The one that holds for everybody is read once, not for each tenant; nobody changes what is kept."""
    findings = Findings()
    document = read(name, text, findings)
    if document is not None and not schema.conforms(document, findings):
        document = None
    return document, tuple(findings.errors)


def _scope(source: Source, document: Document, findings: Findings) -> str | None:
    given = document.data["scope"]
    scope = ALL if given == ALL else ":".join(next(iter(given.items())))
    if source.scope and scope != source.scope:
        findings.error(
            document.place(("scope",)),
            f"expected the scope {_said(source.scope)}, for which the file stands where it does, found {_said(scope)}",
        )
        return None
    return scope


def _said(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f"{{{kind}: {name}}}" if name else scope


def _together(scoped: list[tuple[str, Document]], tenant: str, findings: Findings) -> str:
    """Return the tenant; files of two tenants, or of two plans, are not checked together."""
    for kind in ("plan", "tenant"):
        named = [
            (scope.partition(":")[2], document) for scope, document in scoped if scope.startswith(f"{kind}:")
        ]
        wanted = tenant if kind == "tenant" and tenant else named[0][0] if named else ""
        for name, document in named:
            if name != wanted:
                findings.error(
                    document.place(("scope",)), f'expected rules of the {kind} "{wanted}", found "{name}"'
                )
        if kind == "tenant":
            tenant = wanted
    return tenant


def _facts(rules: Iterable[Rule], shared: Iterable[Expression]) -> dict[str, Kind]:
    """Return the facts that the rules name, ordered."""
    found: dict[str, Kind] = {}
    for expression in (*shared, *(each for rule in rules for each in _expressions(rule))):
        found.update((part.name, part.kind) for part in walk(expression) if isinstance(part, Fact))
    found.pop("rows", None)
    return dict(sorted(found.items()))


def _expressions(rule: Rule) -> Iterable[Expression]:
    if isinstance(rule.count, Count) and rule.count.by is not None:
        yield rule.count.by
    yield from _residuals(rule.applies)
    for effect in rule.effects:
        if isinstance(effect, Filter):
            yield from _residuals(effect.keep)
        elif isinstance(effect, Set):
            yield from (value for _, value in effect.values)
        elif isinstance(effect, Deny):
            yield from (part for part in effect.message if not isinstance(part, str))


def _residuals(condition: Condition) -> Iterable[Expression]:
    return (residual for _, residual in condition.branches if residual is not None)
