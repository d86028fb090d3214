"""What the database does by itself past a rule: rows that it writes, and columns that it works out from masked ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..model import Deny, Filter, Hide, Masks, Rule
from .findings import Findings
from .vocabulary import Vocabulary

_DONE = {"insert": "inserts", "update": "updates", "delete": "deletes"}
_GONE = {"insert": "inserted", "update": "updated", "delete": "deleted"}
_HINT = "change the rule or the database, or name it in TENANT_UNRULED_OBJECTS if rules need not look"


def find_bypasses(rules: Sequence[Rule], vocabulary: Vocabulary, findings: Findings) -> None:
    """Find rules that could be walked round, and note what cannot be told."""
    first: Rule | None = None
    about: set[str] = set()
    for rule in rules:
        minded = set(_minded(rule, vocabulary))
        if minded and first is None:
            first = rule
        _shown(rule, vocabulary, findings)
        about |= set(vocabulary.tables if rule.names == ("*",) else rule.names)
        for (table, verb), passing in vocabulary.passing.items():
            if _denies(rule, table, verb):
                continue  # nobody gets so far
            for does, to, by in passing:
                if (to, does) in minded:
                    findings.error(
                        rule.place,
                        f'{by} {_DONE[does]} rows of "{to}" when rows of "{table}" are {_GONE[verb]}, '
                        f'and "{rule.id}" is not asked: {_HINT}',
                    )
    for view, tables in vocabulary.views.items() if rules else ():
        for table in sorted(about.intersection(tables)):
            findings.note(
                rules[0].place,
                f'the view "{view}" shows rows of "{table}": statements that use it are refused where rules are about '
                "that table, unless it is named in TENANT_UNRULED_OBJECTS",
            )
    if first is not None:
        for table, by in vocabulary.passing_unknown:
            findings.note(
                first.place,
                f'what writing "{table}" leads to cannot be told, and no rule is asked: {by}; {_HINT}',
            )


def _shown(rule: Rule, vocabulary: Vocabulary, findings: Findings) -> None:
    """Find generated columns that show what a rule masks or hides."""
    unseen: set[str] = set()
    for effect in rule.effects:
        if isinstance(effect, Masks):
            unseen |= {name for name, _ in effect.masks}
        elif isinstance(effect, Hide):
            unseen |= set(effect.names)
    for table in vocabulary.tables if rule.names == ("*",) else rule.names:
        for column, text in vocabulary.generated.get(table, {}).items() if unseen else ():
            words = {word.lower() for word in re.findall(r"\w+", text)}
            for name in sorted(unseen):
                if column not in unseen and name.lower() in words:
                    findings.error(
                        rule.place,
                        f'"{column}" of "{table}" is generated from "{name}" and would show it: '
                        f'let "{rule.id}" mask or hide it as well',
                    )


def _minded(rule: Rule, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """Yield the tables that a rule is about, and what has to be done to their rows past its back."""
    verbs: set[str] = set()
    if "read" in rule.verbs:
        for effect in rule.effects:
            if isinstance(effect, Filter):
                verbs |= {"update", "delete"}
            elif isinstance(effect, Masks | Hide):
                verbs |= {"insert", "update"}
    verbs |= {"insert", "update", "delete"} & set(rule.verbs)
    for table in vocabulary.tables if rule.names == ("*",) else rule.names:
        for verb in verbs:
            yield table, verb


def _denies(rule: Rule, table: str, verb: str) -> bool:
    """Whether whoever is under the rule cannot do this to any row of a table."""
    return (
        verb in rule.verbs
        and (rule.names == ("*",) or table in rule.names)
        and any(isinstance(effect, Deny) for effect in rule.effects)
        and all(residual is None for _, residual in rule.applies.branches)
    )
