"""psycopg2. It puts parameters into the text on the client, so what they may be is checked as well."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extensions
import psycopg2.sql

from ...errors import StatementRefusedError
from ..guard import Vouched, refused
from ..messages import psycopg2_error

if TYPE_CHECKING:
    from ..wall import Wall

_HINT = "Use execute() or executemany()"
_TEXT = (psycopg2.extensions.AsIs, psycopg2.sql.Composable)


def _check(params: Any) -> None:
    for value in params.values() if isinstance(params, dict) else params or ():
        if isinstance(value, _TEXT):
            raise StatementRefusedError(
                f"A parameter of type {type(value).__name__} becomes SQL text on the client",
                value=type(value).__name__,
                hint="Pass a plain value",
            )


class _Guard:
    def _ft_rewritten(self, query: Any, params: Any) -> Any:
        connection: Any = self.connection  # type: ignore[attr-defined]
        wall = getattr(connection, "ft_wall", None)
        if wall is None:
            return query
        _check(params)
        if type(query) is Vouched:
            return query
        if isinstance(query, psycopg2.sql.Composable):
            query = query.as_string(connection)
        elif isinstance(query, bytes):
            query = query.decode("ascii")
        text, _ = wall.rewrite(query, "none" if params is None else "format", connection)
        return text

    def execute(self, query: Any, vars: Any = None) -> Any:  # noqa: A002 - the driver's own name
        try:
            return super().execute(self._ft_rewritten(query, vars), vars)  # type: ignore[misc]
        except psycopg2.Error as error:
            raise psycopg2_error(error, self) from None

    def executemany(self, query: Any, vars_list: Any) -> Any:
        rows = list(vars_list)
        for row in rows:
            _check(row)
        try:
            return super().executemany(self._ft_rewritten(query, ()), rows)  # type: ignore[misc]
        except psycopg2.Error as error:
            raise psycopg2_error(error, self) from None

    def _ft_only_setting_up(self, name: str, *args: Any, **kw: Any) -> Any:
        if getattr(self.connection, "ft_wall", None) is not None:  # type: ignore[attr-defined]
            raise StatementRefusedError(f"{name}() on a tenanted connection", value=name, hint=_HINT)
        return getattr(super(), name)(*args, **kw)

    def copy_expert(self, *args: Any, **kw: Any) -> Any:
        return self._ft_only_setting_up("copy_expert", *args, **kw)

    def copy_from(self, *args: Any, **kw: Any) -> Any:
        return self._ft_only_setting_up("copy_from", *args, **kw)

    def copy_to(self, *args: Any, **kw: Any) -> Any:
        return self._ft_only_setting_up("copy_to", *args, **kw)

    def callproc(self, *args: Any, **kw: Any) -> Any:
        return self._ft_only_setting_up("callproc", *args, **kw)


@cache
def _guarded(cls: Any) -> Any:
    return cls if issubclass(cls, _Guard) else type(f"Guarded{cls.__name__}", (_Guard, cls), {})


class GuardedConnection(psycopg2.extensions.connection):
    """psycopg2's connection, guarded."""

    ft_wall: Wall | None = None

    def cursor(self, *args: Any, **kw: Any) -> Any:
        if len(args) > 1:
            args = (args[0], _guarded(args[1]), *args[2:])
        else:
            wanted = kw.get("cursor_factory") or self.cursor_factory or psycopg2.extensions.cursor
            kw["cursor_factory"] = _guarded(wanted)
        return super().cursor(*args, **kw)

    lobject = refused("lobject()", "large objects belong to no tenant; store bytes in a column")


def connect(wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
    """Open a guarded connection."""
    factory = kw.get("connection_factory") or psycopg2.extensions.connection
    kw["connection_factory"] = (
        GuardedConnection
        if factory is psycopg2.extensions.connection
        else type(f"Guarded{factory.__name__}", (GuardedConnection, factory), {})
    )
    return connect(*args, **kw)


def raw(connection: Any) -> Any:
    """Return the driver's own connection."""
    return connection


def arm(connection: Any, wall: Wall) -> bool:
    """Switch the guard on once the connection is set up. Returns whether the connection can be guarded at all."""
    if not isinstance(connection, GuardedConnection):
        return False
    connection.ft_wall = wall
    connection.__dict__.pop("ft_tenant_id", None)
    return True
