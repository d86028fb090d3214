"""The database's error messages, as a single-tenant database would have worded them.

A message must not name the hidden column, its values, or the rewritten text: applications parse these messages, and
people read them.
"""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ..errors import RuleDeniedError
from .guard import ASKED
from .rawsql.cursor import IN_THE_WAY

if TYPE_CHECKING:
    from .wall import Wall

_ROW = re.compile(r"Failing row contains \(\d+, ")
_VALUES = re.compile(r"(Failing row contains|conflicts with existing key \(.*\)=) ?\(.*\)", re.DOTALL)
"""Values of a row that is there: masked and hidden columns with their own, whoever asks."""
_EXCERPT = re.compile(r"^LINE \d+:.*\n?[ \t]*\^?[ \t]*$\n?", re.MULTILINE)


@cache
def _patterns(column: str) -> tuple[re.Pattern[str], ...]:
    name = re.escape(column)
    return (
        # Key (tenant_id, number)=(7, R-1) already exists: the tenant's id is the first of the values
        re.compile(rf'((?:Key|key) \()"?{name}"?, (.*?\)=\()-?\d+, ', re.DOTALL),
        re.compile(rf"^HINT: .*\b{name}\b.*$\n?", re.MULTILINE),
        re.compile(rf'(?:[\w"$]+\.)?"?\b{name}\b"?, '),
        re.compile(rf"\b{name}\b"),
    )


def cleaned(message: str, column: str, *, ruled: bool = False) -> str:
    """Return a database's message without the hidden column.

    :param message: as SQLite or PostgreSQL worded it
    :param column: the hidden column's name
    :param ruled: whether rules hold: what they do not show must not stand in the message either
    """
    if ruled:
        message = _VALUES.sub(r"\1 (not shown)", message)
    key, hint, listed, anywhere = _patterns(column)
    message = _EXCERPT.sub("", message)
    message = key.sub(r"\1\2", message)
    message = _ROW.sub("Failing row contains (", message)
    message = hint.sub("", message)
    message = listed.sub("", message)
    return anywhere.sub("(hidden)", message).rstrip("\n")


def _in_the_way(error: Exception) -> RuleDeniedError | None:
    """Return the error for an upsert that has met a row which rules take away: the database says so by its own."""
    if not error.args or IN_THE_WAY not in str(error.args[0]):
        return None
    return RuleDeniedError(
        "The row that ON CONFLICT DO UPDATE would change is one that rules take away",
        hint="Use another key. On PostgreSQL the transaction has to be rolled back, or the savepoint",
    )


def sqlite_error(error: Exception, wall: Wall | None) -> Exception:
    """Return ``sqlite3``'s error with a cleaned message."""
    denied = _in_the_way(error)
    if denied is not None:
        return denied
    if wall is None or not error.args or wall.config.column not in str(error.args[0]):
        return error
    error.args = (cleaned(str(error.args[0]), wall.config.column), *error.args[1:])
    return error


_MESSAGES = ("message_primary", "message_detail", "context")
_ABOUT_THE_TEXT = ("message_hint", "statement_position", "internal_position", "internal_query")
"""What PostgreSQL says of the text that it has got, which is not what the application has sent."""


def _ruled(connection: Any) -> bool:
    """Whether rules hold in the transaction of a driver's connection."""
    return getattr(connection, "ft_held", {}).get(ASKED) is True


def _clean_field(name: str, value: str | None, column: str, *, ruled: bool) -> str | None:
    if not value or (name == "column_name" and value == column):
        return None
    if name in _ABOUT_THE_TEXT:
        return value if name == "message_hint" and column not in value else None
    return cleaned(value, column, ruled=ruled) if name in _MESSAGES else value


def psycopg_error(error: Any, wall: Wall | None, connection: Any) -> Exception:
    """Return psycopg 3's error with a cleaned message and cleaned diagnostics."""
    from psycopg.pq import DiagnosticField

    if wall is None or not error.args:
        return error  # type: ignore[no-any-return]
    denied = _in_the_way(error)
    if denied is not None:
        return denied
    column, info, ruled = wall.config.column, error._info, _ruled(connection)
    if info is not None and not isinstance(info, dict):
        fields = {}
        for field in DiagnosticField:
            value = info.error_field(field)
            text = _clean_field(
                field.name.lower(), value.decode("utf-8", "replace") if value else None, column, ruled=ruled
            )
            fields[field] = text.encode() if text is not None else None
        error._info = fields
    error.args = (cleaned(str(error.args[0]), column, ruled=ruled), *error.args[1:])
    return error  # type: ignore[no-any-return]


_DIAG = (
    "column_name", "constraint_name", "context", "datatype_name", "internal_position", "internal_query",
    "message_detail", "message_hint", "message_primary", "schema_name", "severity", "severity_nonlocalized",
    "source_file", "source_function", "source_line", "sqlstate", "statement_position", "table_name",
)  # fmt: skip


@cache
def _cleaned_class(own: type[Any]) -> type[Any]:
    """A class of the same name, whose read-only fields can be set."""
    fields: dict[str, Any] = {"diag": None, "pgcode": None, "pgerror": None, "cursor": None}
    return type(own.__name__, (own,), {**fields, "__module__": own.__module__})


def psycopg2_error(error: Any, wall: Wall | None, connection: Any) -> Exception:
    """Return psycopg2's error with a cleaned message and cleaned diagnostics.

    Its own are read-only, so it becomes an instance of a subclass that has the same name.
    """
    if wall is None or not error.args:
        return error  # type: ignore[no-any-return]
    denied = _in_the_way(error)
    if denied is not None:
        return denied
    column, ruled = wall.config.column, _ruled(connection)
    message = cleaned(str(error.args[0]), column, ruled=ruled)
    found: Any = _cleaned_class(cast(Any, type(error)))(message, *error.args[1:])
    fields = {
        name: _clean_field(name, getattr(error.diag, name, None), column, ruled=ruled) for name in _DIAG
    }
    found.diag = SimpleNamespace(**fields)
    found.pgcode = error.pgcode
    found.pgerror = cleaned(error.pgerror, column, ruled=ruled) if error.pgerror else None
    found.cursor = error.cursor
    return found  # type: ignore[no-any-return]
