"""The start-up check: every key of the live schema that would let one tenant meet another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from .catalog import Catalog
from .config import TMP, IsolateConfig
from .ddl.settle import own_triggers, wanted_triggers
from .live import LiveForeignKey, LiveKey, LiveSchema, LiveTable, read_schema

_INTEGERS = {"sqlite": ("integer", "bigint", "int"), "postgresql": ("bigint",)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of the live schema that is not ready for tenants.

    :param table: with its schema where that is not the default one
    :param key: the name of the key or trigger; empty when it has none or the table itself is meant
    :param columns: an expression is ``None``
    :param why: what is wrong
    :param what_to_do: how it can be mended
    """

    table: str
    key: str
    columns: tuple[str | None, ...]
    why: str
    what_to_do: str

    def __str__(self) -> str:
        return self.about(self.table)

    def about(self, table: str) -> str:
        """Return it in words, about the table or about all those of which the same is to be said."""
        columns = ", ".join(column or "(expression)" for column in self.columns)
        where = " ".join(part for part in (table, self.key, f"({columns})" if columns else "") if part)
        return f"{where}: {self.why}. {self.what_to_do}"


def in_words(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each problem; tables that have the same one share a line."""
    alike: dict[Problem, list[str]] = {}
    for problem in problems:
        alike.setdefault(replace(problem, table=""), []).append(problem.table)
    return [problem.about(", ".join(tables)) for problem, tables in alike.items()]


def check_schema(
    source: Catalog | sa.Connection, config: IsolateConfig, metadata: Iterable[sa.MetaData] = ()
) -> list[Problem]:
    """Return what is not ready for tenants in a database, and in what the application wants of it.

    :param source: a loaded catalogue, or a connection to look at the database with
    :param metadata: the application's own, looked through for a column of the hidden one's name
    """
    live = source.live if isinstance(source, Catalog) else read_schema(source)
    tables = [
        t for t in live.tables if not (config.is_ours(t.name, t.schema) or config.is_system(t.name, t.schema))
    ]
    tenants = {(t.schema, _folded(live, t.name)) for t in tables if config.is_tenant(t.name, t.schema)}
    problems = list(_wanted(metadata, config))
    for table in sorted(tables, key=lambda t: t.fullname):
        if config.is_tenant(table.name, table.schema):
            problems += _tenant_table(live, table, tenants, config)
        else:
            problems += _shared_table(live, table, tenants, config)
    problems += _triggers(live, config)
    return problems


def _folded(live: LiveSchema, name: str) -> str:
    return name.lower() if live.dialect == "sqlite" else name


def _wanted(metadata: Iterable[sa.MetaData], config: IsolateConfig) -> Iterator[Problem]:
    for one in metadata:
        for table in one.tables.values():
            if config.is_ours(table.name, table.schema):
                continue
            for column in table.columns:
                if column.name.lower() == config.column.lower():
                    yield _same_name(table.fullname, column.name)


def _same_name(table: str, column: str) -> Problem:
    return Problem(
        table,
        "",
        (column,),
        "the application has a column of the hidden tenant column's name",
        "Set TENANT_COLUMN to another name for the hidden column",
    )


def _tenant_table(
    live: LiveSchema, table: LiveTable, tenants: set[tuple[str | None, str]], config: IsolateConfig
) -> Iterator[Problem]:
    if table.name.startswith(TMP):
        yield Problem(
            table.fullname,
            "",
            (),
            "a migration that failed has left this copy behind",
            f"Make sure that {table.name.removeprefix(TMP)!r} is whole, then drop the copy",
        )
        return
    column = table.column(config.column)
    if column is None:
        yield Problem(
            table.fullname,
            "",
            (),
            f"there is no column {config.column!r}, so that its rows belong to nobody",
            "Start with an empty database, or name tables that belong to no tenant in TENANT_SHARED_TABLES",
        )
        return
    if column.nullable:
        yield Problem(
            table.fullname, "", (config.column,), "the hidden column may be NULL", "Make it NOT NULL"
        )
    if column.type not in _INTEGERS[live.dialect]:
        why = f"the hidden column is of type {column.type!r}"
        yield Problem(table.fullname, "", (config.column,), why, f"Make it {_INTEGERS[live.dialect][0]}")
    for key in table.keys:
        if key.unique and not _per_tenant(key, config):
            yield Problem(
                table.fullname,
                key.name or key.kind,
                key.columns,
                f"this {key.kind} holds across tenants: one tenant's row is in another's way, and "
                "tells that it exists",
                f"Make {config.column!r} its first column",
            )
    for reference in table.foreign_keys:
        yield from _reference(live, table, reference, tenants, config)


def _per_tenant(key: LiveKey, config: IsolateConfig) -> bool:
    if key.kind == "exclusion constraint":
        return config.column in key.equal
    return key.columns[:1] == (config.column,)


def _reference(
    live: LiveSchema,
    table: LiveTable,
    key: LiveForeignKey,
    tenants: set[tuple[str | None, str]],
    config: IsolateConfig,
) -> Iterator[Problem]:
    target = _folded(live, key.referred_table)
    pairs = list(zip(key.columns, key.referred_columns, strict=False))
    if (key.referred_schema, target) not in tenants or (config.column, config.column) in pairs:
        return
    yield Problem(
        table.fullname,
        key.name or "foreign key",
        key.columns,
        f"this foreign key can point at a row of {key.referred_table!r} that is another tenant's",
        f"Make it ({config.column}, {', '.join(key.columns)}) and let it refer to the same in "
        f"{key.referred_table!r}",
    )


def _shared_table(
    live: LiveSchema, table: LiveTable, tenants: set[tuple[str | None, str]], config: IsolateConfig
) -> Iterator[Problem]:
    if table.column(config.column) is not None:
        yield _same_name(table.fullname, config.column)
    for key in table.foreign_keys:
        if (key.referred_schema, _folded(live, key.referred_table)) in tenants:
            yield Problem(
                table.fullname,
                key.name or "foreign key",
                key.columns,
                f"this shared table refers to {key.referred_table!r}, whose rows belong to tenants",
                f"Drop the foreign key, or take {table.fullname!r} off the list of shared tables",
            )


def _triggers(live: LiveSchema, config: IsolateConfig) -> Iterator[Problem]:
    if live.dialect != "sqlite":
        return
    present = own_triggers(live, config)
    for name, text in wanted_triggers(live, config).items():
        if present.get(name) != text:
            yield Problem(
                name.removeprefix(config.directory_prefix),
                name,
                (),
                "the trigger that carries out ON DELETE or ON UPDATE SET NULL here is missing",
                "Call flask_tenant.isolate.ddl.settle(connection, config), which makes it again",
            )
