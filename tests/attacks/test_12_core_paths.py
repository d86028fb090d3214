"""Class 12: every path of SQLAlchemy's to a table, light, reflected, by key, in bulk, from text."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session, joinedload, make_transient_to_detached, selectinload, subqueryload

from flask_tenant import TenancyError
from flask_tenant.errors import DdlRefusedError, StatementRefusedError
from tests.attacks.cases import on_postgresql, on_sqlite
from tests.attacks.world import ATTACKER, HIDDEN, Customer, Invoice, Setting, World, foreign_words, visit

MINE = {"canary-acme-1", "canary-acme-2"}


def clean(found: Any) -> None:
    assert not any(word in repr(found) for word in foreign_words())


def test_light_tables(world: World) -> None:
    """``table()`` knows nothing of the schema."""
    bare, full = sa.table("customer"), sa.table("customer", sa.column("id"), sa.column("name"))
    with world.as_(), world.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(bare)).scalar() == 2
        assert set(connection.execute(sa.select(full.c.name)).scalars()) == MINE
        assert connection.execute(sa.select(sa.text("count(*)")).select_from(bare)).scalar() == 2
        rows = connection.execute(sa.select(sa.text("*")).select_from(bare)).mappings().all()
        assert len(rows) == 2
        assert HIDDEN not in rows[0]
        with pytest.raises(StatementRefusedError, match="columns of table 'nowhere'"):
            connection.execute(sa.select(sa.text("*")).select_from(sa.table("nowhere")))
        assert connection.execute(sa.delete(sa.table("visit"))).rowcount == 2
        assert world.others(connection) == world.neighbours()
        connection.rollback()
    with world.physical.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(bare)).scalar() == 9


@pytest.mark.parametrize(
    "star", [sa.text("*"), sa.literal_column("*"), sa.text("customer.*"), sa.literal_column("c.*")]
)
def test_stars_in_core(world: World, star: Any) -> None:
    source = (
        Customer.__table__.alias("c")
        if "c." in str(star) and "customer" not in str(star)
        else Customer.__table__
    )
    for statement in (
        sa.select(star).select_from(source),
        sa.select(sa.select(star).select_from(source).subquery()),
        sa.select(star).select_from(source.outerjoin(Invoice.__table__.alias("i"), sa.true())),
    ):
        with world.as_(), world.engine.connect() as connection:
            try:
                result = connection.execute(statement)
            except (TenancyError, sa.exc.DBAPIError) as error:
                world.says_nothing(str(error))
                continue
            assert HIDDEN not in result.keys()  # noqa: SIM118
            clean(result.all())


def test_reflection_shows_the_applications_schema(world: World) -> None:
    with world.as_(), world.engine.connect() as connection:
        reflected = sa.MetaData()
        reflected.reflect(connection)
        assert HIDDEN not in reflected.tables["customer"].columns
        assert not [name for name in reflected.tables if name.startswith("tenancy_")]
        assert set(connection.execute(sa.select(reflected.tables["customer"].c.name)).scalars()) == MINE
        inspector = sa.inspect(connection)
        for name in inspector.get_table_names():
            seen = repr([
                inspector.get_columns(name), inspector.get_pk_constraint(name), inspector.get_indexes(name),
                inspector.get_foreign_keys(name), inspector.get_unique_constraints(name),
            ])  # fmt: skip
            assert HIDDEN not in seen
    with world.physical.connect() as connection:
        assert HIDDEN in repr(sa.inspect(connection).get_columns("customer"))


def test_automap(world: World) -> None:
    with world.as_(), Session(world.engine) as session:
        base = automap_base()
        base.prepare(autoload_with=session.connection())
        mapped = base.classes.customer
        assert {row.name for row in session.scalars(sa.select(mapped))} == MINE
        assert session.get(mapped, 3) is None
        clean([[i.number for i in row.invoice_collection] for row in session.scalars(sa.select(mapped))])


def test_by_key(world: World) -> None:
    """What only a neighbour has does not exist."""
    with world.as_(), Session(world.engine) as session:
        assert session.get(Customer, 3) is None
        assert session.get(Setting, "only-bella") is None
        assert session.get(Setting, {"key": "only-corto"}) is None
        with pytest.raises(sa.exc.NoResultFound):
            session.get_one(Customer, 4)
        assert session.get_one(Customer, 1).name == "canary-acme-1"
        assert session.query(Customer).filter_by(id=4).count() == 0


@pytest.mark.parametrize("load", [joinedload, selectinload, subqueryload])
def test_loaders(world: World, load: Any) -> None:
    with world.as_(), Session(world.engine) as session:
        query = (
            sa.select(Customer).options(load(Customer.invoices), load(Customer.boss)).order_by(Customer.id)
        )
        found = session.scalars(query).unique().all()
        assert [(c.name, [i.total for i in c.invoices]) for c in found] == [
            ("canary-acme-1", [20]), ("canary-acme-2", [10, 30]),
        ]  # fmt: skip
        assert found[1].boss is found[0]


def test_lazy_loads_refresh_and_expiry(world: World) -> None:
    with world.as_(), Session(world.engine) as session:
        second = session.get_one(Customer, 2)
        assert [i.total for i in second.invoices] == [10, 30]
        assert second.boss is not None
        session.expire_all()
        assert second.name == "canary-acme-2"
        session.refresh(second, ["note"])
        session.commit()
        assert second.balance == 200


@pytest.mark.parametrize("key", [3, 4])
def test_forged_detached_objects(world: World, key: int) -> None:
    """An object made up with a neighbour's key updates, deletes, loads and refreshes nothing."""

    def forged() -> Customer:
        made = Customer(id=key)
        make_transient_to_detached(made)
        return made

    for what in ("update", "delete", "load", "refresh", "merge"):
        with world.as_(), Session(world.engine) as session:
            made = forged()
            with pytest.raises((sa.exc.SQLAlchemyError, AssertionError)):
                if what == "merge":
                    merged = session.merge(made)
                    assert merged.name is not None
                else:
                    session.add(made)
                if what == "update":
                    made.note = "stolen"
                    session.flush()
                elif what == "delete":
                    session.delete(made)
                    session.flush()
                    raise AssertionError("nothing was deleted, and nobody said so")
                elif what == "load":
                    clean(made.name)
                elif what == "refresh":
                    session.refresh(made)
            session.rollback()
            assert world.others(session.connection()) == world.neighbours()


