"""psycopg 3, synchronous and asyncio."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql as composed
from psycopg.rows import tuple_row

from ...errors import StatementRefusedError
from ..guard import (
    OWNER,
    WORN,
    SetUp,
    Vouched,
    as_text,
    check_encoding,
    made_elsewhere,
    notes,
    vouched,
)
from ..messages import psycopg_error
from ..ruled import execute_raw, refuse_ruled
from .pooler import leads_to_pooler, refuse_lasting

if TYPE_CHECKING:
    from ..rawsql import Placeholders, Rewritten
    from ..wall import Wall

_HINT = "Use execute() or executemany()"
_LASTING = ("autocommit", "read_only", "deferrable", "pgconn.pipeline_status")
_PLAIN = ("row_factory", "cursor_factory", "server_cursor_factory", "prepare_threshold")
_IDLE, _IN_TRANSACTION = psycopg.pq.TransactionStatus.IDLE, psycopg.pq.TransactionStatus.INTRANS
_SET_UP, _SET_UP_ASYNC = SetUp(_LASTING, (*_PLAIN, "isolation_level")), SetUp(_LASTING, _PLAIN)
_SENDS = frozenset({
    "_execute_gen", "_executemany_gen_pipeline", "_executemany_gen_no_pipeline", "_stream_send_gen",
    "_start_copy_gen", "_declare_gen",
})  # fmt: skip
"""The driver's generators that send SQL of the application's; a cursor hands each to its connection's ``wait()``."""


_ENDS = frozenset({"_commit_gen", "_rollback_gen", "_exit_gen"})
"""Those that may end a transaction; the last is that of ``connection.transaction()``."""


def _kind(work: Any) -> str:
    code = getattr(work, "gi_code", None)
    return code.co_name if code is not None else ""


def _rewritten(cursor: Any, query: Any, params: Any) -> tuple[Any, Rewritten | None]:
    """Return the text for the driver, and what is known of it where the application has written it itself."""
    if type(query) is Vouched:
        return query, None
    connection = cursor.connection
    wall = getattr(connection, "ft_wall", None)
    if wall is None:
        return query, None
    if isinstance(query, composed.Composable):
        query = query.as_string(connection)
    elif isinstance(query, bytes):
        query = as_text(query, connection.info.encoding)
    text, known = wall.rewrite(query, _style(cursor, params), connection)
    return vouched(text), known if wall.rules is not None else None


_RAW = (psycopg.RawCursor, psycopg.AsyncRawCursor, psycopg.RawServerCursor, psycopg.AsyncRawServerCursor)


def _style(cursor: Any, params: Any) -> Placeholders:
    if params is None:
        return "none"
    return "numeric_dollar" if isinstance(cursor, _RAW) else "format"


def _ruled(cursor: Any, text: Any, known: Any, params: Any, *, many: bool = False) -> bool:
    """Run a rewritten statement under rules; false when none is about it."""
    wall = cursor.connection.ft_wall
    return execute_raw(wall, cursor, "psycopg", text, known, params, _style(cursor, params), many=many)


def _alone(cursor: Any, query: Any, params: Any) -> Any:
    """Return the text for a way on which rules cannot look at rows; refuse it when there are such rules."""
    text, known = _rewritten(cursor, query, params)
    if known is not None:
        refuse_ruled(cursor.connection.ft_wall, cursor.connection, text, known, _style(cursor, params))
    return text


class _Sync:
    _ft_own_execute: Any

    def execute(self, query: Any, params: Any = None, **kw: Any) -> Any:
        if type(query) is Vouched:  # the usual case, without detours
            return self._ft_own_execute(query, params, **kw)
        text, known = _rewritten(self, query, params)
        if known is not None and _ruled(self, text, known, params):
            return self
        return super().execute(text, params, **kw)  # type: ignore[misc]

    def executemany(self, query: Any, params_seq: Any, **kw: Any) -> Any:
        text, known = _rewritten(self, query, ())
        if known is not None and _ruled(self, text, known, params_seq := list(params_seq), many=True):
            return None
        return super().executemany(text, params_seq, **kw)  # type: ignore[misc]

    def stream(self, query: Any, params: Any = None, **kw: Any) -> Any:
        return super().stream(_alone(self, query, params), params, **kw)  # type: ignore[misc]

    def copy(self, *args: Any, **kw: Any) -> Any:
        if getattr(self.connection, "ft_wall", None) is None:  # type: ignore[attr-defined]
            return super().copy(*args, **kw)  # type: ignore[misc]
        raise StatementRefusedError("copy() on a tenanted connection", value="copy", hint=_HINT)


class _Async:
    async def execute(self, query: Any, params: Any = None, **kw: Any) -> Any:
        return await super().execute(_alone(self, query, params), params, **kw)  # type: ignore[misc]

    async def executemany(self, query: Any, params_seq: Any, **kw: Any) -> Any:
        return await super().executemany(_alone(self, query, ()), params_seq, **kw)  # type: ignore[misc]

    def stream(self, query: Any, params: Any = None, **kw: Any) -> Any:
        return super().stream(_alone(self, query, params), params, **kw)  # type: ignore[misc]

    def copy(self, *args: Any, **kw: Any) -> Any:
        if getattr(self.connection, "ft_wall", None) is None:  # type: ignore[attr-defined]
            return super().copy(*args, **kw)  # type: ignore[misc]
        raise StatementRefusedError("copy() on a tenanted connection", value="copy", hint=_HINT)


@cache
def _guarded(cls: Any) -> Any:
    """Guard a cursor class, the driver's or the application's."""
    if issubclass(cls, (_Sync, _Async)):
        return cls
    mixin = _Async if issubclass(cls, (psycopg.AsyncCursor, psycopg.AsyncServerCursor)) else _Sync
    return type(f"Guarded{cls.__name__}", (mixin, cls), {"_ft_own_execute": cls.execute})


