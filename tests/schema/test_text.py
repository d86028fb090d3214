"""Hand-written DDL: translated, it makes what the models would have made; else it is refused."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flask_tenant.errors import DdlRefusedError
from flask_tenant.isolate.ddl import is_ddl, split_statements, translate_ddl
from flask_tenant.isolate.keys import check_schema
from tests.schema.installing import CONFIG, live
from tests.schema.test_create_all import KINDS, shown

COMMON = """
    CREATE TABLE country (code varchar(2) PRIMARY KEY, name text UNIQUE); -- shared; a comment with a ' in it
    CREATE TABLE IF NOT EXISTS customer (
        id integer PRIMARY KEY,
        "E-Mail" varchar(100) NOT NULL UNIQUE /* inline */,
        name text CONSTRAINT uq_customer_name UNIQUE DEFAULT 'a, b) UNIQUE',
        country varchar(2) REFERENCES country (code),
        price numeric(10, 2) DEFAULT (1 + 2) CHECK (price > 0),
        CHECK (length(name) > 0)
    );
    CREATE TABLE invoice (
        id integer NOT NULL,
        number text,
        customer_id integer REFERENCES customer ON DELETE CASCADE,
        payer_id integer CONSTRAINT fk_payer REFERENCES customer (id) ON UPDATE CASCADE ON DELETE SET NULL,
        previous_id integer,
        note text,
        PRIMARY KEY (id),
        CONSTRAINT uq_number UNIQUE (number, customer_id),
        UNIQUE (number),
        FOREIGN KEY (previous_id) REFERENCES invoice (id) ON DELETE SET NULL
    );
    CREATE UNIQUE INDEX ux_note ON invoice (note, number) WHERE note IS NOT NULL;
    CREATE INDEX IF NOT EXISTS ix_payer ON invoice (payer_id DESC);
    ALTER TABLE invoice ADD COLUMN paid boolean DEFAULT false NOT NULL;
    ALTER TABLE invoice RENAME COLUMN paid TO settled;
    CREATE TABLE keyless (a integer);
    CREATE TABLE gone (a integer);
    DROP TABLE gone;
    ALTER TABLE keyless RENAME TO without_key;
    CREATE VIEW names AS SELECT name FROM customer;
