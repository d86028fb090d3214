"""A language small enough to compile rules by hand: each line is the id of a rule that denies reading ``note``.

``broken`` is a mistake. So the store is tested without the language of rule files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from flask_tenant.errors import RuleFileError
from flask_tenant.model import Tenant
from flask_tenant.rules.model import ALWAYS, Condition, Deny, Place, Rule, RuleSet
from flask_tenant.rules.store import RuleFile


def compile_(files: Sequence[RuleFile], tenant: Tenant | None) -> RuleSet:
    """Make a rule set."""
    rules = []
    for file in files:
        for number, line in enumerate(file.text.split(), 1):
            if line == "broken":
                raise RuleFileError("1 error", findings=(f"{file.name}:{number}:1: broken",))
            rules.append(
                Rule(
                    line,
                    file.scope,
                    Place(file.name, number),
                    ("read",),
                    ("note",),
                    Condition(((ALWAYS, None),)),
                    (Deny((file.text,)),),
                )
            )
    return RuleSet(tenant.slug if tenant else "", tuple(rules))


def dump(rules: RuleSet) -> str:
    """Write a rule set."""
    return json.dumps([[r.id, r.scope, r.place.file, r.place.line] for r in rules.rules])


def restore(text: str) -> RuleSet:
    """Read a rule set."""
    return RuleSet(
        "",
        tuple(
            Rule(i, scope, Place(file, line), ("read",), ("note",), Condition(((ALWAYS, None),)), (Deny(()),))
            for i, scope, file, line in json.loads(text)
        ),
    )


def ids(rules: RuleSet | None) -> list[str]:
    """The rules' ids."""
    return [rule.id for rule in rules.rules] if rules is not None else []
