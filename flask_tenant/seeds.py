"""What the application itself writes for a new tenant: functions registered with ``@tenancy.seed``.

They run after the tenant's first rows are committed, because they may use any session or connection, also of other
databases. Until all of them have succeeded the tenant is in maintenance, so that nobody meets it half made; when one
fails, the tenant and all its rows are removed again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from flask import Flask

from .context import Scope
from .model import Tenant, TenantState

log = logging.getLogger("flask_tenant")

Seed = Callable[[Tenant], Any]


class Seeds:
    """The functions of one Tenancy."""

    def __init__(self) -> None:
        self._functions: list[Seed] = []

    def __bool__(self) -> bool:
        return bool(self._functions)

    def add(self, function: Seed) -> None:
        """Run ``function`` in each new tenant, after those that were added before."""
        self._functions.append(function)

    def plant(
        self,
        tenants: Sequence[Tenant],
        app: Flask,
        *,
        enter: Callable[[Scope], AbstractContextManager[Scope]],
        set_state: Callable[[Tenant, TenantState], Tenant],
        remove: Callable[[Tenant], None],
    ) -> list[Tenant]:
        """Run the functions in each of the tenants, or remove them all.

        :param tenants: new ones
        :param enter: enters a scope
        :param set_state: sets whether a tenant is served
        :param remove: removes a tenant and its rows
        :raises Exception: whatever a function raises
        """
        try:
            closed = [set_state(tenant, TenantState.MAINTENANCE) for tenant in tenants]
            for tenant in closed:
                with app.app_context(), enter(Scope(tenant)):
                    for function in self._functions:
                        function(tenant)
            return [set_state(tenant, TenantState.ACTIVE) for tenant in closed]
        except BaseException:
            for tenant in tenants:
                try:
                    remove(tenant)
                except Exception:
                    log.exception("Tenant %s could not be seeded, and not be removed either", tenant.slug)
                else:
                    log.error("Tenant %s could not be seeded, and was removed again", tenant.slug)
            raise
