"""What the store needs of the directory: its tables, a transaction, and a change that all servers hear of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ...model import Tenant


class Tables(Protocol):
    """The tables, of which the directory's migrations take care."""

    rule_source: sa.Table
    rule_activation: sa.Table
    rule_switch: sa.Table
    rule_active: sa.Table
    rule_set: sa.Table
    rule_recorded: sa.Table


class Change(Protocol):
    """A change of the directory in work."""

    connection: Connection
    tenants: set[int]
    everyone: bool


class Home(Protocol):
    """The directory, as far as rules know it."""

    @property
    def tables(self) -> Tables:
        """The tables."""

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a transaction past the wall."""

    def change(self) -> AbstractContextManager[Change]:
        """Make a change of which all servers hear."""

    def find(self, slug: str) -> Tenant | None:
        """Return the tenant of that slug, or ``None``."""

    def find_id(self, tenant_id: int) -> Tenant | None:
        """Return the tenant of that id as it is now, or ``None``."""


def plan_of(tenant: Tenant) -> str:
    """Return the name of a tenant's plan, as its configuration has it; ``""`` for none."""
    plan = tenant.config.get("plan", "")
    return plan if isinstance(plan, str) else ""
