"""Reads a database's rows through the plain driver, past every wall.

Used on both sides: by the test, and in ihatemoney's own environment, where every SQLAlchemy engine is
tenanted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg2
from sqlalchemy import make_url

Rows = dict[str, list[dict[str, Any]]]


def read(url: str, column: str) -> Rows:
    """Every row of every table that has `column`, as column -> value, in a fixed order.

    :param url: an SQLAlchemy URL, SQLite or PostgreSQL
    """
    found: Rows = {}
    with _cursor(url) as cursor:
        for table, columns in sorted(_columns(cursor, url).items()):
            if column in columns:
                cursor.execute(f"SELECT {', '.join(_quoted(name) for name in columns)} FROM {_quoted(table)}")
                rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
                found[table] = sorted(rows, key=repr)
    return found


def primary_keys(url: str, rows: Rows) -> dict[str, list[str]]:
    """The primary key's columns of each table in `rows`, the tenant column included where it is one."""
    with _cursor(url) as cursor:
        return {table: _primary_key(cursor, url, table) for table in rows}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


@contextlib.contextmanager
def _cursor(url: str) -> Iterator[Any]:
    parsed = make_url(url)
    connection: Any
    if _is_sqlite(url):
        connection = sqlite3.connect(f"file:{parsed.database}?mode=ro", uri=True)
    else:
        connection = psycopg2.connect(
            parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        )
    try:
        yield connection.cursor()
    finally:
        connection.close()


def _columns(cursor: Any, url: str) -> dict[str, list[str]]:
    """The columns of each table, as the database itself lists them."""
    found: dict[str, list[str]] = {}
    if _is_sqlite(url):
        cursor.execute(
            "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c "
            "WHERE t.type = 'table' ORDER BY t.name, c.cid"
        )
    else:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "ORDER BY table_name, ordinal_position"
        )
    for table, column in cursor.fetchall():
        found.setdefault(table, []).append(column)
    return found


def _primary_key(cursor: Any, url: str, table: str) -> list[str]:
    if _is_sqlite(url):
        cursor.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", [table])
    else:
        cursor.execute(
            "SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a "
            "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
            "WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY a.attnum",
            [_quoted(table)],
        )
    return [row[0] for row in cursor.fetchall()]
