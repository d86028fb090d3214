"""One world for each worker and back end; after each attack it must be as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest
import sqlalchemy as sa

from flask_tenant import registry, tenant_context
from tests.attacks.pooled import DRIVERS, TENANTS, Site, sees_its_own
from tests.attacks.world import World, fill, make_app, opened
from tests.services.databases import MakeDatabase
from tests.services.pgbouncer import Pooler


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


@pytest.fixture(scope="session", params=DRIVERS)
def pooled_site(request: pytest.FixtureRequest, pooler: Pooler) -> Iterator[Site]:
    """An application behind pgbouncer, for each driver."""
    with pooler.server.database() as database, ExitStack() as stack:
        url = pooler.url(database, driver=DRIVERS[request.param])
        # Eager to prepare, if it were let.
        given = {"prepare_threshold": 0} if request.param == "psycopg-3" else {}
        engine = sa.create_engine(url, pool_size=10, connect_args=given)
        app, _ = make_app(engine)
        ids = {}
        for slug in TENANTS:
            ids[slug] = app.extensions["tenancy"].create(slug, slug).id
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        dsn = pooler.dsn(database)
        one, two = (stack.enter_context(closing(psycopg.connect(dsn, prepare_threshold=None))) for _ in "12")
        yield Site(app, engine, pooler, database, ids, (one, two))
        engine.dispose()


@pytest.fixture
def pooled(pooled_site: Site) -> Iterator[Site]:
    """The same, known to this test; nobody's rows may have changed at its end."""
    registry._apps.add(pooled_site.app.extensions[registry.KEY])
    yield pooled_site
    for slug in TENANTS:
        sees_its_own(pooled_site, slug)
