"""The start-up check names every key that would let one tenant meet another."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flask_tenant.isolate.catalog import Catalog
from flask_tenant.isolate.config import IsolateConfig
from flask_tenant.isolate.keys import Problem, check_schema
from tests.schema.installing import CONFIG, run

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")

GOOD = """CREATE TABLE good (tenant_id bigint NOT NULL, id integer NOT NULL, name text,
    PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, name))"""


def _found(engine: sa.Engine, config: IsolateConfig = CONFIG) -> list[Problem]:
    with engine.connect() as connection:
        found = check_schema(connection, config)
        catalog = Catalog(config)
        catalog.load(connection)
    assert check_schema(catalog, config) == found
    return found


PLANTED = {
    "no column": ("CREATE TABLE bad (id integer PRIMARY KEY)", "there is no column 'tenant_id'"),
    "nullable": ("CREATE TABLE bad (tenant_id bigint, id integer)", "may be NULL"),
    "type": ("CREATE TABLE bad (tenant_id text NOT NULL, id integer)", "is of type 'text'"),
    "primary key": (
        "CREATE TABLE bad (tenant_id bigint NOT NULL, id integer PRIMARY KEY)",
        "this primary key holds across",
    ),
    "order": (
        "CREATE TABLE bad (tenant_id bigint NOT NULL, id integer NOT NULL, PRIMARY KEY (id, tenant_id))",
        "this primary key holds across",
    ),
    "unique": (
        "CREATE TABLE bad (tenant_id bigint NOT NULL, id integer UNIQUE)",
        "this unique constraint holds across",
    ),
    "foreign key": (
        (
            f"{GOOD}; CREATE UNIQUE INDEX ux ON good (id); CREATE TABLE bad (tenant_id bigint NOT NULL, "
            "good_id integer "
            "REFERENCES good (id))"
        ),
        "can point at a row of 'good' that is another tenant's",
    ),
    "foreign key not of the tenant": (
        (
            f"{GOOD}; CREATE TABLE bad (tenant_id bigint NOT NULL, other bigint, good_id integer, "
            "FOREIGN KEY (other, good_id) REFERENCES good (tenant_id, id))"
        ),
        "can point at a row of 'good' that is another tenant's",
    ),
    "foreign key that crosses": (
        (
            f"{GOOD}; CREATE UNIQUE INDEX ux ON good (id, tenant_id); CREATE TABLE bad (tenant_id bigint NOT NULL, "
            "good_id bigint, FOREIGN KEY (tenant_id, good_id) REFERENCES good (id, tenant_id))"
        ),
        "can point at a row of 'good' that is another tenant's",
    ),
    "unique index": (
        "CREATE TABLE bad (tenant_id bigint NOT NULL, a integer); CREATE UNIQUE INDEX ux_bad ON bad (a)",
        "this unique index holds across",
    ),
    "partial unique index": (
        (
            "CREATE TABLE bad (tenant_id bigint NOT NULL, a integer); CREATE UNIQUE INDEX ux_bad ON bad "
            "(a) WHERE a > 1"
        ),
        "this unique index holds across",
    ),
    "unique index of an expression": (
        (
            "CREATE TABLE bad (tenant_id bigint NOT NULL, a text); CREATE UNIQUE INDEX ux_bad ON bad "
            "(lower(a), tenant_id)"
        ),
        "this unique index holds across",
    ),
    "copy": (
        "CREATE TABLE _alembic_tmp_bad (tenant_id bigint NOT NULL, a text)",
        "has left this copy behind",
    ),
}

POSTGRESQL = {
    "exclusion": (
        "CREATE TABLE bad (tenant_id bigint NOT NULL, a integer, EXCLUDE USING gist (a WITH =))",
        "this exclusion constraint holds across",
    ),
    "exclusion of what is unequal": (
        (
            "CREATE TABLE bad (tenant_id bigint NOT NULL, a integer, EXCLUDE USING gist (tenant_id WITH "
            "<>, a WITH =))"
        ),
        "this exclusion constraint holds across",
    ),
    "other schema": (
        "CREATE SCHEMA other; CREATE TABLE other.bad (tenant_id bigint NOT NULL, a integer UNIQUE)",
        "this unique constraint holds across",
    ),
    "shared name in another schema": (
        "CREATE SCHEMA s; CREATE TABLE s.country (code text)",
        "there is no column",
    ),
}


def _plant(plain: sa.Engine, statements: str, why: str) -> None:
    run(plain, GOOD.replace("good", "fine"))
    run(plain, *statements.split("; "))
    problems = [problem for problem in _found(plain) if problem.table != "good"]
    assert len(problems) == 1, problems
    assert why in problems[0].why
    assert problems[0].what_to_do
    assert problems[0].table in ("bad", "other.bad", "s.country", "_alembic_tmp_bad")


@pytest.mark.parametrize("name", PLANTED)
def test_planted(plain: sa.Engine, name: str) -> None:
    _plant(plain, *PLANTED[name])


@pytest.mark.every_driver
@pytest.mark.databases("postgresql+psycopg")
@pytest.mark.parametrize("name", POSTGRESQL)
def test_planted_on_postgresql(plain: sa.Engine, name: str) -> None:
    _plant(plain, *POSTGRESQL[name])


def test_a_shared_table_that_refers_to_tenants(plain: sa.Engine) -> None:
    run(
        plain,
        GOOD,
        "CREATE TABLE country (tenant_id bigint, code text, good_id integer, "
        "FOREIGN KEY (tenant_id, good_id) REFERENCES good (tenant_id, id))",
    )
    problems = _found(plain)
    assert [p.table for p in problems] == ["country", "country"]
    assert "bears" in problems[0].why or "the hidden tenant column's name" in problems[0].why
    assert "whose rows belong to tenants" in problems[1].why


def test_a_good_schema_has_none(plain: sa.Engine) -> None:
    run(
        plain,
        GOOD,
        "CREATE UNIQUE INDEX ux_good ON good (tenant_id, lower(name))",
        "CREATE INDEX ix_good ON good (name)",
        "CREATE TABLE country (code text PRIMARY KEY)",
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "CREATE TABLE tenancy_tenant (id integer PRIMARY KEY, slug text UNIQUE)",
        "CREATE TABLE child (tenant_id bigint NOT NULL, good_id integer, code text REFERENCES "
        "country (code), "
        "FOREIGN KEY (tenant_id, good_id) REFERENCES good (tenant_id, id))",
    )
    assert _found(plain) == []


def test_what_the_application_wants_is_looked_at(plain: sa.Engine) -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("Tenant_Id", sa.Integer))
    sa.Table("b", metadata, sa.Column("id", sa.Integer))
    with plain.connect() as connection:
        (problem,) = check_schema(connection, CONFIG, [metadata])
    assert (problem.table, problem.columns) == ("a", ("Tenant_Id",))
    assert str(problem).startswith("a (Tenant_Id): the application has a column")
