"""A site for each test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes
from tests.onboarding.world import Site

MakeSite = Callable[..., Site]


@pytest.fixture
def site(notes: Notes) -> Site:
    return Site(notes)
