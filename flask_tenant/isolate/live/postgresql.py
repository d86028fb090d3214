"""PostgreSQL's catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from . import LiveColumn, LiveForeignKey, LiveKey, LiveObject, LiveSchema, LiveTable, Run

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

# The system's own schemas, temporary ones of all sessions too. No LIKE: drivers read percent signs.
_OURS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'"
)
# Members of extensions are the extension's business.
_NO_EXTENSION = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = {oid} AND d.deptype = 'e')"

_COLUMNS = f"""
    SELECT c.oid::bigint, n.nspname, c.relname, a.attnum, a.attname,
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        NOT a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
        a.attidentity::text <> '' OR coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') ~ '^nextval\\('
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'f') AND {_OURS} AND {_NO_EXTENSION.format(oid="c.oid")}
    ORDER BY n.nspname, c.relname, a.attnum
"""

# Column numbers only grow, and no table gets another's oid soon. The system's own have oids below 16384
# (PostgreSQL's FirstNormalObjectId): thousands of columns that need not be looked at.
FINGERPRINT = f"""
    SELECT count(*), sum(a.attrelid::bigint * a.attnum), current_schemas(false)::text
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid >= 16384 AND a.attrelid >= 16384 AND c.relkind IN ('r', 'p') AND {_OURS}
"""

_KEYS = f"""
    SELECT i.indrelid::bigint, k.relname, i.indisprimary, i.indisunique, i.indisexclusion,
        o.conname IS NOT NULL,
        array_to_string(ARRAY(
            SELECT coalesce(a.attname, '') || CASE WHEN o.contype = 'x' THEN ':' || p.oprname ELSE '' END
            FROM generate_series(1, i.indnkeyatts) AS s(number)
            LEFT JOIN pg_catalog.pg_attribute a
                ON a.attrelid = i.indrelid AND a.attnum = i.indkey[s.number - 1] AND a.attnum > 0
            LEFT JOIN pg_catalog.pg_operator p ON p.oid = o.conexclop[s.number]
            ORDER BY s.number
        ), chr(1))
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_constraint o ON o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x')
    WHERE {_OURS}
    ORDER BY k.relname
"""

_FOREIGN_KEYS = """
    SELECT o.conrelid::bigint, o.conname, n.nspname, c.relname, o.confdeltype::text, o.confupdtype::text,
        array_to_string(ARRAY(
            SELECT a.attname FROM unnest(o.conkey) WITH ORDINALITY AS u(number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = u.number ORDER BY u.place
        ), chr(1)),
        array_to_string(ARRAY(
            SELECT a.attname FROM unnest(o.confkey) WITH ORDINALITY AS u(number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = u.number
            ORDER BY u.place
        ), chr(1))
    FROM pg_catalog.pg_constraint o
    JOIN pg_catalog.pg_class c ON c.oid = o.confrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE o.contype = 'f'
    ORDER BY o.conname
"""

_PARENTS = """
    SELECT i.inhrelid::bigint, c.relname::text
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
    WHERE c.relkind IN ('r', 'p')
"""

_UNINDEXED = f"""
    SELECT n.nspname::text, c.relname::text
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = {{column}} AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND {_OURS} AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indkey[0] = a.attnum)
    )
"""

_OBJECTS = f"""
    SELECT 'trigger', t.tgname::text, n.nspname::text, c.relname::text, pg_catalog.pg_get_triggerdef(t.oid),
        CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN '' WHEN l.lanname = 'plpgsql' THEN p.prosrc END
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND {_OURS}
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, c.relname, n.nspname, NULL,
        pg_catalog.pg_get_viewdef(c.oid), NULL
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND {_OURS} AND {_NO_EXTENSION.format(oid="c.oid")}
    UNION ALL
    SELECT 'rule', r.rulename, n.nspname, c.relname, pg_catalog.pg_get_ruledef(r.oid), NULL
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND {_OURS}
    UNION ALL
    SELECT 'function', p.proname, n.nspname, NULL, pg_catalog.pg_get_function_identity_arguments(p.oid), NULL
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE {_OURS} AND {_NO_EXTENSION.format(oid="p.oid")}
"""


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("\x01")) if joined else ()


def read_schema(run: Run) -> LiveSchema:
    """Read every schema of the database except the system's own."""
    default = run("SELECT current_schema()::text")[0][0]
    path = [row[0] for row in run("SELECT unnest(current_schemas(false))::text")]

    def relative(schema: str) -> str | None:
        return None if schema == default else schema

    columns: dict[tuple[int, str, str], list[LiveColumn]] = defaultdict(list)
    for oid, schema, table, number, name, kind, nullable, expression, automatic in run(_COLUMNS):
        place = columns[oid, schema, table]
        if number is not None:
            place.append(LiveColumn(name, kind, nullable, expression, automatic))
    keys = _keys(run)
    references: dict[int, list[LiveForeignKey]] = defaultdict(list)
    for oid, name, schema, table, on_delete, on_update, own, referred in run(_FOREIGN_KEYS):
        actions = _ACTIONS[on_delete], _ACTIONS[on_update]
        references[oid].append(
            LiveForeignKey(name, _names(own), relative(schema), table, _names(referred), *actions)
        )
    parents: dict[int, list[str]] = defaultdict(list)
    for oid, parent in run(_PARENTS):
        parents[oid].append(parent)
    tables = tuple(
        LiveTable(
            table,
            relative(schema),
            tuple(found),
            tuple(keys[oid]),
            tuple(references[oid]),
            parents=tuple(parents[oid]),
        )
        for (oid, schema, table), found in columns.items()
    )
    objects = tuple(
        LiveObject(kind, name, relative(schema), table, definition or "", body)
        for kind, name, schema, table, definition, body in run(_OBJECTS)
    )
    return LiveSchema("postgresql", tables, objects, tuple(map(relative, path)) or (None,), default)


def unindexed(run: Run, column: str) -> list[tuple[str | None, str]]:
    """Return the tables that have the column, no primary key, and no index led by it."""
    literal = "'" + column.replace("'", "''") + "'"
    return [(row[0], row[1]) for row in run(_UNINDEXED.format(column=literal))]


def _keys(run: Run) -> dict[int, list[LiveKey]]:
    keys: dict[int, list[LiveKey]] = defaultdict(list)
    for oid, name, primary, unique, exclusion, constraint, elements in run(_KEYS):
        parts: list[Any] = elements.split("\x01")
        equal: set[str] = set()
        if exclusion:
            pairs = [part.rpartition(":") for part in parts]
            parts = [column for column, _, _ in pairs]
            equal = {column for column, _, operator in pairs if operator == "="}
        keys[oid].append(
            LiveKey(
                _kind(primary, unique, exclusion, constraint), name, _columns(parts), frozenset(equal - {""})
            )
        )
    return keys


def _kind(primary: bool, unique: bool, exclusion: bool, constraint: bool) -> str:
    if primary:
        return "primary key"
    if exclusion:
        return "exclusion constraint"
    if unique:
        return "unique constraint" if constraint else "unique index"
    return "index"


def _columns(parts: Sequence[str]) -> tuple[str | None, ...]:
    return tuple(part or None for part in parts)
