"""One world for each back end; what a test writes, it rolls back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_tenant import registry
from tests.rules.reads.world import World
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="session")
def standing_world(back_end: str, make_database: MakeDatabase) -> Iterator[World]:
    """The database that all tests on one back end share."""
    with make_database(back_end) as url:
        world = World(url)
        yield world
        world.close()


@pytest.fixture
def world(standing_world: World) -> Iterator[World]:
    """The database whose rows are read."""
    registry._apps.add(
        standing_world.app.extensions[registry.KEY]
    )  # tests of other folders have forgotten it
    yield standing_world
    standing_world.rules.rulings.clear()
