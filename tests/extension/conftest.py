"""The small application on each back end, with two tenants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from flask_tenant.registry import state_of
from tests.extension.notes import Notes


@pytest.fixture
def notes(database_url: str) -> Iterator[Notes]:
    notes = Notes(database_url)
    yield notes
    notes.dispose()


@pytest.fixture
def app(notes: Notes) -> Flask:
    app = notes.create_app()
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    return app
