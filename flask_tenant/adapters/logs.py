"""Log records carry the tenant: ``%(tenant)s`` is its slug, ``%(tenant_id)s`` its id.

They are set after a record was made, so that an application's own ``extra={"tenant": ...}`` stays what it was, and in
the context of the caller, so that handlers in other threads see them too.
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any

from ..context import current_scope
from .base import Around, Part, current

NAME = "logging"
NONE = "-"


class Logs(Part):
    """Adds the tenant to each record that a logger makes."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Wrap how loggers make records, once in a process."""
        if not hasattr(logging.Logger.makeRecord, "ft_bound"):
            logging.Logger.makeRecord = _making(logging.Logger.makeRecord)  # type: ignore[method-assign]
        return True


def names() -> tuple[str, int | str]:
    """Return slug and id of the tenant that the running code works for, ``-`` and ``-`` for none."""
    around = current(NAME)
    if around is None:
        return NONE, NONE
    scope = current_scope() or _fallback(around)
    if scope is None or scope.tenant is None:
        return NONE, NONE
    return scope.tenant.slug, scope.tenant.id


def _fallback(around: Around) -> Any:
    try:
        return around.here()
    except Exception:  # logging has to work while the rest does not
        return None


def _making(original: Any) -> Any:
    @wraps(original)
    def make_record(*args: Any, **kw: Any) -> logging.LogRecord:
        record: logging.LogRecord = original(*args, **kw)
        return _named(record)

    make_record.ft_bound = True  # type: ignore[attr-defined]
    return make_record


def _named(record: logging.LogRecord) -> logging.LogRecord:
    if "tenant" not in record.__dict__ or "tenant_id" not in record.__dict__:
        slug, tenant_id = names()
        record.__dict__.setdefault("tenant", slug)
        record.__dict__.setdefault("tenant_id", tenant_id)
    return record


class TenantFilter(logging.Filter):
    """The same for a handler of one's own choice: records that come from elsewhere get a tenant too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with a tenant."""
        _named(record)
        return True
