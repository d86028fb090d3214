"""Fills the tenant tables of the scratch copy with canary rows of both tenants.

Every table gets the same three rows of each tenant: two whose keys both tenants have, and one whose keys nobody else
has. A row refers to the row of the same number in other tables. So any id leads somewhere in any table.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection, Engine

from ..context import internal
from ..errors import TenancyError
from ..isolate import Isolation, physical, plainly
from ..model import TableView, Tenant
from ..scopes import tenant_context
from .canary import OWNERS, Canaries, Owner
from .findings import TableResult
from .values import Omit, Place, Values, listed_values

ROWS = 3
Row = dict[str, Any]


class Rows:
    """The canary rows that were written.

    :param ids: the automatic ids of each tenant, by row: the first two are common
    :param tables: by name: the table, and each tenant's rows as written
    """

    def __init__(self, ids: dict[Owner, list[int]]) -> None:
        self.ids = ids
        self.tables: dict[str, sa.Table] = {}
        self.rows: dict[str, dict[Owner, list[Row]]] = {}

    def value(self, table: str, column: str, owner: Owner, row: int) -> Any:
        """Return what was written, or ``None``."""
        written = self.rows.get(table, {}).get(owner, [])
        return written[row].get(column) if row < len(written) else None


def common_ids(isolations: Iterable[Isolation]) -> dict[Owner, list[int]]:
    """Return the automatic ids of each tenant's rows, beyond those of the seeds."""
    largest = 0
    for isolation in isolations:
        with isolation.begin() as connection:
            for view in isolation.views.all():
                if view.shared:
                    continue
                rows = physical(view, isolation.config.column)
                for name in view.primary_key:
                    value = connection.scalar(sa.select(sa.func.max(rows.c[name])))
                    if isinstance(value, int) and value < 2_000_000_000:
                        largest = max(largest, value)
    base = largest // 100 * 100 + 100
    return {"A": [base + 1, base + 2, base + 11], "B": [base + 1, base + 2, base + 21]}


def models(hidden: str) -> dict[tuple[str | None, str], sa.Table]:
    """The tables that the application knows: their types and defaults say more than the database does.

    :param hidden: the hidden column's name: tables that have it are our own
    """
    found: dict[tuple[str | None, str], sa.Table] = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), sa.MetaData):
            for table in list(thing.tables.values()):
                if hidden in table.columns or any(
                    isinstance(c.type, sa.types.NullType) for c in table.columns
                ):
                    continue
                known = found.get((table.schema, table.name))
                if known is None or len(known.columns) < len(table.columns):
                    found[table.schema, table.name] = table
    return found


