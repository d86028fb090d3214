"""The application's own migrations, unmodified, behind the whole wall: the control's schema, tenant-ready."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import MigrationScript
from flask import Flask

from flask_tenant import Tenancy, tenant_context
from flask_tenant.context import Scope, entered
from flask_tenant.errors import ConfigurationError, DdlRefusedError, RefusedError
from flask_tenant.isolate import TEMPLATE, alembic
from flask_tenant.isolate.keys import check_schema
from flask_tenant.isolate.live import LiveTable
from flask_tenant.registry import _apps, state_of
from tests.schema import migrations
from tests.schema.installing import CONFIG, live, opened, run
from tests.schema.test_create_all import KINDS, shown

pytestmark = [
    pytest.mark.databases("sqlite", "postgresql+psycopg"),
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return migrations.write(tmp_path / "migrations")


@pytest.fixture
def walled(plain: sa.Engine, control: sa.Engine, database_url: str) -> Iterator[sa.Engine]:
    """An engine behind the whole wall, of two tenants."""
    with opened(database_url) as engine, _registered(engine, CONFIG.shared, plain, control):
        yield engine


@contextlib.contextmanager
def _registered(engine: sa.Engine, shared: frozenset[str], *exempt: sa.Engine) -> Iterator[None]:
    app = Flask("schema")
    app.config["TENANT_SHARED_TABLES"] = shared
    tenancy = Tenancy(app, engines=[engine])
    for other in exempt:
        tenancy.exempt(other)
    for slug in ("one", "two"):
        state_of(app).create(slug, slug)
    state_of(app).startup.end()
    try:
        yield
    finally:
        _apps.discard(state_of(app))


def _tables(engine: sa.Engine) -> dict[str, LiveTable]:
    """The tables as they stand, without those of the directory."""
    return {
        table.name: table for table in live(engine).tables if not CONFIG.is_ours(table.name, table.schema)
    }


def _same_schema(control: sa.Engine, walled: sa.Engine, tables: int) -> None:
    for kind in KINDS:
        expected, found = (shown(engine, f"get_multi_{kind}") for engine in (control, walled))
        assert found == expected, kind
        assert expected is None or len(expected) == tables


@pytest.mark.databases("sqlite", "postgresql+psycopg", "postgresql+psycopg2")
def test_up_and_down_as_the_control(
    control: sa.Engine, walled: sa.Engine, plain: sa.Engine, folder: Path
) -> None:
    for revision, tables in (("r1", 6), ("r2", 6), ("r3", 7)):
        for engine in (control, walled):
            migrations.upgrade(folder, engine, revision)
        _same_schema(control, walled, tables)
        with plain.connect() as connection:
            assert check_schema(connection, CONFIG) == []
    for revision, tables in (("r2", 6), ("r1", 6), ("base", 1)):
        for engine in (control, walled):
            migrations.downgrade(folder, engine, revision)
        _same_schema(control, walled, tables)
        with plain.connect() as connection:
            assert check_schema(connection, CONFIG) == []
    assert set(_tables(plain)) == {"alembic_version"}


def _fill(plain: sa.Engine) -> None:
    for tenant in (0, 1, 2):
        run(
            plain,
            f"INSERT INTO customer (tenant_id, id, name, code) VALUES ({tenant}, 1, 'Ada', 'A'), "
            f"({tenant}, 2, 'Bob', 'B')",
            f"INSERT INTO invoice (tenant_id, id, number, customer_id, payer_id) VALUES ({tenant}, 1, "
            "'N1', 1, 2)",
            f"INSERT INTO log (tenant_id, text) VALUES ({tenant}, 'x'), ({tenant}, 'x')",
        )


def _rows(plain: sa.Engine, table: str, columns: str) -> list[tuple[object, ...]]:
    with plain.connect() as connection:
        return [tuple(r) for r in connection.exec_driver_sql(f"SELECT {columns} FROM {table} ORDER BY 1, 2")]


@pytest.mark.parametrize("upgrade", [migrations.upgrade, migrations.upgrade_by_context])
def test_batch_mode_carries_every_tenant_s_rows(
    walled: sa.Engine, plain: sa.Engine, folder: Path, upgrade: Callable[..., None]
) -> None:
    upgrade(folder, walled, "r1")
    _fill(plain)
    run(plain, "UPDATE invoice SET payer_id = NULL WHERE tenant_id = 2")
    tables = (
        ("customer", "tenant_id, id, name"),
        ("invoice", "tenant_id, id, number, customer_id, payer_id"),
    )
    before = [_rows(plain, *table) for table in tables]
    assert len(before[0]) == 6
    assert len(before[1]) == 3
    upgrade(folder, walled, "r3")
    assert [_rows(plain, *table) for table in tables] == before
    assert _rows(plain, "customer", "tenant_id, short") == [(t, s) for t in (0, 1, 2) for s in ("A", "B")]
    assert len(_rows(plain, "log", "tenant_id, text")) == 6
    migrations.downgrade(folder, walled, "r1")
    assert [_rows(plain, *table) for table in tables] == before


@pytest.mark.databases("sqlite")
def test_set_null_works_after_batch_mode(walled: sa.Engine, plain: sa.Engine, folder: Path) -> None:
    migrations.upgrade(folder, walled, "r1")
    before = live(plain).objects
    assert len(before) == 1
    _fill(plain)
    migrations.upgrade(
        folder, walled, "r2"
    )  # makes both the table that is referred to, and the one that refers, anew
    assert before[0] in live(plain).objects
    with plain.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.exec_driver_sql("DELETE FROM customer WHERE tenant_id = 1 AND id = 2")
    assert _rows(plain, "invoice", "tenant_id, payer_id") == [(0, 2), (1, None), (2, 2)]


@pytest.mark.databases("sqlite")
def test_foreign_keys_hold_again_after_migrations(walled: sa.Engine, folder: Path) -> None:
    migrations.upgrade(folder, walled)
    with tenant_context("one"), walled.connect() as connection:
        cursor = connection.connection.driver_connection.cursor()
        assert cursor.connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.databases("sqlite")
def test_a_batch_inside_a_transaction_is_refused(walled: sa.Engine, plain: sa.Engine, folder: Path) -> None:
    migrations.upgrade(folder, walled, "r1")
    _fill(plain)
    with entered(Scope(TEMPLATE)), walled.connect() as connection:
        connection.execute(sa.text("DELETE FROM log"))
        operations = Operations(MigrationContext.configure(connection))
        with (
            pytest.raises(DdlRefusedError, match="inside a transaction"),
            operations.batch_alter_table("customer") as b,
        ):
            b.drop_column("code")
    assert len(_rows(plain, "invoice", "tenant_id, id")) == 3


def test_autogenerate_proposes_nothing(walled: sa.Engine, folder: Path) -> None:
    migrations.upgrade(folder, walled)
    metadata = sa.MetaData()
    metadata.reflect(walled)
    assert len(metadata.tables) == 7
    found: list[MigrationScript] = []

    def seen(context: object, revision: object, directives: list[MigrationScript]) -> None:
        found.extend(directives)
        directives[:] = []

    config = migrations.configured(folder, walled)
    config.attributes["metadata"] = metadata
    command.revision(config, autogenerate=True, process_revision_directives=seen)
    assert len(found) == 1
    assert found[0].upgrade_ops.as_diffs() == []


@pytest.mark.parametrize(
    "operation",
    [
        lambda op: op.drop_column("invoice", "tenant_id"),
        lambda op: op.add_column("invoice", sa.Column("Tenant_ID", sa.Integer)),
        lambda op: op.alter_column("invoice", "number", new_column_name="tenant_id"),
        lambda op: op.alter_column("invoice", "tenant_id", nullable=True),
        lambda op: op.rename_table("invoice", "country2"),
        lambda op: op.rename_table("country", "invoice2"),
        lambda op: op.create_table("tenancy_x", sa.Column("id", sa.Integer)),
        lambda op: op.create_table("x", sa.Column("tenant_id", sa.Integer)),
        lambda op: op.execute("ALTER TABLE invoice DROP COLUMN tenant_id"),
        lambda op: op.execute("DROP TABLE tenancy_x"),
    ],
)
def test_what_is_not_the_application_s_is_refused(
    plain: sa.Engine, database_url: str, folder: Path, operation: Callable[[Operations], object]
) -> None:
    shared = frozenset({"country", "country2"})
    with opened(database_url) as engine, contextlib.ExitStack() as stack:
        stack.enter_context(_registered(engine, shared, plain))
        migrations.upgrade(folder, engine, "r1")
        before = _tables(plain)
        with entered(Scope(TEMPLATE)), engine.connect() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with pytest.raises(RefusedError):
                operation(operations)
        assert _tables(plain) == before
    assert len(before) == 6


def test_a_version_table_must_be_shared(walled: sa.Engine) -> None:
    with walled.connect() as connection, pytest.raises(ConfigurationError, match="TENANT_SHARED_TABLES"):
        MigrationContext.configure(connection, opts={"version_table": "my_version"})
    with walled.connect() as connection:
        MigrationContext.configure(connection, opts={"version_table": "country"})


def test_offline_mode_is_refused(walled: sa.Engine, folder: Path) -> None:
    with pytest.raises(DdlRefusedError, match="offline"):
        migrations.upgrade(folder, walled, sql=True)


def test_other_engines_migrate_as_ever(walled: sa.Engine, control: sa.Engine, folder: Path) -> None:
    migrations.upgrade(folder, control)
    assert all(table.column("tenant_id") is None for table in live(control).tables)


def test_migrating_is_known(walled: sa.Engine, tmp_path: Path) -> None:
    folder = migrations.write(tmp_path / "known")
    seen: list[bool] = []
    sa.event.listen(walled, "after_cursor_execute", lambda *_: seen.append(alembic.migrating()))
    assert not alembic.migrating()
    migrations.upgrade(folder, walled, "r1")
    assert seen
    assert all(seen)
    assert not alembic.migrating()


@pytest.mark.databases("postgresql+psycopg")
def test_keys_inside_a_new_column_become_the_table_s(
    walled: sa.Engine, plain: sa.Engine, folder: Path
) -> None:
    migrations.upgrade(folder, walled, "r1")
    with entered(Scope(TEMPLATE)), walled.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        column = sa.Column("copy_of", sa.Integer, sa.ForeignKey("invoice.id", ondelete="SET NULL"))
        operations.add_column("invoice", column, inline_references=True)
        operations.add_column("log", sa.Column("id", sa.Integer, primary_key=True), inline_primary_key=True)
    tables = _tables(plain)
    assert tables["log"].primary_key == ("tenant_id", "id")
    assert [k.columns for k in tables["invoice"].foreign_keys if k.name == "invoice_copy_of_fkey"] == [
        ("tenant_id", "copy_of")
    ]
    with plain.connect() as connection:
        assert check_schema(connection, CONFIG) == []


def test_compare_metadata_on_an_empty_database(walled: sa.Engine) -> None:
    """The tables that the application wants are all proposed, and nothing of ours."""
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True))
    with walled.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [step[0] for step in found] == ["add_table"]
