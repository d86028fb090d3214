"""``sqlite3``, also below ``aiosqlite``.

``sqlite3`` prepares statements by calling the connection itself, whichever cursor asks. So a cursor that was made
past :meth:`GuardedConnection.cursor` is refused there.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING, Any, cast

from ...context import current_scope
from ...errors import StatementRefusedError
from ...evaluation.zones import day_of_text
from ..guard import OWNER, WORN, SetUp, Vouched, made_elsewhere, notes, refused, vouched
from ..messages import sqlite_error
from ..overlay.render import LOCAL_DAY
from ..ruled import execute_raw

if TYPE_CHECKING:
    from ...model import TableView
    from ..rawsql import Rewritten
    from ..wall import Wall

_COPY = "it copies or reads the whole database file, all tenants included"


_execute = sqlite3.Cursor.execute


class GuardedCursor(sqlite3.Cursor):
    """Sends vouched statements on, and others through the raw SQL enforcer."""

    def execute(self, sql: str, parameters: Any = (), /) -> GuardedCursor:
        if type(sql) is Vouched and type(self) is GuardedCursor:  # the usual case, without detours
            try:
                _execute(self, sql, parameters)
            except sqlite3.Error as error:
                raise sqlite_error(error, self._ft_wall) from None
            return self
        text, table, known = (sql, None, None) if type(sql) is Vouched else self._ft_rewritten(sql)
        try:
            if known is None or not self._ft_ruled(text, known, parameters):
                super().execute(text, parameters)
        except sqlite3.Error as error:
            raise sqlite_error(error, self._ft_wall) from None
        if table is not None:
            self._ft_note(table)
        return self

    def executemany(self, sql: str, parameters: Any, /) -> GuardedCursor:
        text, table, known = (sql, None, None) if type(sql) is Vouched else self._ft_rewritten(sql)
        try:
            if known is None or not self._ft_ruled(text, known, parameters := list(parameters), many=True):
                super().executemany(text, parameters)
        except sqlite3.Error as error:
            raise sqlite_error(error, self._ft_wall) from None
        if table is not None:
            self._ft_note(table)
        return self

    def _ft_ruled(self, text: str, known: Rewritten, parameters: Any, *, many: bool = False) -> bool:
        wall = self._ft_wall
        if wall is None or wall.rules is None:
            return False
        return execute_raw(wall, self, "pysqlite", text, known, parameters, "qmark", many=many)

    def executescript(self, sql_script: str, /) -> GuardedCursor:
        if type(sql_script) is Vouched:
            return cast(GuardedCursor, super().executescript(sql_script))
        raise StatementRefusedError(
            "executescript() on a tenanted connection", hint="Execute the statements one by one"
        )

    @property
    def _ft_wall(self) -> Wall | None:
        return cast("GuardedConnection", self.connection).ft_wall

    def _ft_rewritten(self, sql: str) -> tuple[str, TableView | None, Rewritten | None]:
        """Return the text for SQLite, the table that it inserts into, and what is known of it."""
        wall = self._ft_wall
        if wall is None:
            return sql, None, None
        if wall.asynchronous and current_scope() is None:
            raise StatementRefusedError(
                "SQL of the application's own on the driver's connection, whose thread knows no tenant",
                statement=sql,
                hint="Use AsyncConnection.exec_driver_sql() or text()",
            )
        text, known = wall.rewrite(sql, "qmark", self.connection)
        inserts = known is not None and known.kind == "insert"
        return vouched(text), next(iter(known.writes), None) if known is not None and inserts else None, known

    def _ft_note(self, table: TableView) -> None:
        if self.rowcount != 0:
            cast("GuardedConnection", self.connection).ft_inserted = table

    @property
    def lastrowid(self) -> int | None:  # type: ignore[override]
        """The application's id of the last row that this tenant inserted on this connection.

        SQLite itself knows the physical row only, of whoever used the connection last.
        """
        row = cast("int | None", super().lastrowid)
        wall, scope = self._ft_wall, current_scope()
        if wall is None or row is None or (scope is not None and scope.internal):
            return row
        if wall.asynchronous:  # nobody but SQLAlchemy has this cursor: it asks for the id of the physical row
            return row
        view = cast("GuardedConnection", self.connection).ft_inserted
        if view is not None and view.shared:
            return row
        if view is None:
            return 0
        if view.auto_id is None:
            return None
        return id_of_row(self.connection, wall, view.name, view.auto_id, row)


def id_of_row(connection: Any, wall: Wall, table: str, column: str, row: int) -> int | None:
    """Return the application's id in a physical row, ``None`` if the row is not this tenant's.

    :param row: SQLite's rowid
    """
    hidden = _quoted(wall.config.column)
    text = f"SELECT {_quoted(column)} FROM {_quoted(table)} WHERE rowid = ? AND {hidden} = ?"
    cursor = sqlite3.Cursor(connection)
    try:
        found = cursor.execute(Vouched(text), (row, wall.scope().tenant_id)).fetchone()
    finally:
        cursor.close()
    return cast("int | None", found[0] if found is not None else None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class GuardedConnection(sqlite3.Connection):
    """Hands out guarded cursors only."""

    ft_wall: Wall | None = None
    ft_inserted: TableView | None = None
    """The table of the last INSERT since checkout."""
    ft_changes = 0
    """How many rows had been changed on this connection when it was checked out."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        self.ft_notes: dict[str, Any] = {}
        self.ft_held: dict[str, Any] = {}
        super().__init__(*args, **kw)
        self.create_function(LOCAL_DAY, 2, day_of_text, deterministic=True)

    def __call__(self, sql: str, /) -> Any:
        """Prepare a statement. ``sqlite3`` calls this on a miss of its cache, which keeps vouched texts apart."""
        if type(sql) is not Vouched and self.ft_wall is not None:
            raise StatementRefusedError(
                "A cursor that was not made by its tenanted connection",
                statement=sql,
                hint="Use connection.cursor()",
            )
        return super().__call__(sql)  # type: ignore[misc]

    def commit(self) -> None:
        _commit(self)
        self.ft_held.clear()

    def rollback(self) -> None:
        _rollback(self)
        self.ft_held.clear()

    def __exit__(self, *error: Any) -> Any:
        try:
            return super().__exit__(*error)
        finally:
            self.ft_held.clear()

    def cursor(self, factory: Any = None, /) -> Any:  # type: ignore[override]
        if factory is None:
            if type(self) is GuardedConnection:
                return _cursor(self, GuardedCursor)
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

    def ft_begins(self) -> bool:
        """Whether the next statement is, or begins, a transaction. Outside autocommit SELECT begins none, and one of
        SQLAlchemy's may be open of which SQLite knows nothing yet."""
        return not self.in_transaction and state(self)[1]

    @property
    def total_changes(self) -> int:  # type: ignore[override]
        """Rows changed since checkout; those before were perhaps another tenant's."""
        return super().total_changes - self.ft_changes

    backup = refused("backup()", _COPY)
    blobopen = refused("blobopen()", "it addresses rows by their physical number; SELECT the value")
    iterdump = refused("iterdump()", _COPY)
    serialize = refused("serialize()", _COPY)
    deserialize = refused("deserialize()", "it replaces the whole database, all tenants included")
    setconfig = refused("setconfig()", "it can switch foreign keys off for everybody")


