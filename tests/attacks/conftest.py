"""One world for each worker and back end; after each attack it must be as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_tenant import registry
from tests.attacks.world import World, opened
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="session")
def standing_world(back_end: str, make_database: MakeDatabase) -> Iterator[World]:
    """The database that all attacks on one back end share."""
    with make_database(back_end) as pool, make_database(back_end) as single, opened(pool, single) as world:
        yield world


@pytest.fixture
def world(standing_world: World) -> Iterator[World]:
    """The database under attack. Whatever a test does, its neighbours' rows must be there afterwards, byte by byte."""
    registry._apps.add(
        standing_world.app.extensions[registry.KEY]
    )  # tests of other folders have forgotten it
    yield standing_world
    after = standing_world.snapshot()
    kept, neighbours = standing_world.neighbours(after), standing_world.neighbours()
    if after != standing_world.original:
        standing_world.restore()
    assert all(neighbours.values()), "there was nobody to protect"
    assert kept == neighbours, "the neighbours' rows have changed"
