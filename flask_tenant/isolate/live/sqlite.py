"""SQLite's catalogue."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from . import LiveColumn, LiveForeignKey, LiveKey, LiveObject, LiveSchema, LiveTable, Run

_WITHOUT_ROWID = re.compile(r"WITHOUT\s+ROWID[\s,\w]*$", re.IGNORECASE)
_BLANK = r"(?:\s|/\*.*?\*/|--[^\n]*\n)+"
_REPLACES = re.compile(rf"\bON{_BLANK}CONFLICT{_BLANK}REPLACE\b", re.IGNORECASE | re.DOTALL)
NEVER_REUSED = "/* AUTOINCREMENT */"
"""What stands behind the primary key of a table that was to have AUTOINCREMENT: SQLite keeps the text of its DDL."""

FINGERPRINT = "PRAGMA schema_version"

_KINDS = {"pk": "primary key", "u": "unique constraint"}


def literal(text: str) -> str:
    """Return the text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return the name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _grouped(rows: Sequence[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    groups: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row[1:])
    return groups


def read_schema(run: Run) -> LiveSchema:
    """Read all attached databases, the temporary one left out."""
    tables: list[LiveTable] = []
    objects: list[LiveObject] = []
    for _, database, _ in run("SELECT seq, name, file FROM pragma_database_list ORDER BY seq"):
        if database == "temp":
            continue
        schema = None if database == "main" else database
        tables += _tables(run, database, schema)
        objects += _objects(run, database, schema)
    return LiveSchema("sqlite", tuple(tables), tuple(objects))


def read_references(run: Run) -> LiveSchema:
    """Read the main database without its keys: what triggers of ours depend on, for every schema change."""
    return LiveSchema(
        "sqlite", tuple(_tables(run, "main", None, keys=False)), tuple(_objects(run, "main", None))
    )


def unindexed(run: Run, column: str) -> list[tuple[str | None, str]]:
    """Return the tables of the main database that have the column, no primary key, and no index led by it."""
    name = literal(column)
    rows = run(
        "SELECT m.name FROM sqlite_master AS m WHERE m.type = 'table' "
        f"AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) AS c WHERE c.name = {name}) "
        "AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) AS c WHERE c.pk) "
        "AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) AS l, pragma_index_info(l.name) AS c "
        f"WHERE c.seqno = 0 AND c.name = {name})"
    )
    return [(None, row[0]) for row in rows]


def _tables(run: Run, database: str, schema: str | None, *, keys: bool = True) -> list[LiveTable]:
    master, inside = f"{quoted(database)}.sqlite_master AS m", literal(database)
    found = run(
        f"SELECT name, sql FROM {master} WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    columns = _grouped(
        run(
            f'SELECT m.name, c.name, lower(c.type), c."notnull", c.dflt_value, c.pk FROM {master}, '
            f"pragma_table_xinfo(m.name, {inside}) AS c WHERE m.type = 'table' AND c.hidden <> 1 "
            "ORDER BY m.name, c.cid"
        )
    )
    indexes = _grouped(
        run(
            f'SELECT m.name, l.name, l."unique", l.origin, c.name FROM {master}, '
            f"pragma_index_list(m.name, {inside}) AS l, pragma_index_xinfo(l.name, {inside}) AS c "
            "WHERE m.type = 'table' AND c.key ORDER BY m.name, l.seq, c.seqno"
        )
        if keys
        else ()
    )
    references = foreign_keys(run, database)
    return [
        LiveTable(
            name,
            schema,
            tuple(LiveColumn(c[0], c[1], not c[2], c[3]) for c in columns[name]),
            _keys(columns[name], indexes[name]),
            tuple(references[name]),
            rowid=not _WITHOUT_ROWID.search(sql or ""),
            never_reused=NEVER_REUSED in (sql or ""),
            replaces=_REPLACES.search(sql or "") is not None,
        )
        for name, sql in found
    ]


def _keys(columns: list[Sequence[Any]], indexes: list[Sequence[Any]]) -> tuple[LiveKey, ...]:
    # A rowid table's own INTEGER PRIMARY KEY has no index: the columns say so.
    primary = tuple(c[0] for c in sorted((c for c in columns if c[4]), key=lambda c: c[4]))
    keys = [LiveKey("primary key", "", primary)] if primary else []
    by_name: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for name, *rest in indexes:
        by_name[name].append(rest)
    for name, rows in by_name.items():
        unique, origin = rows[0][0], rows[0][1]
        if origin != "pk":
            kind = _KINDS.get(origin) or ("unique index" if unique else "index")
            keys.append(LiveKey(kind, name, tuple(row[2] for row in rows)))
    return tuple(keys)


def foreign_keys(run: Run, database: str = "main") -> dict[str, list[LiveForeignKey]]:
    """Return every table's foreign keys, in the order in which they were declared."""
    inside = literal(database)
    rows = run(
        'SELECT m.name, f.id, f."table", f."from", f."to", f.on_delete, f.on_update '
        f"FROM {quoted(database)}.sqlite_master AS m, pragma_foreign_key_list(m.name, {inside}) AS f "
        "WHERE m.type = 'table' ORDER BY m.name, f.id DESC, f.seq"
    )
    implied = [row for row in rows if row[4] is None]
    primary: dict[str, list[str]] = defaultdict(list)
    for target in {row[2] for row in implied}:
        for (name,) in run(
            f"SELECT name FROM pragma_table_info({literal(target)}, {inside}) WHERE pk ORDER BY pk"
        ):
            primary[target].append(name)
    schema = None if database == "main" else database
    result: dict[str, list[LiveForeignKey]] = defaultdict(list)
    groups: dict[tuple[str, int], list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        groups[row[0], row[1]].append(row)
    for (table, _), parts in groups.items():
        _, _, target, _, to, on_delete, on_update = parts[0]
        own = tuple(part[3] for part in parts)
        referred = tuple(part[4] for part in parts) if to is not None else tuple(primary[target][: len(own)])
        result[table].append(
            LiveForeignKey("", own, schema, target, referred, on_delete.upper(), on_update.upper())
        )
    return result


def _objects(run: Run, database: str, schema: str | None) -> list[LiveObject]:
    rows = run(
        f"SELECT type, name, tbl_name, sql FROM {quoted(database)}.sqlite_master WHERE type IN "
        "('trigger', 'view')"
    )
    return [
        LiveObject(kind, name, schema, table if kind == "trigger" else None, sql or "")
        for kind, name, table, sql in rows
    ]
