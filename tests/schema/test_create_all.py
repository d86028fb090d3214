"""`create_all` makes the tenant-ready schema, and reflection shows the single-tenant one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import sqlalchemy.orm
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.automap import automap_base

from flask_tenant.errors import DdlRefusedError
from flask_tenant.isolate.keys import check_schema
from tests.schema.installing import CONFIG, live, live_table, run
from tests.schema.models import LONG, application

KINDS = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "check_constraints",
    "table_options",
    "table_comment",
)


def shown(engine: sa.Engine, method: str, **kw: object) -> dict[object, object] | None:
    """What an Inspector says, in a form that compares: types as text, lists in one order."""
    try:
        found = getattr(sa.inspect(engine), method)(**kw)
    except NotImplementedError:  # comments on SQLite, options on PostgreSQL with SQLAlchemy 2.0
        return None
    return {key: _plain(value) for key, value in found.items()}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return (
            sorted((_plain(item) for item in value), key=str)
            if value and isinstance(value[0], dict)
            else value
        )
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value if isinstance(value, str | int | bool | None) else str(value)


@pytest.fixture(scope="module")
def both(pair: tuple[sa.Engine, sa.Engine]) -> tuple[sa.Engine, sa.Engine]:
    """The same application in a control and in a tenanted database; to be looked at only."""
    for engine in pair:
        application(engine.dialect.name).create_all(engine)
    return pair


pytestmark = [
    pytest.mark.databases("sqlite", "postgresql+psycopg"),
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_reflection_equals_the_control(both: tuple[sa.Engine, sa.Engine], kind: str) -> None:
    control, tenanted = both
    expected = shown(control, f"get_multi_{kind}")
    found = shown(tenanted, f"get_multi_{kind}")
    assert expected is None or len(expected) >= 11
    assert expected is not None or kind in ("table_comment", "table_options")
    if kind == "foreign_keys":  # MATCH FULL of a single column says the same as none, and cannot be kept
        for key in (*expected.get((None, "document"), []), *found.get((None, "document"), [])):
            key["options"].pop("match", None)
    assert found == expected


def test_one_table_at_a_time_equals_the_control(both: tuple[sa.Engine, sa.Engine]) -> None:
    control, tenanted = (sa.inspect(engine) for engine in both)
    names = control.get_table_names()
    assert len(names) >= 11
    assert tenanted.get_table_names() == names
    for name in names:
        for kind in ("columns", "pk_constraint", "indexes", "unique_constraints"):
            assert _plain(getattr(tenanted, f"get_{kind}")(name)) == _plain(
                getattr(control, f"get_{kind}")(name)
            )


def test_constraint_names_equal_the_control(both: tuple[sa.Engine, sa.Engine]) -> None:
    control, tenanted = (
        {(t.name, k.kind, k.name) for t in live(e).tables for k in t.keys if "tenancy_" not in k.name}
        | {(t.name, "foreign key", k.name) for t in live(e).tables for k in t.foreign_keys}
        for e in both
    )
    if (
        both[0].dialect.name == "sqlite"
    ):  # numbers its own indexes, and keeps no names of constraints in its catalogue
        control, tenanted = ({k for k in keys if "autoindex" not in k[2]} for keys in (control, tenanted))
    assert len(control) > 10
    assert tenanted == control


@pytest.mark.databases("sqlite", "postgresql+psycopg", "postgresql+psycopg2")
def test_every_key_is_per_tenant(both: tuple[sa.Engine, sa.Engine]) -> None:
    tables = {table.name: table for table in live(both[1]).tables}
    assert len(tables) >= 11
    for table in tables.values():
        if table.name == "country":
            assert table.column("tenant_id") is None
            continue
        first = table.columns[0]
        assert (first.name, first.nullable) == ("tenant_id", False)
        assert first.type == ("integer" if both[1].dialect.name == "sqlite" else "bigint")
        assert any(key.columns[0] == "tenant_id" for key in table.keys)
        for key in table.keys:
            if key.unique:
                assert key.columns[0] == "tenant_id", (table.name, key)
        for reference in table.foreign_keys:
            tenant = reference.referred_table != "country"
            assert (reference.columns[0] == "tenant_id") is tenant, (table.name, reference)
    with both[1].connect() as connection:
        assert check_schema(connection, CONFIG) == []


def test_the_control_is_not_ready(both: tuple[sa.Engine, sa.Engine]) -> None:
    """The check has teeth: every tenant table of the untouched schema is named."""
    with both[0].connect() as connection:
        problems = check_schema(connection, CONFIG)
    assert {p.table for p in problems} == {t.name for t in live(both[0]).tables} - {"country"}


@pytest.mark.parametrize("tenant_ready", [False, True])
def test_autogenerate_proposes_nothing(both: tuple[sa.Engine, sa.Engine], tenant_ready: bool) -> None:
    engine = both[tenant_ready]
    options = {"compare_type": True, "compare_server_default": True}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, application(engine.dialect.name))
    assert found == []


@pytest.mark.filterwarnings("ignore:relationship .* will copy column")
def test_automap_gives_the_application_its_own_tables(both: tuple[sa.Engine, sa.Engine]) -> None:
    base = automap_base()
    base.prepare(autoload_with=both[1])
    customer, invoice = base.classes.customer.__table__, base.classes.invoice.__table__
    assert "tenant_id" not in {
        column.name for table in base.metadata.tables.values() for column in table.columns
    }
    assert customer.primary_key.columns.keys() == ["id"]
    assert customer.autoincrement_column is customer.c.id
    assert {fk.target_fullname for fk in invoice.foreign_keys} == {
        "customer.id",
        "customer.name",
        "invoice.id",
    }
    sa.orm.configure_mappers()
    assert base.classes.invoice.line_collection.property.mapper.class_ is base.classes.line


def test_created_again_changes_nothing(both: tuple[sa.Engine, sa.Engine]) -> None:
    before = live(both[1])
    application(both[1].dialect.name).create_all(both[1])
    assert live(both[1]) == before
    assert len(before.tables) >= 11


def test_drop_all_drops_all(tenanted: sa.Engine) -> None:
    application(tenanted.dialect.name).create_all(tenanted)
    assert len(live(tenanted).tables) >= 11
    application(tenanted.dialect.name).drop_all(tenanted)
    assert live(tenanted).tables == live(tenanted).objects == ()


@pytest.mark.databases("sqlite")
def test_sqlite_clauses_survive(both: tuple[sa.Engine, sa.Engine]) -> None:
    with both[1].connect() as connection:
        texts = dict(
            connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all()
        )
    strictly = texts["strictly"]
    assert "PRIMARY KEY (tenant_id, id) ON CONFLICT FAIL" in strictly
    assert "PRIMARY KEY AUTOINCREMENT" not in strictly
    assert "UNIQUE (tenant_id, name) ON CONFLICT IGNORE" in strictly
    assert "UNIQUE (tenant_id, name, note) ON CONFLICT REPLACE" in strictly
    assert "note TEXT NOT NULL ON CONFLICT FAIL" in strictly
    assert 'COLLATE "NOCASE"' in strictly
    assert strictly.rstrip().endswith("STRICT")
    assert texts["setting"].rstrip().endswith("WITHOUT ROWID")


@pytest.mark.databases("postgresql+psycopg")
def test_postgresql_ids_stay_automatic(tenanted: sa.Engine) -> None:
    application("postgresql").create_all(tenanted)
    with tenanted.begin() as connection:
        for tenant in (1, 2):
            values = f"({tenant}, 'a@b.c', 'Name')"
            connection.exec_driver_sql(f"INSERT INTO customer (tenant_id, email, name) VALUES {values}")
            connection.exec_driver_sql(f"INSERT INTO document (tenant_id, slug) VALUES ({tenant}, 's')")
        assert connection.exec_driver_sql("SELECT tenant_id, id FROM customer ORDER BY 1").all() == [
            (1, 1),
            (2, 2),
        ]
        assert connection.exec_driver_sql("SELECT tenant_id, id FROM document ORDER BY 1").all() == [
            (1, 1),
            (2, 2),
        ]


@pytest.mark.databases("postgresql+psycopg")
def test_a_long_name_is_cut_as_the_server_cuts_it(both: tuple[sa.Engine, sa.Engine]) -> None:
    names = {key.name for key in live_table(both[1], LONG).keys if key.kind == "unique constraint"}
    assert len(names) == 2
    assert names == {key.name for key in live_table(both[0], LONG).keys if key.kind == "unique constraint"}


@pytest.mark.skipif(
    not hasattr(sa, "CreateView"), reason="SQLAlchemy 2.1 brought CreateView and CreateTableAs"
)
def test_views_and_tables_from_queries(tenanted: sa.Engine) -> None:
    metadata = application(tenanted.dialect.name)
    metadata.create_all(tenanted)
    query = sa.select(metadata.tables["customer"].c.name)
    with tenanted.begin() as connection:
        connection.execute(sa.CreateView(query, "names"))
    assert [str(found.name) for found in live(tenanted).objects if found.kind == "view"] == ["names"]
    with tenanted.begin() as connection, pytest.raises(DdlRefusedError, match="INSERT"):
        connection.execute(sa.CreateTableAs(query, "copied"))


def test_hand_written_ddl_elements_are_translated(tenanted: sa.Engine) -> None:
    metadata = sa.MetaData()
    table = sa.Table(
        "thing", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text)
    )
    sa.event.listen(
        table, "after_create", sa.DDL("CREATE UNIQUE INDEX ux_%(table)s ON %(table)s (a) WHERE a <> '%%'")
    )
    metadata.create_all(tenanted)
    keys = {key.name: key.columns for key in live_table(tenanted, "thing").keys}
    assert keys["ux_thing"] == ("tenant_id", "a")


def test_a_reserved_name_is_refused(tenanted: sa.Engine) -> None:
    for table in (
        sa.Table("tenancy_x", sa.MetaData(), sa.Column("id", sa.Integer)),
        sa.Table("x", sa.MetaData(), sa.Column("Tenant_ID", sa.Integer)),
        sa.Table("country", sa.MetaData(), sa.Column("tenant_id", sa.Integer)),
    ):
        with pytest.raises(DdlRefusedError):
            table.create(tenanted)
    assert live(tenanted).tables == ()


def test_a_shared_table_cannot_refer_to_tenants(tenanted: sa.Engine) -> None:
    metadata = sa.MetaData()
    sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("country", metadata, sa.Column("thing", sa.ForeignKey("thing.id")))
    with pytest.raises(DdlRefusedError, match="off the list of shared tables"):
        metadata.create_all(tenanted)


@pytest.mark.databases("postgresql+psycopg")
def test_names_steer_clear_of_those_that_are_taken(control: sa.Engine, tenanted: sa.Engine) -> None:
    for engine in (control, tenanted):
        metadata = sa.MetaData()
        sa.Table("t_a_key", metadata, sa.Column("id", sa.Integer, primary_key=True))
        sa.Table("t", metadata, sa.Column("a", sa.Integer, unique=True), sa.Column("b", sa.Integer))
        metadata.create_all(engine, tables=[metadata.tables["t_a_key"]])
        metadata.create_all(engine)
    names = [
        sorted(key.name for key in live_table(e, "t").keys if "tenancy" not in key.name)
        for e in (control, tenanted)
    ]
    assert names == [["t_a_key1"], ["t_a_key1"]]


@pytest.mark.databases("postgresql+psycopg")
def test_actions_that_cannot_be_kept_to_a_tenant_are_refused(tenanted: sa.Engine) -> None:
    def child(**kw: str) -> sa.Table:
        metadata = sa.MetaData()
        columns = [sa.Column(name, sa.Integer, primary_key=True) for name in "ab"]
        sa.Table("parent", metadata, *columns)
        key = sa.ForeignKeyConstraint(["x", "y"], ["parent.a", "parent.b"], **kw)
        return sa.Table("child", metadata, sa.Column("x", sa.Integer), sa.Column("y", sa.Integer), key)

    child().metadata.tables["parent"].create(tenanted)
    for kw in ({"onupdate": "SET NULL"}, {"onupdate": "set default"}, {"match": "FULL"}):
        with pytest.raises(DdlRefusedError):
            child(**kw).create(tenanted)
    child(onupdate="CASCADE", ondelete="set  null").create(tenanted)
    (key,) = live_table(tenanted, "child").foreign_keys
    assert (key.columns, key.on_delete) == (("tenant_id", "x", "y"), "SET NULL")


@pytest.mark.databases("postgresql+psycopg")
def test_an_exclusion_constraint_says_what_it_needs(tenanted: sa.Engine) -> None:
    run(tenanted, "DROP EXTENSION btree_gist")
    table = application("postgresql").tables["reservation"]
    with pytest.raises(DdlRefusedError, match="CREATE EXTENSION btree_gist"):
        table.create(tenanted)
    assert live(tenanted).tables == ()
