"""structlog: events carry ``tenant`` (the slug) and ``tenant_id``."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from functools import wraps
from typing import Any

from .base import Around, Part
from .logs import NONE, names

NAME = "structlog"


class Structlog(Part):
    """Puts :func:`add_tenant` in front of the configured processors."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Add the processor now and whenever structlog is configured again."""
        structlog: Any = sys.modules.get("structlog")
        if structlog is None or not hasattr(structlog, "configure"):
            return False
        if not hasattr(structlog.configure, "ft_bound"):
            structlog.configure = _configuring(structlog.configure)
        _add(structlog)
        return True


def _configuring(original: Any) -> Any:
    @wraps(original)
    def configure(*args: Any, **kw: Any) -> None:
        original(*args, **kw)
        _add(sys.modules["structlog"])

    configure.ft_bound = True  # type: ignore[attr-defined]
    return configure


def _add(structlog: Any) -> None:
    processors = structlog.get_config()["processors"]
    if add_tenant in processors:
        return
    if isinstance(processors, list):
        processors.insert(0, add_tenant)  # loggers that were bound already share the list
    else:
        structlog.configure(processors=[add_tenant, *processors])


def add_tenant(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the tenant to an event: a structlog processor. What the application has set itself stays."""
    slug, tenant_id = names()
    if slug != NONE:
        event.setdefault("tenant", slug)
        event.setdefault("tenant_id", tenant_id)
    return event
