"""psycopg2. It puts parameters into the text on the client, so what they may be is checked as well."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import psycopg2
import psycopg2.extensions
import psycopg2.sql

from ...errors import StatementRefusedError, TenancyError
from ..functions import POSTGRESQL
from ..guard import OWNER, WORN, SetUp, Vouched, as_text, check_encoding, made_elsewhere, notes, refused
from ..messages import psycopg2_error
from ..rawsql.lexer import NAME, NUMBER, OP, STRING, Token, scan
from ..ruled import execute_raw
from .pooler import leads_to_pooler, refuse_lasting

if TYPE_CHECKING:
    from ..rawsql import Placeholders, Rewritten
    from ..wall import Wall

_HINT = "Use execute() or executemany()"
_PLAIN = frozenset({
    str, int, float, bool, type(None), bytes, bytearray, memoryview, decimal.Decimal, dt.date, dt.datetime,
    dt.time, dt.timedelta, uuid.UUID,
})  # fmt: skip
"""Types that psycopg2 itself turns into one literal."""

_LASTING = ("autocommit", "readonly", "deferrable")
_SET_UP = SetUp(_LASTING, ("cursor_factory", "isolation_level"))
_SET_UP_IN_AUTOCOMMIT = SetUp(_LASTING, ("cursor_factory",))
_CHARACTERISTICS = ("isolation_level", "readonly", "deferrable")
"""What psycopg2 sends with BEGIN; and in autocommit, where it sends none, as SET for the whole session."""

_BY_TRANSACTION = "Set it outside autocommit: it goes with each BEGIN then"

_WORDS = frozenset({"ARRAY", "NULL", "TRUE", "FALSE"})


def _check(connection: Any, params: Any) -> None:
    """Refuse a parameter that psycopg2 would turn into more than one value."""
    for value in params.values() if isinstance(params, dict) else params or ():
        if type(value) in _PLAIN:
            continue
        if isinstance(value, (list, tuple)):
            _check(connection, value)
        else:
            _check_adapted(connection, value)


def _check_adapted(connection: Any, value: Any) -> None:
    try:
        adapted = psycopg2.extensions.adapt(value)
    except psycopg2.Error:
        return  # nor can the cursor
    if hasattr(adapted, "prepare"):
        adapted.prepare(connection)
    text = as_text(adapted.getquoted(), psycopg2.extensions.encodings[connection.encoding])
    try:
        atomic = _is_value(scan(text, "postgresql", "none", None).tokens[:-1])
    except TenancyError:
        atomic = False
    if not atomic:
        raise StatementRefusedError(
            f"A parameter of type {type(value).__name__} becomes SQL text on the client",
            value=type(value).__name__,
            hint="Pass a plain value",
        )


def _is_value(tokens: list[Token]) -> bool:
    """Whether adapted text is one literal, array or call of a safe function, casts included."""
    depth = 0
    before = ""
    for at, token in enumerate(tokens):
        if token.kind == NAME:
            called = at + 1 < len(tokens) and tokens[at + 1].key == "(" and token.name in POSTGRESQL
            if not (token.key in _WORDS or before == "::" or called):
                return False
        elif token.kind == OP:
            if token.key in "([":
                depth += 1
            elif token.key in ")]":
                depth -= 1
            elif (
                token.key != "::"
                and not (token.key == "," and depth)
                and not (token.key in "+-" and not before)
            ):
                return False
        elif token.kind not in (STRING, NUMBER):
            return False
        before = token.key if token.kind in (OP, NAME) else "value"
    return bool(tokens)


class _Guard:
    def _ft_rewritten(self, query: Any, params: Iterable[Any]) -> tuple[Any, Rewritten | None]:
        """Return the text for the driver, and what is known of it where the application has written it itself."""
        connection: Any = self.connection  # type: ignore[attr-defined]
        wall = getattr(connection, "ft_wall", None)
        if wall is None:
            return query, None
        for values in params:
            _check(connection, values)
        if type(query) is Vouched:
            return query, None
        if isinstance(query, psycopg2.sql.Composable):
            query = query.as_string(connection)
        elif isinstance(query, bytes):
            query = as_text(query, psycopg2.extensions.encodings[connection.encoding])
        text, known = wall.rewrite(query, "format" if params else "none", connection)
        return Vouched(text), known if wall.rules is not None else None

    def execute(self, query: Any, vars: Any = None) -> Any:  # noqa: A002 - the driver's own name
        text, known = self._ft_rewritten(query, () if vars is None else (vars,))
        if known is not None and self._ft_ruled(text, known, vars):
            return None
        try:
            return super().execute(text, vars)  # type: ignore[misc]
        except psycopg2.Error as error:
            raise psycopg2_error(error, self._ft_wall, cast(Any, self).connection) from None

    def _ft_ruled(self, text: str, known: Rewritten, params: Any, *, many: bool = False) -> bool:
        """Run a rewritten statement under rules; false when none is about it."""
        style: Placeholders = "none" if params is None else "format"
        wall: Wall = self.connection.ft_wall  # type: ignore[attr-defined]
        return execute_raw(wall, self, "psycopg2", text, known, params, style, many=many)

    def executemany(self, query: Any, vars_list: Any) -> Any:
        rows = list(vars_list)
        text, known = self._ft_rewritten(query, rows or ((),))
        if known is not None and self._ft_ruled(text, known, rows, many=True):
            return None
        try:
            return super().executemany(text, rows)  # type: ignore[misc]
        except psycopg2.Error as error:
            raise psycopg2_error(error, self._ft_wall, cast(Any, self).connection) from None

    @property
    def _ft_wall(self) -> Wall | None:
        found: Wall | None = getattr(self.connection, "ft_wall", None)  # type: ignore[attr-defined]
        return found

    def _ft_only_setting_up(self, name: str, *args: Any, **kw: Any) -> Any:
        if self._ft_wall is not None:
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

    @property
    def withhold(self) -> bool:
        """Never, on a tenanted connection: the cursor would be open for the connection's next user."""
        return bool(super().withhold)  # type: ignore[misc]

    @withhold.setter
    def withhold(self, value: bool) -> None:
        if value:
            self._ft_only_setting_up("withhold")
        psycopg2.extensions.cursor.withhold.__set__(self, value)  # type: ignore[attr-defined]


