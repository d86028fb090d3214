"""The names that PostgreSQL makes up for constraints and indexes that have none.

A constraint that gains the hidden column would be called ``invoice_tenant_id_number_key``; the application
(its migrations, its ``ON CONFLICT ON CONSTRAINT``) expects ``invoice_number_key``. So we make up the name
ourselves, by the server's own rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import sqlalchemy as sa

MAX_BYTES = 63
"""PostgreSQL's NAMEDATALEN - 1."""

_CALL = re.compile(r"\s*(?:[\w.]+\.)?(\w+)\s*\(")


def _clipped(name: str, size: int) -> str:
    """Return as many whole characters of ``name`` as fit into ``size`` bytes."""
    return name.encode()[:size].decode(errors="ignore")


def object_name(table: str, columns: str, label: str) -> str:
    """Return ``table_columns_label``, the longer of the first two shortened until all fits.

    :param columns: empty when the name does not depend on columns
    """
    first, second = len(table.encode()), len(columns.encode())
    room = MAX_BYTES - len(label) - 1 - (1 if columns else 0)
    while first + second > room:
        if first > second:
            first -= 1
        else:
            second -= 1
    parts = [_clipped(table, first), *([_clipped(columns, second)] if columns else []), label]
    return "_".join(parts)


def element_name(expression: str) -> str:
    """Return what the server calls an index element that is no plain column: its function, or ``expr``."""
    call = _CALL.match(expression)
    return call.group(1).lower() if call else "expr"


def _distinct(columns: Sequence[str]) -> list[str]:
    """Return the names of an index's elements, a number behind those that are there already."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = _clipped(column, MAX_BYTES - len(str(number))) + str(number)
        names.append(name)
    return names


def made_up_name(table: str, columns: Sequence[str], label: str, taken: Callable[[str], bool]) -> str:
    """Return the name that the server would choose, with its number when the plain one is taken.

    :param columns: the application's own key columns, those of INCLUDE too
    :param label: ``key``, ``fkey``, ``excl`` or ``idx``
    """
    joined = "_".join(columns if label == "fkey" else _distinct(columns))
    name, number = object_name(table, joined, label), 0
    while taken(name):
        number += 1
        name = object_name(table, joined, f"{label}{number}")
    return name


_TAKEN = sa.text(
    """
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
        WHERE c.conname = :name AND n.nspname = coalesce(CAST(:schema AS text), current_schema())
    ) OR (CAST(:relation AS boolean) AND EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = :name AND n.nspname = coalesce(CAST(:schema AS text), current_schema())
    ))
    """
)


def taken_in(connection: sa.Connection, schema: str | None, name: str, label: str) -> bool:
    """Whether the schema already holds something of that name that the server would steer clear of.

    :param schema: ``None`` for the connection's current schema
    """
    relation = not label.startswith("fkey")  # all others are indexes as well
    return bool(connection.scalar(_TAKEN, {"name": name, "schema": schema, "relation": relation}))