def test_bulk_operations(world: World) -> None:
    insert = (sqlite if world.sqlite else postgresql).insert(Setting)
    new = [{"key": f"k{n}", "value": "v"} for n in range(5)]
    with world.as_(), Session(world.engine) as session:
        session.execute(sa.insert(Setting), new)
        session.bulk_insert_mappings(Setting, [{"key": "only-bella", "value": "mine"}])
        session.bulk_save_objects([Setting(key="only-corto", value="mine")])
        session.execute(sa.update(Customer), [{"id": n, "note": "x"} for n in (1, 2)])
        session.bulk_update_mappings(Customer, [{"id": 1, "note": "y"}])
        returned = session.scalars(
            insert.on_conflict_do_update(
                index_elements=["key"], set_={"value": insert.excluded.value}
            ).returning(Setting),
            [{"key": "logo", "value": "z"}, {"key": "only-bella", "value": "z"}],
        ).all()
        assert {row.value for row in returned} == {"z"}
        assert session.scalars(sa.select(sa.func.count()).select_from(Setting)).one() == 9
        assert world.others(session.connection()) == world.neighbours()
        for rows in ([{"id": 3, "note": "stolen"}], [{"id": 1, "note": "x"}, {"id": 4, "note": "stolen"}]):
            with pytest.raises(sa.exc.SQLAlchemyError):
                session.execute(sa.update(Customer), rows)
            break
        session.rollback()
    with world.as_(), world.engine.connect() as connection:
        many = sa.update(visit).where(visit.c.page == sa.bindparam("p")).values(hits=0)
        connection.execute(many, [{"p": "canary-bella"}, {"p": "canary-corto"}, {"p": "canary-acme"}])
        connection.execute(sa.delete(visit).where(visit.c.page == sa.bindparam("p")), [{"p": "canary-bella"}])
        assert world.others(connection) == world.neighbours()
        connection.rollback()


def test_entities_from_text(world: World) -> None:
    with world.as_(), Session(world.engine) as session:
        every = sa.text("SELECT * FROM customer WHERE 1=1 OR 1=1")
        assert {c.name for c in session.scalars(sa.select(Customer).from_statement(every))} == MINE
        assert {c.name for c in session.query(Customer).from_statement(every)} == MINE
        columns = sa.text("SELECT id, name FROM customer").columns(Customer.id, Customer.name)
        assert {c.name for c in session.scalars(sa.select(Customer).from_statement(columns))} == MINE


