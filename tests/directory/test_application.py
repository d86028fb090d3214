"""The directory under an application: its prefix, a database of its own, many tenants at once, Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import tenant_context
from flask_tenant.engines import exempt_engine
from flask_tenant.errors import TenancyError, TenantExistsError
from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


@contextmanager
def serving(url: str, **config: Any) -> Iterator[tuple[Notes, Flask]]:
    notes = Notes(url)
    app = notes.create_app(**config)
    try:
        yield notes, app
    finally:
        state_of(app).directory.close()
        notes.dispose()


def tables(url: str) -> set[str]:
    engine = sa.create_engine(url)
    exempt_engine(engine)
    try:
        return set(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_a_prefix_of_ones_own(database_url: str) -> None:
    with serving(database_url, TENANT_TABLE_PREFIX="saas_") as (notes, app):
        for slug in ("acme", "bella"):
            state_of(app).create(slug, slug.title())
        assert {"saas_tenant", "saas_domain"} <= tables(database_url)
        assert not any(name.startswith("tenancy_") for name in tables(database_url))
        assert app.test_client().post("/notes/one", base_url="http://acme.localhost").status_code == 201
        assert app.test_client().get("/notes", base_url="http://bella.localhost").json == []
        with app.app_context(), tenant_context("acme"):
            assert not [n for n in sa.inspect(notes.db.engine).get_table_names() if n.startswith("saas_")]
            for statement in ("SELECT * FROM saas_tenant", "UPDATE saas_token SET name = 'x'"):
                with pytest.raises(TenancyError):
                    notes.db.session.execute(sa.text(statement))
                notes.db.session.rollback()


@pytest.mark.once
def test_a_database_of_its_own(database_url: str, tmp_path: Any) -> None:
    own = f"sqlite:///{tmp_path / 'directory.sqlite'}"
    with serving(database_url, TENANT_DIRECTORY_URL=own) as (_, app):
        state = state_of(app)
        acme = state.create("acme", "Acme")
        assert "tenancy_tenant" in tables(own)
        assert "tenancy_tenant" not in tables(database_url)
        assert "note" not in tables(own)
        state.create_many([("bella", "Bella"), ("carl", "Carl")])
        with pytest.raises(TenantExistsError):
            state.create("acme", "Again")
        seeded = {row[0] for row in rows(database_url, "setting")}
        assert {acme.id, acme.id + 1, acme.id + 2} <= seeded
        client = app.test_client()
        assert client.post("/notes/one", base_url="http://acme.localhost").status_code == 201
        assert client.get("/notes", base_url="http://acme.localhost").json == ["one"]
        assert client.get("/notes", base_url="http://bella.localhost").json == []
    with serving(database_url, TENANT_DIRECTORY_URL=own) as (_, app):
        assert [t.slug for t in state_of(app).directory.all()] == ["acme", "bella", "carl"]


@pytest.mark.once
def test_many_tenants_with_their_rows(database_url: str, record_property: Any) -> None:
    with serving(database_url) as (notes, app):
        state = state_of(app)
        state.create("first", "First")
        many = 300
        start, cpu = time.perf_counter(), time.process_time()
        made = state.create_many([(f"t{n}", f"Tenant {n}") for n in range(many)])
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        record_property(
            "figure",
            f"{database_url.partition(':')[0]}: {took / many * 1e3:.2f} ms a tenant with its seeded row, "
            f"{cpu / many * 1e3:.2f} ms of it by the processor",
        )
        assert cpu / many <= 0.001 * NOISE
        with app.app_context():
            for tenant in (made[0], made[-1]):
                with tenant_context(tenant):
                    assert notes.db.session.get(notes.Setting, "theme").value == "light"
        before = state.directory.count()
        with pytest.raises(TenantExistsError):
            state.create_many([("new", "New"), ("t5", "Taken")])
        assert state.directory.count() == before


NOISE = 2
"""How much slower than alone a busy machine may be."""


@pytest.mark.timed
@pytest.mark.once
@pytest.mark.databases("sqlite")
def test_two_servers_and_redis(database_url: str, redis_url: str) -> None:
    with (
        serving(database_url, TENANT_REDIS_URL=redis_url) as (_, one),
        serving(database_url, TENANT_REDIS_URL=redis_url) as (_, two),
    ):
        acme = state_of(one).create("acme", "Acme")
        answers = [
            two.test_client().get("/notes", base_url="http://acme.localhost").status_code for _ in range(3)
        ]
        assert answers == [200, 200, 200]
        for app in (one, two):
            link = state_of(app).directory._lookup.link
            assert link is not None
            deadline = time.monotonic() + 20
            while not link.trusted:
                assert time.monotonic() < deadline
                state_of(app).directory.find("nobody")
                time.sleep(0.01)
        assert two.test_client().get("/notes", base_url="http://acme.localhost").status_code == 200
        state_of(one).directory.set_state(acme, TenantState.SUSPENDED)
        deadline = time.monotonic() + 0.2
        while two.test_client().get("/notes", base_url="http://acme.localhost").status_code == 200:
            assert time.monotonic() < deadline, "a suspended tenant is served"
