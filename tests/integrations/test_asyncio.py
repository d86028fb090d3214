"""The asynchronous engine: AsyncSession and AsyncConnection, with two tenants at work in one event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from flask_tenant import Tenancy, central_context, current_tenant, for_each_tenant, tenant_context
from flask_tenant.errors import (
    ConfigurationError,
    NoTenantError,
    RefusedError,
    StatementRefusedError,
    TenantChangedError,
)
from flask_tenant.registry import state_of
from tests.integrations.helpers import table, with_tenants

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(50), unique=True)
    lines: Mapped[list[Line]] = relationship(cascade="all, delete-orphan", order_by="Line.id")


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(sa.ForeignKey("note.id"))
    text: Mapped[str] = mapped_column(sa.String(50))


class World:
    """An application with an asynchronous engine only.

    :param url: of an empty database, for a blocking driver
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def open(self) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
        """The application, with two tenants, in the running event loop."""
        self.engine = create_async_engine(self.url.replace("sqlite:", "sqlite+aiosqlite:"), pool_size=5)
        self.app = await self._create_app(self.engine)
        try:
            with self.app.app_context():
                yield async_sessionmaker(self.engine)
        finally:
            await self.engine.dispose()

    async def _create_app(self, engine: AsyncEngine) -> Flask:
        app = Flask("async")
        Tenancy(app, engines=[engine])
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        return with_tenants(app)


Work = Callable[[World, async_sessionmaker[AsyncSession]], Awaitable[None]]


@pytest.fixture
def run(database_url: str) -> Iterator[Callable[[Work], None]]:
    def run(work: Work) -> None:
        async def main() -> None:
            world = World(database_url)
            async with world.open() as sessions:
                await work(world, sessions)

        asyncio.run(main())

    return run


Run = Callable[[Work], None]


def test_crud(run: Run, database_url: str) -> None:
    async def work(world: World, sessions: async_sessionmaker[AsyncSession]) -> None:
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                async with sessions() as session, session.begin():
                    session.add_all([Note(title="same", lines=[Line(text=slug), Line(text="two")])])
                    session.add_all([Note(title=f"{slug}-{n}") for n in range(3)])
        with tenant_context("bella"):
            async with sessions() as session:
                note = await session.scalar(
                    sa.select(Note).where(Note.title == "same").options(selectinload(Note.lines))
                )
                assert note is not None
                assert [line.text for line in note.lines] == ["bella", "two"]
                assert await session.get(Note, note.id) is note
                note.title = "changed"
                note.lines.pop()
                await session.commit()
                await session.refresh(note)
                assert note.title == "changed"
                other = await session.merge(Note(id=note.id, title="merged"))
                await session.flush()
                assert other is note
                await session.execute(sa.update(Note).where(Note.title == "bella-0").values(title="updated"))
                await session.execute(sa.text("DELETE FROM note WHERE title = 'bella-1'"))
                await session.delete(note)
                await session.commit()
                titles = (await session.scalars(sa.select(Note.title).order_by(Note.title))).all()
                assert titles == ["bella-2", "updated"]
        with tenant_context("acme"):
            async with world.engine.connect() as connection:
                assert (await connection.exec_driver_sql("SELECT count(*) FROM note")).scalar() == 4
                assert (await connection.execute(sa.text("SELECT count(*) FROM line"))).scalar() == 2
                names = await connection.run_sync(
                    lambda c: [k["name"] for k in sa.inspect(c).get_columns("note")]
                )
                assert names == ["id", "title"]
            async with world.engine.begin() as connection:
                result = await connection.execute(sa.insert(Note).values(title="one more"))
                assert result.inserted_primary_key is not None
                key = result.inserted_primary_key[0]
                found = await connection.execute(sa.select(Note.title).where(Note.id == key))
                assert found.scalar() == "one more"

    run(work)
    assert len(table(database_url, "note")) == 7


def test_streams_of_two_tenants_interleaved(run: Run, database_url: str) -> None:
    async def work(world: World, sessions: async_sessionmaker[AsyncSession]) -> None:
        turns: list[str] = []
        both = asyncio.Barrier(2)

        async def stay(slug: str) -> list[str]:
            with tenant_context(slug):
                async with sessions() as session:
                    await session.execute(sa.insert(Note), [{"title": f"{slug}-{n}"} for n in range(40)])
                    await session.commit()
                await both.wait()
                async with sessions() as session:
                    seen = []
                    stream = await session.stream_scalars(
                        sa.select(Note).order_by(Note.id).execution_options(yield_per=5)
                    )
                    async for note in stream:
                        assert current_tenant().slug == slug
                        turns.append(slug)
                        seen.append(note.title)
                        await asyncio.sleep(0)
                async with world.engine.connect() as connection:
                    rows = await connection.stream(sa.text("SELECT title FROM note ORDER BY id"))
                    assert [title async for (title,) in rows] == seen
                return seen

        found = await asyncio.gather(stay("acme"), stay("bella"), stay_nowhere(sessions))
        assert found[:2] == [[f"{slug}-{n}" for n in range(40)] for slug in ("acme", "bella")]
        changes = sum(one != other for one, other in itertools.pairwise(turns))
        assert changes > 10, turns

    async def stay_nowhere(sessions: async_sessionmaker[AsyncSession]) -> list[str]:
        for _ in range(10):
            async with sessions() as session:
                with pytest.raises(NoTenantError):
                    await session.scalars(sa.select(Note))
            await asyncio.sleep(0)
        return []

    run(work)
    assert len(table(database_url, "note")) == 80


