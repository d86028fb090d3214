"""For tests. Never load it in production.

tenants.py    as_tenant: a test, or a part of it, inside a tenant
client.py     test clients that speak to a tenant's host
isolation.py  assert_isolated: what one tenant does stays away from another
fixtures.py   ``-p flask_tenant.testing.fixtures``: tenants and their clients as pytest fixtures
suite.py      ``-p flask_tenant.testing``: somebody's whole suite inside the tenant that ``TENANT_DEFAULT`` names
"""

from __future__ import annotations

from .client import TenantClient, tenant_client
from .isolation import assert_isolated
from .suite import pytest_configure, pytest_unconfigure
from .tenants import as_tenant
from .verdict import LeakFoundError, NothingProvenError

__all__ = [
    "LeakFoundError",
    "NothingProvenError",
    "TenantClient",
    "as_tenant",
    "assert_isolated",
    "pytest_configure",
    "pytest_unconfigure",
    "tenant_client",
]
