"""Every shape, on every back end: answered, not refused, equal, and not empty."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.isolation.oracle import Oracle
from tests.isolation.shapes import SHAPES, Shape
from tests.isolation.world import World
from tests.services.availability import AGAIN, FULL

AS = ("a", "b")
"""Each variant runs as two tenants, the second time from SQLAlchemy's caches."""


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shape(
    shape: Shape, back_end: str, world: World, record_property: Callable[[str, object], None]
) -> None:
    if shape.only not in ("", world.dialect):
        return  # the database has no such thing: nothing is generated, and no figure printed
    oracle = Oracle(world)
    # psycopg2 gets the same statements as psycopg, through other cursors. The long run has them all.
    usual = {"postgresql+psycopg2": 8, "postgresql+psycopg": 3}.get(back_end, 2)
    step = 1 if FULL else usual * 2 if AGAIN else usual
    for case in list(shape.cases(world.dialect))[::step]:
        for tenant in AS:
            oracle.check(case, tenant)
    tally = oracle.tally
    record_property("figure", tally.line())
    world.check_untouched()
    assert not tally.wrong, f"{len(tally.wrong)} wrong\n" + "\n\n".join(tally.wrong[:12])
    assert len(tally.refused) <= 0.02 * tally.generated, f"{len(tally.refused)} refused\n" + "\n\n".join(
        tally.refused[:12]
    )
    assert tally.filled >= 0.5 * (tally.generated - tally.failed_alike), tally.line()
