"""A view of the database's own does not tell whose its rows are: whoever reads it hears which view, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_tenant import Tenancy, central_context, registry, tenant_context
from flask_tenant.doctor.checks import check_all
from flask_tenant.errors import StatementRefusedError

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


class Base(DeclarativeBase):
    """The application's tables, and views that it takes for some."""


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Shown(Base):
    __tablename__ = "shown"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Owned(Base):
    __tablename__ = "owned"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


item: Any = Item.__table__
shown: Any = Shown.__table__


class World:
    """Two tenants with an item each, and views of them."""

    def __init__(self, url: str) -> None:
        self.engine, self.physical = sa.create_engine(url), sa.create_engine(url)
        self.app = Flask("views")
        self.app.config["TENANT_SAFE_OBJECTS"] = ["shown", "owned", "gone"]
        tenancy = Tenancy(self.app, engines=[self.engine])
        tenancy.exempt(self.physical)
        self.state = self.app.extensions[registry.KEY]
        with central_context(reason="set-up", app=self.app):
            item.create(self.engine)
        for slug in ("acme", "bella"):
            self.state.create(slug, slug)
            with tenant_context(slug, self.app), self.engine.begin() as connection:
                connection.execute(item.insert().values(id=1, name=f"of {slug}"))

    def view(self, name: str, columns: str) -> None:
        with self.physical.begin() as connection:
            connection.exec_driver_sql(f"CREATE VIEW {name} AS SELECT {columns} FROM item")
        self.state.databases.isolations[self.engine].views.forget(None)

    def close(self) -> None:
        self.engine.dispose()
        self.physical.dispose()
        registry._apps.discard(self.state)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    found = World(database_url)
    yield found
    found.close()


alias = shown.alias("s")
READS: list[Callable[[sa.Connection], Any]] = [
    lambda c: c.execute(sa.select(shown)).all(),
    lambda c: c.execute(sa.select(alias.c.name).where(alias.c.id == 1)).all(),
    lambda c: c.execute(sa.select(sa.table("shown", sa.column("name")))).all(),
    lambda c: c.execute(sa.select(item.c.id, shown.c.name).outerjoin(shown, shown.c.id == item.c.id)).all(),
    lambda c: c.execute(sa.select(item.c.id).where(item.c.id.in_(sa.select(shown.c.id)))).all(),
    lambda c: c.execute(item.update().values(name="mine").where(item.c.id.in_(sa.select(shown.c.id)))),
    lambda c: Session(c).scalars(sa.select(Shown)).all(),
    lambda c: Session(c).get(Shown, 1),
    lambda c: Session(c).query(Shown).filter_by(name="of bella").count(),
]


def test_whoever_reads_a_view_hears_what_is_the_matter(world: World) -> None:
    world.view("shown", "id, name")
    for read in READS:
        with tenant_context("acme", world.app), world.engine.connect() as connection:
            with pytest.raises(StatementRefusedError) as refused:
                read(connection)
            assert str(refused.value).startswith(
                "The view 'shown' of the database does not tell whose its rows are"
            )
            assert "Write its SELECT in your code" in str(refused.value)
            assert "tenant_id" not in str(refused.value)
            assert refused.value.value == "shown"
            connection.rollback()
            assert connection.execute(sa.select(item.c.name)).scalars().all() == [
                "of acme"
            ]  # it can be used on


def test_sql_text_says_the_same_of_a_view(world: World) -> None:
    world.view("shown", "id, name")
    with tenant_context("acme", world.app), world.engine.connect() as connection:
        for read in (connection.exec_driver_sql, lambda sql: connection.execute(sa.text(sql))):
            with pytest.raises(
                StatementRefusedError, match=r"'shown'.*In place of a view .* write its SELECT"
            ):
                read("SELECT name FROM shown")


def test_other_errors_stay_as_they_are(world: World) -> None:
    world.view("shown", "id, name")
    wrong = sa.table("item", sa.column("nothing"))
    both = sa.select(wrong.c.nothing, sa.literal("(hidden)"))
    for statement in (sa.select(wrong.c.nothing), both):
        with (
            tenant_context("acme", world.app),
            world.engine.connect() as connection,
            pytest.raises(sa.exc.DBAPIError, match="nothing"),
        ):
            connection.execute(statement)


def test_a_view_that_tells_whose_its_rows_are_is_read_as_a_table_is(world: World) -> None:
    world.view("owned", "tenant_id, id, name")
    with tenant_context("acme", world.app), Session(world.engine) as session:
        assert [found.name for found in session.scalars(sa.select(Owned))] == ["of acme"]


def test_the_doctor_names_views_that_nobody_can_read(world: World) -> None:
    world.view("shown", "id, name")
    world.view("owned", "tenant_id, id, name")
    if world.engine.dialect.name == "sqlite":
        with world.physical.begin() as connection:
            connection.exec_driver_sql("CREATE VIEW gone AS SELECT * FROM nowhere")
    with central_context(reason="doctor", app=world.app):
        found = [
            check for check in check_all(world.app, world.state) if "statements that read them" in check.what
        ]
    assert [check.what.rpartition(": ")[2] for check in found] == ["shown"]
    assert found[0].level == "warning"
    assert "Write its SELECT" in found[0].do


def test_a_class_is_mapped_to_the_select_of_a_view(world: World) -> None:
    class Another(DeclarativeBase):
        pass

    class Named(Another):
        __table__ = sa.select(item.c.id, item.c.name).where(item.c.name != "").subquery("named")

    with tenant_context("bella", world.app), Session(world.engine) as session:
        assert [found.name for found in session.scalars(sa.select(Named))] == ["of bella"]
        assert session.get_one(Named, 1).name == "of bella"
