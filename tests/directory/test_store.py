"""What the directory keeps in SQL, on every back end."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from flask_tenant.context import internal
from flask_tenant.directory import Directory, migrations, own_database
from flask_tenant.directory.tables import Tables
from flask_tenant.errors import (
    ConfigurationError,
    DomainError,
    InvalidSlugError,
    TenantConfigError,
    TenantExistsError,
    TenantNotFoundError,
    TokenError,
)
from flask_tenant.model import Tenant, TenantState
from tests.services.databases import MakeDatabase

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def nothing(connection: Connection, tenant: Tenant) -> None:
    """No first rows."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


def opened(engine: Engine, **kw: Any) -> Directory:
    """Another server's directory."""
    directory = Directory(own_database(engine), **kw)
    directory.prepare()
    return directory


@pytest.fixture
def directory(engine: Engine) -> Directory:
    return opened(engine)


@pytest.fixture
def acme(directory: Directory) -> Tenant:
    return directory.create("acme", "Acme", nothing)


def test_what_is_created_is_found_by_slug_and_id(directory: Directory, engine: Engine) -> None:
    made = directory.create("acme", "Acme", nothing)
    assert (made.slug, made.name, made.state, made.domains, dict(made.config)) == (
        "acme", "Acme", TenantState.ACTIVE, (), {},
    )  # fmt: skip
    for each in (directory, opened(engine)):
        assert each.find("acme") == each.find_id(made.id) == each.get("acme") == made
        assert each.all() == [made]
        assert each.count() == 1
        assert each.find("bella") is each.find_id(made.id + 1) is each.find_domain("acme") is None
    with pytest.raises(TenantNotFoundError, match="'bella'"):
        directory.get("bella")


def test_changes_give_the_new_tenant(directory: Directory, acme: Tenant, engine: Engine) -> None:
    suspended = directory.set_state(acme, TenantState.SUSPENDED)
    named = directory.set_name(acme, "Acme Ltd")
    assert (suspended.state, named.state, named.name) == (
        TenantState.SUSPENDED, TenantState.SUSPENDED, "Acme Ltd",
    )  # fmt: skip
    assert acme.version < suspended.version < named.version
    assert opened(engine).find("acme") == directory.find("acme") == named
    gone = Tenant(99, "gone", "Gone")
    for change in (
        lambda: directory.set_name(gone, "x"),
        lambda: directory.rename(gone, "x"),
        lambda: directory.set_config(gone, "x", 1),
        lambda: directory.add_domain(gone, "x.example.com"),
        lambda: directory.create_token(gone, "x"),
    ):
        with pytest.raises(TenantNotFoundError, match="99"):
            change()


def test_a_former_slug_leads_to_its_tenant_and_to_nobody_else(directory: Directory, acme: Tenant) -> None:
    bella = directory.create("bella", "Bella", nothing)
    renamed = directory.rename(acme, "acme-ltd")
    assert directory.find("acme") is None
    assert directory.find("acme-ltd") == directory.find_renamed("acme") == renamed
    assert renamed.id == acme.id
    for take in (
        lambda: directory.create("acme", "Another", nothing),
        lambda: directory.rename(bella, "acme"),
        lambda: directory.rename(bella, "acme-ltd"),
    ):
        with pytest.raises(TenantExistsError):
            take()
    assert directory.find("bella") == bella
    assert directory.find_renamed("acme") == renamed
    back = directory.rename(renamed, "acme")
    assert directory.find("acme") == directory.find_renamed("acme-ltd") == back
    assert directory.find_renamed("acme") is None
    directory.release_slug("acme-ltd")
    assert directory.find_renamed("acme-ltd") is None
    assert directory.rename(bella, "acme-ltd").id == bella.id
    with pytest.raises(TenantNotFoundError):
        directory.release_slug("acme-ltd")
    with pytest.raises(InvalidSlugError):
        directory.rename(back, "Not A Label")