_all_changes = sqlite3.Connection.total_changes.__get__
_cursor = sqlite3.Connection.cursor
_commit, _rollback = sqlite3.Connection.commit, sqlite3.Connection.rollback


def _guarded_cursor(factory: Any) -> Any:
    """Guard a cursor class of the application's own."""
    if not isinstance(factory, type):
        raise StatementRefusedError(
            "A cursor factory that is no class on a tenanted connection",
            value=factory,
            hint="Pass a subclass of Cursor",
        )
    return type(f"Guarded{factory.__name__}", (GuardedCursor, factory), {})


_LASTING = ("isolation_level", "autocommit") if sys.version_info >= (3, 12) else ("isolation_level",)
_SET_UP = SetUp(_LASTING, ("row_factory", "text_factory"))


def connect(wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
    """Open a connection whose factory is ours, on top of the application's if it has one."""
    factory = kw.get("factory", sqlite3.Connection)
    kw["factory"] = (
        GuardedConnection
        if factory is sqlite3.Connection
        else type(f"Guarded{factory.__name__}", (factory, GuardedConnection), {})
    )
    return connect(*args, **kw)


def raw(connection: Any) -> Any:
    """Return the driver's own connection below SQLAlchemy's asyncio adapter."""
    if type(connection) is GuardedConnection:
        return connection
    inner = getattr(connection, "driver_connection", connection)
    return getattr(inner, "_conn", inner)


def arm(connection: Any, wall: Wall) -> bool:
    """Switch the guard on for the next user of a connection. Returns whether it may be handed out."""
    found = raw(connection)
    if not isinstance(found, GuardedConnection):
        raise made_elsewhere(found)
    if not _SET_UP.holds(found):
        return False
    noted = notes(found)
    if found.ft_wall is None or noted.pop(WORN, False):
        sqlite3.Cursor(found).execute(Vouched("PRAGMA foreign_keys = ON"))
    found.ft_wall = wall
    if found.ft_inserted is not None:
        found.ft_inserted = None
    found.ft_changes = _all_changes(found)
    noted.pop(OWNER, None)
    return True


def own_cursor(connection: Any) -> Any:
    """Return a cursor that gives tuples."""
    cursor = connection.cursor()
    if isinstance(cursor, sqlite3.Cursor):
        cursor.row_factory = None
    return cursor


def state(connection: Any) -> tuple[bool, bool]:
    """Return whether a connection is in no transaction, and whether it commits each statement."""
    found = raw(connection)
    autocommit = getattr(found, "autocommit", -1)  # since Python 3.12; -1: as isolation_level says
    return not found.in_transaction, autocommit is True or (
        autocommit == -1 and found.isolation_level is None
    )