class _GuardedConnection:
    """Hands out guarded cursors only, whatever class the application asks for."""

    ft_wall: Wall | None = None
    ft_pooled = False
    ft_held: dict[str, Any]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("cursor_factory", "server_cursor_factory"):
            value = _guarded(value)
        elif name == "prepare_threshold" and value is not None and self.ft_pooled:
            raise refuse_lasting(f"prepare_threshold = {value}", name, "Leave it at None")
        super().__setattr__(name, value)

    def cursor(self, *args: Any, **kw: Any) -> Any:
        made = super().cursor(*args, **kw)  # type: ignore[misc]
        # A class of the application's may want it for itself. Of server-side cursors only, which have a name.
        if (args or kw) and getattr(made, "withhold", False) and self.ft_wall is not None:
            raise StatementRefusedError(
                "A cursor WITH HOLD, which would be open for the connection's next user",
                hint="Read it within the transaction",
            )
        return made

    def _ft_ended(self) -> None:
        """Let go of what held until the transaction ended; a savepoint's end is none."""
        if self.pgconn.transaction_status != _IN_TRANSACTION:  # type: ignore[attr-defined]
            self.ft_held.clear()

    def ft_begins(self) -> bool:
        """Whether the next statement begins a transaction."""
        return self.pgconn.transaction_status == _IDLE  # type: ignore[attr-defined,no-any-return]

    def _ft_check(self, work: Any) -> None:
        """Refuse SQL of a cursor that its connection has not made, such as ``psycopg.ClientCursor(connection)``, and
        what a cursor class of the application's sends besides, past our own method.

        :param work: one of the driver's generators that send SQL
        """
        if self.ft_wall is None:
            return
        given = work.gi_frame.f_locals
        cursor = given.get("self")
        if type(given.get("query")) is not Vouched:
            guarded = isinstance(cursor, (_Sync, _Async))
            raise StatementRefusedError(
                f"A {type(cursor).__name__} that "
                f"{'sends other SQL than it was given' if guarded else 'was not made by its tenanted connection'}",
                hint="Use connection.cursor(); set connection.cursor_factory for a cursor class of your own",
            )


class GuardedConnection(_GuardedConnection, psycopg.Connection[Any]):
    """psycopg's connection, guarded."""

    def wait(self, gen: Any, *args: Any, **kw: Any) -> Any:
        kind = _kind(gen)
        if kind in _SENDS:
            self._ft_check(gen)
        try:
            return _wait(self, gen, *args, **kw)
        except psycopg.Error as error:
            raise psycopg_error(error, self.ft_wall, self) from None
        finally:
            if kind in _ENDS:
                self._ft_ended()


_wait: Any = psycopg.Connection.wait


class GuardedAsyncConnection(_GuardedConnection, psycopg.AsyncConnection[Any]):
    """psycopg's asyncio connection, guarded."""

    async def wait(self, gen: Any, *args: Any, **kw: Any) -> Any:
        kind = _kind(gen)
        if kind in _SENDS:
            self._ft_check(gen)
        try:
            return await super().wait(gen, *args, **kw)
        except psycopg.Error as error:
            raise psycopg_error(error, self.ft_wall, self) from None
        finally:
            if kind in _ENDS:
                self._ft_ended()


def connect(wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
    """Open a guarded connection."""
    if wall.asynchronous:
        # SQLAlchemy's adapter takes the coroutine function that makes the connection
        kw.setdefault("async_creator_fn", GuardedAsyncConnection.connect)
        found = connect(*args, **kw)
    else:
        found = GuardedConnection.connect(*args, **kw)
    inner = raw(found)
    inner.ft_notes, inner.ft_held = {}, {}
    inner.cursor_factory = inner.cursor_factory
    inner.server_cursor_factory = inner.server_cursor_factory
    wanted = inner.prepare_threshold
    inner.prepare_threshold = None  # the question itself is not to be prepared
    inner.ft_pooled = leads_to_pooler(found, inner.info.backend_pid, found.cursor)
    if not inner.ft_pooled:
        inner.prepare_threshold = wanted
    return found


def raw(connection: Any) -> Any:
    """Return the driver's own connection below SQLAlchemy's asyncio adapter."""
    if type(connection) is GuardedConnection:
        return connection
    return getattr(connection, "driver_connection", connection)


def arm(connection: Any, wall: Wall) -> bool:
    """Switch the guard on for the next user of a connection. Returns whether it may be handed out."""
    found = raw(connection)
    if not isinstance(found, _GuardedConnection):
        raise made_elsewhere(found)
    guarded: Any = found
    noted = notes(guarded)
    set_up = _SET_UP_ASYNC if isinstance(guarded, GuardedAsyncConnection) else _SET_UP
    if noted.pop(WORN, False) or not set_up.holds(guarded):
        return False
    if guarded.pgconn.parameter_status(b"client_encoding") != b"UTF8":  # as nearly always
        check_encoding(guarded.info.encoding)
    if guarded.ft_wall is not wall:
        guarded.ft_wall = wall
    noted.pop(OWNER, None)
    return True


def own_cursor(connection: Any) -> Any:
    """Return a cursor that gives tuples."""
    if isinstance(connection, _GuardedConnection):
        return connection.cursor(row_factory=tuple_row)
    return connection.cursor()


def state(connection: Any) -> tuple[bool, bool]:
    """Return whether a connection is in no transaction, and whether it commits each statement."""
    found = raw(connection)
    return found.ft_begins(), found.autocommit
