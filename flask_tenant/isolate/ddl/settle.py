"""What a schema change leaves to be done in statements of its own.

* SQLite: ``ON DELETE SET NULL`` (and its kin) on a key that holds the hidden column would set that one NULL
  too, which it refuses. Triggers of ours do it instead, just before. They are derived from the foreign keys
  that stand in the database, so that a batch copy, which loses them, gets them back.
* SQLite: ``AUTOINCREMENT`` promises that an id never comes again, and composite keys cannot have it. A trigger
  of ours remembers the largest id that was deleted; the next id is above that one as well.
* A tenant table without a primary key gets an index that starts with the hidden column.
"""

from __future__ import annotations

import hashlib
import re

import sqlalchemy as sa

from ..config import TMP, IsolateConfig
from ..live import LiveForeignKey, LiveSchema, LiveTable, Run, postgresql, runner, sqlite
from ..live.sqlite import literal, quoted
from ..plain import plainly
from .names import MAX_BYTES

SETTING = {"SET NULL", "SET DEFAULT"}

_TABLE_DDL = re.compile(r"\b(?:CREATE|ALTER|DROP)\b[^;]*?\bTABLE\b", re.IGNORECASE)
_HEADS = ("CREATE", "ALTER ", "ALTER\n", "ALTER\t", "DROP T", "DROP\n", "DROP\t")


def changes_tables(statement: str) -> bool:
    """Whether the statement makes, changes or drops a table (rather yes than no)."""
    head = statement.lstrip()[:6].upper()
    return (head.startswith(_HEADS) or head[:2] in ("--", "/*")) and _TABLE_DDL.search(statement) is not None


def own_name(prefix: str, *parts: str) -> str:
    """Return a name for an object of ours, short enough for every database."""
    name = prefix + "_".join(parts)
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def wanted_triggers(schema: LiveSchema, config: IsolateConfig) -> dict[str, str]:
    """Return the triggers that the foreign keys of an SQLite database need, by name."""
    triggers: dict[str, str] = {}
    tables = {table.name.lower(): table for table in schema.tables if table.schema is None}
    for table in tables.values():
        if table.name.startswith(TMP) or not config.is_tenant(table.name):
            continue
        for key in table.foreign_keys:
            parent = tables.get(key.referred_table.lower())
            if parent is None or config.column not in key.columns:
                continue
            for event, action in (("delete", key.on_delete), ("update", key.on_update)):
                if action in SETTING:
                    name = own_name(config.directory_prefix, event, table.name, *_own(key.columns, config))
                    triggers[name] = _trigger(name, event, action, table, parent, key, config)
        if table.never_reused:
            name = own_name(config.directory_prefix, "used", table.name)
            triggers[name] = _remember(name, table, config)
    return triggers


def sequence_table(config: IsolateConfig) -> str:
    """Return the name of the table that holds the largest id ever deleted, for each tenant and table."""
    return f"{config.directory_prefix}sequence"


def _remember(name: str, table: LiveTable, config: IsolateConfig) -> str:
    key = next(column for column in table.primary_key if column != config.column)
    return (
        f"CREATE TRIGGER {quoted(name)} AFTER DELETE ON {quoted(table.name)} BEGIN "
        f"INSERT INTO {quoted(sequence_table(config))} (tenant, name, number) "
        f"VALUES (OLD.{quoted(config.column)}, {literal(table.name)}, OLD.{quoted(key)}) "
        "ON CONFLICT (tenant, name) DO UPDATE SET number = max(number, excluded.number); END"
    )


def _own(columns: tuple[str, ...], config: IsolateConfig) -> list[str]:
    return [column for column in columns if column != config.column]


def _trigger(
    name: str,
    event: str,
    action: str,
    table: LiveTable,
    parent: LiveTable,
    key: LiveForeignKey,
    config: IsolateConfig,
) -> str:
    pairs = list(zip(key.columns, key.referred_columns, strict=True))
    # The parent's column on the left: it is its collation that a foreign key compares by.
    where = " AND ".join(f"OLD.{quoted(there)} = {quoted(here)}" for here, there in pairs)
    sets = []
    for here, _ in pairs:
        if here != config.column:
            column = table.column(here)
            default = column.default if column is not None and action == "SET DEFAULT" else None
            sets.append(f"{quoted(here)} = {f'({default})' if default is not None else 'NULL'}")
    of = condition = ""
    if event == "update":
        own = [there for here, there in pairs if here != config.column]
        of = f" OF {', '.join(map(quoted, own))}"
        condition = " WHEN " + " OR ".join(f"OLD.{quoted(c)} IS NOT NEW.{quoted(c)}" for c in own)
    return (
        f"CREATE TRIGGER {quoted(name)} BEFORE {event.upper()}{of} ON {quoted(parent.name)}{condition} BEGIN "
        f"UPDATE {quoted(table.name)} SET {', '.join(sets)} WHERE {where}; END"
    )


def own_triggers(schema: LiveSchema, config: IsolateConfig) -> dict[str, str]:
    """Return the triggers that bear a name of ours, with their text."""
    return {
        found.name: found.definition
        for found in schema.objects
        if found.kind == "trigger" and found.schema is None and found.name.startswith(config.directory_prefix)
    }


def _settle_triggers(run: Run, config: IsolateConfig) -> None:
    schema = sqlite.read_references(run)
    wanted, present = wanted_triggers(schema, config), own_triggers(schema, config)
    for name, text in present.items():
        if wanted.get(name) != text:
            run(f"DROP TRIGGER {quoted(name)}")
    missing = all(table.name != sequence_table(config) for table in schema.tables)
    if missing and any(table.never_reused for table in schema.tables):
        run(
            f"CREATE TABLE {quoted(sequence_table(config))} (tenant INTEGER NOT NULL, "
            "name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID"
        )
    for name, text in wanted.items():
        if present.get(name) != text:
            run(text)


def _settle_indexes(run: Run, tables: list[tuple[str | None, str]], config: IsolateConfig) -> None:
    for schema, table in tables:
        if table.startswith(TMP) or not config.is_tenant(table, schema):
            continue
        name = quoted(own_name(config.directory_prefix, table, "idx"))
        where = ".".join(quoted(part) for part in (schema, table) if part)
        run(f"CREATE INDEX {name} ON {where} ({quoted(config.column)})")


def settle(connection: sa.Connection, config: IsolateConfig) -> None:
    """Do what is left to do after tables were made, changed or dropped.

    :param connection: the one that changed them, still in its transaction
    """
    run = runner(connection)
    with plainly(connection):
        if connection.dialect.name == "sqlite":
            _settle_triggers(run, config)
            _settle_indexes(run, sqlite.unindexed(run, config.column), config)
        else:
            _settle_indexes(run, postgresql.unindexed(run, config.column), config)
