"""Class 1, allow-list: what is not known to stay inside the tenant is refused.

Many of these arrive through an SQL injection in the application's own text. Row level security, which stops some of
them a second time on PostgreSQL, comes with a later issue.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.errors import DdlRefusedError, HiddenColumnError, StatementRefusedError
from flask_tenant.isolate.rawsql import RawSql
from flask_tenant.model import TableView
from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import WAYS, Way, World
from tests.rawsql.world import WorldViews

WHOLE_TABLES = attacks(
    """
SELECT * FROM customer

SELECT count(*) FROM customer

SELECT (SELECT count(*) FROM visit), (SELECT max(name) FROM customer)

SELECT name FROM customer UNION SELECT value FROM setting

SELECT name FROM customer EXCEPT SELECT name FROM customer WHERE id = 1

WITH x AS (SELECT * FROM customer) SELECT count(*) FROM x

SELECT c.name, i.number FROM customer c JOIN invoice i ON i.customer_id = c.id

SELECT c.name, i.number FROM customer c LEFT JOIN invoice i ON i.customer_id = c.id

SELECT name FROM customer WHERE EXISTS (SELECT 1 FROM invoice WHERE invoice.customer_id = customer.id)

DELETE FROM visit

UPDATE customer SET note = 'gone'

UPDATE customer SET balance = balance + (SELECT count(*) FROM customer)

DELETE FROM invoice WHERE customer_id IN (SELECT id FROM customer)
""",
    answered=True,
)

REFUSED_SQLITE = attacks(
    """
EXPLAIN SELECT * FROM customer

EXPLAIN QUERY PLAN DELETE FROM visit

PRAGMA table_info(customer)

PRAGMA writable_schema = ON

PRAGMA journal_mode = DELETE

PRAGMA case_sensitive_like = ON

SELECT * FROM pragma_table_info('customer')

SELECT * FROM sqlite_master

SELECT * FROM main.sqlite_schema

SELECT last_insert_rowid(), changes(), total_changes()

CREATE TABLE loot AS SELECT * FROM customer

CREATE TEMP TABLE loot AS SELECT * FROM customer

CREATE VIEW loot AS SELECT * FROM customer

CREATE TRIGGER trap AFTER INSERT ON visit BEGIN DELETE FROM visit; END

ALTER TABLE customer ADD COLUMN loot text

DROP TABLE country

SELECT * FROM tenancy_tenant

UPDATE tenancy_tenant SET name = 'x'
""",
    "runs",
    answered=False,
) + attacks(
    """
ATTACH ':memory:' AS x

DETACH main

VACUUM

VACUUM INTO '/dev/null'

SELECT load_extension('x')

SELECT readfile('x')

SELECT fts3_tokenizer('x')

SELECT * FROM dbstat

SELECT * FROM sqlite_dbpage

SELECT edit('x')

SELECT eval('SELECT 1')

SELECT 1; DELETE FROM visit

REINDEX nowhere
""",
    "none",
    answered=False,
)  # fmt: skip

REFUSED_POSTGRESQL = attacks(
    """
SELECT query_to_xml('SELECT * FROM customer', true, false, '')

SELECT table_to_xml('customer', true, false, '')

SELECT database_to_xml(true, false, '')

SELECT xpath('/x', query_to_xml('SELECT 1', true, true, ''))

SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM customer')

SELECT set_config('statement_timeout', '0', false)

SELECT current_setting('search_path')

SELECT nextval('customer_id_seq')

SELECT setval('customer_id_seq', 100)

SELECT last_value FROM customer_id_seq

SELECT pg_relation_size('customer')

SELECT pg_advisory_lock(1)

SELECT pg_notify('a', 'b')

SELECT pg_sleep(0)

SELECT pg_backend_pid()

SELECT txid_current()

SELECT pg_get_serial_sequence('customer', 'id')

SELECT has_table_privilege('customer', 'select')

SELECT * FROM information_schema.columns

SELECT * FROM pg_catalog.pg_class

SELECT * FROM pg_locks

EXPLAIN SELECT * FROM customer

EXPLAIN ANALYZE DELETE FROM visit

DO $$ BEGIN DELETE FROM visit; END $$

PREPARE x AS SELECT * FROM customer

