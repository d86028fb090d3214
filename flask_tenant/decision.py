"""What the rules have decided for a statement: frozen values that ``rules`` makes and ``isolate`` renders.

A *decision* says what holds now, for these facts. Its *overlays* change what a table's view shows. Two decisions with
equal overlays render equal SQL, whatever their values: the overlays are the key, the values are bound.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .expressions import Expression

STARS = "****"
"""Stands for what a partial mask takes away. Always four: the length of a value says something about it."""


class Means(enum.StrEnum):
    """How a mask hides a value."""

    EMPTY = "empty"  # NULL; an empty text or zero where the column admits no NULL
    CONSTANT = "constant"  # the same value for every row
    LAST = "last"  # ``count`` characters at the end stay, the others become *
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Mask:
    """What a column shows in place of its value.

    :param value: for ``CONSTANT``
    :param count: characters that stay, for ``LAST`` and ``FIRST``
    :param applies: for which rows, ``None`` for all: the mask holds where it is true *or unknown*
    :param rule: id of the rule that says so
    """

    means: Means
    value: Any = None
    count: int = 0
    applies: Expression | None = None
    rule: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Overlay:
    """What rules add to one table's view. Hashable: with the others it is the shape of a statement.

    :param filters: conditions on the raw row, of which each has to be TRUE for the row to be there
    :param masks: (column, mask), each column once, ordered by column
    :param hidden: columns that are not there at all, ordered
    """

    filters: tuple[Expression, ...] = ()
    masks: tuple[tuple[str, Mask], ...] = ()
    hidden: tuple[str, ...] = ()
    _hash: int = field(default=0, init=False, compare=False, repr=False)

    def __hash__(self) -> int:
        # Worked out once: there is a whole tree below, and shapes are looked up often.
        found = self._hash
        if not found:
            found = hash((self.filters, self.masks, self.hidden)) or 1
            object.__setattr__(self, "_hash", found)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Overlay, (self.filters, self.masks, self.hidden)  # hashes are another process's own


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal that a rule asks for.

    :param rule: the rule's id
    :param message: for people: text and expressions in turn; expressions are worked out for the row
    :param applies: for which rows, ``None`` for all: it denies where this is true *or unknown*
    """

    rule: str
    message: tuple[str | Expression, ...] = ()
    applies: Expression | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """A hook that has to agree to a row before it is written."""

    rule: str
    hook: str
    applies: Expression | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """Values that a rule puts into a row that is written: (column, expression over the new row and facts)."""

    rule: str
    values: tuple[tuple[str, Expression], ...]
    applies: Expression | None = None


@dataclass(frozen=True, slots=True)
class WriteRules:
    """What holds for writing one table, by ``insert``, ``update`` or ``delete``."""

    denials: tuple[Denial, ...] = ()
    validations: tuple[Validation, ...] = ()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultRules:
    """What happens to the rows that a statement on one table gives.

    :param emit: (rule, event name, condition over ``rows`` or None)
    :param redact: columns whose values are replaced in the result
    :param transform: names of hooks that the app registered, in order; each takes and returns one row's mapping
    """

    emit: tuple[tuple[str, str, Expression | None], ...] = ()
    redact: tuple[tuple[str, Expression | None], ...] = ()
    transform: tuple[tuple[str, Expression | None], ...] = ()
    hooks: tuple[tuple[str, Expression | None], ...] = ()


_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds for one tenant and one set of facts. Tables are named as the database stores them, without schema.

    :param version: of the rule set that decided; 0 when the tenant has no rules
    :param overlays: table -> overlay; ``"*"`` never occurs, it is spelt out
    :param reads: table -> denial of reading it
    :param caps: table -> the largest number of rows that the outermost result may have, and the rule
    :param writes: (table, ``insert`` | ``update`` | ``delete``) -> rules
    :param results: table -> rules
    :param route: name of the engine that reads go to, ``None`` for the usual one
    :param slots: over facts: what :class:`~flask_tenant.expressions.Slot` stands for, by index
    :param fired: ids of the rules that hold, for ``explain``
    """

    version: int = 0
    overlays: Mapping[str, Overlay] = field(default_factory=lambda: _NOTHING, hash=False)
    reads: Mapping[str, Denial] = field(default_factory=lambda: _NOTHING, hash=False)
    caps: Mapping[str, tuple[int, str]] = field(default_factory=lambda: _NOTHING, hash=False)
    writes: Mapping[tuple[str, str], WriteRules] = field(default_factory=lambda: _NOTHING, hash=False)
    results: Mapping[str, ResultRules] = field(default_factory=lambda: _NOTHING, hash=False)
    route: str | None = None
    slots: tuple[Expression, ...] = ()
    fired: tuple[str, ...] = ()
    shape: frozenset[tuple[str, Overlay]] = frozenset()
    """The overlays as one hashable value: what picks the dialect object."""
    theme: str | None = None
    """Name of the theme that a rule asks for, ``None`` for the tenant's own."""


NO_RULES = Decision()


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision with the values of its slots, for one statement."""

    decision: Decision
    values: tuple[Any, ...] = ()
