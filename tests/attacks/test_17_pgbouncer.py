"""Class 17 behind pgbouncer in transaction mode: after each transaction, the connection to the server is another's.

What stays on it would be the next tenant's; closing our own connection to the pooler, as the wall does elsewhere, takes
nothing away. Each attack is first shown to work without the wall.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import psycopg
import psycopg2.extensions
import pytest
import sqlalchemy as sa

from flask_tenant.errors import RefusedError, StatementRefusedError
from tests.attacks.pooled import (
    Site,
    expected,
)
from tests.attacks.test_17_pools import SETTINGS
from tests.attacks.world import WAYS, foreign_words, run

# ---- prepared statements
OF_TENANT = "SELECT name FROM customer WHERE tenant_id = %s AND id = %s"
OF_ID = "SELECT name FROM customer WHERE id = %s AND tenant_id = %s"


def cross(one: Callable[[], Any], two: Callable[[], Any], commits: list[Callable[[], Any]]) -> Any:
    """Let two clients, each on a connection to the server of its own, run a statement; and the first one again on
    that of the second, which gave it back last.
    """
    one(), two()
    for commit in commits:
        commit()
    return one()


def test_prepared_statements_of_drivers_have_teeth(pooled_site: Site) -> None:
    """Two clients prepare different statements under one name: the first runs the second's, with its own values."""
    mine, theirs = pooled_site.ids["acme"], pooled_site.ids["bella"]
    assert (mine, theirs) == (1, 2)
    with pooled_site.bare(prepare_threshold=0) as one, pooled_site.bare(prepare_threshold=0) as two:
        found = cross(
            lambda: one.execute(OF_TENANT, [mine, 2]).fetchall(),
            lambda: two.execute(OF_ID, [2, theirs]).fetchall(),
            [one.commit, two.commit],
        )
    pooled_site.clean()
    assert found == [("canary-bella-1",)], "acme asked for its customer 2"


def test_drivers_prepare_nothing(pooled: Site) -> None:
    with pooled.as_("acme"), pooled.engine.connect() as mine:
        one = mine.connection.cursor()
        with pooled.as_("bella"), pooled.engine.connect() as theirs:
            two = theirs.connection.cursor()

            def ask(cursor: Any, sql: str) -> Any:
                cursor.execute(sql, (2,))
                return cursor.fetchall()

            def as_acme() -> Any:
                with pooled.as_("acme"):
                    return ask(one, "SELECT name FROM customer WHERE id = %s")

            found = cross(
                as_acme,
                lambda: ask(two, "SELECT email FROM customer WHERE id = %s"),
                [mine.connection.commit, theirs.connection.commit],
            )
        assert [tuple(row) for row in found] == [("canary-acme-2",)]
        mine.connection.commit()
        driver: Any = mine.connection.driver_connection
        if isinstance(driver, psycopg.Connection):
            with pytest.raises(StatementRefusedError, match="prepare_threshold = 0, behind a pooler"):
                driver.prepare_threshold = 0
            driver.prepare_threshold = None
            one.execute("SELECT name FROM customer", prepare=True)
            assert len(one.fetchall()) == 2
            one.executemany("UPDATE visit SET hits = hits WHERE hits = %s", [(n,) for n in range(9)])
            with driver.pipeline():
                one.execute("SELECT name FROM customer WHERE id = %s", (1,))
                assert [tuple(row) for row in one.fetchall()] == [("canary-acme-1",)]
            mine.connection.commit()
    assert pooled.look("SELECT name FROM pg_prepared_statements") == "[[], []]"


