"""What a database holds right now, by its own catalogue: the hidden column and our objects included."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ...errors import ConfigurationError
from ..hidden import folded
from ..plain import plainly

Run = Callable[[str], Sequence[Sequence[Any]]]
"""Executes a statement without parameters and returns its rows."""


@dataclass(frozen=True, slots=True)
class LiveColumn:
    """A column as it stands.

    :param type: as the database declares it, in lower case
    :param default: its default as SQL text
    :param automatic: whether the database numbers it by itself (PostgreSQL: serial or identity)
    """

    name: str
    type: str
    nullable: bool
    default: str | None = None
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A primary key, unique key, exclusion constraint or index.

    :param kind: ``primary key``, ``unique constraint``, ``unique index``, ``exclusion constraint``, ``index``
    :param columns: an expression is ``None``
    :param equal: the columns that exclude rows by being equal; only for exclusion constraints
    """

    kind: str
    name: str
    columns: tuple[str | None, ...]
    equal: frozenset[str] = frozenset()

    @property
    def unique(self) -> bool:
        """Whether two rows can be in each other's way."""
        return self.kind != "index"


@dataclass(frozen=True, slots=True)
class LiveForeignKey:
    """A foreign key; actions in capitals."""

    name: str
    columns: tuple[str, ...]
    referred_schema: str | None
    referred_table: str
    referred_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table as it stands.

    :param schema: ``None`` for the default schema
    :param never_reused: whether SQLite was asked for AUTOINCREMENT, which composite keys cannot have
    :param rowid: whether a single INTEGER key numbers itself (SQLite tables that are not WITHOUT ROWID)
    :param replaces: whether it was declared to delete rows that are in a new one's way (SQLite's ON CONFLICT REPLACE)
    :param parents: tables that have its rows, too: it is a partition of theirs, or inherits from them
    """

    name: str
    schema: str | None
    columns: tuple[LiveColumn, ...]
    keys: tuple[LiveKey, ...] = ()
    foreign_keys: tuple[LiveForeignKey, ...] = ()
    rowid: bool = False
    never_reused: bool = False
    replaces: bool = False
    parents: tuple[str, ...] = ()

    @property
    def fullname(self) -> str:
        """``schema.table``, or the table's name alone in the default schema."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns as they stand."""
        return next(
            (tuple(c or "" for c in key.columns) for key in self.keys if key.kind == "primary key"), ()
        )

    def column(self, name: str) -> LiveColumn | None:
        """Return the column of that name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class LiveObject:
    """Something that runs below the first wall.

    :param kind: ``trigger``, ``view``, ``materialized view``, ``rule`` or ``function``
    :param table: what it hangs on, if anything
    :param body: what a trigger's function on PostgreSQL does; ``None`` when it cannot be read as SQL
    """

    kind: str
    name: str
    schema: str | None
    table: str | None
    definition: str
    body: str | None = None

    @property
    def fullname(self) -> str:
        """``schema.name``, or the name alone in the default schema."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class LiveSchema:
    """All of it.

    :param search: where an unqualified name is looked up, in order; ``None`` is the default schema
    :param default: the default schema's own name
    """

    dialect: str
    tables: tuple[LiveTable, ...] = ()
    objects: tuple[LiveObject, ...] = ()
    search: tuple[str | None, ...] = (None,)
    default: str = "main"

    def relative(self, schema: str) -> str | None:
        """Return the schema as tables here name it: ``None`` for the default one."""
        same = folded(schema) == self.default if self.dialect == "sqlite" else schema == self.default
        return None if same else schema


def runner(connection: sa.Connection) -> Run:
    """Return what executes statements of ours on the connection."""

    def run(sql: str) -> Sequence[Sequence[Any]]:
        result = connection.exec_driver_sql(sql)
        return [tuple(row) for row in result] if result.returns_rows else ()

    return run


def fingerprint(connection: sa.Connection) -> Hashable:
    """Return a value that is another as soon as a table or a column is another. It is cheap to ask for.

    :param connection: lets statements of ours pass
    """
    from . import postgresql, sqlite

    asked = sqlite.FINGERPRINT if connection.dialect.name == "sqlite" else postgresql.FINGERPRINT
    return tuple(connection.exec_driver_sql(asked).one())


def read_schema(connection: sa.Connection) -> LiveSchema:
    """Read the catalogue of the database that the connection is open to.

    :raises ConfigurationError: on a database whose catalogue we cannot read
    """
    from . import postgresql, sqlite

    readers = {"sqlite": sqlite.read_schema, "postgresql": postgresql.read_schema}
    name = connection.dialect.name
    if name not in readers:
        raise ConfigurationError(
            f"Shared tables are not supported on {name!r}", value=name, hint="Use SQLite or PostgreSQL"
        )
    with plainly(connection):
        return readers[name](runner(connection))