class _Behind(psycopg2.extensions.cursor):
    """Behind a cursor class of the application's: it may send no other SQL than what has been looked at."""

    def _ft_check(self, query: Any) -> None:
        if type(query) is not Vouched and getattr(self.connection, "ft_wall", None) is not None:
            raise StatementRefusedError(
                f"A {type(self).__name__} that sends other SQL than it was given",
                statement=str(query),
                hint="Send it with a cursor of its own, from connection.cursor()",
            )

    def execute(self, query: Any, vars: Any = None) -> Any:  # noqa: A002 - the driver's own name
        self._ft_check(query)
        return super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> Any:
        self._ft_check(query)
        return super().executemany(query, vars_list)

    def copy_expert(self, sql: Any, *args: Any, **kw: Any) -> Any:
        self._ft_check(sql)
        return super().copy_expert(sql, *args, **kw)

    def callproc(self, procname: Any, *args: Any) -> Any:
        self._ft_check(procname)
        return super().callproc(procname, *args)


@cache
def _guarded(cls: Any) -> Any:
    if issubclass(cls, _Guard):
        return cls
    bases = (_Guard, cls) if cls is psycopg2.extensions.cursor else (_Guard, cls, _Behind)
    return type(f"Guarded{cls.__name__}", bases, {})


class GuardedConnection(psycopg2.extensions.connection):
    """psycopg2's connection, guarded."""

    ft_wall: Wall | None = None
    ft_pooled = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CHARACTERISTICS and self.ft_pooled and self.autocommit:
            raise refuse_lasting(f"{name} = {value!r} in autocommit", name, _BY_TRANSACTION)
        super().__setattr__(name, value)

    def set_session(self, *args: Any, **kw: Any) -> None:
        given = dict(zip((*_CHARACTERISTICS, "autocommit"), args, strict=False)) | kw
        alone = given.get("autocommit")
        wanted = sorted(name for name in _CHARACTERISTICS if given.get(name) is not None)
        if wanted and self.ft_pooled and (self.autocommit if alone is None else alone):
            raise refuse_lasting(f"set_session({wanted[0]}=…) in autocommit", wanted[0], _BY_TRANSACTION)
        super().set_session(*args, **kw)

    def cursor(self, *args: Any, **kw: Any) -> Any:
        if self.ft_wall is not None and (kw.get("withhold") or args[3:4] == (True,)):
            raise StatementRefusedError(
                "A cursor WITH HOLD, which would be open for the connection's next user",
                hint="Read it within the transaction",
            )
        if len(args) > 1:
            args = (args[0], _guarded(args[1] or psycopg2.extensions.cursor), *args[2:])
        else:
            wanted = kw.get("cursor_factory") or self.cursor_factory or psycopg2.extensions.cursor
            kw["cursor_factory"] = _guarded(wanted)
        return super().cursor(*args, **kw)

    def ft_begins(self) -> bool:
        """Whether the next statement begins a transaction."""
        return bool(self.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE)

    def commit(self) -> None:
        try:
            super().commit()
        except psycopg2.Error as error:
            raise psycopg2_error(error, self.ft_wall, self) from None
        finally:
            self.ft_held.clear()

    def rollback(self) -> None:
        super().rollback()
        self.ft_held.clear()

    def reset(self) -> None:
        super().reset()
        self.ft_held.clear()

    def set_client_encoding(self, encoding: str) -> None:
        super().set_client_encoding(encoding)
        if self.ft_wall is not None:
            check_encoding(psycopg2.extensions.encodings[self.encoding])

    lobject = refused("lobject()", "large objects belong to no tenant; store bytes in a column")