def test_config(directory: Directory, acme: Tenant, engine: Engine) -> None:
    directory.set_config(acme, "colour", "red")
    made = directory.set_config(acme, "limits.seats", {"now": 3, "names": ["Zoë", None, True]})
    made = directory.set_config(made, "colour", "blue")
    assert dict(made.config) == {"colour": "blue", "limits.seats": {"now": 3, "names": ["Zoë", None, True]}}
    assert opened(engine).get("acme") == made
    with pytest.raises(TypeError):
        made.config["colour"] = "green"  # type: ignore[index]
    assert dict(directory.unset_config(made, "limits.seats").config) == {"colour": "blue"}
    directory.unset_config(made, "never-set")
    for key, value in (("", 1), ("a b", 1), ("x", float("nan")), ("x", object()), ("x", "y" * 20_000)):
        with pytest.raises(TenantConfigError):
            directory.set_config(acme, key, value)
    assert dict(directory.get("acme").config) == {"colour": "blue"}


def test_a_tenant_can_be_sent_to_another_process(directory: Directory, acme: Tenant) -> None:
    made = directory.set_config(acme, "colour", "red")
    for same in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        assert (same, same.version) == (made, made.version)
        with pytest.raises(TypeError):
            same.config["colour"] = "green"


def test_a_domain_counts_once_it_is_confirmed(directory: Directory, acme: Tenant) -> None:
    bella = directory.create("bella", "Bella", nothing)
    directory.add_domain(acme, "Shop.Example.COM.")
    assert directory.find_domain("shop.example.com") is None
    confirmed = directory.confirm_domain("shop.example.com")
    assert confirmed.domains == ("shop.example.com",)
    assert directory.find_domain("shop.example.com") == directory.find("acme") == confirmed
    with pytest.raises(DomainError, match="already"):
        directory.add_domain(bella, "shop.example.com")

    directory.add_domain(acme, "bücher.example")
    directory.add_domain(acme, "later.example")
    assert directory.confirm_domain("bücher.example").domains == ("shop.example.com", "xn--bcher-kva.example")
    first = directory.confirm_domain("bücher.example", primary=True)
    assert first.domains == ("xn--bcher-kva.example", "shop.example.com")
    assert [(d.host, d.primary, d.confirmed_at is None) for d in directory.domains(acme)] == [
        ("xn--bcher-kva.example", True, False),
        ("shop.example.com", False, False),
        ("later.example", False, True),
    ]
    assert directory.remove_domain("xn--bcher-kva.example").domains == ("shop.example.com",)
    assert directory.find_domain("xn--bcher-kva.example") is None
    for call in (directory.confirm_domain, directory.remove_domain):
        with pytest.raises(DomainError):
            call("unknown.example")
    for host in (
        "",
        "localhost",
        "192.0.2.1",
        "[::1]",
        "*.example.com",
        "a..b",
        "shop.example.com:80",
        "a b.c",
    ):
        with pytest.raises(DomainError):
            directory.add_domain(acme, host)


def test_a_token_is_kept_as_a_hash(directory: Directory, acme: Tenant, engine: Engine) -> None:
    token, secret = directory.create_token(acme, "importer")
    assert secret.startswith("ft_")
    assert directory.find_token(secret) == token
    assert directory.tokens(acme) == [token]
    with engine.connect() as connection:
        for table in sa.inspect(connection).get_table_names():
            rows = connection.execute(sa.text(f"SELECT * FROM {table}")).all()
            assert secret not in repr(rows)
            assert secret.removeprefix("ft_") not in repr(rows)
    assert (
        directory.find_token(secret + "x") is directory.find_token("") is directory.find_token("ft_") is None
    )
    directory.revoke_token(token.id)
    assert directory.find_token(secret) is opened(engine).find_token(secret) is None
    (kept,) = directory.tokens(acme)
    assert kept.revoked_at is not None
    with pytest.raises(TokenError):
        directory.revoke_token(99)


