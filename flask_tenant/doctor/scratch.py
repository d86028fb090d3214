"""The scratch copy: the live schema, shared rows and seeds, and no tenant's rows.

The live databases are read only, and the copies are removed when the examination is over.
"""

from __future__ import annotations

import secrets
import sqlite3
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import NullPool

from ..engines import exempt_engine
from ..errors import TenancyError
from ..isolate import Isolation, sequence_table
from ..model import TEMPLATE_ID
from .guard import Server, copy_sqlite

MOST_ROWS = 50_000
"""Rows that are copied of a shared table."""


class ScratchError(TenancyError):
    """No scratch copy could be made; nothing was touched."""

    code = "scratch"


@dataclass(slots=True)
class Copies:
    """Where the copies are.

    :param folder: a temporary folder of this examination
    :param files: live SQLite files to their copies
    :param servers: live PostgreSQL databases to their copies
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    servers: list[tuple[Server, Server]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def server_of(url: URL) -> Server:
    """Return which PostgreSQL database a URL leads to."""
    host = url.host or url.query.get("host") or "localhost"
    return Server(
        str(host), str(url.port or url.query.get("port") or 5432), url.database or url.username or ""
    )


@contextmanager
def copies(
    tenanted: dict[Engine, Isolation],
    others: Iterable[Engine],
    scratch: str | None,
    directory: str | None = None,
) -> Iterator[Copies]:
    """Make a scratch copy of every database that the application uses.

    :param tenanted: engines that hold tenants' rows
    :param others: all other engines of the process
    :param scratch: URL of an empty PostgreSQL database to use in place of one that would be created
    :param directory: URL of the directory's own database, if it has one: the examination begins with an empty one
    :raises ScratchError: when that is not possible
    """
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="flask-tenant-doctor-"))
        ).resolve()
        (folder / "tmp").mkdir()
        found = Copies(folder)
        for engine, isolation in tenanted.items():
            if engine.dialect.name == "sqlite":
                _sqlite(engine, isolation, found)
            else:
                _postgresql(stack, engine, isolation, found, scratch)
        if directory is not None:
            _directory(make_url(directory), found)
        for engine in others:
            _other(engine, found)
        yield found


def _directory(url: URL, found: Copies) -> None:
    """An empty database in place of the directory's own: the application makes its tables."""
    if url.get_backend_name() == "sqlite" and url.database:
        live = str(Path(url.database).resolve())
        found.files.setdefault(live, str(found.folder / f"{len(found.files)}-{Path(live).name}"))
    elif url.get_backend_name() == "postgresql" and found.servers:
        found.servers.append((server_of(url), found.servers[0][1]))


def _other(engine: Engine, found: Copies) -> None:
    """An engine that holds no tenants' rows."""
    if engine.dialect.name == "sqlite":
        name = engine.url.database
        live = str(Path(name).resolve()) if name and ":memory:" not in name else ""
        if live and live not in found.files and Path(live).exists():
            found.files[live] = str(found.folder / f"{len(found.files)}-{Path(live).name}")
            copy_sqlite(live, found.files[live])
    elif engine.dialect.name == "postgresql":
        if all(server_of(engine.url) != live for live, _ in found.servers):
            found.notes.append(
                f"Of the database {engine.url.render_as_string()} no copy is made: views that use it fail here"
            )
    else:
        raise ScratchError(
            f"The application has an engine on {engine.dialect.name!r}, which the doctor cannot keep away from",
            value=engine.url.render_as_string(),
            hint="Run the doctor with a configuration without it",
        )


# ---- SQLite
def _sqlite(engine: Engine, isolation: Isolation, found: Copies) -> None:
    name = engine.url.database or ""
    live = str(Path(urllib.parse.unquote(name.removeprefix("file:").partition("?")[0])).resolve())
    if live in found.files:
        return
    target = found.files[live] = str(found.folder / f"{len(found.files)}-{Path(live).name}")
    config = isolation.config
    connection = sqlite3.connect(f"file:{urllib.parse.quote(target)}", uri=True)
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("ATTACH ? AS live", (f"file:{urllib.parse.quote(live)}?mode=ro",))
        objects = connection.execute(
            "SELECT type, name, tbl_name, sql FROM live.sqlite_master WHERE sql IS NOT NULL "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY type = 'trigger', type = 'view', type = 'index', rowid"
        ).fetchall()
        directory = config.directory_prefix
        wanted = [o for o in objects if not o[2].startswith(directory) or o[2] == sequence_table(config)]
        for kind, _, _, sql in wanted:
            if kind == "table":
                _run(connection, sql, found)
        for kind, name, _, _ in wanted:
            if kind == "table" and not name.startswith(directory):
                _sqlite_rows(connection, name, config.column, found)
        for kind, _, _, sql in wanted:
            if kind != "table":
                _run(connection, sql, found)
        connection.commit()
    except sqlite3.Error as error:
        raise ScratchError(f"The database {live} could not be copied: {error}", value=live) from error
    finally:
        connection.close()