DECLARE c CURSOR FOR SELECT * FROM customer

LOCK TABLE customer

TRUNCATE visit

MERGE INTO visit v USING (VALUES (1)) x(n) ON v.hits = x.n WHEN MATCHED THEN DELETE

CREATE TABLE loot AS SELECT * FROM customer

CREATE TEMP TABLE loot AS SELECT * FROM customer

SELECT * INTO loot FROM customer

CREATE VIEW loot AS SELECT * FROM customer

CREATE FUNCTION loot() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM customer'

ALTER TABLE visit RENAME TO loot

DROP TABLE visit

GRANT ALL ON customer TO PUBLIC

COMMENT ON TABLE customer IS 'x'

LISTEN x

NOTIFY x, 'y'

DISCARD PLANS

RESET ALL

SET ROLE NONE

SET SESSION AUTHORIZATION DEFAULT

SET row_security = off

SET session_replication_role = DEFAULT

SELECT * FROM tenancy_tenant

UPDATE tenancy_tenant SET slug = 'x'
""",
    "none",
    answered=False,
) + attacks(
    """
SELECT 1; DELETE FROM visit

COPY customer TO STDOUT

COPY visit FROM STDIN

COPY customer TO PROGRAM 'true'

SELECT pg_read_file('PG_VERSION')

SELECT lo_import('/etc/hostname')

SELECT dblink('x', 'SELECT 1')

SELECT pg_terminate_backend(1)

SELECT pg_switch_wal()

VACUUM

CLUSTER

CHECKPOINT

LOAD 'auto_explain'

ALTER SYSTEM SET work_mem = '1MB'

PREPARE TRANSACTION 'x'

COMMIT PREPARED 'x'

EXECUTE x

FETCH ALL FROM x

CLOSE ALL

CALL x()
""",
    "none",
    answered=False,
)  # fmt: skip


@parametrize(WHOLE_TABLES)
def test_whole_tables(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_sqlite
@parametrize(REFUSED_SQLITE)
def test_refused_sqlite(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_postgresql
@parametrize(REFUSED_POSTGRESQL)
def test_refused_postgresql(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_postgresql
def test_the_control_of_what_is_refused(world: World) -> None:
    """What PostgreSQL would have done: half of the list above runs past the wall as the application's own role."""
    ran = [
        attack.sql
        for attack in REFUSED_POSTGRESQL
        if not attack.sql.startswith(("COPY", "SELECT 1;", "ALTER TABLE visit", "DROP"))
        and world.bite(attack.sql, "driver").error is None
    ]
    assert len(ran) > len(REFUSED_POSTGRESQL) // 2, ran


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "template", ["SELECT id, name FROM customer WHERE name = '{}'", "DELETE FROM visit WHERE page = '{}'"]
)
@pytest.mark.parametrize(
    "evil",
    [
        "' OR 1=1 --",
        "' OR '1'='1",
        "' OR tenant_id = 2 --",
        "' OR tenant_id <> 1 OR 'x' = '",
        "'; DELETE FROM visit; --",
        "'; UPDATE visit SET hits = 0; SELECT '1",
        "' UNION SELECT hits, page FROM visit --",
        "' UNION SELECT id, email FROM customer --",
        "' UNION ALL SELECT 1, (SELECT page FROM visit WHERE tenant_id = 2) --",
        "' AND 1 = (SELECT count(*) FROM tenancy_tenant) --",
        "' OR EXISTS (SELECT 1 FROM customer WHERE name LIKE 'canary-bella%') --",
        "\\' OR 1=1 --",
        "'/**/OR/**/1=1/**/--",
        "' OR 1=1 /*",
        "' OR 1=1) OR (1=1 --",
        "' RETURNING *, tenant_id --",
        "' OR hits IN (SELECT id FROM customer) --",
        "' OR CASE WHEN (SELECT count(*) FROM customer) > 2 THEN 1/0 ELSE 1 END = 1 --",
    ],
)
def test_injection(world: World, template: str, evil: str, way: Way) -> None:
    """The application puts what a visitor sends into its text: it harms this tenant at most."""
    world.withstands(template.format(evil), way)


