"""Class 15: what captured the previous tenant: lazy loads, lambdas, compiled forms, prepared statements."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, selectinload
from sqlalchemy.sql import lambda_stmt

from flask_tenant import TenancyError, central_context, tenant_column
from flask_tenant.context import internal
from flask_tenant.errors import StatementRefusedError, TenantChangedError
from tests.attacks.cases import on_postgresql
from tests.attacks.world import HIDDEN, TENANTS, Customer, Invoice, Setting, World, table_rows, visit

TURNS = ("acme", "bella", "corto", "acme", "corto", "bella", "acme")


def names_are(slug: str, names: Any) -> None:
    found = list(names)
    assert len(found) == 2 + TENANTS.index(slug)
    assert all(slug in name for name in found)


def test_one_statement_object_for_all(world: World) -> None:
    """SQLAlchemy compiles it once; the tenant's id is bound at each execution."""
    alias = aliased(Customer)
    statements = [
        sa.select(Customer.name),
        sa.select(alias.name).where(alias.id > 0),
        sa.text("SELECT name FROM customer"),
        sa.select(sa.select(Customer.name).subquery().c.name),
        lambda_stmt(lambda: sa.select(Customer.name)),
        sa.select(Customer.name).where(Customer.id.in_([1, 2, 3, 4])),
    ]
    for slug in TURNS:
        for statement in statements:
            with world.as_(slug), world.engine.connect() as connection:
                names_are(slug, connection.execute(statement).scalars())
            with world.as_(slug), Session(world.engine) as session:
                names_are(slug, session.scalars(statement))


def test_a_cache_of_the_applications_own(world: World) -> None:
    """``compiled_cache`` given as an option holds each shape of the dialect apart."""
    cache: dict[Any, Any] = {}
    statement = sa.select(Customer.__table__.c.name)
    for slug in TURNS:
        with world.as_(slug), world.engine.connect() as connection:
            kept = connection.execution_options(compiled_cache=cache)
            names_are(slug, kept.execute(statement).scalars())
            assert kept.execute(sa.update(visit).values(hits=0)).rowcount == 2 + TENANTS.index(slug)
            connection.rollback()
    assert cache
    with central_context(reason="a test of the caches", app=world.app), world.engine.connect() as connection:
        kept = connection.execution_options(compiled_cache=cache)
        assert len(kept.execute(statement).all()) == 9
    with world.as_(), world.engine.connect() as connection:
        names_are("acme", connection.execution_options(compiled_cache=cache).execute(statement).scalars())


@pytest.mark.every_version
@pytest.mark.parametrize("make", ["plain", "central", "other", "tenant"])
def test_a_compiled_form_is_executed_where_it_was_made(world: World, make: str) -> None:
    """Compiled by another dialect it is raw SQL; compiled in central work it shows everybody's rows."""
    statement = sa.select(Customer.__table__.c.name)
    if make == "plain":
        compiled: Any = statement.compile(world.physical)
    elif make == "other":
        compiled = statement.compile(dialect=sa.create_engine("sqlite://").dialect)
    elif make == "tenant":
        compiled = statement.compile(world.engine)
    else:
        with (
            central_context(reason="a test of compiled forms", app=world.app),
            world.engine.connect() as central,
        ):
            compiled = statement.compile(central)
    for slug in ("acme", "bella"):
        with world.as_(slug), world.engine.connect() as connection:
            try:
                names_are(slug, connection.execute(compiled).scalars())
            except sa.exc.ObjectNotExecutableError:
                assert sa.__version__ >= "2.1"
            except StatementRefusedError:
                assert make != "tenant"


@pytest.mark.every_version
def test_a_compiled_form_of_many_rows(world: World) -> None:
    """SQLAlchemy 2.0 executes it, several rows at a time."""
    rows = [{"page": f"p{n}", "hits": n, HIDDEN: world.ids["bella"]} for n in range(2)]
    table = sa.table("visit", *map(sa.column, rows[0]))
    statement = sa.insert(table).returning(table.c.page)
    compiled: Any = statement.compile(world.physical, column_keys=list(rows[0]), for_executemany=True)
    with world.as_(), world.engine.connect() as connection:
        with pytest.raises((StatementRefusedError, sa.exc.ObjectNotExecutableError)):
            connection.execute(compiled, rows)
        assert world.others(connection) == world.neighbours()
    if sa.__version__ < "2.1":
        with world.physical.connect() as connection:  # the control
            assert connection.execute(compiled, rows).scalars().all() == ["p0", "p1"]
            assert world.neighbours(table_rows(connection)) != world.neighbours()
            connection.rollback()


def test_lazy_loads_under_another_tenant(world: World) -> None:
    """A session that stays open over a change of tenants answers nobody but its own."""
    session = Session(world.engine)
    with world.as_("bella"):
        first, third = session.get_one(Customer, 1), session.get_one(Customer, 3)
    try:
        for attempt in (
            lambda: first.invoices,
            lambda: third.boss and third.boss.name,
            lambda: session.get(Customer, 3),
            lambda: session.refresh(first),
            lambda: session.scalars(sa.select(Customer)).all(),
            lambda: session.query(Customer).count(),
            lambda: list(session),
            lambda: session.execute(sa.text("SELECT 1 FROM customer")).all(),
            lambda: session.expire_all() or first.name,
        ):
            with world.as_(), pytest.raises(TenantChangedError):
                attempt()
            with pytest.raises(TenancyError):
                attempt()
    finally:
        session.close()


