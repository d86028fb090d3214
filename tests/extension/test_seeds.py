"""What start-up seeds belongs to every tenant: those that exist, and those that come."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import for_each_tenant, tenant_context
from flask_tenant.errors import StatementRefusedError
from tests.extension.notes import Notes, rows


def test_a_new_tenant_starts_with_the_seeds(app: Flask, notes: Notes) -> None:
    with app.app_context(), tenant_context("acme"):
        assert notes.db.session.get(notes.Setting, "theme").value == "light"
    # template, acme, bella
    assert len(rows(notes.url, "setting")) == 3
    assert len(rows(notes.url, "country")) == 1


def test_starting_again_seeds_nothing_twice(app: Flask, notes: Notes) -> None:
    before = rows(notes.url, "setting")
    notes.create_app()
    assert rows(notes.url, "setting") == before


def test_a_seed_that_a_new_version_adds_reaches_tenants_that_exist(app: Flask, notes: Notes) -> None:
    with app.app_context(), tenant_context("bella"):
        notes.db.session.add(notes.Setting(key="currency", value="EUR"))
        notes.db.session.commit()

    def seed() -> None:
        session = notes.db.session
        session.add_all([notes.Setting(key="currency", value="USD"), notes.Setting(key="paper", value="A4")])
        session.flush()
        session.execute(sa.update(notes.Setting).values(value="dark").where(notes.Setting.key == "theme"))

    notes.create_app(seed=seed)

    with app.app_context():
        found = {
            tenant.slug: {s.key: s.value for s in notes.db.session.scalars(sa.select(notes.Setting))}
            for tenant in for_each_tenant(reason="test")
        }
    assert found == {
        "acme": {"theme": "dark", "currency": "USD", "paper": "A4"},
        "bella": {"theme": "dark", "currency": "EUR", "paper": "A4"},  # keeps the row of its own
    }


def test_seeds_in_raw_sql_reach_tenants_that_have_rows_of_the_same_ids(app: Flask, notes: Notes) -> None:
    for slug in ("acme", "acme", "bella"):
        with app.app_context(), tenant_context(slug):
            notes.db.session.add(notes.Note(title=f"own {len(rows(notes.url, 'note'))}"))
            notes.db.session.commit()

    def seed() -> None:
        notes.db.session.execute(
            sa.text("INSERT INTO note (title, body) VALUES ('seed', ''), ('seed 2', '')")
        )

    notes.create_app(seed=seed)
    with app.app_context():
        titles = {
            tenant.slug: notes.db.session.scalars(sa.select(notes.Note.title).order_by(notes.Note.id)).all()
            for tenant in for_each_tenant(reason="test")
        }
    assert titles == {"acme": ["own 0", "own 1", "seed", "seed 2"], "bella": ["own 2", "seed", "seed 2"]}


def test_a_seed_that_changes_rows_changes_them_for_every_tenant(app: Flask, notes: Notes) -> None:
    def seed() -> None:
        notes.db.session.execute(
            sa.text(
                "INSERT INTO setting (key, value) VALUES ('theme', 'dark'), ('new', 'x') "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            )
        )

    notes.create_app(seed=seed)
    with app.app_context():
        for tenant in for_each_tenant(reason="test"):
            found = {s.key: s.value for s in notes.db.session.scalars(sa.select(notes.Setting))}
            assert found == {"theme": "dark", "new": "x"}, tenant


def test_what_the_tenants_could_not_follow_is_refused(app: Flask, notes: Notes) -> None:
    before = rows(notes.url, "setting")

    def seed() -> None:
        notes.db.session.connection().exec_driver_sql("UPDATE setting SET value = 'driver'")

    with pytest.raises(StatementRefusedError, match="for every tenant"):
        notes.create_app(seed=seed)
    assert rows(notes.url, "setting") == before
