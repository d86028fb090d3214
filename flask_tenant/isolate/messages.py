"""The database's error messages, as a single-tenant database would have worded them.

A message must not name the hidden column, its values, or the rewritten text: applications parse these messages, and
people read them.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .wall import Wall

_DETAIL = re.compile(r"Key \(((?:[^()]|\([^()]*\))*)\)=\((.*)\)( [^\n]*)", re.DOTALL)
_ROW = re.compile(r"Failing row contains \(\d+, ")
_EXCERPT = re.compile(r"^LINE \d+:.*\n?[ \t]*\^?[ \t]*$\n?", re.MULTILINE)


def cleaned(message: str, column: str) -> str:
    """Return a database's message without the hidden column.

    :param message: as SQLite or PostgreSQL worded it
    :param column: the hidden column's name
    """
    name = re.escape(column)

    def detail(match: re.Match[str]) -> str:
        names, values, rest = match.groups()
        head, _, tail = names.partition(", ")
        if head.strip('"') != column or not tail:
            return match.group(0)
        return f"Key ({tail})=({values.partition(', ')[2]}){rest}"

    message = _EXCERPT.sub("", message)
    message = _DETAIL.sub(detail, message)
    message = _ROW.sub("Failing row contains (", message)
    message = re.sub(rf'(?:[\w"$]+\.)?"?\b{name}\b"?, ', "", message)
    return re.sub(rf"\b{name}\b", "(hidden)", message).rstrip("\n")


def sqlite_error(error: Exception, wall: Wall | None) -> Exception:
    """Return ``sqlite3``'s error with a cleaned message."""
    if wall is None or not error.args or wall.config.column not in str(error.args[0]):
        return error
    error.args = (cleaned(str(error.args[0]), wall.config.column), *error.args[1:])
    return error


def _wall_of(cursor: Any) -> Wall | None:
    found: Wall | None = getattr(cursor.connection, "ft_wall", None)
    return found


def psycopg_error(error: Any, cursor: Any) -> Exception:
    """Return psycopg 3's error with a cleaned message and cleaned diagnostics."""
    from psycopg.pq import DiagnosticField

    wall = _wall_of(cursor)
    if wall is None or not error.args:
        return error  # type: ignore[no-any-return]
    column, info = wall.config.column, error._info
    if info is not None and not isinstance(info, dict):
        fields = {}
        for field in DiagnosticField:
            value = info.error_field(field)
            if value and field in (DiagnosticField.MESSAGE_PRIMARY, DiagnosticField.MESSAGE_DETAIL):
                value = cleaned(value.decode("utf-8", "replace"), column).encode()
            fields[field] = value
        error._info = fields
    error.args = (cleaned(str(error.args[0]), column), *error.args[1:])
    return error  # type: ignore[no-any-return]


_DIAG = (
    "column_name", "constraint_name", "context", "datatype_name", "internal_position", "internal_query",
    "message_detail", "message_hint", "message_primary", "schema_name", "severity", "severity_nonlocalized",
    "source_file", "source_function", "source_line", "sqlstate", "statement_position", "table_name",
)  # fmt: skip


def psycopg2_error(error: Any, cursor: Any) -> Exception:
    """Return psycopg2's error with a cleaned message and cleaned diagnostics.

    Its own are read-only, so it becomes an instance of a subclass that has the same name.
    """
    wall = _wall_of(cursor)
    if wall is None or not error.args:
        return error  # type: ignore[no-any-return]
    column = wall.config.column
    diag = SimpleNamespace(**{name: getattr(error.diag, name, None) for name in _DIAG})
    for name in ("message_detail", "message_primary"):
        if getattr(diag, name):
            setattr(diag, name, cleaned(getattr(diag, name), column))
    own = type(error)
    text = cleaned(str(error.args[0]), column)
    fields = {
        "diag": diag,
        "pgcode": error.pgcode,
        "pgerror": cleaned(error.pgerror, column) if error.pgerror else None,
        "cursor": error.cursor,
        "__module__": own.__module__,
    }
    found: Exception = type(own.__name__, (own,), fields)(text, *error.args[1:])
    return found
