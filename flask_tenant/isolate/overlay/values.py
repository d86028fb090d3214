"""The values of slots: bound when a statement executes, or written as literals where there is nothing to bind to.

Raw SQL has placeholders of the caller's own, so there a value becomes a literal, as the tenant's id does: digits, or a
text that needs no quoting. Statements that SQLAlchemy compiles bind it, so that one compiled form serves all requests.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Date, DateTime, Numeric, Text, bindparam
from sqlalchemy.sql.elements import BindParameter

from ...decision import Ruling
from ...errors import NoTenantError, RuleEngineError
from ...expressions import Kind, Slot
from .render import Dialect, literal, plain

_SALT = secrets.token_hex(4)

in_force: ContextVar[Ruling | None] = ContextVar("flask_tenant_ruling", default=None)
"""The ruling of the statement that is being executed."""

_TYPES: dict[Kind, Any] = {
    Kind.BOOL: Boolean(),
    Kind.INT: BigInteger(),
    Kind.NUMBER: Numeric(),
    Kind.TEXT: Text(),
    Kind.DATE: Date(),
    Kind.TIME: DateTime(),
    Kind.DURATION: BigInteger(),
    Kind.TEXTS: ARRAY(Text()),
    Kind.INTS: ARRAY(BigInteger()),
}


def _never() -> Any:
    # Reached only when something renders the value outside an execution, such as literal_binds.
    raise NoTenantError("A rule's value is bound when a statement executes, not before")


@lru_cache(1024)
def bound(slot: Slot) -> BindParameter[Any]:
    """Return the parameter for a slot, under a name that no application can know."""
    key = f"ft_r{slot.index}{slot.kind.name.lower()}_{_SALT}"
    return bindparam(key, callable_=_never, type_=_TYPES[slot.kind])


def value_of(slot: Slot, ruling: Ruling | None) -> Any:
    """Return a slot's value.

    :raises RuleEngineError: when there is none
    """
    if ruling is None or not 0 <= slot.index < len(ruling.values):
        raise RuleEngineError(f"No value was given for slot {slot.index} of the rules", value=slot.index)
    return ruling.values[slot.index]


def driver_value(slot: Slot, ruling: Ruling | None, dialect: Dialect) -> Any:
    """Return a slot's value as the driver takes it."""
    return plain(slot.kind, value_of(slot, ruling), dialect)


def literal_value(slot: Slot, ruling: Ruling | None, dialect: Dialect) -> str:
    """Return a slot's value as SQL text."""
    return literal(slot.kind, value_of(slot, ruling), dialect)