def test_after_a_commit_under_another_tenant(world: World) -> None:
    """The commit has given the connection back; the identity map is still there."""
    for end in ("commit", "rollback"):
        session = Session(world.engine)
        with world.as_("bella"):
            first, third = session.get_one(Customer, 1), session.get_one(Customer, 3)
            getattr(session, end)()
        with world.as_():
            attempts = (
                lambda: third.name,
                lambda: session.get(Customer, 3),
                lambda: third.invoices,
                lambda: first.name,
            )
            for attempt in attempts * 2:
                with pytest.raises(TenantChangedError):
                    attempt()
        with world.as_("bella"):
            assert (first.name, third.name) == ("canary-bella-1", "canary-bella-3")
        session.close()
        with world.as_():
            assert session.get(Customer, 3) is None
            session.close()


def test_flushes_have_a_cache_of_their_own(world: World) -> None:
    """The mapper keeps its INSERT and UPDATE statements."""
    for slug in TURNS:
        with world.as_(slug), Session(world.engine) as session:
            session.add(Setting(key="cached", value=slug))
            session.get_one(Customer, 1).note = f"canary-{slug}-flushed"
            session.flush()
            assert session.scalars(sa.select(Setting.value).where(Setting.key == "cached")).all() == [slug]
            notes = session.scalars(sa.select(Customer.note).where(Customer.note.like("%flushed"))).all()
            assert notes == [f"canary-{slug}-flushed"]
            session.rollback()


def test_loaders_keep_their_statements(world: World) -> None:
    for slug in TURNS:
        with world.as_(slug), Session(world.engine) as session:
            found = session.scalars(sa.select(Customer).options(selectinload(Customer.invoices))).all()
            names_are(slug, [c.name for c in found])
            assert sum(len(c.invoices) for c in found) == 3 + TENANTS.index(slug)
            assert session.get_one(Invoice, 1).total == 10 + TENANTS.index(slug)
            names_are(slug, {i.customer.name for i in session.scalars(sa.select(Invoice))} | {
                c.name for c in session.scalars(sa.select(Customer))
            })  # fmt: skip


@pytest.mark.databases("postgresql+psycopg")
def test_prepared_statements(world: World) -> None:
    """psycopg prepares what it has sent five times; the tenant is a parameter or another text."""
    for _ in range(4):
        for slug in TENANTS:
            with world.as_(slug), world.engine.connect() as connection:
                for _ in range(3):
                    names_are(slug, connection.execute(sa.select(Customer.name)).scalars())
                    names_are(slug, connection.execute(sa.text("SELECT name FROM customer")).scalars())
                    cursor = connection.connection.cursor()
                    cursor.execute("SELECT name FROM customer", prepare=True)
                    names_are(slug, [row[0] for row in cursor.fetchall()])


def test_raw_texts_are_kept_without_their_tenant(world: World) -> None:
    for slug in TURNS:
        for way in ("text", "driver", "raw"):
            with world.as_(slug), world.engine.connect() as connection:
                if way == "raw":
                    cursor = connection.connection.cursor()
                    cursor.execute("SELECT name FROM customer")
                    names_are(slug, [row[0] for row in cursor.fetchall()])
                elif way == "driver":
                    names_are(slug, connection.exec_driver_sql("SELECT name FROM customer").scalars())
                else:
                    names_are(slug, connection.execute(sa.text("SELECT name FROM customer")).scalars())


@on_postgresql
def test_the_names_of_parameters_tell_nothing(world: World) -> None:
    """A caller cannot put its own value under the name that ours has in the text."""
    seen: list[Any] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append(dict(parameters))

    with world.as_(), world.engine.connect() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", note
        )  # the engine's would hear the directory, too
        connection.execute(sa.select(Customer.name))
        (ours,) = [name for name, value in seen[0].items() if value == world.ids["acme"]]
        names_are("acme", connection.execute(sa.select(Customer.name), {ours: world.ids["bella"]}).scalars())
        text = sa.text("SELECT name FROM customer")
        names_are("acme", connection.execute(text, {ours: world.ids["bella"]}).scalars())


def test_central_statements_do_not_leak_into_tenants(world: World) -> None:
    """The same statement object, alternately labelled and filtered."""
    statement = sa.select(Customer.__table__.c.name)
    count = sa.select(tenant_column(Customer.__table__), sa.func.count()).group_by(
        tenant_column(Customer.__table__)
    )
    for slug in TURNS:
        with central_context(reason="a test", app=world.app), world.engine.connect() as connection:
            assert len(connection.execute(statement).all()) == 9
            assert len(connection.execute(count).all()) == 3
        with world.as_(slug), world.engine.connect() as connection:
            names_are(slug, connection.execute(statement).scalars())


def test_what_we_have_compiled_for_ourselves_is_nobody_elses(world: World) -> None:
    """SQLAlchemy keeps it in the same cache: text that nobody has looked at, of every tenant's rows."""
    unseen = (  # nor has another test: what it had compiled for a tenant would be refused to us
        sa.text("SELECT name AS unseen FROM customer ORDER BY name"),
        sa.select(sa.literal_column("(SELECT max(name) AS unseen FROM customer)")),
    )
    for statement in unseen:
        with internal(), world.engine.connect() as connection:
            assert "canary-corto-4" in connection.execute(statement).scalars().all(), "the control"
        with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
            connection.execute(statement)
