"""Each table as its tenant's view: what keeps tenants apart in one engine, put together."""

from __future__ import annotations

from . import routing
from .alembic import migrating
from .central import tenant_column
from .ddl import sequence_table
from .drivers.pooler import unprepared
from .engine import is_tenanted, refuse_unguarded
from .isolation import Isolation, config_of
from .keys import check_schema
from .messages import VIEW_HINT
from .plain import plainly
from .seeding import physical
from .session import ScopedSessions
from .template import TEMPLATE
from .wall import Wall

__all__ = [
    "TEMPLATE",
    "VIEW_HINT",
    "Isolation",
    "ScopedSessions",
    "Wall",
    "check_schema",
    "config_of",
    "is_tenanted",
    "migrating",
    "physical",
    "plainly",
    "refuse_unguarded",
    "routing",
    "sequence_table",
    "tenant_column",
    "unprepared",
]