def _run(connection: sqlite3.Connection, sql: str, found: Copies) -> None:
    try:
        connection.execute(sql)
    except sqlite3.OperationalError as error:
        if "already exists" not in str(error):  # the tables behind a virtual one are
            found.notes.append(f"The scratch copy lacks {sql.split('(')[0].strip()!r}: {error}")


def _sqlite_rows(connection: sqlite3.Connection, name: str, column: str, found: Copies) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    columns = [
        row[1] for row in connection.execute(f"PRAGMA live.table_xinfo({quoted})").fetchall() if row[6] == 0
    ]
    listed = ", ".join('"' + c.replace('"', '""') + '"' for c in columns)
    where = f'WHERE "{column}" = {TEMPLATE_ID}' if column in columns else ""
    try:
        connection.execute(
            f"INSERT INTO main.{quoted} ({listed}) SELECT {listed} FROM live.{quoted} {where} LIMIT {MOST_ROWS}"
        )
    except sqlite3.Error as error:
        found.notes.append(f"The rows of {name!r} were not copied: {error}")


# ---- PostgreSQL
def _postgresql(
    stack: ExitStack, engine: Engine, isolation: Isolation, found: Copies, wanted: str | None
) -> None:
    live = server_of(engine.url)
    if any(live == known for known, _ in found.servers):
        return
    target = _given(engine, wanted) if wanted is not None else _created(stack, engine)
    scratch = _own_engine(target)
    try:
        if wanted is not None:
            stack.callback(_empty, target)
        found.servers.append((live, server_of(target)))
        if _dumped(engine.url, scratch, isolation.config.directory_prefix, found):
            with isolation.begin() as source, scratch.connect() as copy:
                source.exec_driver_sql("SET TRANSACTION READ ONLY")
                _postgresql_rows(source, copy, isolation, found)
    finally:
        scratch.dispose()


def _own_engine(url: URL, **kw: Any) -> Engine:
    engine = sa.create_engine(url, poolclass=NullPool, **kw)
    exempt_engine(engine)
    return engine


def _given(engine: Engine, wanted: str) -> URL:
    """The database that the operator has named: it must be empty, and another than the live one."""
    url = make_url(wanted)
    if url.get_backend_name() != "postgresql":
        raise ScratchError(
            f"--scratch {url.render_as_string()} is no PostgreSQL database",
            value=url.render_as_string(),
            hint="For a live database on PostgreSQL, name an empty database on PostgreSQL",
        )
    url = url.set(drivername=engine.url.drivername)
    if server_of(url) == server_of(engine.url):
        raise ScratchError("--scratch names the live database", value=url.render_as_string())
    own = _own_engine(url)
    try:
        with own.connect() as connection:
            tables = [
                name
                for schema in sa.inspect(connection).get_schema_names()
                if schema != "information_schema"
                for name in sa.inspect(connection).get_table_names(schema)
            ]
    except sa.exc.SQLAlchemyError as error:
        raise ScratchError(
            f"--scratch {url.render_as_string()} cannot be used: {getattr(error, 'orig', error)}"
        ) from error
    finally:
        own.dispose()
    if tables:
        raise ScratchError(
            f"--scratch {url.render_as_string()} is not empty: it holds {', '.join(sorted(tables)[:5])}",
            value=tables,
            hint="Name an empty database: what is in it is dropped afterwards",
        )
    return url


def _empty(url: URL) -> None:
    """Give an operator's scratch database back as it came."""
    own = _own_engine(url)
    try:
        with own.begin() as connection:
            for schema in sa.inspect(connection).get_schema_names():
                if schema != "information_schema":
                    connection.exec_driver_sql(
                        f"DROP SCHEMA {connection.dialect.identifier_preparer.quote(schema)} CASCADE"
                    )
            connection.exec_driver_sql("CREATE SCHEMA public")
    finally:
        own.dispose()


