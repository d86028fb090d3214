"""The database's error messages, as a single-tenant database would have worded them.

A message must not name the hidden column, its values, or the rewritten text: applications parse these messages, and
people read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ..errors import RuleDeniedError, StatementRefusedError
from .guard import ASKED
from .rawsql.cursor import IN_THE_WAY

if TYPE_CHECKING:
    from .catalog import Catalog
    from .wall import Wall

# PostgreSQL speaks the language of its server: what is looked for in its details are signs, and no words.
_ROWS = frozenset({"23502", "23514"})
"""not_null_violation, check_violation (PostgreSQL 15, appendix A): their details hold a whole row, or a part of one."""
_ID = re.compile(r"\(\d+, ")
_KEY = re.compile(r"(\(.*?\) ?= ?)\(.*\)", re.DOTALL)
"""``(number, region)=(R-1, north)``, of which an exclusion constraint's detail holds two."""
_VALUES = re.compile(r"\(.*\)", re.DOTALL)
_EXCERPT = re.compile(r"^LINE \d+:.*\n?[ \t]*\^?[ \t]*$\n?", re.MULTILINE)


HIDDEN = "(hidden)"
"""Stands for the hidden column in messages."""


@cache
def _patterns(column: str) -> tuple[re.Pattern[str], ...]:
    name = re.escape(column)
    return (
        # Key (tenant_id, number)=(7, R-1) already exists: the tenant's id is the first of the values
        re.compile(rf'(\()"?{name}"?, (.*?\)=\()-?\d+, ', re.DOTALL),
        re.compile(rf"^HINT: .*\b{name}\b.*$\n?", re.MULTILINE),
        re.compile(rf'(?:[\w"$]+\.)?"?\b{name}\b"?, '),
        re.compile(rf"\b{name}\b"),
    )


def cleaned(message: str, column: str) -> str:
    """Return a database's message without the hidden column.

    :param message: as SQLite or PostgreSQL worded it
    :param column: the hidden column's name
    """
    key, hint, listed, anywhere = _patterns(column)
    message = _EXCERPT.sub("", message)
    message = key.sub(r"\1\2", message)
    message = hint.sub("", message)
    message = listed.sub("", message)
    return anywhere.sub(HIDDEN, message).rstrip("\n")


def about_view(
    error: BaseException, tables: Iterable[tuple[str | None, str]], catalog: Catalog
) -> StatementRefusedError | None:
    """Return the error for a view of the database that has no hidden column, ``None`` for any other error.

    The database names the column alone, which the application does not know.

    :param error: the driver's, with a cleaned message
    :param tables: (schema, name) of what the statement names as tenants' tables
    """
    if HIDDEN not in str(error):
        return None
    for schema, name in sorted(tables, key=str):
        if catalog.find(name, schema) is not None:
            continue
        shown = f"{schema}.{name}" if schema else name
        view = catalog.view(name, schema)
        kind = view.live.kind if view is not None else "relation"
        return StatementRefusedError(
            f"The {kind} {shown!r} of the database does not tell whose its rows are, and would show all tenants'",
            value=shown,
            hint=VIEW_HINT,
        )
    return None


VIEW_HINT = (
    "Write its SELECT in your code, as a subquery or a Core select() that other statements build on, and drop the "
    "view"
)


def _detail(text: str, column: str, state: str | None, *, ruled: bool) -> str:
    """Return a message's detail without the hidden column, and without values where rules hold.

    Rows and keys are quoted as they are stored, masked columns with their own values, whoever asks.

    :param state: SQLSTATE of the error
    """
    if state in _ROWS:
        text = _ID.sub("(", text, count=1)  # the tenant's id is the first of the values
    text = cleaned(text, column)
    if ruled:
        text = _KEY.sub(r"\1(not shown)", text) if _KEY.search(text) else _VALUES.sub("(not shown)", text)
    return text


def _whole(text: str, raw: str | None, detail: str | None, column: str) -> str:
    """Return a message as a whole, with its detail cleaned.

    :param raw: the detail as it was
    """
    if raw and detail is not None:
        first, *_ = text.split("\n", 1)
        text = text.replace(raw, detail) if raw in text else f"{first}\nDETAIL:  {detail}"
    return cleaned(text, column)


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


_MESSAGES = ("message_primary", "context")
_ABOUT_THE_TEXT = ("message_hint", "statement_position", "internal_position", "internal_query")
"""What PostgreSQL says of the text that it has got, which is not what the application has sent."""


def _ruled(connection: Any) -> bool:
    """Whether rules hold in the transaction of a driver's connection."""
    return getattr(connection, "ft_held", {}).get(ASKED) is True


def _clean_field(name: str, value: str | None, column: str) -> str | None:
    if not value or (name == "column_name" and value == column):
        return None
    if name in _ABOUT_THE_TEXT:
        return value if name == "message_hint" and column not in value else None
    return cleaned(value, column) if name in _MESSAGES else value


def psycopg_error(error: Any, wall: Wall | None, connection: Any) -> Exception:
    """Return psycopg 3's error with a cleaned message and cleaned diagnostics."""
    from psycopg.pq import DiagnosticField

    if wall is None or not error.args:
        return error  # type: ignore[no-any-return]
    denied = _in_the_way(error)
    if denied is not None:
        return denied
    column, info = wall.config.column, error._info
    raw = detail = None
    if info is not None and not isinstance(info, dict):
        fields = {}
        for field in DiagnosticField:
            value = info.error_field(field)
            text = value.decode("utf-8", "replace") if value else None
            if field is DiagnosticField.MESSAGE_DETAIL and text:
                raw, detail = text, _detail(text, column, error.sqlstate, ruled=_ruled(connection))
                text = detail
            else:
                text = _clean_field(field.name.lower(), text, column)
            fields[field] = text.encode() if text is not None else None
        error._info = fields
    error.args = (_whole(str(error.args[0]), raw, detail, column), *error.args[1:])
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
    column = wall.config.column
    fields = {name: _clean_field(name, getattr(error.diag, name, None), column) for name in _DIAG}
    raw = detail = getattr(error.diag, "message_detail", None)
    if raw:
        detail = fields["message_detail"] = _detail(raw, column, error.pgcode, ruled=_ruled(connection))
    message = _whole(str(error.args[0]), raw, detail, column)
    found: Any = _cleaned_class(cast(Any, type(error)))(message, *error.args[1:])
    found.diag = SimpleNamespace(**fields)
    found.pgcode = error.pgcode
    found.pgerror = _whole(error.pgerror, raw, detail, column) if error.pgerror else None
    found.cursor = error.cursor
    return found  # type: ignore[no-any-return]
