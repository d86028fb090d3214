"""What differs between two versions of the rules: line by line, and rule by rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .history import RuleFile


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one file.

    :param lines: a unified diff, without line ends
    :param added: ids of rules that are new
    :param removed: ids of rules that are gone
    :param changed: (id of a rule, the keys that differ); comments and layout do not count
    """

    name: str
    scope: str
    lines: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def sentence(self) -> str:
        """The change in words."""
        parts = []
        if self.added:
            parts.append(f"added {', '.join(self.added)}")
        if self.removed:
            parts.append(f"removed {', '.join(self.removed)}")
        parts += [f"changed {name} ({', '.join(keys)})" for name, keys in self.changed]
        return "; ".join(parts) or "comments and layout only"


def differences(
    before: Iterable[RuleFile], after: Iterable[RuleFile], labels: tuple[str, str] = ("before", "after")
) -> list[Difference]:
    """Return what differs, for each file that does, by name.

    :param labels: what the two versions are called in the heads of the diffs
    """
    old, new = ({file.name: file for file in files} for files in (before, after))
    found = []
    for name in sorted(old.keys() | new.keys()):
        one, two = old.get(name), new.get(name)
        if one == two:
            continue
        lines = difflib.unified_diff(
            one.text.splitlines() if one else [],
            two.text.splitlines() if two else [],
            f"{name} ({labels[0]})" if one else "(none)",
            f"{name} ({labels[1]})" if two else "(none)",
            lineterm="",
        )
        had, has = rules_of(one), rules_of(two)
        changed = []
        for rule in [r for r in has if r in had and has[r] != had[r]]:
            keys = {**had[rule], **has[rule]}
            changed.append((rule, tuple(key for key in keys if had[rule].get(key) != has[rule].get(key))))
        scope = (two or one or RuleFile(name, "", "")).scope
        found.append(
            Difference(
                name,
                scope,
                tuple(lines),
                tuple(r for r in has if r not in had),
                tuple(r for r in had if r not in has),
                tuple(changed),
            )
        )
    return found


def rules_of(file: RuleFile | None) -> dict[str, Mapping[str, Any]]:
    """Return the rules of a file by their ids, as they are written; none of a file that is none."""
    if file is None:
        return {}
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        read = YAML(typ="safe", pure=True).load(file.text)
    except YAMLError:
        return {}
    rules = read.get("rules") if isinstance(read, Mapping) else None
    return {
        str(rule.get("id")): rule
        for rule in (rules if isinstance(rules, list) else ())
        if isinstance(rule, Mapping)
    }