def test_streams(world: World) -> None:
    """Server-side cursors and batches."""
    with (
        world.as_(),
        world.engine.connect().execution_options(stream_results=True, yield_per=1) as connection,
    ):
        assert set(connection.execute(sa.select(Customer.name)).scalars()) == MINE
        assert set(connection.execute(sa.text("SELECT name FROM customer")).scalars()) == MINE
        assert set(connection.exec_driver_sql("SELECT name FROM customer").scalars()) == MINE
    with world.as_(), Session(world.engine) as session:
        assert {c.name for c in session.scalars(sa.select(Customer).execution_options(yield_per=1))} == MINE


def test_schema_translation_is_refused(world: World) -> None:
    """It would put another name into the statement when it is executed."""
    schema = "main" if world.sqlite else "public"
    for target in (schema, "nowhere"):
        with world.as_(), world.engine.connect() as connection:
            moved = connection.execution_options(schema_translate_map={None: target})
            with pytest.raises(StatementRefusedError):
                moved.execute(sa.select(Customer.name))
            connection.rollback()
        with (
            world.as_(),
            world.engine.execution_options(schema_translate_map={None: target}).connect() as connection,
        ):
            with pytest.raises(StatementRefusedError):
                connection.execute(sa.select(Customer.name))


def both(world: World, statement: Any) -> tuple[Any, Any]:
    """The answers here and on the attacker's own database."""
    with world.single.connect() as connection:
        right = connection.execute(statement).all()
    with world.as_(), world.engine.connect() as connection:
        return connection.execute(statement).all(), right


def test_functions_that_sqlalchemy_has_names_of_its_own_for(world: World) -> None:
    names = sa.select(Customer.name).order_by(Customer.id).subquery()
    for statement in (
        sa.select(sa.func.char_length(Customer.name)).order_by(Customer.id),
        sa.select(sa.func.aggregate_strings(names.c.name, "/")),
        sa.select(sa.func.now() > sa.literal_column("'2020-01-01'")),
        sa.select(sa.func.localtimestamp() > sa.literal_column("'2020-01-01'")),
        sa.select(Customer.name).where(sa.func.now() < sa.literal_column("'2020-01-01'")),
    ):
        found, right = both(world, statement)
        assert found == right


@pytest.mark.parametrize(
    "query",
    ["SELECT customer_id FROM invoice WHERE total < :most", " select id from customer", "VALUES (1), (3)"],
)
def test_a_query_as_text_in_brackets(world: World, query: str) -> None:
    """``in_()`` puts brackets round a text."""
    text = sa.text(query).bindparams(**({"most": 15} if ":most" in query else {}))
    statement = sa.select(Customer.name).where(Customer.id.in_(text)).order_by(Customer.id)
    found, right = both(world, statement)
    assert found == right
    assert found
    wider = (
        sa.select(Customer.name).where(Customer.id.in_(sa.text("SELECT 1) OR (1=1"))).order_by(Customer.id)
    )
    assert both(world, wider) == ([("canary-acme-1",), ("canary-acme-2",)],) * 2
    with world.as_(), world.engine.connect() as connection:
        for escape in (") UNION (SELECT id FROM visit", "); DELETE FROM visit; SELECT (1", ") -- "):
            beyond = sa.select(Customer.name).where(Customer.id.in_(sa.text(query + escape)))
            with pytest.raises(StatementRefusedError):
                connection.execute(beyond, {"most": 1})


class Spliced(sa.types.UserDefinedType[str]):
    """A type whose name is SQL."""

    cache_ok = True
    render_bind_cast = True  # on PostgreSQL, where a value is written with its type behind it

    def get_col_spec(self, **kw: Any) -> str:
        return "text), (SELECT max(name) FROM customer), CAST(1 AS text"


@pytest.mark.parametrize("symbol", ["--", "/*", "=--", "+/*"])
def test_operators_that_begin_a_comment(world: World, symbol: str) -> None:
    statement = sa.select(Customer.name).where(Customer.id.op(symbol)(1))
    with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
        connection.execute(statement)


TYPES: list[Any] = [Spliced(), sa.dialects.postgresql.REGCLASS(), sa.Enum("x", name="customer")]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: type(kind).__name__)
def test_types_are_types(world: World, kind: Any) -> None:
    if world.sqlite and kind is not TYPES[0]:
        pytest.skip("SQLite takes any word for a type, and looks none up")
    statement = sa.select(sa.cast(sa.null(), kind))
    with world.physical.connect() as connection:  # the control
        row = connection.execute(statement).one()
        assert len(row) == 1 or "canary-corto-4" in row
    with world.as_(), world.engine.connect() as connection:
        with pytest.raises(StatementRefusedError):
            connection.execute(statement)
        if isinstance(kind, Spliced) and world.driver == "psycopg":
            with pytest.raises(StatementRefusedError):
                connection.execute(sa.select(sa.literal(None, kind)))
        for plain in (
            sa.Numeric(10, 2),
            sa.String(collation="NOCASE" if world.sqlite else "C"),
            sa.DateTime(),
        ):
            assert connection.execute(sa.select(sa.cast(sa.null(), plain))).scalar() is None


