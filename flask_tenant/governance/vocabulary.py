"""The application's tables in the words of rules: names and kinds of columns, as they stand in the database now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from ..context import internal
from ..expressions import Kind
from ..isolate import Isolation

_KINDS: tuple[tuple[type[TypeEngine[Any]], Kind], ...] = (
    (sa.Boolean, Kind.BOOL),
    (sa.Integer, Kind.INT),
    (sa.Numeric, Kind.NUMBER),
    (sa.Enum, Kind.TEXT),
    (sa.String, Kind.TEXT),
    (sa.Date, Kind.DATE),
    (sa.DateTime, Kind.TIME),
    (sa.Interval, Kind.DURATION),
)


def kind_of(type_: TypeEngine[Any]) -> Kind | None:
    """Return what conditions take a column's values for; ``None`` for what they cannot compare, such as JSON."""
    return next((kind for known, kind in _KINDS if isinstance(type_, known)), None)


def tables_of(isolation: Isolation) -> Mapping[str, Mapping[str, Kind | None]]:
    """Return the tables of a database, their columns and their kinds. The column that names the tenant is not there."""
    isolation.views.load()
    inspector = _inspector(isolation)
    found = {}
    for view in isolation.views.all():
        if view.shared or view.schema is not None:
            continue
        columns = {c["name"]: kind_of(c["type"]) for c in inspector.get_columns(view.name)}
        found[view.name] = {name: columns.get(name) for name in view.columns}
    return found


def keys_of(isolation: Isolation) -> Mapping[str, frozenset[str]]:
    """Return each table's columns that belong to a key: primary, foreign, or unique by a constraint or an index."""
    inspector = _inspector(isolation)
    live = {table.name: table for table in isolation.catalog.live.tables if table.schema is None}
    found = {}
    for view in isolation.views.all():
        if view.shared or view.schema is not None:
            continue
        keys: set[str | None] = set(view.primary_key)
        table = live.get(view.name)
        if table is not None:
            keys.update(column for key in table.keys if key.unique for column in key.columns)
            keys.update(column for foreign in table.foreign_keys for column in foreign.columns)
            if any(key.unique and None in key.columns for key in table.keys):
                for index in inspector.get_indexes(view.name):
                    texts = index.get("expressions", ()) if index["unique"] else ()
                    keys.update(word for text in texts for word in re.findall(r"\w+", text))
        found[view.name] = frozenset(column for column in view.columns if column in keys)
    return found


def generated_of(isolation: Isolation) -> Mapping[str, Mapping[str, str]]:
    """Return each table's generated columns, and the SQL by which the database works them out."""
    inspector = _inspector(isolation)
    found: dict[str, dict[str, str]] = {}
    for view in isolation.views.all():
        if view.shared or view.schema is not None:
            continue
        for column in inspector.get_columns(view.name):
            if column.get("computed"):
                found.setdefault(view.name, {})[column["name"]] = column["computed"]["sqltext"]
    return found


def _inspector(isolation: Isolation) -> sa.Inspector:
    with internal():
        return sa.inspect(isolation.engine)
