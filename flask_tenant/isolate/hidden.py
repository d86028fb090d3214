"""The hidden column as SQLAlchemy sees it: one name, two bound values, and what may never be called by its name.

The values are bound under names that no application can know, and are put in at execution (``construct_params`` of
the compiler), so one compiled statement serves every tenant from SQLAlchemy's own cache.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, bindparam
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, ColumnClause, ColumnElement
from sqlalchemy.sql.operators import eq, ne
from sqlalchemy.sql.selectable import FromClause

from ..errors import NoTenantError

_SALT = secrets.token_hex(4)
WHERE_KEY = f"ft_w_{_SALT}"
STAMP_KEY = f"ft_s_{_SALT}"
ID_KEY = f"ft_i_{_SALT}"


def folded(name: str) -> str:
    """Return a name in small letters, as SQLite compares names whether they stand in quotes or not.

    SQLAlchemy's ``quoted_name`` answers ``lower()`` with itself.
    """
    return str.lower(name)


def _never() -> int:
    # Reached only when something renders the value outside an execution, such as literal_binds.
    raise NoTenantError("The tenant's id is bound when a statement executes, not before")


_INTEGER = BigInteger()
_BOOLEAN = Boolean()


def _bound(key: str) -> BindParameter[int]:
    return bindparam(key, callable_=_never, type_=_INTEGER)


WHERE: BindParameter[int] = _bound(WHERE_KEY)
STAMP: BindParameter[int] = _bound(STAMP_KEY)


class HiddenColumn(ColumnClause[int]):
    """The tenant column of one FROM element. Only flask_tenant makes these; a column of that name made by anybody
    else is refused."""

    inherit_cache = True

    def __init__(self, name: str, source: FromClause | None = None) -> None:
        super().__init__(name, _INTEGER, _selectable=source)


def belongs(name: str, source: FromClause) -> ColumnElement[bool]:
    """Return ``source.tenant_id = :tenant``."""
    # what == would make, without asking both sides what they are: compiling makes one for every table
    return BinaryExpression(HiddenColumn(name, source), WHERE, eq, type_=_BOOLEAN, negate=ne)


def stamp_column(name: str, *, default: Any = STAMP) -> Column[int]:
    """Return the hidden column as INSERT needs it: its default stamps the tenant."""
    return Column(name, BigInteger, key=STAMP_KEY, default=default)