def test_injection_has_teeth(world: World) -> None:
    for template in (
        "SELECT id, name FROM customer WHERE name = '{}'",
        "DELETE FROM visit WHERE page = '{}'",
    ):
        assert world.has_teeth(template.format("' OR 1=1 --"))
    assert world.has_teeth(
        "SELECT id, name FROM customer WHERE name = '' UNION SELECT hits, page FROM visit --'"
    )
    assert world.has_teeth("DELETE FROM visit WHERE page = '' OR tenant_id <> 1 OR 'x' = ''")


def test_what_is_refused_says_so(world: World) -> None:
    """The error names the place in the caller's own text, and what to do."""
    refused = world.attack("SELECT id FROM customer WHERE id = nowhere(id)").error
    assert isinstance(refused, StatementRefusedError)
    assert refused.hint
    assert refused.position is not None
    assert "nowhere" in str(refused)
    assert isinstance(world.attack("DROP TABLE visit").error, DdlRefusedError)


def test_a_function_named_as_safe_is_called(world: World) -> None:
    """The list is extensible by configuration only: a quoted or qualified spelling is not another function."""
    for spelling in ("abs(1)", "ABS(1)", '"abs"(1)'):
        world.withstands(f"SELECT {spelling}", answered=True)
    for spelling in ("nowhere(1)", '"nowhere"(1)', "public.abs(1)", "main.abs(1)"):
        assert world.attack(f"SELECT {spelling} FROM customer").refused, spelling


def test_core_functions_are_held_to_the_same_list(world: World) -> None:
    names = ["query_to_xml", "set_config", "load_extension", "nextval"]
    for name in names:
        with world.as_(), world.engine.connect() as connection, pytest.raises(StatementRefusedError):
            connection.execute(sa.select(getattr(sa.func, name)("x")))


BEFORE_ANY_DATABASE = {
    "postgresql": [
        "SELECT id FROM customer WHERE id OPERATOR(public.=) 1",
        "SELECT pg_catalog.regclass 'customer'",
        "SELECT NULL::pg_class",
        "SELECT NULL::information_schema.tables",
        "SELECT elsewhere.customer.id FROM customer",
        "UPDATE line SET qty = 1 FROM (invoice CROSS JOIN product) RETURNING *",
        "SET client_encoding = 'SJIS'",
        "SET work_mem = '1MB'",
        "SET TRANSACTION SNAPSHOT 'x'",
        "SELECT E'a'\n'b' FROM customer",
        "UPDATE line SET qty = 1 RETURNING row_to_json(line.*)",
        "UPDATE line SET qty = (SELECT count(line.*))",
        "DELETE FROM line RETURNING xmax = 5",
        "DELETE FROM line RETURNING old.ctid",
        "DELETE FROM line RETURNING old",
        "DELETE FROM line RETURNING row_to_json(new)",
        "UPDATE line SET qty = 1 RETURNING (SELECT old)",
        "INSERT INTO line (qty) SELECT 1 RETURNING new.*",
        "INSERT INTO setting TABLE setting",
        "SELECT pg_catalog.regclass 'customer'",
        "SELECT \"regclass\" 'customer'",
        "SELECT '{customer}'::_regclass",
        "SELECT CAST(NULL AS _customer)",
    ],
    "sqlite": [
        'SELECT "cast"(1 AS text)',
        "PRAGMA temp.cache_size",
        "SELECT elsewhere.customer.id FROM customer",
    ],
}


@pytest.mark.parametrize("dialect", BEFORE_ANY_DATABASE)
def test_refused_before_any_database_is_asked(dialect: Any) -> None:
    """Some of it is not in PostgreSQL 15 yet: RETURNING knows the row as it was since 18."""
    raw = RawSql(dialect, WorldViews(dialect))
    for statement in BEFORE_ANY_DATABASE[dialect]:
        with pytest.raises(StatementRefusedError):
            raw.statement(statement, "none")
    assert raw.statement("DELETE FROM line RETURNING id", "none").parts
    if dialect == "postgresql":  # which takes fewer values than there are columns
        assert '("id", "invoice_id", "tenant_id")' in raw.statement(
            "INSERT INTO line VALUES (1, 2)", "none"
        ).sql("1")
    if dialect == "postgresql":
        insert = "INSERT INTO line (qty) VALUES (1) ON CONFLICT (id) DO UPDATE SET qty = 2 RETURNING xmax = 0"
        assert raw.statement(insert, "none").parts
        assert raw.statement(
            "UPDATE line SET qty = 1 FROM product AS old RETURNING old.id, old", "none"
        ).parts


