"""The attack list: statements that would reach another tenant's rows if the wall let them, against the application's
own tables. Each is sent in every way in which SQL reaches the driver, and rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection

from ..errors import TenancyError
from ..isolate import Isolation, plainly
from ..model import Tenant
from ..scopes import tenant_context
from .canary import Canaries, Owner
from .fill import Rows
from .findings import Leak

MOST_TABLES = 20

READS = (
    "SELECT * FROM {t}",
    "SELECT * FROM {t} WHERE 1 = 1 OR 1 = 1",
    "SELECT * FROM {t} UNION ALL SELECT * FROM {t}",
    "SELECT * FROM {t} WHERE {h} = {bid}",
    "SELECT {h} FROM {t}",
    "SELECT * FROM {t} ORDER BY {h}",
    "SELECT * FROM {t} AS x LEFT JOIN {t} AS y ON 1 = 1 OR 1 = 1",
    "SELECT * FROM {t} AS x, {t} AS y",
    "SELECT x.* FROM (SELECT * FROM {t}) AS x",
    "WITH {n} AS (SELECT * FROM {q}) SELECT * FROM {n}",
    "WITH x AS (SELECT * FROM {t}) SELECT * FROM x WHERE 1 = 1 OR 1 = 1",
    "SELECT max({c}) FROM {t}",
    "SELECT (SELECT max({c}) FROM {q})",
    "SELECT * FROM {q} WHERE {c} IN (SELECT {c} FROM {t})",
    "SELECT * FROM {t} WHERE {k} = {b}",
    "SELECT 41 + 1 AS found WHERE EXISTS (SELECT 1 FROM {t} WHERE {k} = {b})",
    "SELECT * FROM {t} WHERE {k} = {b} -- ' OR 1 = 1",
    "SELECT * /* FROM x */ FROM {t} WHERE /* ' */ 1 = 1",
    "SELECT * FROM\u00a0{t}",
    "SELECT 1; SELECT * FROM {t}",
)
SQLITE_READS = (
    "SELECT rowid, * FROM {t}",
    "SELECT * FROM main.{t}",
    "SELECT * FROM {t} NOT INDEXED",
    "SELECT sql FROM sqlite_master",
    "PRAGMA table_info({t})",
    "ATTACH DATABASE ':memory:' AS elsewhere",
)
POSTGRESQL_READS = (
    "TABLE {t}",
    "SELECT ctid, * FROM {t}",
    "SELECT * FROM ONLY {t}",
    "SELECT * FROM {t} *",
    "SELECT row_to_json(x) FROM {t} AS x",
    "SELECT x::text FROM {t} AS x",
    "SELECT query_to_xml('SELECT * FROM {t}', true, false, '')",
    "SELECT most_common_vals FROM pg_stats WHERE tablename = '{n}'",
    "SELECT set_config('app.tenant', '{bid}', true)",
    "COPY {t} TO STDOUT",
    "SELECT * FROM {t} FOR UPDATE",
    "SET search_path = pg_catalog",
)
WRITES = (
    "UPDATE {t} SET {c} = {c}",
    "UPDATE {t} SET {c} = NULL WHERE {h} = {bid}",
    "UPDATE {t} SET {h} = {bid}",
    "UPDATE {t} SET {c} = {c} WHERE {k} = {b}",
    "UPDATE {t} SET {k} = {k} WHERE 1 = 1 OR 1 = 1",
    "DELETE FROM {t}",
    "DELETE FROM {t} WHERE 1 = 1 OR 1 = 1",
    "DELETE FROM {t} WHERE {k} = {b}",
    "DELETE FROM {t} WHERE {h} = {bid}",
    "INSERT INTO {t} ({h}, {k}) VALUES ({bid}, {b})",
    "DROP TABLE {t}",
    "ALTER TABLE {t} ADD COLUMN doctor INTEGER",
    "CREATE VIEW doctor_view AS SELECT * FROM {t}",
)
SQLITE_WRITES = (
    "REPLACE INTO {t} SELECT * FROM {t}",
    "INSERT OR REPLACE INTO {t} (rowid) SELECT rowid FROM {t}",
    "DELETE FROM {t} WHERE rowid > 0",
)
POSTGRESQL_WRITES = (
    "TRUNCATE {t} CASCADE",
    "DO $$ BEGIN DELETE FROM {t}; END $$",
    "WITH gone AS (DELETE FROM {t} RETURNING *) SELECT * FROM gone",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A table to be attacked, with the words that the statements are made of."""

    name: str
    table: sa.Table
    words: dict[str, str]


