"""What has to be looked at when a statement writes, by the rules that hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...decision import Decision, Overlay, Ruling, WriteRules
from ...errors import StatementRefusedError
from ...model import TableView
from .judge import Judge, expressions_of
from .rows import declared, kinds_of, live_table
from .shape import Shape, Verb

if TYPE_CHECKING:
    from ...expressions import Kind
    from ...hooks import Hooks
    from ..live import LiveForeignKey, LiveSchema, LiveTable
    from ..views import LiveViews

_NONE = WriteRules()
_HINT_TEXT = "Write the rows by a statement of its own"


@dataclass(slots=True)
class Watch:
    """One statement under write rules.

    :param rules: by verb
    :param columns: to ask RETURNING for, in order
    :param key: the table's primary key
    :param before: whether rows have to be seen as they were before
    """

    shape: Shape
    view: TableView
    live: LiveTable | None
    judge: Judge
    rules: dict[Verb, WriteRules]
    columns: tuple[str, ...]
    before: bool
    kinds: dict[str, Kind] = field(default_factory=dict)
    below: tuple[tuple[LiveTable, LiveForeignKey], ...] = ()
    """Foreign keys through which a DELETE here would write rows that rules are about."""

    @property
    def key(self) -> tuple[str, ...]:
        return self.view.primary_key


def watched_tables(decision: Decision) -> bool:
    """Whether any statement that writes could be under rules."""
    return bool(decision.writes) or any(o.masks or o.hidden for o in decision.overlays.values())


def watch_for(shape: Shape, ruling: Ruling, views: LiveViews, hooks: Hooks) -> Watch | None:
    """Return what has to be looked at, ``None`` for a statement that no rule is about.

    :raises StatementRefusedError: for a form in which it cannot be seen what is written
    """
    decision = ruling.decision
    for verb, table in shape.inner:
        if _governed(decision, verb, table):
            raise StatementRefusedError(
                f"Rows of table {table!r}, which has write rules, are written within another statement",
                value=table,
                hint=_HINT_TEXT,
            )
    if shape.verb is None:
        return None
    view = views.find(shape.table, shape.schema)
    if view is None or view.shared:
        return None
    verbs: list[Verb] = [shape.verb, "update"] if shape.upsert else [shape.verb]
    overlay = decision.overlays.get(view.name)
    rules = {verb: decision.writes.get((view.name, verb), _NONE) for verb in verbs}
    unseen = _unseen(overlay) if shape.verb != "delete" else set()
    if shape.replaces and (
        _governed(decision, "delete", view.name) or _governed(decision, "update", view.name)
    ):
        raise StatementRefusedError(
            f"REPLACE deletes rows of table {view.name!r} without a word, and rules protect them",
            value=view.name,
            hint="Use INSERT … ON CONFLICT DO UPDATE",
        )
    live = views.catalog.live
    below = tuple(_below(live, view.name, view.schema, decision)) if shape.verb == "delete" else ()
    if not below and not unseen and all(found == _NONE for found in rules.values()):
        return None
    watch = _watch(shape, view, overlay, rules, unseen, ruling, live, hooks, bool(below))
    if watch is not None:
        watch.below = below
    return watch


def _below(
    live: LiveSchema, name: str, schema: str | None, decision: Decision, seen: frozenset[str] = frozenset()
) -> Iterator[tuple[LiveTable, LiveForeignKey]]:
    """Find the foreign keys through which deleting a table's rows writes rows that rules are about."""
    for table in live.tables:
        for key in table.foreign_keys:
            if key.referred_table != name or key.on_delete not in _WRITES or table.name in seen:
                continue
            governed = _governed(decision, _WRITES[key.on_delete], table.name)
            deeper = key.on_delete == "CASCADE" and any(
                _below(live, table.name, table.schema, decision, seen | {name})
            )
            if governed or deeper:
                yield table, key


_WRITES: dict[str, Verb] = {"CASCADE": "delete", "SET NULL": "update", "SET DEFAULT": "update"}


def _watch(
    shape: Shape,
    view: TableView,
    overlay: Overlay | None,
    rules: dict[Verb, WriteRules],
    unseen: set[str],
    ruling: Ruling,
    live: LiveSchema,
    hooks: Hooks,
    cascades: bool,
) -> Watch | None:
    judge = Judge(view.name, ruling, hooks, overlay)
    names: set[str] = set()
    before = shape.upsert or cascades
    for verb, found in rules.items():
        for expression in expressions_of(found):
            for name, _, image in kinds_of(expression):
                names.add(name)
                before = before or (image == "old" and verb == "update")
        if found.validations:
            names.update(view.columns)
    if shape.verb == "insert":
        names |= unseen
    if "update" in rules and unseen & shape.assigned:
        names |= unseen & shape.assigned
        before = True
        for _, mask in overlay.masks if overlay is not None else ():
            if mask.applies is not None:
                names.update(name for name, _, _ in kinds_of(mask.applies))
    if not cascades and not names and all(found == _NONE for found in rules.values()):
        return None
    if before or any(found.settings for found in rules.values()):
        if not view.primary_key:
            raise StatementRefusedError(
                f"Table {view.name!r} has no primary key, and rules have to find again the rows that were written",
                value=view.name,
                hint="Give the table a primary key, or change the rules",
            )
        names.update(view.primary_key)
    if before and shape.assigned & set(view.primary_key):
        raise StatementRefusedError(
            f"An UPDATE of the primary key of {view.name!r}, whose rows a rule compares with what they were",
            value=view.name,
            hint="Insert the row under its new key, and delete the old one",
        )
    table = live_table(live, view.name, view.schema)
    columns = tuple(name for name in view.columns if name in names)
    return Watch(shape, view, table, judge, rules, columns or view.columns[:1], before, declared(table))


def _unseen(overlay: Overlay | None) -> set[str]:
    return {name for name, _ in overlay.masks} | set(overlay.hidden) if overlay is not None else set()


def _governed(decision: Decision, verb: Verb, table: str) -> bool:
    if decision.writes.get((table, verb), _NONE) != _NONE:
        return True
    return verb != "delete" and bool(_unseen(decision.overlays.get(table)))