# ---- what lasts on the server's connection
LASTING: dict[str, tuple[str, str]] = {
    "temporary table": ("CREATE TEMP TABLE loot AS SELECT * FROM customer", "SELECT name FROM loot"),
    "select into": ("SELECT * INTO TEMPORARY loot FROM customer", "SELECT name FROM loot"),
    "temporary view": ("CREATE TEMP VIEW loot AS SELECT * FROM customer", "SELECT name FROM loot"),
    "temporary sequence": ("CREATE TEMP SEQUENCE loot", "SELECT nextval('loot')"),
    "shadow": ("CREATE TEMP TABLE customer AS SELECT 'forged'::text AS name", "SELECT name FROM customer"),
    "search_path": ("SET search_path = elsewhere", "SHOW search_path"),
    "session search_path": ("SET SESSION search_path TO elsewhere", "SHOW search_path"),
    "schema": ("SET SCHEMA 'elsewhere'", "SHOW search_path"),
    "set_config": ("SELECT set_config('search_path', 'elsewhere', false)", "SHOW search_path"),
    "own setting": ("SELECT set_config('app.tenant', '1', false)", "SELECT current_setting('app.tenant')"),
    "set own setting": ("SET app.other = '1'", "SELECT current_setting('app.other')"),
    "role": ("SET ROLE pg_monitor", "SELECT current_user::text"),
    "read only": ("SET default_transaction_read_only = on", "SHOW default_transaction_read_only"),
    "characteristics": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SHOW default_transaction_read_only",
    ),
    "planner": ("SET enable_seqscan = off", "SHOW enable_seqscan"),
    "strings": ("SET backslash_quote = on", "SHOW backslash_quote"),
    "advisory lock": ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)"),
    "advisory try": ("SELECT pg_try_advisory_lock_shared(7)", "SELECT pg_advisory_unlock_shared(7)"),
    "prepared": ("PREPARE loot AS SELECT name FROM customer", "EXECUTE loot"),
    "with hold": ("DECLARE loot CURSOR WITH HOLD FOR SELECT name FROM customer", "FETCH ALL FROM loot"),
    "listen": ("LISTEN loot", "SELECT pg_listening_channels()"),
    "seed": ("SELECT setseed(0.5)", "SELECT random()"),
    "sequence": ("SELECT nextval('customer_id_seq')", "SELECT lastval()"),
}
LASTING |= {
    name: (change, show)
    for name, (change, show) in SETTINGS.items()
    # The rest are those that pgbouncer itself puts right for each client.
    if name not in ("time zone", "timezone", "datestyle", "application_name")
}


def test_what_lasts_is_refused(pooled: Site) -> None:
    """Nothing of it is there for another client."""
    for name, (attack, look) in LASTING.items():
        before = pooled.look(look)
        for way in WAYS:
            with pooled.as_("acme"), pooled.engine.connect() as connection:
                refusal = run(connection, attack, way).error
                assert isinstance(refusal, RefusedError), (name, way, refusal)
                assert not any(word in str(refusal) for word in foreign_words())
                connection.commit()
        if name != "seed":  # that shows in nothing but what comes next
            assert pooled.look(look) == before, name


def test_what_lasts_has_teeth(pooled_site: Site) -> None:
    """Without the wall it is there for another client."""
    with pooled_site.admin() as admin:
        admin.execute("GRANT pg_monitor TO app")
    for name, (attack, look) in LASTING.items():
        before = pooled_site.look(look)
        with pooled_site.bare() as client:
            client.execute(attack)
            client.commit()
        assert pooled_site.look(look) != before, name
        pooled_site.clean()
        if name not in ("seed", "sequence", "own setting", "set own setting"):
            assert pooled_site.look(look) == before, f"{name} is still there for the next attack"


def test_settings_are_refused_even_where_pgbouncer_puts_them_right(pooled: Site) -> None:
    """Which ones it does is a matter of its version and configuration."""
    for (change, show), way in product(SETTINGS.values(), WAYS):
        with pooled.as_("acme"), pooled.engine.connect() as connection:
            before = connection.exec_driver_sql(show).scalar()
            refusal = run(connection, change, way).error
            assert isinstance(refusal, StatementRefusedError), change
            assert "behind a pooler" in str(refusal)
            assert "SET LOCAL" in str(refusal)
            assert connection.exec_driver_sql(show).scalar() == before
    for way in WAYS:
        with pooled.as_("acme"), pooled.engine.connect() as connection:
            assert isinstance(run(connection, "RESET statement_timeout", way).error, StatementRefusedError)


