"""Any statement run as a tenant on the pool gives what it gives on a database holding that tenant's rows only.

``TENANCY_EXAMPLES`` says how many statements are made up (in ``make test`` the same ones each time; any other
number takes new ones).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.isolation.oracle import Case, Oracle, execute, show
from tests.isolation.rows import TENANTS
from tests.isolation.statements import statements
from tests.isolation.world import World
from tests.services.availability import examples

EXAMPLES = examples(800)
WANTED = int(os.environ.get("TENANCY_EXAMPLES", EXAMPLES))


@pytest.mark.databases("sqlite", "postgresql+psycopg")
@pytest.mark.timeout(max(300, WANTED))
@pytest.mark.parametrize("writes", [False, True], ids=["reads", "writes"])
def test_any_statement(writes: bool, world: World, record_property: Callable[[str, object], None]) -> None:
    oracle = Oracle(world)

    @settings(
        max_examples=WANTED,
        derandomize=WANTED == EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(statements(world.dialect, writes=writes), st.sampled_from(TENANTS))
    def check(statement: object, tenant: str) -> None:
        oracle.tally.wrong.clear()
        oracle.check(
            Case(show(statement), lambda connection: execute(connection, statement), fails=True, ids="any"),
            tenant,
        )
        assert not oracle.tally.wrong, oracle.tally.wrong[0]

    check()
    tally = oracle.tally
    record_property("figure", tally.line())
    world.check_untouched()
    assert len(tally.refused) <= 0.02 * tally.generated, "\n\n".join(tally.refused[:5])
    assert tally.filled >= 0.5 * (tally.generated - tally.failed_alike), tally.line()
    assert tally.failed_alike <= 0.1 * tally.generated, tally.line()