class Filler:
    """Writes canary rows.

    :param wanted: values that the operator has named, by ``table.column``
    :param rows: takes what was written
    """

    def __init__(
        self,
        app: Flask,
        engine: Engine,
        isolation: Isolation,
        tenants: dict[Owner, Tenant],
        canaries: Canaries,
        wanted: dict[str, Any],
        rows: Rows,
    ) -> None:
        self._app, self._engine, self._isolation = app, engine, isolation
        self._tenants, self._canaries, self._wanted = tenants, canaries, wanted
        self._views = [v for v in isolation.views.all() if not v.shared]
        self._models = models(isolation.config.column)
        self.rows = rows
        self._values = Values(canaries, rows.ids, engine.dialect)
        self._shared: dict[str, list[Row]] = {}
        self.results: list[TableResult] = []

    def fill(self) -> None:
        """Fill all tables, those that others refer to first."""
        with tenant_context(self._tenants["A"], self._app), self._engine.connect() as connection:
            metadata = sa.MetaData()
            live = {self._name(view): self._reflect(connection, metadata, view) for view in self._views}
        waiting = {name: table for name, table in live.items() if table is not None}
        while waiting:
            ready = [n for n, t in waiting.items() if not self._needs(n, t, waiting, nullable=True)]
            ready = ready or [n for n, t in waiting.items() if not self._needs(n, t, waiting, nullable=False)]
            ready = ready or list(waiting)
            name = min(ready)
            self._fill(name, waiting.pop(name))
        if self._engine.dialect.name == "postgresql":
            self._raise_sequences(live.values())
        self.results.sort(key=lambda result: result.table)

    # ---- the schema
    @staticmethod
    def _name(view: TableView) -> str:
        return f"{view.schema}.{view.name}" if view.schema else view.name

    def _reflect(self, connection: Connection, metadata: sa.MetaData, view: TableView) -> sa.Table | None:
        try:
            return sa.Table(
                view.name, metadata, schema=view.schema, autoload_with=connection, resolve_fks=False
            )
        except (sa.exc.SQLAlchemyError, TenancyError) as error:
            self.results.append(TableResult(self._name(view), problem=f"not reflected: {error}"))
            return None

    def _needs(self, name: str, table: sa.Table, waiting: Iterable[str], *, nullable: bool) -> bool:
        for key in table.foreign_key_constraints:
            target = self._target(key)
            if (
                target != name
                and target in waiting
                and (nullable or not all(c.nullable for c in key.columns))
            ):
                return True
        return False

    @staticmethod
    def _target(key: sa.ForeignKeyConstraint) -> str:
        return key.elements[0].target_fullname.rpartition(".")[0]

    # ---- rows
    def _fill(self, name: str, table: sa.Table) -> None:
        result = TableResult(name)
        self.results.append(result)
        model = self._model(table)
        self.rows.tables[name] = model if model is not None else table
        written: dict[Owner, list[Row]] = {"A": [], "B": []}
        self.rows.rows[name] = written
        for owner in OWNERS:
            with tenant_context(self._tenants[owner], self._app), self._engine.connect() as connection:
                for number in range(ROWS):
                    row, problem = self._write(connection, name, table, model, owner, number)
                    if row is None:
                        result.problem = result.problem or problem
                        break
                    written[owner].append(row)
        result.rows = min(len(rows) for rows in written.values())
        result.canaries = self._count(name)

    def _count(self, name: str) -> int:
        return sum(mark.table == name for mark in self._canaries.marks())

    def _model(self, table: sa.Table) -> sa.Table | None:
        """The application's own table, where it can write all that the database wants."""
        model = self._models.get((table.schema, table.name))
        if model is None:
            return None
        needed = {c.name for c in table.columns if not c.nullable and c.server_default is None}
        return model if needed <= {c.name for c in model.columns} else None

    def _write(
        self,
        connection: Connection,
        name: str,
        table: sa.Table,
        model: sa.Table | None,
        owner: Owner,
        number: int,
    ) -> tuple[Row | None, str]:
        problem = ""
        for careful in (False, True):
            before = self._canaries.known()
            try:
                row = self._row(connection, name, table, model, owner, number, careful=careful)
                connection.execute((model if model is not None else table).insert().values(row))
                connection.commit()
            except Exception as error:  # the application's types and defaults run here
                connection.rollback()
                self._canaries.forget(self._canaries.known() - before)
                problem = str(getattr(error, "orig", error)).strip().split("\n")[0]
            else:
                return row, ""
        return None, problem

    def _row(
        self,
        connection: Connection,
        name: str,
        table: sa.Table,
        model: sa.Table | None,
        owner: Owner,
        number: int,
        *,
        careful: bool,
    ) -> Row:
        row: Row = {}
        for key in sorted(table.foreign_key_constraints, key=lambda k: -len(k.columns)):
            row.update(self._reference(connection, name, key, owner, number, row, careful=careful))
        checks = [str(c.sqltext) for c in table.constraints if isinstance(c, sa.CheckConstraint)]
        if model is not None:
            checks += [str(c.sqltext) for c in model.constraints if isinstance(c, sa.CheckConstraint)]
        listed, unique = listed_values(checks), _unique(table)
        for column in table.columns:
            known = model.columns.get(column.name) if model is not None else None
            if column.name in row or column.computed is not None or (model is not None and known is None):
                continue
            wanted = f"{name}.{column.name}"
            if wanted in self._wanted:
                row[column.name] = self._wanted[wanted]
                continue
            primary = column.primary_key
            place = Place(
                owner,
                name,
                column,
                known,
                number,
                column.name in unique,
                primary or column.name in unique,
                careful,
            )
            if place.unique and not primary and isinstance(column.type, sa.Integer):
                place.key = False
            try:
                row[column.name] = self._values.make(place, listed.get(column.name.lower()))
            except Omit:
                continue
        return row

    def _reference(
        self,
        connection: Connection,
        name: str,
        key: sa.ForeignKeyConstraint,
        owner: Owner,
        number: int,
        row: Row,
        *,
        careful: bool,
    ) -> Row:
        target = self._target(key)
        pairs = [(e.parent.name, e.column_name if hasattr(e, "column_name") else e.target_fullname.rpartition(".")[2])
                 for e in key.elements]  # fmt: skip
        nothing = {own: None for own, _ in pairs if own not in row}
        optional = all(c.nullable for c in key.columns)
        if target == name:
            if optional:
                return nothing
            return {own: self.rows.ids[owner][number] for own, _ in pairs if own not in row}
        there = self.rows.rows.get(target, {}).get(owner)
        if there is None:
            there = self._shared_rows(connection, target, [to for _, to in pairs])
            if there:
                there = [there[0]] * ROWS
        if number >= len(there) or (careful and optional):
            if optional:
                return nothing
            raise ValueError(f"it refers to {target!r}, which could not be filled")
        return {own: there[number].get(to) for own, to in pairs if own not in row}

    def _shared_rows(self, connection: Connection, target: str, columns: list[str]) -> list[Row]:
        """Rows of a shared table to refer to."""
        if target not in self._shared:
            schema, _, bare = target.rpartition(".")
            table = sa.table(bare, *map(sa.column, columns), schema=schema or None)
            try:
                found = connection.execute(sa.select(table).limit(1)).mappings()
                self._shared[target] = [dict(row) for row in found]
            except (sa.exc.SQLAlchemyError, TenancyError):
                connection.rollback()
                self._shared[target] = []
        return self._shared[target]

    def _raise_sequences(self, tables: Iterable[sa.Table | None]) -> None:
        """Let rows that the application adds during the examination have ids of their own."""
        largest = max(self.rows.ids["B"]) + 1000  # far beyond the id that nobody has
        with internal(), self._engine.connect() as connection, plainly(connection), connection.begin():
            for view in self._views:
                if view.auto_id is None:
                    continue
                quote = connection.dialect.identifier_preparer.quote
                full = f"{quote(view.schema)}.{quote(view.name)}" if view.schema else quote(view.name)
                connection.execute(
                    sa.text(
                        "SELECT setval(s, :n, false) FROM pg_get_serial_sequence(:t, :c) AS s WHERE s IS NOT NULL"
                    ).bindparams(n=largest, t=full, c=view.auto_id)
                )


def _unique(table: sa.Table) -> set[str]:
    """The columns that are a unique key on their own."""
    keys = [
        list(c.columns)
        for c in table.constraints
        if isinstance(c, (sa.UniqueConstraint, sa.PrimaryKeyConstraint))
    ]
    keys += [list(index.columns) for index in table.indexes if index.unique]
    return {key[0].name for key in keys if len(key) == 1}
