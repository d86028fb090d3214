"""The live catalogue finds tables as the database would, and lists what runs below the wall."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flask_tenant.isolate.catalog import Catalog
from flask_tenant.isolate.config import IsolateConfig
from flask_tenant.model import TableView
from tests.schema.installing import CONFIG, install, opened, run
from tests.schema.models import application

pytestmark = [
    pytest.mark.databases("sqlite", "postgresql+psycopg"),
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
]


def _loaded(engine: sa.Engine, config: IsolateConfig = CONFIG) -> Catalog:
    catalog = Catalog(config)
    assert catalog.stale
    with engine.connect() as connection:
        catalog.load(connection)
    assert not catalog.stale
    return catalog


def test_views(tenanted: sa.Engine, plain: sa.Engine) -> None:
    application(tenanted.dialect.name).create_all(tenanted)
    run(plain, "CREATE TABLE tenancy_tenant (id integer)")
    catalog = _loaded(tenanted)
    assert catalog.find("tenancy_tenant") is None
    assert len(list(catalog.all())) == len(sa.inspect(tenanted).get_table_names()) >= 11
    assert catalog.find("invoice") == TableView(
        "invoice",
        None,
        ("id", "number", "customer_id", "payer_id", "previous_id", "customer_name"),
        ("id",),
        "id",
        never_reused=tenanted.dialect.name == "sqlite",
    )
    assert catalog.find("country") == TableView(
        "country", None, ("code", "name"), ("code",), None, shared=True
    )
    line = catalog.find("line")
    assert line is not None
    assert (line.primary_key, line.auto_id) == (("invoice_id", "position"), None)
    setting, log = catalog.find("setting"), catalog.find("log")
    assert setting is not None
    assert log is not None
    assert (setting.primary_key, setting.auto_id, log.primary_key) == (("key",), None, ())
    assert catalog.find("nowhere") is None
    assert catalog.find("invoice", "nowhere") is None


def test_every_reflected_table_agrees(tenanted: sa.Engine) -> None:
    application(tenanted.dialect.name).create_all(tenanted)
    catalog = _loaded(tenanted)
    metadata = sa.MetaData()
    metadata.reflect(tenanted)
    assert len(metadata.tables) >= 11
    for table in metadata.tables.values():
        view = catalog.find(table.name)
        assert view is not None
        assert view.columns == tuple(column.name for column in table.columns)
        assert view.primary_key == tuple(column.name for column in table.primary_key)


@pytest.mark.databases("sqlite")
def test_sqlite_knows_no_case(tenanted: sa.Engine) -> None:
    application("sqlite").create_all(tenanted)
    catalog = _loaded(tenanted)
    assert catalog.find("INVOICE") == catalog.find("Invoice", "MAIN") == catalog.find("invoice")
    assert catalog.find("invoice") is not None


@pytest.mark.databases("sqlite")
def test_an_attached_database(tenanted: sa.Engine, plain: sa.Engine, tmp_path: object) -> None:
    with plain.connect() as connection:
        connection.exec_driver_sql(f"ATTACH '{tmp_path}/other.sqlite' AS other")
        connection.exec_driver_sql("CREATE TABLE other.thing (tenant_id INTEGER NOT NULL, id INTEGER)")
        catalog = Catalog(CONFIG)
        catalog.load(connection)
    assert catalog.find("thing", "other") == TableView("thing", "other", ("id",))
    assert catalog.find("thing") is None


@pytest.mark.databases("postgresql+psycopg")
def test_the_search_path(plain: sa.Engine) -> None:
    run(
        plain,
        "CREATE SCHEMA first",
        "CREATE SCHEMA other",
        "CREATE TABLE first.a (tenant_id bigint NOT NULL, x int)",
        "CREATE TABLE public.a (tenant_id bigint NOT NULL, y int)",
        "CREATE TABLE public.b (tenant_id bigint NOT NULL, z int)",
        "CREATE TABLE other.c (tenant_id bigint NOT NULL)",
    )
    with plain.connect() as connection:
        connection.exec_driver_sql("SET search_path = first, public")
        catalog = Catalog(CONFIG)
        catalog.load(connection)
    found = {name: catalog.find(name) for name in "abc"}
    assert found["a"] == catalog.find("a", "first") == TableView("a", None, ("x",))
    assert catalog.find("a", "public") == TableView("a", "public", ("y",))
    assert found["b"] == TableView("b", "public", ("z",))
    assert found["c"] is None
    assert catalog.find("A") is None


def test_what_runs_below_the_wall(plain: sa.Engine) -> None:
    run(plain, "CREATE TABLE t (tenant_id bigint NOT NULL, a integer)", "CREATE VIEW v AS SELECT a FROM t")
    expected = {"view v", "trigger tr on t"}
    if plain.dialect.name == "sqlite":
        run(plain, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = 1; END")
    else:
        run(
            plain,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
            "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        )
        expected |= {"function f", "materialized view m", "rule r on t"}
    found = _loaded(plain).objects
    assert {str(one) for one in found} == expected
    assert not any(one.safe for one in found)
    vouched = _loaded(plain, IsolateConfig(safe_objects=frozenset({"v", "tr"}))).objects
    assert {str(one) for one in vouched if one.safe} == {"view v", "trigger tr on t"}
    assert {str(one) for one in vouched} == expected


@pytest.mark.databases("sqlite")
def test_a_trigger_is_not_ours_because_of_its_name(tenanted: sa.Engine) -> None:
    application("sqlite").create_all(tenanted)
    assert _loaded(tenanted).objects == ()
    text = "BEFORE DELETE ON customer BEGIN UPDATE invoice SET payer_id = NULL; END"
    name = "tenancy_delete_invoice_payer_id"
    with opened(str(tenanted.url)) as engine:
        run(engine, f"DROP TRIGGER {name}", f"CREATE TRIGGER {name} {text}")
    assert [one.live.name for one in _loaded(tenanted).objects] == [name]


def test_a_snapshot_is_swapped_whole(tenanted: sa.Engine) -> None:
    catalog = _loaded(tenanted)
    before = catalog.all()
    run(tenanted, "CREATE TABLE country (code text)")
    catalog.invalidate()
    assert catalog.stale
    assert catalog.find("country") is None
    with tenanted.connect() as connection:
        catalog.load(connection)
    assert catalog.find("country") is not None
    assert list(before) == []


def test_installing_twice_is_once(tenanted: sa.Engine) -> None:
    compiler = tenanted.dialect.ddl_compiler
    assert install(tenanted).dialect.ddl_compiler is compiler