def test_settings_of_a_transaction(pooled: Site) -> None:
    before = pooled.look("SHOW statement_timeout")
    for way in WAYS:
        with pooled.as_("acme"), pooled.engine.connect() as connection:
            assert run(connection, "SET LOCAL statement_timeout = 5000", way).error is None
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "5s", "no teeth"
            connection.commit()
        assert pooled.look("SHOW statement_timeout") == before


def test_settings_outside_any_tenant(pooled: Site) -> None:
    """A migration's would be there for tenants."""
    from flask_tenant import central_context

    with central_context(reason="test", app=pooled.app), pooled.engine.connect() as connection:
        for way in WAYS:
            refusal = run(connection, "SET lock_timeout = 5000", way).error
            assert isinstance(refusal, StatementRefusedError)
    assert pooled.look("SHOW lock_timeout") == "[[('0',)], [('0',)]]"


READ_ONLY = "SHOW default_transaction_read_only"
OFF = "[[('off',)], [('off',)]]"


def test_what_psycopg2_sets_past_its_cursors(pooled: Site) -> None:
    """In autocommit it makes settings of the session of what it else sends with BEGIN."""
    if pooled.engine.dialect.driver != "psycopg2":  # psycopg 3 does not
        with pooled.as_("acme"), pooled.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.autocommit = True
            driver.read_only = True
            connection.exec_driver_sql("SELECT name FROM customer")
            driver.read_only, driver.autocommit = None, False
        assert pooled.look(READ_ONLY) == OFF
        return
    with pooled.as_("acme"), pooled.engine.connect() as connection:
        driver = connection.connection.driver_connection
        attempts: list[Callable[[], Any]] = [
            lambda: driver.set_session(readonly=True, autocommit=True),
            lambda: driver.set_session(None, True, None, True),
            lambda: driver.set_session("serializable", autocommit=True),
        ]
        for attempt in attempts:
            with pytest.raises(StatementRefusedError, match="behind a pooler"):
                attempt()
        driver.autocommit = True
        for name, value in (("readonly", True), ("deferrable", True), ("isolation_level", 3)):
            with pytest.raises(StatementRefusedError, match="behind a pooler"):
                setattr(driver, name, value)
        with pytest.raises(StatementRefusedError, match="behind a pooler"):
            driver.set_session(readonly=True)
        driver.autocommit = False
        driver.set_session(readonly=True)  # with BEGIN
        with pytest.raises(sa.exc.InternalError, match="read-only"):
            connection.exec_driver_sql("UPDATE visit SET hits = hits")
        connection.invalidate()
    loose = pooled.engine.execution_options(isolation_level="AUTOCOMMIT", postgresql_readonly=True)
    with pooled.as_("acme"), pytest.raises(StatementRefusedError, match="behind a pooler"), loose.connect():
        pass
    assert pooled.look(READ_ONLY) == OFF
    bare = psycopg2.connect(pooled.pooler.dsn(pooled.database))
    bare.set_session(readonly=True, autocommit=True)
    bare.close()
    after = pooled.look(READ_ONLY)
    pooled.clean()
    assert after != OFF, "no teeth"


def test_cursors_that_outlive_their_transaction(pooled: Site) -> None:
    with pooled.as_("acme"), pooled.engine.connect() as connection:
        with pytest.raises(StatementRefusedError, match="WITH HOLD"):
            connection.connection.cursor("loot", withhold=True)
        cursor = connection.connection.cursor("mine")
        cursor.execute("SELECT name FROM customer")
        assert cursor.fetchone()[0] in expected("acme")
        connection.connection.commit()
        with pooled.as_("bella"), pooled.engine.connect() as theirs:
            named = theirs.connection.cursor("mine")  # on the connection that was acme's
            named.execute("SELECT name FROM customer")
            with pytest.raises((psycopg.Error, psycopg2.Error)):
                with pooled.as_("acme"):
                    cursor.fetchall()
            assert {row[0] for row in named} == expected("bella")
