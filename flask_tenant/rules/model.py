"""A rule set after ``check``: frozen, hashable where it matters, and free of the file's notation.

Conditions have been type-checked and normalised: what asks only about the request is a *guard*, for the engine; what
asks about the row is a *residual*, for SQL. A condition holds if one of its branches does: guard AND residual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..decision import Mask
from ..expressions import Expression, Kind

Verb: TypeAlias = Literal["read", "insert", "update", "delete", "result", "theme", "event"]
"""``write`` of a rule file is spelt out: insert and update."""

ALWAYS = -1


@dataclass(frozen=True, slots=True)
class Guard:
    """A question about the request alone.

    :param test: a boolean expression over facts and constants, negation pushed down to comparisons
    :param possible: whether unknown counts as holding: true where the guard restricts, false where it exempts
    """

    test: Expression
    possible: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds if one branch does.

    :param branches: (index into the rule set's guards, or ``ALWAYS``; residual, or ``None`` for true). Residuals are
        over columns, constants and slots, and say themselves what unknown means (``is_true``, ``not_false``)
    """

    branches: tuple[tuple[int, Expression | None], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class Filter:
    keep: Condition


@dataclass(frozen=True, slots=True)
class Masks:
    masks: tuple[tuple[str, Mask], ...]


@dataclass(frozen=True, slots=True)
class Hide:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cap:
    rows: int


@dataclass(frozen=True, slots=True)
class Deny:
    message: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Route:
    engine: str


@dataclass(frozen=True, slots=True)
class Validate:
    hook: str


@dataclass(frozen=True, slots=True)
class Set:
    values: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Emit:
    event: str


@dataclass(frozen=True, slots=True)
class Redact:
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transform:
    hook: str


@dataclass(frozen=True, slots=True)
class CallHook:
    hook: str


@dataclass(frozen=True, slots=True)
class Webhook:
    name: str


@dataclass(frozen=True, slots=True)
class Theme:
    theme: str


Effect: TypeAlias = (
    Filter
    | Masks
    | Hide
    | Cap
    | Deny
    | Route
    | Validate
    | Set
    | Emit
    | Redact
    | Transform
    | CallHook
    | Webhook
    | Theme
)


@dataclass(frozen=True, slots=True)
class Count:
    """How often an event has to come before its rule fires.

    :param by: over facts of the event: what is counted together
    :param within: seconds
    """

    by: Expression | None
    at_least: int
    within: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    :param names: tables, or events; ``("*",)`` for all tables
    :param applies: when the effects hold: ``when`` is not false and ``unless`` is not true, in that sense already
    :param scope: ``all``, ``plan:NAME`` or ``tenant:SLUG``
    :param once: for event rules: ``hour``, ``day``, ``month`` or ``""``
    """

    id: str
    scope: str
    place: Place
    verbs: tuple[Verb, ...]
    names: tuple[str, ...]
    applies: Condition
    effects: tuple[Effect, ...]
    count: Count | None = None
    once: str = ""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that hold for one tenant, from all scopes.

    :param version: number of its activation; 0 while it is not activated
    :param guards: each once
    :param slots: over facts: what residuals ask of the request, each once
    :param facts: name -> kind, of the facts that its rules name
    """

    tenant: str
    rules: tuple[Rule, ...] = ()
    guards: tuple[Guard, ...] = ()
    slots: tuple[Expression, ...] = ()
    facts: Mapping[str, Kind] = field(default_factory=dict)
    version: int = 0


Facts: TypeAlias = Mapping[str, Any]
"""Typed values by name; a missing name is unknown."""
