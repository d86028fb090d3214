"""A tenant whose creation fails half-way leaves nothing of its people."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant import Tenant
from tests.accounts.app.conftest import PASSWORD, Site

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def test_first_members_go_with_their_tenant(site: Site) -> None:
    people, tenancy = site.accounts.people, site.state.tenancy
    ada = people.create("ada@example.com", "Ada", PASSWORD)

    @tenancy.seed
    def first(tenant: Tenant) -> None:
        people.add(tenant.id, ada.id, roles=["administrator"])
        people.invite(tenant.id, "bob@example.com", ["clerk"])
        if tenant.slug == "broken":
            raise LookupError("what it begins with cannot be had")

    kept = site.state.create("kept", "Kept")
    with pytest.raises(LookupError):
        site.state.create("broken", "Broken")
    assert site.state.directory.find("broken") is None
    assert [m.tenant_id for m in people.memberships(ada.id)] == [kept.id]
    assert people.person(ada.id) == ada
    with site.state.directory.connect() as connection:
        for table in ("membership", "member_role", "invitation"):
            owners: list[Any] = list(connection.scalars(sa.text(f"SELECT tenant_id FROM tenancy_{table}")))
            assert owners == [kept.id]
