"""What a rule file may name: everything else is a mistake that ``check`` reports, with the nearest name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ...errors import ConfigurationError
from ...expressions import Kind

RESERVED = ("row", "old", "new", "rows")
"""First words of names that are not facts."""

_NONE: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the application offers to rules.

    :param facts: name (dotted) -> kind of everything that is known about a request
    :param tables: table -> column -> kind; ``None`` for a column of a type that conditions do not know. The column
        that names the tenant is not among them
    :param keys: table -> columns that belong to a primary, foreign or unique key: they cannot be masked
    :param generated: table -> column -> what it is worked out from, as SQL
    :param hooks: names of functions that the application registered
    :param engines: names that ``route`` may give
    :param themes: names that ``theme`` may give
    :param webhooks: names of addresses that the application registered
    :param passing: (table, ``insert`` | ``update`` | ``delete``) -> what the database itself writes when a statement
        does this: what it does, to which table, and by what, for people
    :param passing_unknown: tables, and triggers of which cannot be told what they write, with the reason
    :param views: view of the database -> the tables whose rows it may show
    :param events: event -> the facts that come with it, beside those of the request
    :raises ConfigurationError: for a fact that is called like a part of the language
    """

    facts: Mapping[str, Kind] = field(default_factory=lambda: _NONE)
    tables: Mapping[str, Mapping[str, Kind | None]] = field(default_factory=lambda: _NONE)
    keys: Mapping[str, Collection[str]] = field(default_factory=lambda: _NONE)
    generated: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _NONE)
    hooks: Collection[str] = ()
    engines: Collection[str] = ()
    themes: Collection[str] = ()
    webhooks: Collection[str] = ()
    events: Mapping[str, Mapping[str, Kind]] = field(default_factory=lambda: _NONE)
    passing: Mapping[tuple[str, str], Collection[tuple[str, str, str]]] = field(default_factory=lambda: _NONE)
    passing_unknown: Collection[tuple[str, str]] = ()
    views: Mapping[str, Collection[str]] = field(default_factory=lambda: _NONE)

    def __post_init__(self) -> None:
        for name in (*self.facts, *(fact for facts in self.events.values() for fact in facts)):
            if name.split(".")[0] in RESERVED:
                raise ConfigurationError(
                    f"A fact cannot be called {name!r}",
                    value=name,
                    hint=f"In conditions, {', '.join(RESERVED)} stand for what a rule is about; choose another name",
                )
