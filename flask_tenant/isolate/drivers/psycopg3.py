"""psycopg 3, synchronous and asyncio."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import sql as composed

from ...errors import StatementRefusedError
from ..guard import Vouched
from ..messages import psycopg_error

if TYPE_CHECKING:
    from ..wall import Wall

_HINT = "Use execute() or executemany()"


def _rewritten(cursor: Any, query: Any, params: Any) -> Any:
    if type(query) is Vouched:
        return query
    connection = cursor.connection
    wall = getattr(connection, "ft_wall", None)
    if wall is None:
        return query
    if isinstance(query, composed.Composable):
        query = query.as_string(connection)
    elif isinstance(query, bytes):
        query = query.decode("ascii")
    text, _ = wall.rewrite(query, "none" if params is None else "format", connection)
    return Vouched(text)


class _Sync:
    def execute(self, query: Any, params: Any = None, **kw: Any) -> Any:
        try:
            return super().execute(_rewritten(self, query, params), params, **kw)  # type: ignore[misc]
        except psycopg.Error as error:
            raise psycopg_error(error, self) from None

    def executemany(self, query: Any, params_seq: Any, **kw: Any) -> Any:
        try:
            return super().executemany(_rewritten(self, query, ()), params_seq, **kw)  # type: ignore[misc]
        except psycopg.Error as error:
            raise psycopg_error(error, self) from None

    def stream(self, query: Any, params: Any = None, **kw: Any) -> Any:
        return super().stream(_rewritten(self, query, params), params, **kw)  # type: ignore[misc]

    def copy(self, *args: Any, **kw: Any) -> Any:
        if getattr(self.connection, "ft_wall", None) is None:  # type: ignore[attr-defined]
            return super().copy(*args, **kw)  # type: ignore[misc]
        raise StatementRefusedError("copy() on a tenanted connection", value="copy", hint=_HINT)


class _Async:
    async def execute(self, query: Any, params: Any = None, **kw: Any) -> Any:
        try:
            return await super().execute(_rewritten(self, query, params), params, **kw)  # type: ignore[misc]
        except psycopg.Error as error:
            raise psycopg_error(error, self) from None

    async def executemany(self, query: Any, params_seq: Any, **kw: Any) -> Any:
        try:
            return await super().executemany(_rewritten(self, query, ()), params_seq, **kw)  # type: ignore[misc]
        except psycopg.Error as error:
            raise psycopg_error(error, self) from None

    def stream(self, query: Any, params: Any = None, **kw: Any) -> Any:
        return super().stream(_rewritten(self, query, params), params, **kw)  # type: ignore[misc]

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
    return type(f"Guarded{cls.__name__}", (mixin, cls), {})


class _GuardedConnection:
    """Hands out guarded cursors only, whatever class the application asks for."""

    ft_wall: Wall | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("cursor_factory", "server_cursor_factory"):
            value = _guarded(value)
        super().__setattr__(name, value)


class GuardedConnection(_GuardedConnection, psycopg.Connection[Any]):
    """psycopg's connection, guarded."""


class GuardedAsyncConnection(_GuardedConnection, psycopg.AsyncConnection[Any]):
    """psycopg's asyncio connection, guarded."""


def connect(wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
    """Open a guarded connection."""
    if wall.asynchronous:
        # SQLAlchemy's adapter takes the coroutine function that makes the connection
        kw.setdefault("async_creator_fn", GuardedAsyncConnection.connect)
        found = connect(*args, **kw)
    else:
        found = GuardedConnection.connect(*args, **kw)
    inner = raw(found)
    inner.cursor_factory = inner.cursor_factory
    inner.server_cursor_factory = inner.server_cursor_factory
    return found


def raw(connection: Any) -> Any:
    """Return the driver's own connection below SQLAlchemy's asyncio adapter."""
    return getattr(connection, "driver_connection", connection)


def arm(connection: Any, wall: Wall) -> bool:
    """Switch the guard on once the connection is set up. Returns whether the connection can be guarded at all."""
    found = raw(connection)
    if not isinstance(found, _GuardedConnection):
        return False
    found.ft_wall = wall
    cast(Any, found).__dict__.pop("ft_tenant_id", None)
    return True
