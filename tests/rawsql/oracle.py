"""Runs a statement as one tenant on the pool and on that tenant's single database, and compares all there is."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from flask_tenant.errors import RefusedError
from flask_tenant.isolate.rawsql import RawSql, Rewritten
from tests.rawsql.world import COUNTRIES, TABLES, TENANTS, WorldViews, create, quote, rows


class BrokenWallError(AssertionError):
    """The pool gave something else than the single database, or harmed a neighbour."""


@dataclass
class Outcome:
    """What a statement did."""

    rows: list[tuple[Any, ...]] | None
    headings: list[str] | None
    count: int
    error: str | None = None


def normal(value: Any) -> Any:
    """Make values comparable: dictionaries, lists, memory views."""
    if isinstance(value, memoryview):
        return bytes(value)
    return repr(value) if isinstance(value, (dict, list)) or hasattr(value, "lower_inc") else value


class Oracle:
    """Two kinds of databases side by side."""

    dialect: str
    placeholders: str
    database_error: type[Exception]

    def __init__(self) -> None:
        self.raw = RawSql(self.dialect, WorldViews(self.dialect))  # type: ignore[arg-type]
        self.answered = self.filled = 0
        self.invalid = 0
        self.refused: list[tuple[str, RefusedError]] = []

    # ---- to be filled in by back ends
    pool: Any
    singles: dict[int, Any]

    def fill(self) -> None:
        for connection, tenants, pool in [
            (self.pool, TENANTS, True), *((self.singles[t], (t,), False) for t in TENANTS)
        ]:  # fmt: skip
            cursor = connection.cursor()
            for statement in create(self.dialect, pool=pool):
                cursor.execute(statement)
            mark = "?" if self.dialect == "sqlite" else "%s"
            cursor.executemany(f"INSERT INTO country VALUES ({mark}, {mark})", COUNTRIES)
            for tenant in tenants:
                for name, values in rows(tenant).items():
                    table = next(t for t in TABLES if t.name == name)
                    columns = list(table.columns)
                    data: list[tuple[Any, ...]] = values
                    if pool:
                        columns.append("tenant_id")
                        data = [(*row, tenant) for row in values]
                    marks = ", ".join([mark] * len(columns))
                    cursor.executemany(
                        f"INSERT INTO {quote(name)} ({', '.join(map(quote, columns))}) VALUES ({marks})", data
                    )
            connection.commit()
            self.settle(connection)

    def settle(self, connection: Any) -> None:
        """After filling, before each statement."""

    # ---- looking
    def dump(self, connection: Any, tenant: int | None, *, others: bool = False) -> dict[str, list[Any]]:
        """All rows of a tenant, or with ``others`` of everybody else."""
        found = {}
        cursor = connection.cursor()
        for table in TABLES:
            if others and table.shared:
                continue
            where = ""
            extra = ""
            if tenant is not None and not table.shared:
                where = f" WHERE tenant_id {'<>' if others else '='} {tenant}"
                extra = ", tenant_id" if others else ""
            cursor.execute(
                f"SELECT {', '.join(map(quote, table.columns))}{extra} FROM {quote(table.name)}{where}"
            )
            found[table.name] = sorted((tuple(map(normal, row)) for row in cursor.fetchall()), key=repr)
        return found

    def run(self, connection: Any, statement: str, parameters: Any) -> Outcome:
        cursor = connection.cursor()
        try:
            if parameters is None:
                cursor.execute(statement)
            else:
                cursor.execute(statement, parameters)
            if cursor.description is None:
                return Outcome(None, None, cursor.rowcount)
            found = [tuple(map(normal, row)) for row in cursor.fetchall()]
            return Outcome(found, [column[0] for column in cursor.description], cursor.rowcount)
        except self.database_error as error:
            return Outcome(None, None, 0, f"{type(error).__name__}: {error}")

    def check(
        self, statement: str, parameters: Any = None, tenant: int = 1, *, strict: bool = True
    ) -> Rewritten | None:
        """Compare; ``strict``: a refusal is a failure too, and so is an error of the single database.

        :raises BrokenWallError: on any difference
        """
        try:
            rewritten = self.raw.statement(
                statement, self.placeholders if parameters is not None or self.dialect == "sqlite" else "none"
            )  # type: ignore[arg-type]
        except RefusedError as error:
            self.refused.append((statement, error))
            if strict:
                raise BrokenWallError(f"refused: {error}\n{statement}") from error
            return None
        single = self.singles[tenant]
        others = self.dump(self.pool, tenant, others=True)
        if not any(others.values()):
            raise BrokenWallError("the neighbours have no rows to protect")
        self.settle(single)
        self.settle(self.pool)
        before = self.dump(single, None) if rewritten.writes else None
        sql = rewritten.sql(str(tenant))
        try:
            expected = self.run(single, statement, parameters)
            got = self.run(self.pool, sql, parameters)
            where = f"\n{statement}\n{sql}"
            if expected.error or got.error:
                if expected.error and got.error and not strict:
                    self.invalid += 1
                    return None
                if expected.error and got.error:
                    raise BrokenWallError(f"both fail: {expected.error}{where}")
                raise BrokenWallError(f"single: {expected.error}\npool: {got.error}{where}")
            if got.headings != expected.headings:
                raise BrokenWallError(f"headings: {expected.headings} became {got.headings}{where}")
            if expected.count != got.count:
                raise BrokenWallError(f"row count: {expected.count} became {got.count}{where}")
            ordered = re.search(r"order\s+by", statement, re.IGNORECASE) and not rewritten.writes
            wanted, seen = (
                (expected.rows, got.rows)
                if ordered
                else (sorted(expected.rows or [], key=repr), sorted(got.rows or [], key=repr))
            )
            if wanted != seen and sorted(wanted or [], key=repr) != sorted(seen or [], key=repr):
                raise BrokenWallError(f"rows:\n{wanted}\nbecame\n{seen}{where}")
            mine, alone = self.dump(self.pool, tenant), self.dump(single, None)
            if mine != alone:
                name = next(n for n in mine if mine[n] != alone[n])
                raise BrokenWallError(f"table {name}:\n{alone[name]}\nbecame\n{mine[name]}{where}")
            if self.dump(self.pool, tenant, others=True) != others:
                raise BrokenWallError(f"a neighbour's rows changed{where}")
            self.answered += 1
            self.filled += bool(expected.rows) or (before is not None and before != alone)
            return rewritten
        finally:
            single.rollback()
            self.pool.rollback()


class SqliteOracle(Oracle):
    """In process."""

    dialect = "sqlite"
    placeholders = "qmark"
    database_error = sqlite3.Error

    def __init__(self) -> None:
        super().__init__()
        self.pool = sqlite3.connect(":memory:")
        self.singles = {tenant: sqlite3.connect(":memory:") for tenant in TENANTS}
        for connection in (self.pool, *self.singles.values()):
            connection.execute("PRAGMA foreign_keys = ON")
            connection.create_function("regexp", 2, lambda a, b: bool(re.search(a, b or "")))
        self.fill()

    def settle(self, connection: Any) -> None:
        # the driver opens no transaction for WITH ... DELETE, and what is not rolled back would pile up
        if not connection.in_transaction:
            connection.execute("BEGIN")


class PostgresOracle(Oracle):
    """Four schemas would share sequences' names, so four databases."""

    dialect = "postgresql"
    placeholders = "format"

    def __init__(self, connect: Any) -> None:
        """``connect(k)`` opens the k-th empty database."""
        import psycopg

        self.database_error = psycopg.Error
        super().__init__()
        self.pool = connect(0)
        self.singles = {tenant: connect(tenant) for tenant in TENANTS}
        self.fill()

    def settle(self, connection: Any) -> None:
        cursor = connection.cursor()
        for table in TABLES:
            if table.auto:
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{quote(table.name)}', '{table.auto}'), 1000)"
                )
        cursor.execute("SELECT setseed(0.5)")