def test_a_token_expires(directory: Directory, acme: Tenant) -> None:
    _, old = directory.create_token(acme, "old", datetime.now(UTC) - timedelta(seconds=1))
    token, new = directory.create_token(acme, "new", datetime.now(UTC) + timedelta(hours=1))
    assert directory.find_token(old) is None
    assert directory.find_token(new) == token
    with pytest.raises(TokenError, match="time zone"):
        directory.create_token(acme, "when", datetime(2030, 1, 1))  # noqa: DTZ001


def test_many_are_created_or_none(directory: Directory, acme: Tenant) -> None:
    filled: list[Tenant] = []
    made = directory.create_many(
        [(f"t{n}", f"Tenant {n}") for n in range(50)], lambda _, tenant: filled.append(tenant)
    )
    assert [t.slug for t in made] == [t.slug for t in filled] == [f"t{n}" for n in range(50)]
    assert len({t.id for t in made}) == 50
    assert directory.find("t7") == made[7]
    assert directory.create_many([], nothing) == []
    for wanted in ([("u1", "U"), ("acme", "A")], [("u1", "U"), ("u1", "U")]):
        with pytest.raises(TenantExistsError):
            directory.create_many(wanted, nothing)

    def fails(connection: Connection, tenant: Tenant) -> None:
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        directory.create_many([("u1", "U")], fails)
    assert directory.find("u1") is None
    assert directory.count() == 51


def test_apart_ids_of_failed_attempts_are_never_used_again(engine: Engine) -> None:
    directory = opened(engine, apart=True)
    seen: list[int] = []

    def written_elsewhere(connection: Connection, tenant: Tenant) -> None:
        seen.append(tenant.id)
        raise ConnectionError("the other database has committed, this one has not")

    for _ in range(3):
        with pytest.raises(ConnectionError):
            directory.create("acme", "Acme", written_elsewhere)
    made = directory.create("acme", "Acme", nothing)
    assert len({*seen, made.id}) == 4


# ---- migrations


def test_a_prefix_of_ones_own(engine: Engine) -> None:
    directory = opened(engine, prefix="saas_")
    directory.create("acme", "Acme", nothing)
    names = set(sa.inspect(engine).get_table_names())
    assert {"saas_tenant", "saas_token", "saas_alembic_version"} <= names
    assert all(name.startswith(("saas_", "sqlite_")) for name in names)
    other = opened(engine)
    assert other.all() == []


def _described(engine: Engine) -> dict[str, Any]:
    """Everything that the database says about the tables, whatever the order of columns."""
    inspector = sa.inspect(engine)
    found: dict[str, Any] = {}
    for name in inspector.get_table_names():
        sequences = {
            column["name"]: repr((str(column["type"]), column["nullable"], column["default"]))
            for column in inspector.get_columns(name)
        }
        found[name] = (
            sequences,
            inspector.get_pk_constraint(name)["constrained_columns"],
            sorted(tuple(key["column_names"]) for key in inspector.get_unique_constraints(name)),
            sorted((tuple(i["column_names"]), bool(i["unique"])) for i in inspector.get_indexes(name)),
            sorted(
                (tuple(key["constrained_columns"]), key["referred_table"])
                for key in inspector.get_foreign_keys(name)
            ),
        )
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            texts = connection.execute(
                sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            ).all()
        found["numbered anew"] = {name for name, text in texts if "AUTOINCREMENT" not in (text or "")}
    return found