def test_a_session_serves_one_tenant(run: Run) -> None:
    async def work(world: World, sessions: async_sessionmaker[AsyncSession]) -> None:
        with tenant_context("acme"):
            session = sessions()
            session.add(Note(title="anvil"))
            await session.commit()
            note = await session.scalar(sa.select(Note))
            assert note is not None
        with tenant_context("bella"):
            with pytest.raises(TenantChangedError):
                await session.get(Note, note.id)
            with pytest.raises(TenantChangedError):
                await session.scalars(sa.select(Note))
        await session.close()
        with tenant_context("bella"):
            assert (await session.scalars(sa.select(Note))).all() == []
            await session.close()
        connection = await world.engine.connect()
        with tenant_context("acme"):
            assert (await connection.execute(sa.select(Note.title))).scalar() == "anvil"
        with tenant_context("bella"), pytest.raises(TenantChangedError):
            await connection.execute(sa.select(Note.title))
        await connection.close()

    run(work)


def test_a_cancelled_task_leaves_nothing_behind(run: Run) -> None:
    async def work(world: World, sessions: async_sessionmaker[AsyncSession]) -> None:
        started = asyncio.Event()

        async def stay() -> None:
            with tenant_context("acme"):
                async with sessions() as session:
                    session.add(Note(title="never"))
                    await session.flush()
                    started.set()
                    await asyncio.Event().wait()

        task = asyncio.create_task(stay())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for slug in ("bella", "acme"):
            with tenant_context(slug):
                async with sessions() as session:
                    assert (await session.scalars(sa.select(Note))).all() == []
        async with world.engine.connect() as connection:
            with pytest.raises(NoTenantError):
                await connection.execute(sa.select(Note))

    run(work)


def test_drivers_own_cursors_are_judged(run: Run) -> None:
    async def work(world: World, sessions: async_sessionmaker[AsyncSession]) -> None:
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                async with world.engine.begin() as connection:
                    await connection.execute(sa.insert(Note).values(title=slug))
        with tenant_context("bella"):
            async with world.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                assert driver is not None
                if world.engine.dialect.name == "sqlite":  # aiosqlite works in a thread that knows no tenant
                    with pytest.raises(RefusedError, match=r"Use AsyncConnection.exec_driver_sql\(\)"):
                        await driver.execute("SELECT title FROM note")
                else:
                    cursor = await driver.execute("SELECT title FROM note")
                    assert await cursor.fetchall() == [("bella",)]

    run(work)


def test_loops_and_central_work(run: Run) -> None:
    async def work(world: World, sessions: async_sessionmaker[AsyncSession]) -> None:
        for tenant in for_each_tenant(reason="test"):
            async with sessions() as session:
                session.add(Note(title=tenant.slug))
                await session.commit()
        with central_context(reason="test"):
            async with world.engine.connect() as connection:
                rows = (await connection.execute(sa.select(Note.__table__.c.title))).all()
                assert sorted((row.tenant_id, row.title) for row in rows) == [(1, "acme"), (2, "bella")]

    run(work)


@pytest.mark.databases("sqlite")
def test_what_report_only_mode_lets_through_is_answered(database_url: str) -> None:
    query = "SELECT sqlite_compileoption_get(0), name FROM note_of_report"
    metadata = sa.MetaData()
    sa.Table("note_of_report", metadata, sa.Column("name", sa.String))

    async def main() -> None:
        engine = create_async_engine(database_url.replace("sqlite:", "sqlite+aiosqlite:"))
        app = Flask("report")
        app.config["TENANT_ENFORCEMENT"] = "report"
        Tenancy(app, engines=[engine])
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        state_of(app).create("acme", "Acme")
        with app.app_context(), tenant_context("acme"):
            async with engine.connect() as connection:
                assert (await connection.execute(sa.text(query))).all() == []
                assert (await connection.exec_driver_sql(query)).all() == []
            state_of(app).create("bella", "Bella")
            async with engine.connect() as connection:
                with pytest.raises(StatementRefusedError):
                    await connection.execute(sa.text(query))
        await engine.dispose()

    asyncio.run(main())


@pytest.mark.databases("sqlite")
def test_a_database_in_memory_is_refused(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="in memory"):
        Tenancy(Flask("memory"), engines=[create_async_engine("sqlite+aiosqlite://")])
