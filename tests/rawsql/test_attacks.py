# ruff: noqa: E501 - statements and what they give stand on one line
"""Attacks, by the items of the list of what isolation has to survive: each is refused, or gives the tenant's own answer.

Without the wall each one shows or changes something: that is checked too, so that none is toothless.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest

from flask_tenant.errors import (
    CentralRefusedError,
    DdlRefusedError,
    HiddenColumnError,
    RefusedError,
    StatementRefusedError,
)
from flask_tenant.isolate.rawsql import RawSql
from tests.rawsql.oracle import Oracle, PostgresOracle, SqliteOracle
from tests.rawsql.world import WorldViews
from tests.services.postgres import PostgresServer

DATA = ("SELECT", "WITH", "VALUES", "TABLE", "INSERT", "REPLACE", "UPDATE", "DELETE")
REFUSED = (StatementRefusedError, DdlRefusedError)

# ---- reading or writing other rows: the plain text does so on the shared database
BOTH = [
    # 3 relations in odd places
    "SELECT * FROM (((customer)))",
    "SELECT * FROM customer AS tenant, invoice",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM customer WHERE name LIKE 'c-%')",
    "SELECT id FROM customer ORDER BY (SELECT count(*) FROM invoice), id LIMIT 20",
    "SELECT id FROM customer WHERE id < 3 LIMIT (SELECT count(*) FROM setting WHERE key LIKE 'only%')",
    "SELECT CASE WHEN (SELECT count(*) FROM customer) > 20 THEN 'leak' END",
    "VALUES ((SELECT count(*) FROM customer))",
    "SELECT count(*) FROM customer HAVING (SELECT count(*) FROM invoice) > 0",
    "SELECT max(name) OVER (PARTITION BY (SELECT count(*) FROM invoice)) FROM customer",
    "SELECT count(*) FILTER (WHERE id IN (SELECT id FROM invoice)) FROM customer",
    "WITH a AS (WITH b AS (SELECT * FROM customer) SELECT * FROM b) SELECT count(*) FROM a",
    "SELECT count(*) FROM customer UNION ALL SELECT count(*) FROM invoice",
    "INSERT INTO setting (key, value) VALUES ('n', (SELECT count(*) FROM customer))",
    "INSERT INTO setting (key, value) VALUES ('title', 'x') ON CONFLICT (key) DO UPDATE SET value = (SELECT count(*) FROM customer)",
    "INSERT INTO setting (key, value) VALUES ('q', 'x') RETURNING (SELECT count(*) FROM customer)",
    "UPDATE setting SET value = (SELECT count(*) FROM customer) WHERE key = 'title'",
    "UPDATE setting SET value = 'x' WHERE key = 'title' RETURNING (SELECT count(*) FROM customer)",
    "DELETE FROM line WHERE id = 1 RETURNING (SELECT count(*) FROM customer)",
    # 5 names
    "WITH customer AS (SELECT * FROM invoice) SELECT count(*) FROM customer",
    "WITH x AS (SELECT 1) SELECT count(*) FROM (WITH x AS (SELECT * FROM customer) SELECT * FROM x) AS y",
    'SELECT count(*) FROM "customer"',
    'SELECT count(*) FROM "customer" AS "invoice"',
    "SELECT count(*) FROM customer AS invoice, invoice AS customer",
    # 6 precedence
    "SELECT id FROM customer WHERE 1 = 1 OR 1 = 1",
    "SELECT id FROM customer WHERE id = 1 OR NOT id = 1 OR id IS NULL",
    "UPDATE customer SET name = 'x' WHERE 1 = 1 OR 1 = 1",
    "DELETE FROM line WHERE 1 = 1 OR 1 = 1",
    "DELETE FROM line WHERE 0 = 1 OR (1 = 1) --",
    "UPDATE customer SET city = 'x'",
    "DELETE FROM line",
    "SELECT c.id, i.id FROM customer c LEFT JOIN invoice i ON 1 = 1 OR i.id = c.id",
    # 7 stars
    "SELECT * FROM customer",
    "SELECT c.*, 1 FROM customer c",
    "SELECT * FROM customer NATURAL JOIN invoice",
    "INSERT INTO setting (key, value) VALUES ('r', 's') RETURNING *",
    "UPDATE setting SET value = '1' RETURNING *",
    "DELETE FROM setting RETURNING *",
    "INSERT INTO setting SELECT 'k' || key, value FROM setting",
    # 10 keys
    "INSERT INTO customer (id, name) VALUES (12, 'x')",
    "INSERT INTO setting (key, value) VALUES ('only_b', 'x')",
]  # fmt: skip

SQLITE = [
    "SELECT rowid FROM customer",
    "SELECT customer._rowid_ FROM customer",
    "SELECT c.OID FROM customer c",
    'SELECT "rowid" FROM customer',
    "SELECT [RowId] FROM customer",
    "SELECT id FROM customer WHERE rowid = 12",
    "SELECT id FROM customer ORDER BY rowid DESC LIMIT 1",
    "SELECT max(rowid) FROM customer",
    "SELECT c.id FROM customer c, (SELECT 1) WHERE rowid > 3",
    "INSERT OR REPLACE INTO setting (rowid, key, value) VALUES (4, 'x', 'y')",
    "UPDATE setting SET value = 'x' WHERE rowid = 4",
    "UPDATE setting SET rowid = 90 WHERE key = 'title'",
    "DELETE FROM line WHERE _rowid_ > 30",
    "DELETE FROM line WHERE line.oid > 30",
    "UPDATE setting SET value = rowid",
    "DELETE FROM setting RETURNING rowid",
    "SELECT key FROM setting WHERE (key, value) IN setting OR 1",
    "SELECT 'only_b' IN (SELECT key FROM setting)",
    "SELECT count(*) FROM 'customer'",
    "SELECT count(*) FROM main.'customer'",
    "SELECT count(*) FROM [customer]",
    "SELECT count(*) FROM `customer`",
    "SELECT count(*) FROM CUSTOMER",
    "SELECT count(*) FROM main . customer",
    'SELECT count(*) FROM "main"."CUSTOMER"',
    "SELECT 'x' IN (SELECT name FROM main.customer), count(*) FROM customer",
    "WITH customer AS (SELECT 1) SELECT count(*) FROM main.customer",
    "WITH a AS (SELECT * FROM main.customer) SELECT count(*) FROM a",
    "UPDATE OR REPLACE setting SET key = 'title'",
    "REPLACE INTO setting VALUES ('only_b', 'mine')",
    "SELECT group_concat(name) FROM customer",
    "SELECT last_insert_rowid()",
    "SELECT count(*) FROM sqlite_master",
    "SELECT count(*) FROM main.sqlite_schema",
    "SELECT name FROM pragma_table_info('customer')",
    "SELECT * FROM pragma_table_list",
    "PRAGMA table_info(customer)",
    "PRAGMA table_xinfo('customer')",
    "PRAGMA database_list",
    "PRAGMA writable_schema = 1",
    "PRAGMA main.index_list(customer)",
    "SELECT total_changes()",
    "EXPLAIN SELECT * FROM customer",
    "EXPLAIN QUERY PLAN SELECT * FROM customer",
    "ATTACH ':memory:' AS other",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT fts3_tokenizer('simple')",
]

POSTGRESQL = [
    "SELECT ctid FROM customer",
    "SELECT c.ctid, c.xmin FROM customer c",
    "SELECT customer.tableoid FROM customer",
    "SELECT id FROM customer WHERE ctid = '(0,12)'",
    'SELECT "ctid" FROM customer',
    "DELETE FROM line WHERE ctid > '(0,20)'",
    "UPDATE setting SET value = xmin::text",
    "UPDATE setting SET value = setting::text WHERE key = 'title'",
    "UPDATE setting SET value = to_json(setting.*)",
    "DELETE FROM setting RETURNING setting",
    "DELETE FROM setting RETURNING (setting).*",
    "DELETE FROM setting RETURNING row_to_json(setting)",
    "DELETE FROM setting AS s RETURNING s.row_to_json",
    "DELETE FROM line WHERE (SELECT count(*) FROM country WHERE line::text <> '') > 1",
    "INSERT INTO setting (key, value) VALUES ('title', 'x') ON CONFLICT (key) DO UPDATE SET value = excluded::text",
    "INSERT INTO setting (key, value) VALUES ('title', 'x') ON CONFLICT (key) DO UPDATE SET value = row_to_json(excluded.*)",
    "INSERT INTO setting (key, value) VALUES ('q', 'x') RETURNING setting",
    "SELECT row_to_json(c) FROM customer c",
    "SELECT c::text FROM customer c",
    "SELECT customer.row_to_json FROM customer",
    "SELECT (customer.*)::text FROM customer",
    "SELECT json_agg(customer) FROM customer",
    "TABLE customer",
    "SELECT * FROM ONLY customer",
    "SELECT count(*) FROM customer *",
    "SELECT count(*) FROM customer TABLESAMPLE BERNOULLI (100)",
    "SELECT count(*) FROM public . customer",
    'SELECT count(*) FROM "public".customer',
    "SELECT ARRAY(SELECT name FROM customer)",
    "SELECT 'c-customer 1' = ANY (SELECT name FROM customer)",
    "SELECT ARRAY(TABLE customer)",
    "SELECT string_agg(name, ',') FROM customer",
    "SELECT * FROM LATERAL (SELECT count(*) FROM customer) x",
    "SELECT x.* FROM country c, LATERAL (SELECT count(*) FROM customer WHERE country_code = c.code) x",
    "SELECT id FROM customer GROUP BY id, name",
    "SELECT count(*) FROM customer FOR UPDATE OF customer",
    "WITH x AS (DELETE FROM line RETURNING *) SELECT count(*) FROM x",
    "WITH x AS (UPDATE customer SET city = 'x' RETURNING *) SELECT * FROM x",
    "WITH x AS (SELECT 1), customer AS (SELECT * FROM customer) SELECT count(*) FROM customer",
    "WITH customer AS (SELECT 1) SELECT count(*) FROM public.customer",
    "SELECT pg_relation_size('customer')",
    "SELECT 'customer'::regclass::oid",
    "SELECT regclass 'customer'",
    "SELECT pg_catalog.regclass 'customer'",
    "SELECT CAST('customer' AS pg_catalog.regclass)",
    "SELECT '{customer}'::regclass[]",
    "SELECT '{customer}'::_regclass",
    "SELECT \"regclass\" 'customer'",
    "SELECT NULL::customer",
    "SELECT row_to_json(NULL::customer)",
    "SELECT * FROM json_populate_record(NULL::public.customer, '{}')",
    "SELECT * FROM json_to_record('{}') AS x(a customer)",
    "SELECT to_regclass('customer')",
    "SELECT count(*) FROM pg_class",
    "SELECT relname FROM pg_catalog.pg_class",
    "SELECT count(*) FROM information_schema.columns",
    "SELECT * FROM pg_stats",
    "SELECT query FROM pg_stat_activity",
    "SELECT query_to_xml('SELECT * FROM customer', true, false, '')",
    "SELECT table_to_xml('customer', true, false, '')",
    "SELECT database_to_xml(true, false, '')",
    "SELECT \"query_to_xml\"('SELECT 1', true, false, '')",
    "SELECT pg_catalog.query_to_xml('SELECT 1', true, false, '')",
    "SELECT pg_catalog.\"query_to_xml\"('SELECT 1', true, false, '')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM customer')",
    "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')",
    "SELECT set_config('statement_timeout', '1', false)",
    "SELECT current_setting('data_directory', true)",
    "SELECT nextval('customer_id_seq')",
    "SELECT setval('customer_id_seq', 1)",
    "SELECT pg_get_serial_sequence('customer', 'id')",
    "SELECT pg_advisory_lock(1), pg_advisory_unlock(1)",
    "SELECT pg_backend_pid()",
    "SELECT txid_current()",
    "SELECT pg_sleep(0)",
    "SELECT lo_create(0)",
    "SELECT pg_notify('x', 'y')",
    "SELECT pg_timezone_names()",
    "SELECT * FROM pg_timezone_names() LIMIT 1",
    "SELECT has_table_privilege('customer', 'select')",
    "SELECT obj_description(1, 'pg_class')",
    "SELECT * FROM customer_id_seq",
    "EXPLAIN SELECT * FROM customer",
    "EXPLAIN ANALYZE DELETE FROM line",
    "COPY customer TO STDOUT",
    "DECLARE c CURSOR FOR SELECT * FROM customer",
    "PREPARE p AS SELECT * FROM customer",
    "DO $$ BEGIN PERFORM 1; END $$",
    "LOCK TABLE customer",
    "SELECT * INTO TEMP copied FROM customer",
    "SET search_path = pg_catalog",
    "SET standard_conforming_strings = off",
    "SET LOCAL standard_conforming_strings = off",
    "SET backslash_quote = on",
    "SET client_encoding = 'LATIN1'",
    "SET session_replication_role = replica",
    "SET row_security = off",
    "SET ROLE app",
    "SET SESSION AUTHORIZATION app",
    "RESET ALL",
    "SHOW ALL",
    "SHOW data_directory",
    "SET LOCAL search_path TO pg_catalog",
    "DISCARD ALL",
    "LISTEN x",
    "NOTIFY x",
    "MERGE INTO setting USING country ON false WHEN NOT MATCHED THEN INSERT VALUES ('a', 'b')",
    "INSERT INTO setting (key, value) SELECT name, city FROM customer UNION SELECT key, value FROM setting ON CONFLICT DO NOTHING",
    "SELECT E'\\' FROM invoice --', count(*) FROM customer",
    "SELECT $a$ $b$ $a$, count(*) FROM customer --$b$",
    "SELECT 1 /* /* */ , (SELECT count(*) FROM invoice) */ , count(*) FROM customer",
    "SELECT '\\', count(*) FROM customer --'",
    'SELECT count(*) FROM U&"c\\0075stomer"',
    "SELECT count(*) FROM U&\"c!0075stomer\" UESCAPE '!'",
    "SELECT 1 OPERATOR(public.+) 2 FROM customer",
]


@pytest.fixture(scope="module")
def sqlite_oracle() -> SqliteOracle:
    return SqliteOracle()


@pytest.fixture(scope="module")
def postgres_oracle(postgres_server: PostgresServer) -> Iterator[PostgresOracle]:
    with contextlib.ExitStack() as stack:

        def connect(_number: int) -> psycopg.Connection:
            name = stack.enter_context(postgres_server.database())
            connection = psycopg.connect(postgres_server.dsn(name, admin=True), autocommit=False)
            stack.callback(connection.close)
            return connection

        yield PostgresOracle(connect)


def attack(oracle: Oracle, statement: str) -> None:
    """The wall holds; and without it the attack does something."""
    before = len(oracle.refused)
    oracle.check(statement, strict=False)
    refused = len(oracle.refused) > before
    if statement.split()[0] not in DATA:
        assert refused
        return
    try:
        others = oracle.dump(oracle.pool, 1, others=True)
        alone = oracle.run(oracle.singles[1], statement, None)
        bare = oracle.run(oracle.pool, statement, None)
        if bare.error is None:
            harmed = oracle.dump(oracle.pool, 1, others=True) != others
            shown = (bare.rows, bare.headings, bare.count) != (alone.rows, alone.headings, alone.count)
            # what was refused need not differ, but it has to be a statement that the database takes
            assert harmed or shown or refused, f"toothless: {statement}"
    finally:
        oracle.singles[1].rollback()
        oracle.pool.rollback()


@pytest.mark.parametrize("statement", [*BOTH, *SQLITE])
def test_sqlite(sqlite_oracle: SqliteOracle, statement: str) -> None:
    attack(sqlite_oracle, statement)


@pytest.mark.parametrize("statement", [*BOTH, *POSTGRESQL])
def test_postgresql(postgres_oracle: PostgresOracle, statement: str) -> None:
    attack(postgres_oracle, statement)


HIDDEN = [
    "SELECT tenant_id FROM customer",
    "SELECT customer.tenant_id FROM customer",
    'SELECT "tenant_id" FROM customer',
    "SELECT TENANT_ID FROM customer",
    "SELECT name AS tenant_id FROM customer",
    "SELECT id FROM customer ORDER BY tenant_id",
    "SELECT id FROM customer WHERE tenant_id = 2 OR 1 = 1",
    "SELECT count(*) FROM customer GROUP BY tenant_id",
    "SELECT * FROM customer JOIN invoice USING (tenant_id)",
    "INSERT INTO setting (key, value, tenant_id) VALUES ('a', 'b', 2)",
    "INSERT INTO setting (tenant_id, key, value) SELECT 2, key, value FROM setting",
    "INSERT INTO setting (key, value) VALUES ('title', 'b') ON CONFLICT (key) DO UPDATE SET tenant_id = 2",
    "INSERT INTO setting (key, value) VALUES ('title', 'b') ON CONFLICT (tenant_id, key) DO NOTHING",
    "INSERT INTO setting (key, value) VALUES ('q', 'b') RETURNING tenant_id",
    "UPDATE setting SET tenant_id = 2",
    "UPDATE setting SET (tenant_id, value) = (2, 'x')",
    "UPDATE setting SET value = tenant_id",
    "DELETE FROM setting WHERE tenant_id = 2",
    "DELETE FROM setting RETURNING tenant_id",
    "WITH x(tenant_id) AS (SELECT 1) SELECT * FROM x",
    "SELECT * FROM customer AS tenant_id",
]
HIDDEN_SQLITE = [
    "SELECT [tenant_id] FROM customer",
    "SELECT `Tenant_Id` FROM customer",
    "UPDATE setting SET 'tenant_id' = 2",
    "SELECT customer.'tenant_id' FROM customer",
    "INSERT INTO setting ('key', 'value', 'tenant_id') VALUES ('a', 'b', 2)",
]
HIDDEN_POSTGRESQL = [
    'SELECT U&"tenant\\005fid" FROM customer',
    "UPDATE setting SET value = (setting).tenant_id",
    "SELECT tenant_id(c) FROM customer c",
    "SELECT make_interval(tenant_id => 1)",
]


@pytest.mark.parametrize("statement", [*HIDDEN, *HIDDEN_SQLITE])
def test_the_tenant_column_on_sqlite(sqlite_oracle: SqliteOracle, statement: str) -> None:
    with pytest.raises(StatementRefusedError):
        sqlite_oracle.raw.statement(statement, "qmark")


@pytest.mark.parametrize("statement", [*HIDDEN, *HIDDEN_POSTGRESQL])
def test_the_tenant_column_on_postgresql(postgres_oracle: PostgresOracle, statement: str) -> None:
    with pytest.raises(StatementRefusedError):
        postgres_oracle.raw.statement(statement, "none")


def test_the_tenant_column_has_an_error_of_its_own(sqlite_oracle: SqliteOracle) -> None:
    with pytest.raises(HiddenColumnError) as caught:
        sqlite_oracle.raw.statement("SELECT id,\n  Tenant_ID FROM customer", "qmark")
    assert caught.value.position == 13
    assert caught.value.statement == "SELECT id,\n  Tenant_ID FROM customer"
    assert "line 2, column 3" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM customer\u00a0WHERE 1=1",
        "SELECT id FROM\u2003customer",
        "SELECT id FROM\u3000customer",
        "SELECT id FROM customer\ufeff",
        "\ufeffSELECT id FROM customer",
        "SELECT id FROM customer\u200b",
        "SELECT id FROM customer\x00 WHERE 1=1",
        "SELECT '\x00' FROM customer",
        "SELECT id FROM customer\x0bWHERE 1=1",
        "SELECT id FROM customer\x1f",
        "SELECT id FROM customer\x7f",
        "SELECT id FROM customer\x85WHERE 1=1",
        "\u017felect id FROM customer",
        "SELECT id \u017fROM customer",
        "SELECT id FROM \u212aunde",
        "SELECT id FROM customer WHERE name = 'x",
        'SELECT id FROM customer WHERE "name = 1',
        "SELECT id FROM customer /* open",
        "SELECT (id FROM customer",
        "SELECT id) FROM customer",
        "SELECT [id FROM customer",
        "SELECT id FROM customer; DELETE FROM line",
        "SELECT id FROM customer;;",
        "; SELECT id FROM customer",
        "SELECT id FROM customer; --\n; DELETE FROM line",
        "",
        "   ",
        "-- nothing",
        ";",
        "SELECT id FROM customer WHERE id = 1abc",
        "SELECT '\x01' FROM customer",
        "SELECT id FROM nowhere",
        "SELECT id FROM tenancy_tenants",
        "SELECT id FROM other.customer",
        "SELECT id FROM a.b.customer",
        "SELECT no_such_function(1)",
        "SELECT public.lower('x')",
        "CREATE TABLE x (a int)",
        "DROP TABLE customer",
        "TRUNCATE customer",
        "ALTER TABLE customer ADD COLUMN x int",
        "VACUUM",
        "GRANT SELECT ON customer TO public",
        "CREATE TEMP TABLE x AS SELECT * FROM customer",
        "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_never_reaches_a_database(dialect: str, text: str) -> None:
    raw = RawSql(dialect, WorldViews(dialect))  # type: ignore[arg-type]
    for placeholders in ("qmark", "none", "format", "text"):
        with pytest.raises(REFUSED):
            raw.statement(text, placeholders)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "placeholders"),
    [
        ("SELECT '%s' FROM customer", "format"),
        ('SELECT "%s" FROM customer', "format"),
        ("SELECT 1 -- %s\n FROM customer", "format"),
        ("SELECT 1 /* %(x)s */ FROM customer", "format"),
        ("SELECT $$ %s $$ FROM customer", "format"),
        ("SELECT E%s FROM customer", "format"),
        ("SELECT 'a'%s FROM customer", "format"),
        ("SELECT E'a'\n%s FROM customer", "format"),
        ("SELECT E'a'\n'b\\' FROM customer --'", "none"),
        ("SELECT %s%s FROM customer", "format"),
        ("SELECT %s.id FROM customer", "format"),
        ("SELECT id FROM %s", "format"),
        ("SELECT id FROM customer AS %s", "format"),
        ("SELECT id FROM customer JOIN %s ON 1=1", "format"),
        ("SELECT %s(id) FROM customer", "format"),
        ("SELECT id::%s FROM customer", "format"),
        ("SELECT CAST(id AS %s) FROM customer", "format"),
        ("INSERT INTO %s (a) VALUES (1)", "format"),
        ("INSERT INTO setting (%s) VALUES (1)", "format"),
        ("UPDATE setting SET %s = 1", "format"),
        ("SELECT 100 % 3 FROM customer", "format"),
        ("SELECT id FROM customer WHERE name LIKE 'a%'", "format"),
        ("SELECT $1 FROM customer", "format"),
        ("SELECT $1 FROM customer", "text"),
        ("SELECT ':x' FROM customer", "text"),
        ("SELECT 1 -- :x\n FROM customer", "text"),
        ("SELECT 1::int FROM customer WHERE id = :id::int", "text"),
        ("SELECT a\\::int FROM customer", "text"),
        ("SELECT :a:b FROM customer", "text"),
        ("SELECT id FROM :x", "text"),
    ],
)
def test_placeholders_where_they_do_not_belong(text: str, placeholders: str) -> None:
    raw = RawSql("postgresql", WorldViews("postgresql"))
    with pytest.raises(StatementRefusedError):
        raw.statement(text, placeholders)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "placeholders"),
    [
        ("SELECT $x(rowid) FROM customer", "qmark"),
        ("SELECT $x::y FROM customer", "qmark"),
        ("SELECT ? FROM customer", "text"),
        ("SELECT @x FROM customer", "text"),
        ("SELECT id FROM ?", "qmark"),
        ("SELECT ? FROM customer", "none"),
        ("SELECT #1 FROM customer", "qmark"),
    ],
)
def test_placeholders_where_they_do_not_belong_on_sqlite(text: str, placeholders: str) -> None:
    raw = RawSql("sqlite", WorldViews("sqlite"))
    with pytest.raises(StatementRefusedError):
        raw.statement(text, placeholders)  # type: ignore[arg-type]


def test_errors_do_not_show_the_rewritten_text(sqlite_oracle: SqliteOracle) -> None:
    for statement in [*HIDDEN, "SELECT rowid FROM customer", "SELECT * FROM nowhere"]:
        with pytest.raises(RefusedError) as caught:
            sqlite_oracle.raw.statement(statement, "qmark")
        assert 'WHERE "' not in str(caught.value)
        assert getattr(caught.value, "statement", statement) == statement


def test_central_work_reads_all_and_writes_shared_tables_only() -> None:
    for dialect in ("sqlite", "postgresql"):
        raw = RawSql(dialect, WorldViews(dialect))  # type: ignore[arg-type]
        text = "SELECT tenant_id, count(*), max(customer.tenant_id) FROM customer GROUP BY tenant_id"
        found = raw.central(text, "qmark")
        assert found.parts == (text,)
        assert [view.name for view in found.reads] == ["customer"]
        assert raw.central("UPDATE country SET name = 'x'", "qmark").writes
        for refused in (
            "UPDATE customer SET name = 'x'",
            "DELETE FROM line",
            "INSERT INTO setting VALUES ('a', 'b')",
            "WITH x AS (SELECT 1) DELETE FROM line",
        ):
            with pytest.raises(CentralRefusedError):
                raw.central(refused, "qmark")
        with pytest.raises(StatementRefusedError):
            raw.central("SELECT * FROM tenancy_tenants", "qmark")


def test_sqlite_takes_what_is_refused_here() -> None:
    """A control: names in odd quotes are names to SQLite."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (tenant_id, a)")
    connection.execute("INSERT INTO 't' ('tenant_id', 'a') VALUES (1, 2)")
    connection.execute("UPDATE 't' SET 'tenant_id' = 5")
    assert connection.execute("SELECT t.'tenant_id' FROM 't'").fetchall() == [(5,)]
