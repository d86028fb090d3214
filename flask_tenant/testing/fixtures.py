"""pytest fixtures: ``-p flask_tenant.testing.fixtures``, or ``pytest_plugins`` in a conftest.py.

Each test gets tenants of its own, new and with nothing but seeds in them: a cheap way to start every test from the
same state without dropping a table.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from ..model import Tenant
from ..registry import state_of
from .client import TenantClient
from .client import tenant_client as client_of
from .tenants import as_tenant, tested


@pytest.fixture
def tenancy_app(request: pytest.FixtureRequest) -> Flask:
    """The application: what the fixture ``app`` returns. Override it where yours goes by another name."""
    try:
        return request.getfixturevalue("app")  # type: ignore[no-any-return]
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise
        raise pytest.UsageError(
            "flask_tenant's fixtures find no application: define a fixture 'app', or 'tenancy_app'"
        ) from None


@pytest.fixture
def new_tenant(tenancy_app: Flask) -> Iterator[Callable[[str], Tenant]]:
    """Makes a new tenant: ``new_tenant("shop").slug`` is ``shop-`` and some letters that no other tenant has."""

    def made(name: str) -> Tenant:
        with tenancy_app.app_context():
            return state_of(tenancy_app).create(f"{name}-{secrets.token_hex(4)}", name.title())

    tested.append(tenancy_app)
    yield made
    tested.remove(tenancy_app)


@pytest.fixture
def tenant(new_tenant: Callable[[str], Tenant]) -> Tenant:
    """A new tenant. It is not entered: that is what ``in_tenant`` and ``as_tenant(tenant)`` do."""
    return new_tenant("tenant")


@pytest.fixture
def other_tenant(new_tenant: Callable[[str], Tenant]) -> Tenant:
    """Another new tenant, for what must stay away from it."""
    return new_tenant("other")


@pytest.fixture
def in_tenant(tenancy_app: Flask, tenant: Tenant) -> Iterator[Tenant]:
    """The tenant, inside which the test runs."""
    with as_tenant(tenant, tenancy_app):
        yield tenant


@pytest.fixture
def tenant_client(tenancy_app: Flask, tenant: Tenant) -> TenantClient:
    """A test client that speaks to the tenant's host."""
    return client_of(tenancy_app, tenant)


@pytest.fixture
def other_client(tenancy_app: Flask, other_tenant: Tenant) -> TenantClient:
    """A test client that speaks to the other tenant's host."""
    return client_of(tenancy_app, other_tenant)
