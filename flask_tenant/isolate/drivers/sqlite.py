"""``sqlite3``, also below ``aiosqlite``."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, cast

from ...errors import StatementRefusedError
from ..guard import Vouched, refused
from ..messages import sqlite_error

if TYPE_CHECKING:
    from ..wall import Wall

_COPY = "it copies or reads the whole database file, all tenants included"


class GuardedCursor(sqlite3.Cursor):
    """Sends vouched statements on, and others through the raw SQL enforcer."""

    ft_inserted: Any = None

    def execute(self, sql: str, parameters: Any = (), /) -> GuardedCursor:
        text = sql if type(sql) is Vouched else self._ft_rewritten(sql)
        try:
            return cast(GuardedCursor, super().execute(text, parameters))
        except sqlite3.Error as error:
            raise sqlite_error(error, self._ft_wall) from None

    def executemany(self, sql: str, parameters: Any, /) -> GuardedCursor:
        text = sql if type(sql) is Vouched else self._ft_rewritten(sql)
        try:
            return cast(GuardedCursor, super().executemany(text, parameters))
        except sqlite3.Error as error:
            raise sqlite_error(error, self._ft_wall) from None

    def executescript(self, sql_script: str, /) -> GuardedCursor:
        if type(sql_script) is Vouched:
            return cast(GuardedCursor, super().executescript(sql_script))
        raise StatementRefusedError(
            "executescript() on a tenanted connection", hint="Execute the statements one by one"
        )

    @property
    def _ft_wall(self) -> Wall | None:
        return cast("GuardedConnection", self.connection).ft_wall

    def _ft_rewritten(self, sql: str) -> str:
        self.ft_inserted = None
        wall = self._ft_wall
        if wall is None:
            return sql
        text, known = wall.rewrite(sql, "qmark", self.connection)
        self.ft_inserted = known.insert_id if known is not None else None
        return text

    @property
    def lastrowid(self) -> int | None:  # type: ignore[override]
        """The application's id of the last row; SQLite itself knows the physical row only."""
        row = cast("int | None", super().lastrowid)
        view = self.ft_inserted
        if view is None or row is None:
            return row
        return id_of_row(self.connection, view.name, view.auto_id, row)


def id_of_row(connection: Any, table: str, column: str, row: int) -> int | None:
    """Return the application's id in a physical row.

    :param row: SQLite's rowid
    """
    cursor = sqlite3.Cursor(connection)
    try:
        found = sqlite3.Cursor.execute(
            cursor, f"SELECT {_quoted(column)} FROM {_quoted(table)} WHERE rowid = ?", (row,)
        ).fetchone()
    finally:
        cursor.close()
    return cast("int | None", found[0] if found is not None else None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class GuardedConnection(sqlite3.Connection):
    """Hands out guarded cursors only."""

    ft_wall: Wall | None = None

    def cursor(self, factory: Any = None, /) -> Any:  # type: ignore[override]
        if factory is None:
            factory = GuardedCursor
        elif not (isinstance(factory, type) and issubclass(factory, GuardedCursor)):
            factory = _guarded_cursor(factory)
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:  # type: ignore[override]
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:  # type: ignore[override]
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:  # type: ignore[override]
        return self.cursor().executescript(sql_script)

    backup = refused("backup()", _COPY)
    blobopen = refused("blobopen()", "it addresses rows by their physical number; SELECT the value")
    iterdump = refused("iterdump()", _COPY)
    serialize = refused("serialize()", _COPY)
    deserialize = refused("deserialize()", "it replaces the whole database, all tenants included")


def _guarded_cursor(factory: Any) -> Any:
    """Guard a cursor class of the application's own."""
    if not isinstance(factory, type):
        raise StatementRefusedError(
            "A cursor factory that is no class on a tenanted connection", value=factory, hint="Pass a subclass of Cursor"
        )
    return type(f"Guarded{factory.__name__}", (GuardedCursor, factory), {})


def connect(wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
    """Open a connection whose factory is ours, on top of the application's if it has one."""
    factory = kw.get("factory", sqlite3.Connection)
    kw["factory"] = (
        GuardedConnection
        if factory is sqlite3.Connection
        else type(f"Guarded{factory.__name__}", (GuardedConnection, factory), {})
    )
    return connect(*args, **kw)


def raw(connection: Any) -> Any:
    """Return the driver's own connection below SQLAlchemy's asyncio adapter."""
    inner = getattr(connection, "driver_connection", connection)
    return getattr(inner, "_conn", inner)


def arm(connection: Any, wall: Wall) -> bool:
    """Switch the guard on once the connection is set up. Returns whether the connection can be guarded at all."""
    found = raw(connection)
    if not isinstance(found, GuardedConnection):
        return False
    if found.ft_wall is None:
        sqlite3.Cursor.execute(sqlite3.Cursor(found), "PRAGMA foreign_keys = ON")
    found.ft_wall = wall
    found.__dict__.pop("ft_tenant_id", None)
    return True
