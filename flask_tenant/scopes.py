"""Entering scopes by hand: work for one tenant, for each in turn, or for none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from flask import Flask

from . import signals
from .context import Scope, current_scope
from .errors import TenantError
from .model import Tenant
from .registry import state_of

log = logging.getLogger("flask_tenant")


def tenant_context(tenant: Tenant | str, app: Flask | None = None) -> AbstractContextManager[Scope]:
    """Work for one tenant.

    :param tenant: a tenant or its slug
    :param app: by default the current application, or the only one that has Tenancy
    :raises TenantNotFoundError: when there is no such tenant
    """
    state = state_of(app)
    found = tenant if isinstance(tenant, Tenant) else state.directory.get(tenant)
    return state.enter(Scope(found))


@contextmanager
def central_context(*, reason: str, app: Flask | None = None) -> Iterator[Scope]:
    """Leave isolation, for work that belongs to no tenant. Every use is logged with its reason.

    :param reason: why; it is written to the log
    :raises TenantError: without a reason
    """
    if not reason.strip():
        raise TenantError(
            "Central work without a reason", hint="central_context(reason='monthly usage report')"
        )
    state = state_of(app)
    outer = current_scope()
    _write_down("Central work begins (%s): %s", outer or "outside any tenant", reason)
    state.write_down("central.entered", reason=reason, within=str(outer.tenant or "") if outer else "")
    with state.enter(Scope(None, reason=reason)) as scope:
        signals.central_entered.send(state.tenancy, reason=reason)
        yield scope


def for_each_tenant(*, reason: str, app: Flask | None = None) -> Iterator[Tenant]:
    """Run a loop's body once in each tenant. Every use is logged with its reason.

    Use it as ``for tenant in for_each_tenant(reason="..."): ...``; the loop's body runs in the tenant.

    :param reason: why; it is written to the log
    """
    if not reason.strip():
        raise TenantError(
            "A loop over tenants without a reason", hint="for_each_tenant(reason='yearly numbering')"
        )
    state = state_of(app)
    tenants = state.directory.all()
    _write_down("Loop over %s tenants begins: %s", len(tenants), reason)
    state.write_down("central.loop", reason=reason)
    for tenant in tenants:
        with state.enter(Scope(tenant)):
            yield tenant


def _write_down(text: str, *values: object) -> None:
    """Log who leaves a tenant's walls, and why."""
    log.disabled = (
        False  # Alembic's env.py, as generated, switches off every logger that its file does not name
    )
    log.warning(text, *values)
