"""The small application on each back end, with two tenants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from flask_tenant.extension import state_of
from tests.extension.notes import Notes


@pytest.fixture
def notes(database_url: str) -> Notes:
    return Notes(database_url)


@pytest.fixture
def app(notes: Notes) -> Iterator[Flask]:
    app = notes.create_app()
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    yield app
    with app.app_context():
        notes.db.engine.dispose()