def _checked_cursor(connection: Any, *args: Any, **kw: Any) -> Any:
    """Return the cursor of a connection class of the application's, which may choose one, if it is guarded."""
    cursor = super(type(connection), connection).cursor(*args, **kw)
    if connection.ft_wall is not None and not isinstance(cursor, _Guard):
        raise StatementRefusedError(
            f"A {type(cursor).__name__} that a connection class has made past its own super().cursor()",
            value=type(connection).__name__,
            hint="Let it call super().cursor()",
        )
    return cursor


def connect(wall: Wall, connect: Any, args: Any, kw: dict[str, Any]) -> Any:
    """Open a guarded connection."""
    factory = kw.get("connection_factory") or psycopg2.extensions.connection
    kw["connection_factory"] = (
        GuardedConnection
        if factory is psycopg2.extensions.connection
        else type(f"Guarded{factory.__name__}", (factory, GuardedConnection), {"cursor": _checked_cursor})
    )
    found = connect(*args, **kw)
    found.ft_notes, found.ft_held = {}, {}
    found.ft_pooled = leads_to_pooler(found, found.get_backend_pid(), lambda: own_cursor(found))
    return found


def raw(connection: Any) -> Any:
    """Return the driver's own connection."""
    return connection


def arm(connection: Any, wall: Wall) -> bool:
    """Switch the guard on for the next user of a connection. Returns whether it may be handed out."""
    if not isinstance(connection, GuardedConnection):
        raise made_elsewhere(connection)
    set_up = _SET_UP_IN_AUTOCOMMIT if connection.autocommit else _SET_UP
    if connection.autocommit and not state(connection)[0]:
        return False  # in a BEGIN of the application's, which psycopg2's rollback() does not know of
    if notes(connection).pop(WORN, False) or not set_up.holds(connection):
        return False
    check_encoding(psycopg2.extensions.encodings[connection.encoding])
    connection.ft_wall = wall
    notes(connection).pop(OWNER, None)
    return True


def own_cursor(connection: Any) -> Any:
    """Return a cursor that gives tuples."""
    return connection.cursor(cursor_factory=psycopg2.extensions.cursor)


def state(connection: Any) -> tuple[bool, bool]:
    """Return whether a connection is in no transaction, and whether it commits each statement."""
    return connection.ft_begins(), connection.autocommit
