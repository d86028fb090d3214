"""The small application, without tenants."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes


@pytest.fixture
def app(notes: Notes) -> Flask:
    return notes.create_app()
