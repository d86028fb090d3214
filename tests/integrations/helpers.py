"""What the tests of integrations share: tenants, their addresses, and a look past the wall."""

from __future__ import annotations

from flask import Flask

from flask_tenant.registry import state_of
from tests.extension.notes import rows

SLUGS = ("acme", "bella")


def with_tenants(app: Flask, *slugs: str) -> Flask:
    """Create tenants, by default two."""
    for slug in slugs or SLUGS:
        state_of(app).create(slug, slug.title())
    return app


def at(slug: str, path: str = "/") -> str:
    """The address of a path at a tenant's own host."""
    return f"http://{slug}.example.test{path}"


def table(url: str, name: str) -> list[tuple[object, ...]]:
    """Every row of a table as the database has it. Fails on an empty one, which would prove nothing."""
    found = rows(url, name)
    assert found, f"table {name} is empty"
    return found