def test_names_that_only_look_alike() -> None:
    """PostgreSQL shows a common table expression to those behind it only, and cuts long names off."""
    raw = RawSql("postgresql", WorldViews("postgresql"))
    early = "WITH a AS (SELECT id FROM customer), customer AS (SELECT 1 AS id) SELECT * FROM a, customer"
    assert raw.statement(early, "none").sql("7").count('"tenant_id" = 7') == 1
    with pytest.raises(StatementRefusedError):
        raw.statement('SELECT id AS "a%%b" FROM customer', "format")
    with pytest.raises(StatementRefusedError):
        raw.fragment("customer.row_to_json", "columns")
    nobody_elses = "INSERT INTO setting (key, value) SELECT setting, 'new' FROM (SELECT 'k' AS setting) AS q"
    assert raw.statement(nobody_elses, "none").parts, (
        "the table that is written is not among what a query sees"
    )
    each_its_own = (
        "WITH a AS (DELETE FROM line USING invoice i WHERE i.id = line.invoice_id RETURNING line.id), "
        "b AS (UPDATE setting SET value = c.name FROM customer c RETURNING value) SELECT count(*) FROM a, b"
    )
    assert raw.statement(each_its_own, "none").sql("7").count('"tenant_id" = 7') == 4
    joined = "SELECT id, (SELECT name FROM (SELECT 'x' AS name) z) FROM (category CROSS JOIN (SELECT 1) y) AS j GROUP BY id"
    assert raw.statement(joined, "none").sql("7").endswith("GROUP BY id")
    renamed = raw.statement("SELECT c.id, c.b FROM category AS c(id, parent_id, b) GROUP BY c.id", "none")
    assert renamed.sql("7").endswith(
        "GROUP BY c.id"
    )  # which is an error, as it is to a database of one's own
    # A bare table has a row address, which newer versions of SQLite find behind eight subqueries as well.
    many = RawSql("sqlite", WorldViews("sqlite"))
    others = ", (SELECT 1)" * 8
    assert 'FROM "main"."line" AS line' in many.statement(f"SELECT qty FROM line{others}", "none").sql("7")
    derived = many.statement(f"SELECT (SELECT 1 AS rowid), rowid FROM line{others}", "none").sql("7")
    assert 'FROM "main"."line" WHERE' in derived
    long = RawSql("postgresql", WorldViews("postgresql"), column="a" * 63)
    with pytest.raises(HiddenColumnError):
        long.statement(f"SELECT {'a' * 64} FROM customer", "none")


class Masking:
    """What rules add, of the smallest kind: they hide the note of invoices."""

    covered, filtered = frozenset({"note"}), False

    def of(self, view: TableView | None) -> Any:
        return self if view is not None and view.name == "invoice" else None

    def tells(self, tokens: Any) -> bool:
        return False

    def keeps(self, column: Any, value: Any) -> str:
        return ""

    def shows(self, name: str, column: Any, value: Any) -> str | None:
        return "'hidden'" if name == "note" else None


@pytest.mark.parametrize(
    ("source", "sure"),
    [
        ("customer", True),
        ("invoice AS other(a, b, c, d, e, f, g)", False),
        ("(SELECT 1 AS one) AS other", False),
        ("(invoice AS other CROSS JOIN customer) AS j", False),
    ],
)
def test_what_rules_mask_is_masked_wherever_it_is_named(source: str, sure: bool) -> None:
    """A name in a subquery may mean the column of the table around it."""
    raw = RawSql("postgresql", WorldViews("postgresql")).overlaid(Masking())
    statement = f"UPDATE invoice SET number = (SELECT note FROM {source} LIMIT 1)"
    if sure:
        assert "SELECT ('hidden') FROM" in raw.statement(statement, "none").sql("1")
    else:
        with pytest.raises(StatementRefusedError, match="not certain"):
            raw.statement(statement, "none")
    qualified = statement.replace("SELECT note", "SELECT invoice.note")
    assert "SELECT ('hidden') FROM" in raw.statement(qualified, "none").sql("1")
