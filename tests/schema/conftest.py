"""A control and a tenanted database of one application, side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.schema.installing import install, opened, run
from tests.services.databases import MakeDatabase


def _ready(engine: sa.Engine) -> sa.Engine:
    if engine.dialect.name == "postgresql":
        run(engine, "CREATE EXTENSION IF NOT EXISTS btree_gist")
    return engine


@pytest.fixture(scope="module")
def pair(back_end: str, make_database: MakeDatabase) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    """A control and a tenanted engine to empty databases, for a whole module."""
    with (
        make_database(back_end) as one,
        make_database(back_end) as two,
        opened(one) as control,
        opened(two) as tenanted,
    ):
        yield _ready(control), install(_ready(tenanted))


@pytest.fixture
def plain(database_url: str) -> Iterator[sa.Engine]:
    """An engine without anything of ours, to the tenanted database."""
    with opened(database_url) as engine:
        yield _ready(engine)


@pytest.fixture
def tenanted(plain: sa.Engine, database_url: str) -> Iterator[sa.Engine]:
    """An engine with the schema side installed, to an empty database."""
    with opened(database_url) as engine:
        yield install(engine)


@pytest.fixture
def control(back_end: str, make_database: MakeDatabase) -> Iterator[sa.Engine]:
    """An engine to another empty database, which stays single-tenant."""
    with make_database(back_end) as url, opened(url) as engine:
        yield _ready(engine)
