"""A trail on each database, its anchor, and somebody who can write to the database and has no key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from flask_tenant.audit import Anchor, Keys, Tampering, Trail, verify
from flask_tenant.audit.anchor import read
from flask_tenant.directory import own_database
from flask_tenant.directory.tables import Tables

KEY = "the key of these tests, which is long enough"

MakeTrail = Callable[..., Trail]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "heads"


@pytest.fixture
def make_trail(engine: Engine, anchor: Path) -> MakeTrail:
    tables = Tables()
    with own_database(engine)() as connection:
        tables.metadata.create_all(connection, [tables.audit.entry])  # all that a trail needs

    def make(*keys: str, **kw: Any) -> Trail:
        return Trail(own_database(engine), tables.audit.entry, Keys(keys or (KEY,)), Anchor(anchor), **kw)

    return make


@pytest.fixture
def trail(make_trail: MakeTrail) -> Trail:
    """With five entries of tenant 1, five of tenant 2 and three of nobody."""
    trail = make_trail()
    for number in range(1, 6):
        for tenant_id in (1, 2):
            trail.write("member.changed", tenant_id=tenant_id, actor="person:7", number=number)
    for _ in range(3):
        trail.write("central.entered", actor="command:root", reason="monthly report")
    return trail


def found(trail: Trail, *anchors: Path, tenant_id: int | None = None) -> list[Tampering]:
    """What a look at a trail finds. There has to be something to look at."""
    assert trail.anchor.path is not None
    heads = read([trail.anchor.path, *anchors])
    verdict = verify(trail.entries(tenant_id), trail.keys, heads, tenant_id)
    assert verdict.entries + len(verdict.found) > 0
    return list(verdict.found)


def places(tampering: list[Tampering]) -> list[tuple[int, int, str]]:
    return [(each.tenant_id, each.number, each.what) for each in tampering]
