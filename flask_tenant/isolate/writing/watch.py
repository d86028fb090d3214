"""What has to be looked at when a statement writes, by the rules that hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...decision import Decision, Overlay, Ruling, WriteRules
from ...errors import StatementRefusedError
from ...model import TableView
from ..hidden import folded
from ..onward import REPLACING
from ..overlay.relatives import check_relatives
from ..rawsql.writes import replaced
from .judge import Judge, expressions_of
from .rows import declared, kinds_of, live_table, padded
from .shape import Shape, Verb

if TYPE_CHECKING:
    from ...hooks import Hooks
    from ..live import LiveForeignKey, LiveSchema, LiveTable
    from ..views import LiveViews

_NONE = WriteRules()
_HINT_TEXT = "Write the rows by a statement of its own"


class Hanging(NamedTuple):
    """Rows that the database itself would write.

    :param filtered: only those that a filter takes away are in the way; the others may be written
    """

    table: LiveTable
    key: LiveForeignKey
    filtered: bool


@dataclass(slots=True)
class Watch:
    """One statement under write rules.

    :param rules: by verb
    :param columns: to ask RETURNING for, in order
    :param key: the table's primary key
    :param before: whether rows have to be seen as they were before
    :param named: the columns to which the statement gives values, by verb
    """

    shape: Shape
    view: TableView
    live: LiveTable | None
    judge: Judge
    rules: dict[Verb, WriteRules]
    columns: tuple[str, ...]
    before: bool
    named: dict[str, frozenset[str]]
    below: tuple[Hanging, ...] = ()
    """Foreign keys through which a DELETE here would write rows that rules are about."""
    divided: bool = False
    """Whether the rows are in other tables, its partitions or those that inherit from it."""

    @property
    def key(self) -> tuple[str, ...]:
        return self.view.primary_key


def watched_tables(decision: Decision) -> bool:
    """Whether any statement that writes could be under rules."""
    return bool(decision.writes) or any(o.masks or o.hidden for o in decision.overlays.values())


def filtered_tables(decision: Decision) -> bool:
    """Whether a change of a key could be passed on, by the database itself, to rows that a filter takes away."""
    return any(overlay.filters for overlay in decision.overlays.values())


def watch_for(shape: Shape, ruling: Ruling, views: LiveViews, hooks: Hooks) -> Watch | None:
    """Return what has to be looked at, ``None`` for a statement that no rule is about.

    :raises StatementRefusedError: for a form in which it cannot be seen what is written
    """
    decision, relatives = ruling.decision, views.catalog.relatives
    if relatives:
        check_relatives((table for _, table in shape.written), decision, relatives)
    for verb, table in shape.inner:
        inner = views.find(table)
        table = inner.name if inner is not None else table
        if _governed(decision, verb, table) or (
            inner is not None and _writes_below(inner, verb, views, decision)
        ):
            raise StatementRefusedError(
                f"Rows of table {table!r}, which has write rules, are written within another statement",
                value=table,
                hint=_HINT_TEXT,
            )
        _leads_past(inner, verb, views, decision)
    if shape.verb is None:
        return None
    view = views.find(shape.table, shape.schema)
    verbs: list[Verb] = [shape.verb, "update"] if shape.upsert else [shape.verb]
    for verb in verbs:
        _leads_past(view, verb, views, decision)
    if view is None or view.shared:
        return None
    overlay = decision.overlays.get(view.name)
    rules = {verb: decision.writes.get((view.name, verb), _NONE) for verb in verbs}
    if any(found.settings for found in rules.values()):  # what they set is written by an UPDATE of ours
        _leads_past(view, "update", views, decision)
    unseen = _unseen(overlay) if shape.verb != "delete" else set()
    if shape.replaces and (
        _governed(decision, "delete", view.name) or _governed(decision, "update", view.name)
    ):
        raise replaced(view.name)
    if shape.replaces:
        _leads_past(view, REPLACING, views, decision)
    below = tuple(_below(views, view, decision)) if shape.verb == "delete" else ()
    if "update" in rules:
        _keeps_keys(shape, view, views, decision)
    if not below and not unseen and all(found == _NONE for found in rules.values()):
        return None
    watch = _watch(shape, view, overlay, rules, unseen, ruling, views.catalog.live, hooks, bool(below))
    if watch is not None:
        watch.below = below
    return watch


def _leads_past(view: TableView | None, verb: str, views: LiveViews, decision: Decision) -> None:
    """Refuse what makes the database itself write rows past the rules about them."""
    if view is None:
        return
    for onward in views.catalog.onwards.of(view.name, verb):
        if _governed(decision, onward.verb, onward.table) or (
            onward.verb != "insert" and _filtered(decision, onward.table)
        ):
            raise StatementRefusedError(
                f"Rules are about rows of {onward.table!r}, and the database itself would {onward.verb} some past "
                f"them, by {onward.by}, when rows of {view.name!r} are written",
                value=onward.table,
                hint="Change the rules or the database; or name it in TENANT_UNRULED_OBJECTS if rules need not look",
            )


def _writes_below(view: TableView, verb: Verb, views: LiveViews, decision: Decision) -> bool:
    """Whether the database itself may change rows of other tables that rules are about, by foreign keys."""
    if verb == "delete":
        return any(True for _ in _below(views, view, decision))
    return verb == "update" and any(
        key.on_update in _WRITES
        and (_governed(decision, "update", table.name) or _filtered(decision, table.name))
        for table, key in views.catalog.below(view)
    )


def _below(
    views: LiveViews, view: TableView, decision: Decision, seen: frozenset[str] = frozenset()
) -> Iterator[Hanging]:
    """Find the foreign keys through which deleting a table's rows writes rows that rules are about."""
    for table, key in views.catalog.below(view):
        if key.on_delete not in _WRITES or table.name in seen:
            continue
        hanging = views.find(table.name, table.schema)
        deeper = (
            hanging is not None
            and key.on_delete == "CASCADE"
            and any(_below(views, hanging, decision, seen | {view.name}))
        )
        if deeper or _governed(decision, _WRITES[key.on_delete], table.name):
            yield Hanging(table, key, filtered=False)
        elif _filtered(decision, table.name):
            yield Hanging(table, key, filtered=True)


