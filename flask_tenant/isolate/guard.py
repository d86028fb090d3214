"""The guard at the cursor: a statement that no enforcer has vouched for does not reach the driver.

The driver's own connection and cursor classes are subclassed, so that whatever the application does with them
(``raw_connection()``, ``connection.connection.cursor()``, a driver's shortcuts) passes here. A statement that one of
our enforcers has rendered is a :class:`Vouched` string and goes straight through; any other text is rewritten by the
raw SQL enforcer, or refused.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, cast

from ..context import _scope
from ..errors import ConfigurationError, StatementRefusedError

WORN = "ft_worn"
"""Marks a driver's connection whose settings a tenant has changed: nobody else gets it as it is."""

ASKED = "ft_asked_rules"
"""Marks a driver's connection in whose transaction rules were asked for; with the scope for which there were none."""

OWNER = "ft_tenant_id"
"""Marks a connection with the tenant that it serves until it is handed out again."""


def notes(holder: Any) -> dict[str, Any]:
    """What is noted on a connection, SQLAlchemy's or the driver's.

    It has a dictionary of its own for that. Who asks a Python object for its ``__dict__`` turns the compact layout of
    its attributes into a dictionary, and CPython 3.11 reads each of them several times slower ever after: SQLAlchemy
    reads two dozen of its connection's for each statement.
    """
    found: dict[str, Any] | None = getattr(holder, "ft_notes", None)
    return found if found is not None else cast("dict[str, Any]", holder.__dict__)


_SET_UP = "ft_set_up"


class SetUp:
    """How a driver's connection is set up by attributes: each user finds them as they were for the first one.

    They are no SQL, and a rollback does not take them back: in autocommit, the next tenant's would do nothing.

    :param lasting: attributes that say how transactions run; a connection with others is not handed out again
    :param plain: attributes that can be put back, which is done
    """

    def __init__(self, lasting: tuple[str, ...], plain: tuple[str, ...]) -> None:
        self._names = (*lasting, *plain)
        self._lasting = len(lasting)
        self._read = attrgetter(*self._names)

    def holds(self, connection: Any) -> bool:
        """Whether a connection can be handed out.

        :param connection: the driver's own
        """
        now = self._read(connection)
        before = notes(connection).setdefault(_SET_UP, now)
        return now == before or self._put_back(connection, now, before)

    def _put_back(self, connection: Any, now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
        for at, (name, found, wanted) in enumerate(zip(self._names, now, before, strict=False)):
            # SQLAlchemy leaves False where there was nothing.
            if found == wanted or all(value is None or value is False for value in (found, wanted)):
                continue
            if at < self._lasting:
                return False
            setattr(connection, name, wanted)
        return len(now) == len(before)


def begin_statement(holder: Any) -> None:
    """Note that rules are asked for a new statement, and let go of what held if the transaction has ended meanwhile.

    Each driver's connection lets go when it commits or rolls back. In autocommit each statement is a transaction, and
    the application's own BEGIN and COMMIT end others.
    """
    held: dict[str, Any] = holder.ft_held
    if held and holder.ft_begins():
        held.clear()
    held[ASKED] = True


def note_unruled(holder: Any, scope: Any) -> None:
    """Note that no rules hold for a scope, as long as the connection's transaction is open."""
    alone = getattr(holder, "autocommit", True) and holder.ft_begins()
    holder.ft_held[ASKED] = False if alone else scope


def unruled(holder: Any) -> bool:
    """Whether the current tenant has no rules, as far as the holder's transaction is concerned.

    Every statement comes by, and most tenants have none: what was found out once holds until the transaction ends.
    """
    return cast(bool, holder.ft_held.get(ASKED, True) is _scope.get())


class Vouched(str):
    """A statement that an enforcer has rendered. Only flask_tenant makes these."""

    __slots__ = ()


def vouched(text: str) -> Vouched:
    """Vouch for what an enforcer has rendered."""
    return text if type(text) is Vouched else Vouched(text)


def with_comment(text: str, vouched: str) -> bool:
    """Whether ``text`` is the vouched statement with nothing but one comment before or behind it.

    Instrumentation adds such comments in ``before_cursor_execute``.
    """
    before, found, behind = text.partition(vouched)
    return bool(found) and _is_comment(before) and _is_comment(behind)


def _is_comment(text: str) -> bool:
    text = text.strip()
    if not text:
        return True
    return text.startswith("/*") and text.endswith("*/") and "*/" not in text[2:-2]


def refused(what: str, hint: str) -> Any:
    """Return a method that refuses: for the driver's ways round SQL text."""

    def method(self: Any, *args: Any, **kw: Any) -> Any:
        raise StatementRefusedError(f"{what} on a tenanted connection", value=what, hint=hint)

    return method


def made_elsewhere(connection: Any) -> ConfigurationError:
    """Return the error for a connection that the engine's dialect has not made, and that cannot be guarded."""
    return ConfigurationError(
        f"A connection of type {type(connection).__name__} was made past the engine's dialect",
        value=type(connection).__name__,
        hint="Tenanted engines take no creator and no 'do_connect' listener: use the URL and connect_args",
    )


def as_text(query: bytes, encoding: str) -> str:
    """Return a query that the application has encoded itself.

    :param encoding: the connection's, as Python calls it
    :raises StatementRefusedError: when it is in another encoding
    """
    try:
        return query.decode(encoding)
    except UnicodeDecodeError as error:
        raise StatementRefusedError(
            f"A query in bytes that are not {encoding}",
            value=query[error.start : error.end],
            hint="Send it as a str",
        ) from None


def check_encoding(encoding: str) -> None:
    """Refuse a client encoding in which a quote or a backslash can be part of another character.

    :param encoding: as Python calls it
    :raises ConfigurationError: for any but UTF-8, ASCII and those of one byte
    """
    if encoding.lower().replace("_", "-") not in _SAFE_ENCODINGS:
        raise ConfigurationError(
            f"The connection's client encoding is {encoding}",
            value=encoding,
            hint="Use UTF-8: SQL in this encoding could be read differently by the database",
        )


_SAFE_ENCODINGS = frozenset(
    {"ascii", "utf-8", "utf8", "koi8-r", "koi8-u", "cp866", "cp874", "euc-jp", "euc-kr"}
    | {f"iso8859-{n}" for n in range(1, 17)}
    | {f"cp{n}" for n in range(1250, 1259)}
)