"""

SQLITE = """
    CREATE TABLE [strict one] (
        `id` INTEGER PRIMARY KEY ASC ON CONFLICT ABORT AUTOINCREMENT,
        name TEXT COLLATE NOCASE UNIQUE ON CONFLICT IGNORE,
        "customer" INTEGER NOT NULL CONSTRAINT x REFERENCES customer DEFERRABLE INITIALLY DEFERRED
    ) STRICT;
    CREATE TABLE without (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
    CREATE TRIGGER logged AFTER INSERT ON without BEGIN
        UPDATE without SET value = CASE WHEN 1 THEN 'x' ELSE 'y' END; SELECT 1;
    END;
    CREATE INDEX ix_lower ON customer (lower(name));
"""

POSTGRESQL = """
    CREATE TABLE public.document (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        serial serial,
        Title text UNIQUE DEFERRABLE INITIALLY DEFERRED,
        tags text[],
        customer_id int REFERENCES public.customer (id) MATCH FULL ON DELETE SET NULL NOT DEFERRABLE,
        a int, b int,
        during int4range,
        FOREIGN KEY (a) REFERENCES customer ON DELETE SET DEFAULT,
        UNIQUE NULLS NOT DISTINCT (a, b),
        UNIQUE (a) INCLUDE (b),
        EXCLUDE USING gist (a WITH =, during WITH &&) WHERE (b > 1)
    );
    CREATE INDEX ON document (a, lower(title), (b + 1));
    CREATE INDEX ix_tags ON document USING gin (tags);
    CREATE UNIQUE INDEX ux_doc ON ONLY document USING btree (title text_pattern_ops) INCLUDE (b) WHERE a > 2;
    ALTER TABLE document ADD COLUMN slug text UNIQUE, ADD COLUMN inv int REFERENCES invoice, DROP COLUMN
    serial,
        ALTER COLUMN b SET NOT NULL, ADD CONSTRAINT c_check CHECK (a > 0) NOT VALID;
    ALTER TABLE ONLY document ADD FOREIGN KEY (b) REFERENCES invoice (id) ON DELETE SET NULL;
    ALTER TABLE document ADD CONSTRAINT uq_ab UNIQUE (a, b);
    ALTER TABLE document VALIDATE CONSTRAINT c_check;
    COMMENT ON TABLE document IS 'it''s';
    CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN RETURN NULL; END; $$ LANGUAGE plpgsql;
    CREATE TYPE kind AS ENUM ('a', 'b');
    ALTER TYPE kind ADD VALUE 'c';
    CREATE SEQUENCE s;
    CREATE TABLE parent (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE part PARTITION OF parent FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
"""

pytestmark = [
    pytest.mark.databases("sqlite", "postgresql+psycopg"),
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
]


@pytest.fixture(scope="module")
def both(pair: tuple[sa.Engine, sa.Engine]) -> tuple[sa.Engine, sa.Engine]:
    """The script as it is in the one database, translated in the other; to be looked at only."""
    name = pair[0].dialect.name
    script = COMMON + (SQLITE if name == "sqlite" else POSTGRESQL)
    for engine, text in zip(pair, (script, translate_ddl(script, name, CONFIG)), strict=True):
        for statement in split_statements(text, name):
            with engine.begin() as connection:
                connection.exec_driver_sql(statement)
    return pair


@pytest.mark.parametrize("kind", KINDS)
def test_reflection_equals_the_control(both: tuple[sa.Engine, sa.Engine], kind: str) -> None:
    expected, found = (shown(engine, f"get_multi_{kind}") for engine in both)
    assert expected is None or len(expected) >= 6
    if expected is None or found is None:
        assert expected == found
        return
    if kind == "foreign_keys":
        # SQLAlchemy cannot read the options of inline keys on SQLite; ours are none. MATCH FULL says the
        # same as none.
        for key in [key for keys in (*expected.values(), *found.values()) for key in keys]:
            key["options"].pop("match", None)
            if both[0].dialect.name == "sqlite":
                key.update(options={}, name=None)
        expected, found = ({k: sorted(v, key=str) for k, v in keys.items()} for keys in (expected, found))
    if kind == "columns":
        # INTEGER PRIMARY KEY never holds NULL on SQLite, although its catalogue says that it may.
        for columns in (*expected.values(), *found.values()):
            for column in columns:
                if column.get("primary_key"):
                    column["nullable"] = False
    if kind == "unique_constraints":
        if both[0].dialect.name == "sqlite":
            # SQLAlchemy overlooks some inline keys there, and all their names; ours are none, and so are
            # found.
            expected, found = (
                {(k, *key["column_names"]) for k, keys in shown.items() for key in keys}
                for shown in (expected, found)
            )
            assert found - expected == {((None, "customer"), "E-Mail")}
            found &= expected
        else:
            expected, found = ({k: sorted(v, key=str) for k, v in keys.items()} for keys in (expected, found))
    assert found == expected


def test_every_key_is_per_tenant(both: tuple[sa.Engine, sa.Engine]) -> None:
    schema = live(both[1])
    tenants = [table for table in schema.tables if table.name != "country"]
    assert len(tenants) >= 5
    assert all(table.columns[0].name == "tenant_id" for table in tenants)
    with both[1].connect() as connection:
        assert check_schema(connection, CONFIG) == []
    with both[0].connect() as connection:
        assert len(check_schema(connection, CONFIG)) == len(tenants)


def test_a_caller_s_text_stays_as_it_is() -> None:
    text = "create  table T(\n  id int -- the id\n , x text default 'a''b'  )"
    translated = translate_ddl(text, "postgresql", CONFIG)
    assert (
        translated
        == "create  table T(tenant_id BIGINT NOT NULL, \n  id int -- the id\n , x text default 'a''b'  )"
    )


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE a AS SELECT 1",
        "CREATE TABLE a (id int) AS SELECT 1",
        "CREATE TABLE a (tenant_id int)",
        'CREATE TABLE a ("Tenant_ID" int)',
        "CREATE TABLE tenancy_a (id int)",
        "DROP TABLE tenancy_tenant",
        "DROP TRIGGER tenancy_delete_a",
        "ALTER TABLE a DROP COLUMN tenant_id",
        "ALTER TABLE a RENAME COLUMN b TO tenant_id",
        "CREATE INDEX i ON a (tenant_id)",
        "ALTER TABLE a RENAME TO country",
        "ALTER TABLE country RENAME TO a",
        "CREATE TABLE country (code text REFERENCES customer)",
        "CREATE TABLE country (code text, FOREIGN KEY (code) REFERENCES customer)",
        "CREATE VIRTUAL TABLE a USING fts5(x)",
        "INSERT INTO a VALUES (1)",
        "CREATE TABLE a (id int); DELETE FROM a",
        "SELECT 1",
        "ALTER TABLE a DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE a OWNER TO b",
        "ALTER TABLE a SET SCHEMA b",
        "CREATE POLICY p ON a USING (true)",
        "DROP POLICY p ON a",
        "DROP SCHEMA public CASCADE",
        "DROP DATABASE a",
        "CREATE ROLE a",
        "GRANT ALL ON a TO b",
        "TRUNCATE a",
        "CREATE TABLE a (id int",
        "CREATE TABLE a\u00a0(id int)",
        "CREATE TABLE a (id int)\x00",
        "CREATE",
        "",
        "RENAME a TO b",
    ],
)
def test_refused(dialect: str, statement: str) -> None:
    if not statement:
        assert translate_ddl(statement, dialect, CONFIG) == ""
        assert not is_ddl(statement, dialect)
        return
    with pytest.raises(DdlRefusedError):
        translate_ddl(statement, dialect, CONFIG)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE a (LIKE b INCLUDING ALL)",
        "CREATE TABLE a (id int REFERENCES b ON UPDATE SET NULL)",
        "CREATE TABLE a (x int, y int, FOREIGN KEY (x, y) REFERENCES b MATCH FULL)",
        "ALTER TABLE a ADD CONSTRAINT u UNIQUE USING INDEX i",
        "CREATE TABLE a (x int, EXCLUDE USING hash (x WITH =))",
        "CREATE TABLE a OF b",
        "ALTER TABLE a ATTACH PARTITION b DEFAULT",
        "ALTER TABLE a INHERIT b",
    ],
)
def test_refused_on_postgresql(statement: str) -> None:
    with pytest.raises(DdlRefusedError):
        translate_ddl(statement, "postgresql", CONFIG)


def test_refused_on_sqlite() -> None:
    with pytest.raises(DdlRefusedError, match="batch_alter_table"):
        translate_ddl("ALTER TABLE a ADD COLUMN x INTEGER REFERENCES b (id)", "sqlite", CONFIG)
    shared = "ALTER TABLE a ADD COLUMN x TEXT REFERENCES country (code)"
    assert translate_ddl(shared, "sqlite", CONFIG) == shared


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_column_may_be_called_like_ours(dialect: str) -> None:
    translated = translate_ddl("CREATE TABLE flat (tenancy_start date, tenancy_end date)", dialect, CONFIG)
    assert translated.endswith("tenancy_start date, tenancy_end date)")
    assert "tenant_id" in translated


def test_names_fold_as_the_database_folds_them() -> None:
    assert (
        translate_ddl("CREATE TABLE COUNTRY (a int)", "postgresql", CONFIG) == "CREATE TABLE COUNTRY (a int)"
    )
    assert "tenant_id" in translate_ddl('CREATE TABLE "COUNTRY" (a int)', "postgresql", CONFIG)
    assert (
        translate_ddl('CREATE TABLE "COUNTRY" (a int)', "sqlite", CONFIG) == 'CREATE TABLE "COUNTRY" (a int)'
    )
    assert (
        translate_ddl('CREATE TABLE "Währung" (a int)', "postgresql", CONFIG)
        == 'CREATE TABLE "Währung" (a int)'
    )
    assert "tenant_id" in translate_ddl("CREATE TABLE other.country (a int)", "postgresql", CONFIG)


def test_an_error_shows_the_place() -> None:
    with pytest.raises(DdlRefusedError, match=r"line 2, column 2: 'tenant_id int'"):
        translate_ddl("CREATE TABLE a (id int,\n tenant_id int\n)", "sqlite", CONFIG)


def test_a_script_is_split_where_statements_end() -> None:
    script = (
        "CREATE TABLE a (b text DEFAULT ';'); "
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; DROP TABLE a"
    )
    assert [s.split()[0:2] for s in split_statements(script, "sqlite")] == [
        ["CREATE", "TABLE"],
        ["CREATE", "TRIGGER"],
        ["DROP", "TABLE"],
    ]
    assert is_ddl(script, "sqlite")
    assert not is_ddl(script + "; DELETE FROM a", "sqlite")