def _keeps_keys(shape: Shape, view: TableView, views: LiveViews, decision: Decision) -> None:
    """Refuse to change what rows of another table refer to, where the database would change these past their rules."""
    for table, key in views.catalog.below(view):
        if key.on_update not in _WRITES or not (
            _governed(decision, "update", table.name) or _filtered(decision, table.name)
        ):
            continue
        if _real(shape.assigned, view, views.catalog.live) & set(key.referred_columns):
            raise StatementRefusedError(
                f"Rows of {table.name!r} hang on columns of {view.name!r} that are changed, and the database itself "
                f"would change them by ON UPDATE {key.on_update}, past the rules about them",
                value=table.name,
                hint="Insert the row under its new key, change what refers to it, and delete the old one",
            )


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
    table = live_table(live, view.name, view.schema)
    fixed = padded(table) if live.dialect == "postgresql" else frozenset()
    judge = Judge(view.name, ruling, hooks, overlay, declared(table), fixed)
    assigned = _real(shape.assigned, view, live)
    named = _real(shape.named, view, live) if shape.named is not None else frozenset(view.columns)
    names: set[str] = set()
    before = shape.upsert or cascades
    for verb, found in rules.items():
        for expression in expressions_of(found):
            for name, _, image in kinds_of(expression):
                names.add(name)
                before = before or (image == "old" and verb == "update")
        if found.validations:
            names.update(view.columns)
    given = unseen & ((named if shape.verb == "insert" else frozenset()) | assigned)
    if given:
        names |= given
        for _, mask in overlay.masks if overlay is not None else ():
            if mask.applies is not None:
                names.update(name for name, _, _ in kinds_of(mask.applies))
        before = before or ("update" in rules and bool(unseen & assigned))
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
    if before and assigned & set(view.primary_key):
        raise StatementRefusedError(
            f"An UPDATE of the primary key of {view.name!r}, whose rows a rule compares with what they were",
            value=view.name,
            hint="Insert the row under its new key, and delete the old one",
        )
    columns = tuple(name for name in view.columns if name in names)
    by_verb = {"insert": named, "update": assigned, "delete": frozenset[str]()}
    watch = Watch(shape, view, table, judge, rules, columns or view.columns[:1], before, by_verb)
    watch.divided = any(view.name in other.parents for other in live.tables)
    return watch


def _real(names: frozenset[str], view: TableView, live: LiveSchema) -> frozenset[str]:
    """Return columns by the names that the table has for them: SQLite knows no case."""
    if live.dialect != "sqlite":
        return names
    small = set(map(folded, names))
    return frozenset(name for name in view.columns if folded(name) in small)


def _unseen(overlay: Overlay | None) -> set[str]:
    return {name for name, _ in overlay.masks} | set(overlay.hidden) if overlay is not None else set()


def _governed(decision: Decision, verb: Verb, table: str) -> bool:
    if decision.writes.get((table, verb), _NONE) != _NONE:
        return True
    return verb != "delete" and bool(_unseen(decision.overlays.get(table)))


def _filtered(decision: Decision, table: str) -> bool:
    overlay = decision.overlays.get(table)
    return overlay is not None and bool(overlay.filters)
