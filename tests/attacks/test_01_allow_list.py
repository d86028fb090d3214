"""Class 1, allow-list: what is not known to stay inside the tenant is refused.

Many of these arrive through an SQL injection in the application's own text. Row level security, which stops some of
them a second time on PostgreSQL, comes with a later issue.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flask_tenant.errors import DdlRefusedError, StatementRefusedError
from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import WAYS, Way, World

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
