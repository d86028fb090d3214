"""Rules that are there from the start, without files and without a database: for tests and measurements."""

from __future__ import annotations

from collections.abc import Iterable

from flask_tenant.model import Tenant
from flask_tenant.rules.model import RuleSet


class MemoryBook:
    """Knows the rules of tenants by their slugs."""

    def __init__(self, rules: Iterable[RuleSet] = ()) -> None:
        self._rules = {one.tenant: one for one in rules}

    def active(self, tenant: Tenant) -> RuleSet | None:
        """Return a tenant's rules."""
        return self._rules.get(tenant.slug)

    def activate(self, rules: RuleSet) -> None:
        """Let a tenant obey these from now on."""
        self._rules[rules.tenant] = rules

    def drop(self, tenant: str) -> None:
        """Let a tenant have no rules, by its slug."""
        self._rules.pop(tenant, None)