class Attacks:
    """Attacks each table as one tenant, and looks at what the other has.

    :param progress: is told what is going on
    """

    def __init__(
        self,
        app: Flask,
        isolation: Isolation,
        tenants: dict[Owner, Tenant],
        canaries: Canaries,
        rows: Rows,
        progress: Callable[[str], None],
    ) -> None:
        self._app, self._engine, self._isolation = app, isolation.engine, isolation
        self._tenants, self._canaries, self._rows, self._progress = tenants, canaries, rows, progress
        self._sqlite = self._engine.dialect.name == "sqlite"
        self.count = 0
        self.leaks: list[Leak] = []

    def run(self) -> None:
        """Run the list."""
        with tenant_context(self._tenants["A"], self._app), self._engine.connect() as connection:
            for target in self._targets():
                self._progress(target.name)
                theirs = self._theirs(connection, target)
                if not theirs:
                    continue
                for sql, writes in self._statements():
                    # str.format would read the braces of SQL
                    text = sql
                    for key, word in target.words.items():
                        text = text.replace("{" + key + "}", word)
                    for way in ("text", "driver", "cursor"):
                        self._attack(connection, target, text, way, writes, theirs)
                self._core(connection, target, theirs)

    def _statements(self) -> Iterator[tuple[str, bool]]:
        for sql in READS + (SQLITE_READS if self._sqlite else POSTGRESQL_READS):
            yield sql, False
        for sql in WRITES + (SQLITE_WRITES if self._sqlite else POSTGRESQL_WRITES):
            yield sql, True

    def _targets(self) -> Iterator[Target]:
        quote = self._engine.dialect.identifier_preparer.quote
        for name in sorted(self._rows.rows)[:MOST_TABLES]:
            written, table = self._rows.rows[name], self._rows.tables[name]
            if self._isolation.views.find(table.name, table.schema) is None:
                continue  # of another database
            if not written["A"] or len(written["B"]) < 3:
                continue
            row = written["B"][2]
            keys = [c.name for c in table.primary_key.columns if c.name in row] or list(row)
            texts = [m.column for m in self._canaries.marks() if m.table == name and not m.word.isdigit()]
            full = f"{quote(table.schema)}.{quote(table.name)}" if table.schema else quote(table.name)
            words = {
                "t": full,
                "q": full if table.schema else ("main." if self._sqlite else "public.") + quote(table.name),
                "n": quote(table.name),
                "h": self._isolation.config.column,
                "bid": str(self._tenants["B"].id),
                "k": quote(keys[0]),
                "b": _literal(row[keys[0]]),
                "c": quote(texts[0] if texts else keys[0]),
            }
            yield Target(name, table, words)

    def _theirs(self, connection: Connection, target: Target) -> list[str]:
        """B's rows as they are in the database."""
        with plainly(connection):
            rows = connection.exec_driver_sql(
                f"SELECT * FROM {target.words['t']} WHERE {target.words['h']} = {target.words['bid']}"
            ).all()
        return sorted(map(repr, rows))

    def _attack(
        self, connection: Connection, target: Target, sql: str, way: str, writes: bool, theirs: list[str]
    ) -> None:
        self.count += 1
        try:
            result = repr(_send(connection, sql, way))
            worked = True
        except Exception as error:  # the driver's, SQLAlchemy's and ours
            result, worked = _all_of(error), False
        how = f"{sql}  ({way})"
        self._look(target, how, result, sql)
        if worked and not writes and "EXISTS" in sql and "(42,)" in result:
            self._leak(how, "answer", f"whether B has a row of this key in {target.name}")
        if worked and writes:
            self._unchanged(connection, target, how, theirs)
        connection.rollback()

    def _look(self, target: Target, how: str, result: str, sent: str) -> None:
        marks = self._canaries.find(result, "B", sent)
        if marks:
            self._leak(how, "answer", "canary of " + ", ".join(sorted({str(m) for m in marks})))
        if target.words["h"] in result and target.words["h"] not in sent:
            self._leak(how, "answer", f"the name of the hidden column {target.words['h']!r}")

    def _unchanged(self, connection: Connection, target: Target, how: str, theirs: list[str]) -> None:
        try:
            after = self._theirs(connection, target)
        except sa.exc.SQLAlchemyError:
            after = []
        if after != theirs:
            self._leak(how, "database", f"B's rows of {target.name} are other rows now")

    def _core(self, connection: Connection, target: Target, theirs: list[str]) -> None:
        table = target.table
        for name, statement in (
            ("select(table)", sa.select(table)),
            ("table.update()", table.update().values({table.columns[0]: table.columns[0]})),
            ("table.delete()", table.delete()),
            ("select(func.max())", sa.select(sa.func.max(list(table.columns)[-1]))),
        ):
            self.count += 1
            how = f"{name} on {target.name}  (Core)"
            try:
                result: Any = connection.execute(statement)
                shown, worked = repr(result.all() if result.returns_rows else ""), True
            except Exception as error:  # as above
                shown, worked = _all_of(error), False
            self._look(target, how, shown, "")
            if worked:
                self._unchanged(connection, target, how, theirs)
            connection.rollback()

    def _leak(self, how: str, where: str, what: str) -> None:
        self.leaks.append(
            Leak("attack list", "", how, where, what, "This is a hole in flask_tenant: please report it")
        )


def _send(connection: Connection, sql: str, way: str) -> Any:
    if way == "cursor":
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql)
            return ([d[0] for d in cursor.description], cursor.fetchall()) if cursor.description else ()
        finally:
            cursor.close()
    result: Any = connection.exec_driver_sql(sql) if way == "driver" else connection.execute(sa.text(sql))
    return (list(result.keys()), result.all()) if result.returns_rows else ()


def _all_of(error: BaseException) -> str:
    """What the application can read of an error."""
    seen = [str(error), repr(error.args)]
    if isinstance(error, TenancyError):
        return str(error)
    original = getattr(error, "orig", None)
    if original is not None:
        seen.append(str(original))
    return "\n".join(seen)


def _literal(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
