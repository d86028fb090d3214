"""What the application writes for a new tenant itself: all of it, or there is no such tenant."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, current_app, url_for

from flask_tenant import Tenancy, Tenant, current_tenant, tenant_context
from flask_tenant.errors import TenantNotFoundError
from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


class BrokenError(Exception):
    """What a seed raises."""


@pytest.fixture
def tenancy() -> Tenancy:
    return Tenancy()


@pytest.fixture
def seeded(notes: Notes, tenancy: Tenancy) -> Flask:
    """The application with a tenant that was created before it had seeds."""
    app = notes.create_app(tenancy, TENANT_BASE_DOMAIN="example.com")
    state_of(app).create("acme", "Acme")
    with app.app_context(), tenant_context("acme"):
        notes.db.session.add(notes.Note(title="of acme"))
        notes.db.session.commit()
    return app


def titles(app: Flask, notes: Notes, slug: str) -> list[str]:
    with app.app_context(), tenant_context(slug):
        return list(notes.db.session.scalars(sa.select(notes.Note.title).order_by(notes.Note.id)))


def test_seeds_run_in_the_new_tenant(seeded: Flask, notes: Notes, tenancy: Tenancy) -> None:
    seen: list[Any] = []

    @tenancy.seed
    def welcome(tenant: Tenant) -> None:
        assert current_tenant() == tenant
        assert notes.db.session.get(notes.Setting, "theme").value == "light", "start-up's seeds come first"
        notes.db.session.add(notes.Note(title=f"Welcome, {tenant.name}"))
        notes.db.session.commit()
        link = url_for("notes", _external=True)
        seen.append((current_app.name, tenant.state, seeded.test_client().get(link).status_code))

    @tenancy.seed
    def second(tenant: Tenant) -> None:
        notes.db.session.add(notes.Note(title="second"))
        notes.db.session.commit()

    made = state_of(seeded).create("bella", "Bella")
    assert made.state is TenantState.ACTIVE
    assert titles(seeded, notes, "bella") == ["Welcome, Bella", "second"]
    assert titles(seeded, notes, "acme") == ["of acme"]
    assert seeded.test_client().get("/notes", base_url="http://bella.example.com").status_code == 200
    [(name, state, status)] = seen
    assert (name, state) == ("notes", TenantState.MAINTENANCE)
    assert status != 200, "nobody meets a tenant that is half made"


def test_a_seed_that_fails_leaves_no_tenant(
    seeded: Flask, notes: Notes, tenancy: Tenancy, caplog: pytest.LogCaptureFixture
) -> None:
    tables = ("note", "setting", "tenancy_tenant", "country")
    before = {name: rows(notes.url, name) for name in tables}
    assert all(before.values())
    broken = [True]

    @tenancy.seed
    def welcome(tenant: Tenant) -> None:
        notes.db.session.add(notes.Note(title="half"))
        notes.db.session.commit()
        state_of(seeded).directory.set_config(tenant, "plan", "trial")
        notes.db.session.add(notes.Note(title="not committed"))
        notes.db.session.flush()
        if broken:
            raise BrokenError

    with pytest.raises(BrokenError):
        state_of(seeded).create("bella", "Bella")
    for name in ("note", "setting", "country"):
        assert rows(notes.url, name) == before[name], name
    assert [row[1] for row in rows(notes.url, "tenancy_tenant")] == ["acme"]
    with pytest.raises(TenantNotFoundError):
        state_of(seeded).directory.get("bella")
    assert "was removed again" in caplog.text
    assert seeded.test_client().get("/notes", base_url="http://bella.example.com").status_code == 404

    broken.clear()
    again = state_of(seeded).create("bella", "Bella")
    assert titles(seeded, notes, "bella") == ["half"]
    assert again.id > 2 or rows(notes.url, "tenancy_tenant"), "an id is not used twice"
    assert again.id not in {row[0] for row in before["tenancy_tenant"]}


def test_several_tenants_are_made_together_or_not_at_all(
    seeded: Flask, notes: Notes, tenancy: Tenancy
) -> None:
    @tenancy.seed
    def welcome(tenant: Tenant) -> None:
        notes.db.session.add(notes.Note(title=tenant.slug))
        notes.db.session.commit()
        if tenant.slug == "corto":
            raise BrokenError

    with pytest.raises(BrokenError):
        state_of(seeded).create_many([("bella", "Bella"), ("corto", "Corto")])
    assert [tenant.slug for tenant in state_of(seeded).directory.all()] == ["acme"]
    assert len(rows(notes.url, "note")) == 1


def test_one_that_cannot_be_removed_is_not_served(
    seeded: Flask, tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database goes away in the middle."""
    state = state_of(seeded)

    def gone(*_: Any) -> None:
        raise sa.exc.OperationalError("DELETE", {}, Exception("server closed the connection"))

    @tenancy.seed
    def welcome(tenant: Tenant) -> None:
        monkeypatch.setattr(state.directory, "remove", gone)
        raise BrokenError

    with caplog.at_level(logging.ERROR), pytest.raises(BrokenError):
        state.create("bella", "Bella")
    assert "could not be seeded, and not be removed either" in caplog.text
    assert state.directory.get("bella").state is TenantState.MAINTENANCE
    answer = seeded.test_client().get("/notes", base_url="http://bella.example.com")
    assert answer.status_code != 200