def test_migrations_make_what_the_models_say(make_database: MakeDatabase, back_end: str) -> None:
    """And so does what makes a new directory at once."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {
        "version_table": "tenancy_alembic_version",
        "compare_type": True,
        "compare_server_default": True,
    }
    tables, described = Tables(), []
    for make in (
        lambda connection: migrations.upgrade(connection, tables.prefix),
        lambda connection: migrations.create(connection, tables),
    ):
        with make_database(back_end) as url:
            engine = sa.create_engine(url)
            with internal(), engine.begin() as connection:
                assert migrations.is_new(connection, tables.prefix)
                make(connection)
                assert not migrations.is_new(connection, tables.prefix)
                assert migrations.current(connection, tables.prefix) == migrations.NEWEST
                migrations.upgrade(connection, tables.prefix)  # does nothing
                identity = connection.execute(sa.select(tables.version)).one()
                assert (identity.id, identity.number, len(identity.identity)) == (1, 0, 32)
                context = MigrationContext.configure(connection, opts=options)
                assert compare_metadata(context, tables.metadata) == []
            described.append(_described(engine))
            engine.dispose()
    assert described[0] == described[1]
    assert len(described[0]) > 25


def test_a_directory_of_release_0_1_is_adopted(engine: Engine) -> None:
    metadata = sa.MetaData()
    tenant = sa.Table(
        "tenancy_tenant",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slug", sa.String(63), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    version = sa.Table(
        "tenancy_version",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(version.insert().values(id=1, number=7))
        row = {"slug": "acme", "name": "Acme", "state": "active", "created_at": datetime.now(UTC)}
        connection.execute(tenant.insert().values(row))
    directory = opened(engine)
    found = directory.get("acme")
    assert directory.set_config(found, "kept", True).version == 8
    assert opened(engine).all() == directory.all()


def test_the_newest_migration_is_the_one_that_is_looked_for() -> None:
    assert migrations.scripts().get_current_head() == migrations.NEWEST


def test_a_newer_directory_is_refused(directory: Directory, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE tenancy_alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="'9999'"):
        opened(engine)


def test_two_servers_start_at_once(database_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    barrier = Barrier(4)

    def start(_: int) -> str:
        engine = sa.create_engine(database_url)
        try:
            barrier.wait()
            return opened(engine)._store.identity()
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        identities = list(pool.map(start, range(4)))
    assert len(set(identities)) == 1
    assert len(identities[0]) == 32


def test_changes_are_numbered_in_the_order_of_their_commits(directory: Directory, acme: Tenant) -> None:
    before = directory._store.number()
    directory.set_name(acme, "One")
    directory.set_name(acme, "Two")
    changes = directory._store.changes(before)
    assert changes.each == [(before + 1, acme.id), (before + 2, acme.id)]
    assert directory._store.changes(changes.number).each == ()
    assert directory._store.changes(before - 100).each is None  # the journal does not reach so far
    assert directory._store.changes(before + 100).each is None  # a backup was restored


def test_changes_at_the_same_time_miss_no_number(directory: Directory, engine: Engine) -> None:
    """Whoever follows the journal while others write never passes a change by."""
    from concurrent.futures import ThreadPoolExecutor

    before = directory._store.number()
    writers, times = 4, 6
    seen: dict[int, set[int]] = {}

    def write(writer: int) -> None:
        mine = directory.create(f"w{writer}", "W", nothing)
        for n in range(times):
            mine = directory.set_config(mine, f"key{n}", n)
        directory.rename(mine, f"renamed-{writer}")

    def follow() -> None:
        at = before
        while at < before + writers * (times + 2):
            changes = directory._store.changes(at)
            assert changes.each is not None
            for number, tenant_id in changes.each:
                seen.setdefault(number, set()).add(tenant_id)
            at = changes.number

    with ThreadPoolExecutor(writers + 1) as pool:
        following = pool.submit(follow)
        for writing in [pool.submit(write, n) for n in range(writers)]:
            writing.result()
        following.result(60)
    assert sorted(seen) == list(range(before + 1, before + writers * (times + 2) + 1))
    for tenant in opened(engine).all():
        assert tenant.version == max(number for number, ids in seen.items() if tenant.id in ids)
        assert len(tenant.config) == times
