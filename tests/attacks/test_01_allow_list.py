"""Class 1, allow-list: what is not known to stay inside the tenant is refused."""

from __future__ import annotations

import pytest

from tests.attacks.world import WAYS, Way, World


@pytest.mark.parametrize("way", WAYS)
def test_smoke(world: World, way: Way) -> None:
    world.withstands("SELECT * FROM customer", way, answered=True)
    assert world.has_teeth("SELECT * FROM customer", way)
