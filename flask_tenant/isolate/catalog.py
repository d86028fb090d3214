"""The live catalogue: every table's view, found by name as the database itself would find it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from ..model import TableView
from .config import IsolateConfig
from .ddl.settle import wanted_triggers
from .hidden import folded
from .live import LiveForeignKey, LiveObject, LiveSchema, LiveTable, read_schema
from .onward import Onwards, onwards
from .overlay.relatives import VIEWS, relatives_of, shown_by


@dataclass(frozen=True, slots=True)
class CatalogObject:
    """Something of the database's own that runs below the first wall.

    :param safe: whether the operator vouches for it
    """

    live: LiveObject
    safe: bool

    @property
    def name(self) -> str:
        """Its name, with the schema where that is not the default one."""
        return self.live.fullname

    def __str__(self) -> str:
        on = f" on {self.live.table}" if self.live.table else ""
        return f"{self.live.kind} {self.live.fullname}{on}"


class Below(NamedTuple):
    """A table whose rows hang on rows of another one, and the foreign key by which they do."""

    table: LiveTable
    key: LiveForeignKey


@dataclass(frozen=True, slots=True)
class _Snapshot:
    live: LiveSchema
    views: dict[tuple[str | None, str], TableView]
    objects: tuple[CatalogObject, ...]
    names: tuple[str, ...] = ()
    below: dict[tuple[str | None, str], tuple[Below, ...]] = field(default_factory=dict)
    onwards: Onwards = field(default_factory=Onwards)
    relatives: dict[str, frozenset[str]] = field(default_factory=dict)
    shown: Mapping[str, frozenset[str]] = field(default_factory=dict)


WRITING = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})
"""What a foreign key may do to rows when the one that they hang on is deleted, or gets another key."""

_EMPTY = _Snapshot(LiveSchema(""), {}, ())


def view_of(table: LiveTable, config: IsolateConfig) -> TableView:
    """Return what a tenant sees of the table."""
    shared = not config.is_tenant(table.name, table.schema)
    key = tuple(name for name in table.primary_key if shared or name != config.column)
    return TableView(
        name=table.name,
        schema=table.schema,
        columns=tuple(c.name for c in table.columns if shared or c.name != config.column),
        primary_key=key,
        auto_id=_auto_id(table, key),
        never_reused=table.never_reused,
        shared=shared,
    )


def _auto_id(table: LiveTable, key: tuple[str, ...]) -> str | None:
    if table.rowid:
        column = table.column(key[0]) if len(key) == 1 else None
        return column.name if column is not None and column.type == "integer" else None
    numbered = [column.name for column in table.columns if column.automatic]
    return next((name for name in numbered if name in key), numbered[0] if numbered else None)


def _key(live: LiveSchema, name: str, schema: str | None) -> tuple[str | None, str]:
    if live.dialect == "sqlite":  # knows no case, not even within quotes
        return (folded(schema) if schema else None, folded(name))
    return schema, name


def _below(live: LiveSchema) -> dict[tuple[str | None, str], tuple[Below, ...]]:
    """Return, by table, the foreign keys through which the database itself writes rows that hang on its rows."""
    found: dict[tuple[str | None, str], list[Below]] = defaultdict(list)
    for table in live.tables:
        for key in table.foreign_keys:
            if {key.on_delete, key.on_update} & WRITING:
                found[_key(live, key.referred_table, key.referred_schema)].append(Below(table, key))
    return {name: tuple(hanging) for name, hanging in found.items()}


class Catalog:
    """Finds table views by name.

    One snapshot is swapped for the next in a single assignment, so that threads need no lock.
    """

    def __init__(self, config: IsolateConfig) -> None:
        self.config = config
        self._snapshot = _EMPTY
        self._stale = True

    @property
    def stale(self) -> bool:
        """Whether the database may have changed since the last look at it."""
        return self._stale

    def invalidate(self) -> None:
        """Note that the database may have changed."""
        self._stale = True

    def load(self, connection: sa.Connection) -> None:
        """Look at the database.

        :raises ConfigurationError: on a database whose catalogue we cannot read
        """
        self._stale = False  # first, so that a change that happens meanwhile is not lost
        live = read_schema(connection)
        views = {
            _key(live, table.name, table.schema): view_of(table, self.config)
            for table in live.tables
            if not self.config.is_ours(table.name, table.schema)
        }
        names = tuple(sorted({view.name for view in views.values()}))
        objects = tuple(self._objects(live))
        onward = onwards(live, (found.live for found in objects), self.config.unruled_objects)
        shown = shown_by(live, live.objects, self.config.unruled_objects)
        relatives = {**shown, **relatives_of(live)}
        self._snapshot = _Snapshot(live, views, objects, names, _below(live), onward, relatives, shown)

    def _objects(self, live: LiveSchema) -> Iterable[CatalogObject]:
        # A trigger is ours when it is what we would make, not when it bears a name of ours.
        ours = wanted_triggers(live, self.config) if live.dialect == "sqlite" else {}
        for found in live.objects:
            if found.kind == "trigger" and found.schema is None and ours.get(found.name) == found.definition:
                continue
            names = {found.name, found.fullname}
            yield CatalogObject(found, safe=bool(names & self.config.safe_objects))

    @property
    def live(self) -> LiveSchema:
        """The database as it stands, the hidden column included."""
        return self._snapshot.live

    @property
    def objects(self) -> tuple[CatalogObject, ...]:
        """The triggers, views, rules and functions of the database, without our own."""
        return self._snapshot.objects

    def find(self, name: str, schema: str | None = None) -> TableView | None:
        """Return the view of the relation, or ``None`` when there is no such table.

        :param name: on PostgreSQL folded already, as the database does with names without quotes
        :param schema: ``None`` to look where the database looks up an unqualified name
        """
        snapshot = self._snapshot
        live = snapshot.live
        places = live.search if schema is None else (live.relative(schema),)
        return next((v for place in places if (v := snapshot.views.get(_key(live, name, place)))), None)

    def view(self, name: str, schema: str | None = None) -> CatalogObject | None:
        """Return the database's own view of that name, looked up as tables are.

        :param schema: ``None`` to look where the database looks up an unqualified name
        """
        live = self._snapshot.live
        places = live.search if schema is None else (live.relative(schema),)
        views = {_key(live, o.live.name, o.live.schema): o for o in self.objects if o.live.kind in VIEWS}
        return next((o for place in places if (o := views.get(_key(live, name, place)))), None)

    def all(self) -> Iterable[TableView]:
        """Return every table's view."""
        return self._snapshot.views.values()

    @property
    def onwards(self) -> Onwards:
        """What the database writes by itself when a statement writes."""
        return self._snapshot.onwards

    @property
    def relatives(self) -> dict[str, frozenset[str]]:
        """Tables and views that share rows with tables, and these."""
        return self._snapshot.relatives

    @property
    def shown(self) -> Mapping[str, frozenset[str]]:
        """The tables whose rows each view may show, by the view's name."""
        return self._snapshot.shown

    @property
    def passes_on(self) -> bool:
        """Whether the database itself ever writes rows when a statement writes others."""
        return bool(self._snapshot.below or self._snapshot.onwards.known)

    def below(self, view: TableView) -> tuple[Below, ...]:
        """Return the foreign keys through which the database itself writes rows that hang on a table's rows."""
        snapshot = self._snapshot
        return snapshot.below.get(_key(snapshot.live, view.name, view.schema), ())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tables, as the database stores them: one and the same tuple until it changes."""
        return self._snapshot.names