@on_postgresql
def test_intervals_are_types(world: World) -> None:
    from sqlalchemy.dialects.postgresql import INTERVAL

    with world.as_(), world.engine.connect() as connection:
        days = sa.cast(sa.literal("1 day 2 hours"), INTERVAL(fields="DAY TO HOUR"))
        assert connection.execute(sa.select(days)).scalar_one().total_seconds() == 26 * 3600
        hours = sa.text("SELECT CAST('90 minutes' AS interval hour), '1'::interval day to second (3)")
        assert connection.execute(hours).one()[0].total_seconds() == 3600
        escape = sa.cast(
            sa.literal("1"), INTERVAL(fields="DAY), (SELECT max(name) FROM customer), CAST(1 AS int")
        )
        with pytest.raises(StatementRefusedError):
            connection.execute(sa.select(escape))


@on_postgresql
def test_explicit_schemas(world: World) -> None:
    public = sa.Table(
        "customer", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("name"), schema="public"
    )
    with world.as_(), world.engine.connect() as connection:
        assert set(connection.execute(sa.select(public.c.name)).scalars()) == MINE
        catalogue = sa.table("pg_class", sa.column("relname"), schema="pg_catalog")
        with pytest.raises(StatementRefusedError):
            connection.execute(sa.select(catalogue))


def test_a_star_after_returning(world: World) -> None:
    """It is spelt out: what was joined is part of it on PostgreSQL, and not on SQLite."""
    joined = (
        sa.update(Customer)
        .values(note=Invoice.number)
        .where(Invoice.customer_id == Customer.id, Invoice.id == 1)
    )
    found, right = both(world, joined.returning(sa.text("*")).execution_options(synchronize_session=False))
    assert found == right
    assert len(found) == 1


@on_sqlite
def test_a_copy_that_a_migration_has_left(world: World) -> None:
    """Alembic's batch mode fills it with everybody's rows. Nobody else does."""
    left, name = sa.table("_alembic_tmp_visit", sa.column("page")), Customer.__table__.c.name
    with world.physical.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE _alembic_tmp_visit (page VARCHAR, tenant_id BIGINT NOT NULL)"
        )
    try:
        copy = left.insert().from_select(["page"], sa.select(name))
        for statement in (copy, copy.returning(left.c.page)):
            with world.as_(), world.engine.connect() as connection, pytest.raises(DdlRefusedError):
                connection.execute(statement)
    finally:
        with world.physical.begin() as connection:
            connection.exec_driver_sql("DROP TABLE _alembic_tmp_visit")


def test_directory_tables_are_ours(world: World) -> None:
    tenant = sa.table("tenancy_tenant", sa.column("id"), sa.column("slug"))
    for statement in (
        sa.select(tenant), sa.update(tenant).values(slug="x"), sa.delete(tenant), sa.insert(tenant).values(slug="x"),
        sa.select(Customer.name).where(sa.exists(sa.select(tenant.c.id))),
    ):  # fmt: skip
        with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
            connection.execute(statement)
    with world.physical.connect() as connection:
        assert ATTACKER in connection.execute(sa.select(tenant.c.slug)).scalars()


def test_defaults_that_are_queries(world: World) -> None:
    """SQLAlchemy asks for a key's default beforehand, by a statement that it makes in the middle of another."""
    directory = sa.table("tenancy_tenant", sa.column("slug"))
    for source, mine in ((Customer.__table__.c.name, "canary-acme-2"), (directory.c.slug, None)):
        query = sa.select(sa.func.max(source))
        key = sa.Column("key", sa.String, primary_key=True, default=query.scalar_subquery())
        setting = sa.Table("setting", sa.MetaData(), key, sa.Column("value"), implicit_returning=False)
        with world.as_(), world.engine.connect() as connection:
            for work in (
                lambda c, key=key: c.scalar(key.default),
                lambda c, setting=setting: c.execute(setting.insert().values(value="x")).inserted_primary_key[
                    0
                ],
            ):
                if mine is not None:
                    assert work(connection) == mine
                    continue
                with pytest.raises(StatementRefusedError):
                    work(connection)
        with world.physical.connect() as connection:  # the control
            assert "corto" in connection.scalar(query)
    if not world.sqlite:
        with world.as_(), world.engine.connect() as connection:
            assert connection.scalar(sa.Sequence("customer_id_seq")) > 0
