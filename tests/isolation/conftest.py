"""One world for each back end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.isolation.world import World, worlds
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="package")
def world(back_end: str, make_database: MakeDatabase) -> Iterator[World]:
    """A pool with three tenants, and their single databases."""
    with worlds(back_end, make_database) as made:
        yield made
