"""The proof at start-up that rules are enforced covers engines for reads, and asyncio engines."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine

from flask_tenant import Tenancy, central_context, registry
from flask_tenant.errors import RuleEngineError
from flask_tenant.isolate.wall import _Law

metadata = sa.MetaData()
sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String))


class Made:
    """An application, and the engines that are closed with it."""

    def __init__(self, *engines: Any) -> None:
        self.app = Flask("proven")
        self.tenancy = Tenancy(self.app, engines=list(engines))
        self.state = self.app.extensions[registry.KEY]

    def prove(self) -> None:
        self.state.governance.prove()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'here.sqlite'}")
    found = Made(engine)
    with central_context(reason="set-up", app=found.app):
        metadata.create_all(engine)
    found.state.create("acme", "Acme")
    yield found
    engine.dispose()
    registry._apps.discard(found.state)


def test_engines_for_reads(made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(tmp_path / "here.sqlite", tmp_path / "there.sqlite")
    replica = sa.create_engine(f"sqlite:///{tmp_path / 'there.sqlite'}")
    made.tenancy.engines.add("replica", replica)
    asked: list[Any] = []
    sa.event.listen(replica, "before_execute", lambda *a: asked.append(a))
    made.prove()
    assert asked
    wall = replica.dialect.ft_wall  # type: ignore[attr-defined]
    law, wall.law = wall.law, _Law()
    with pytest.raises(RuleEngineError, match="has no wall"):
        made.prove()
    wall.law = law
    sa.event.listen(replica, "before_execute", lambda *a: (sa.text("SELECT 1"), a[2], a[3]), retval=True)
    with pytest.raises(RuleEngineError, match="Rules are not enforced"):
        made.prove()
    replica.dispose()


def test_an_engine_for_reads_that_is_down_stops_nobody(
    made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(tmp_path / "here.sqlite", tmp_path / "there.sqlite")
    replica = sa.create_engine(f"sqlite:///{tmp_path / 'there.sqlite'}")
    made.tenancy.engines.add("replica", replica)
    replica.dispose()
    (tmp_path / "there.sqlite").unlink()
    (tmp_path / "there.sqlite").mkdir()  # no file can be opened there
    with caplog.at_level(logging.WARNING):
        made.prove()
    assert "cannot be reached" in caplog.text


def test_asyncio_engines(made: Made, tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'here.sqlite'}")
    asked: list[Any] = []
    sa.event.listen(engine.sync_engine, "before_execute", lambda *a: asked.append(a))
    there = Made(engine)

    async def within() -> None:  # as the first request of an ASGI server does
        there.prove()

    for prove in (there.prove, lambda: asyncio.run(within())):
        asked.clear()
        prove()
        assert len(asked) == 2
    (isolation,) = set(there.state.databases.isolations.values())
    isolation.wall.rules = None
    with pytest.raises(RuleEngineError, match="Rules are not enforced"):
        there.prove()
    asyncio.run(engine.dispose())
    registry._apps.discard(there.state)