def _created(stack: ExitStack, engine: Engine) -> URL:
    name = f"tenancy_doctor_{secrets.token_hex(4)}"
    try:
        _administer(engine, f'CREATE DATABASE "{name}" TEMPLATE template0')
    except sa.exc.SQLAlchemyError as error:
        raise ScratchError(
            f"A scratch database could not be created beside {engine.url.render_as_string()}: "
            f"{str(getattr(error, 'orig', error)).strip()}",
            hint="Let the role create databases, or name an empty one with --scratch URL",
        ) from error
    stack.callback(_administer, engine, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    return engine.url.set(database=name)


def _administer(engine: Engine, statement: str) -> None:
    own = _own_engine(engine.url, isolation_level="AUTOCOMMIT")
    try:
        with own.connect() as connection:
            connection.exec_driver_sql(statement)
    finally:
        own.dispose()


def _dumped(live: URL, scratch: Engine, prefix: str, found: Copies) -> bool:
    """Copy the schema by pg_dump; false when that is not possible, and the application has to make it itself."""
    program = which("pg_dump") or next(
        iter(sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_dump")))), None
    )
    if program is None:
        found.notes.append("There is no pg_dump: the application made the scratch copy's schema itself")
        return False
    plain = URL.create("postgresql", live.username, None, live.host, live.port, live.database, live.query)
    done = subprocess.run(  # noqa: S603 - the program is PostgreSQL's own
        [program, "--schema-only", "--no-owner", "--no-privileges", "--exclude-table", f"{prefix}*",
         "--dbname", plain.render_as_string()],
        env={"PGPASSWORD": live.password or "", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    if done.returncode:
        found.notes.append(
            f"pg_dump failed, the application made the schema itself: {done.stderr.strip()[:200]}"
        )
        return False
    script = "\n".join(
        line for line in done.stdout.splitlines() if not line.startswith(("\\", "CREATE SCHEMA public"))
    )
    try:
        with scratch.begin() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(script)
            cursor.close()
    except Exception as error:  # the driver's own
        found.notes.append(
            f"The schema was not copied, the application made it itself: {str(error).strip()[:200]}"
        )
        return False
    return True


def _postgresql_rows(source: Connection, copy: Connection, isolation: Isolation, found: Copies) -> None:
    """Copy shared rows and seeds, parents before children."""
    config = isolation.config
    metadata = sa.MetaData()
    places = {view.schema for view in isolation.views.all()}
    for schema in places:
        metadata.reflect(copy, schema=schema, resolve_fks=False)
    copy.rollback()
    for table in metadata.sorted_tables:
        if config.is_ours(table.name, table.schema):
            continue
        columns = [column for column in table.columns if column.computed is None]
        query = sa.select(*columns).limit(MOST_ROWS)
        if config.is_tenant(table.name, table.schema):
            query = query.where(table.c[config.column] == TEMPLATE_ID)
        try:
            rows = [dict(row) for row in source.execute(query).mappings()]
            if rows:
                with copy.begin():
                    copy.execute(table.insert(), rows)
        except sa.exc.SQLAlchemyError as error:
            found.notes.append(
                f"The rows of {table.fullname!r} were not copied: {getattr(error, 'orig', error)}"
            )
            if source.in_transaction() and source.dialect.name == "postgresql":
                return
    _raise_sequences(copy, metadata)


def _raise_sequences(copy: Connection, metadata: sa.MetaData) -> None:
    quote = copy.dialect.identifier_preparer.quote
    with copy.begin():
        for table in metadata.sorted_tables:
            name = f"{quote(table.schema)}.{quote(table.name)}" if table.schema else quote(table.name)
            for column in table.primary_key.columns:
                if not isinstance(column.type, sa.Integer):
                    continue
                copy.execute(
                    sa.text(
                        f"SELECT setval(s, (SELECT coalesce(max({quote(column.name)}), 0) FROM {name}) + 1, false) "
                        "FROM pg_get_serial_sequence(:t, :c) AS s WHERE s IS NOT NULL"
                    ).bindparams(t=name, c=column.name)
                )


__all__ = ["Copies", "ScratchError", "copies", "server_of"]
