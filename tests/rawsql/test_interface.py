# ruff: noqa: E501 - statements and what they give stand on one line
"""The public face: kinds, placeholders, ids, cache."""

from __future__ import annotations

import dataclasses
import threading
import timeit
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import psycopg2
import pytest
from sqlalchemy import bindparam, create_engine
from sqlalchemy import text as sql_text
from sqlalchemy.dialects import postgresql, sqlite

from flask_tenant.errors import ConfigurationError, DdlRefusedError, StatementRefusedError
from flask_tenant.isolate.rawsql import CACHE_TEXT_LENGTH, RawSql
from flask_tenant.model import TableView
from tests.rawsql.oracle import PostgresOracle, SqliteOracle
from tests.rawsql.world import WorldViews
from tests.services.postgres import PostgresServer


@pytest.fixture
def lite() -> RawSql:
    return RawSql("sqlite", WorldViews("sqlite"))


@pytest.fixture
def post() -> RawSql:
    return RawSql("postgresql", WorldViews("postgresql"))


# ---- statements without tables
TRANSACTIONS = [
    "BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOINT sp_1", "RELEASE SAVEPOINT sp_1", "RELEASE sp_1",
    "ROLLBACK TO SAVEPOINT sp_1", "ROLLBACK TRANSACTION TO sp_1", "COMMIT TRANSACTION;", 'SAVEPOINT "odd one"',
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "text", "kind"),
    [
        *((d, t, "transaction") for d in ("sqlite", "postgresql") for t in TRANSACTIONS),
        *(("sqlite", t, "transaction") for t in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE TRANSACTION", "begin deferred")),
        *(
            ("postgresql", t, "transaction")
            for t in (
                "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE", "BEGIN READ WRITE", "ABORT",
                "COMMIT AND CHAIN", "ROLLBACK AND NO CHAIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "SET CONSTRAINTS ALL DEFERRED", "BEGIN WORK",
            )
        ),
        *(
            ("sqlite", t, "setting")
            for t in (
                "PRAGMA foreign_keys", "PRAGMA foreign_keys = ON", "PRAGMA foreign_keys(1)", "PRAGMA main.journal_mode=WAL",
                "PRAGMA busy_timeout = 5000", "PRAGMA cache_size = -2000", "pragma synchronous=normal",
            )
        ),
        *(
            ("postgresql", t, "setting")
            for t in (
                "SET statement_timeout = 1000", "SET LOCAL statement_timeout TO '5s'", "SET SESSION lock_timeout = '1s'",
                "SET TIME ZONE 'UTC'", "SET timezone TO 'Europe/Zurich'", "SET application_name = 'x'",
                "SET datestyle = ISO, DMY", "SET client_encoding = 'UTF8'", "SHOW timezone", "SHOW standard_conforming_strings",
                "SHOW TRANSACTION ISOLATION LEVEL", "RESET statement_timeout", "SET LOCAL work_mem = '64MB'",
            )
        ),
        ("sqlite", "ANALYZE", "maintenance"),
        ("sqlite", "ANALYZE customer", "maintenance"),
        ("postgresql", "ANALYZE", "maintenance"),
        ("postgresql", "ANALYZE public.customer", "maintenance"),
    ],
)  # fmt: skip
def test_statements_without_tables_pass_unchanged(dialect: str, text: str, kind: str) -> None:
    raw = RawSql(dialect, WorldViews(dialect))  # type: ignore[arg-type]
    found = raw.statement(text, "none")
    assert (found.kind, found.parts) == (kind, (text,))
    assert raw.classify(text) == kind


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgresql", "SET work_mem = '64MB'"), ("postgresql", "SET enable_seqscan = off"), ("postgresql", "RESET client_encoding"),
        ("postgresql", "ANALYZE pg_class"), ("postgresql", "ANALYZE customer (name)"), ("sqlite", "ANALYZE sqlite_schema"),
        ("sqlite", "PRAGMA query_only = 1"), ("sqlite", "PRAGMA locking_mode = EXCLUSIVE"), ("sqlite", "PRAGMA temp.foreign_keys"),
        ("sqlite", "PRAGMA foreign_keys = (SELECT 1)"), ("sqlite", "SET x = 1"), ("postgresql", "PRAGMA foreign_keys"),
        ("postgresql", "SET TRANSACTION SNAPSHOT 'x'"), ("postgresql", "SET statement_timeout = (SELECT 1)"),
        ("postgresql", "BEGIN; COMMIT"), ("postgresql", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
        ("postgresql", "SET default_transaction_read_only = on"), ("sqlite", "ROLLBACK TO sp; SELECT 1"),
    ],
)  # fmt: skip
def test_other_settings_are_refused(dialect: str, text: str) -> None:
    with pytest.raises(StatementRefusedError):
        RawSql(dialect, WorldViews(dialect)).statement(text, "none")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CREATE TABLE x (a int)", "ddl"), ("/* c */ alter table x add y int", "ddl"), ("DROP INDEX x", "ddl"),
        ("WITH x AS (SELECT 1) INSERT INTO setting VALUES ('a', 'b')", "insert"), ("WITH x AS (SELECT 1) SELECT 1", "select"),
        ("(SELECT 1)", "select"), ("REPLACE INTO setting VALUES (1, 2)", "insert"), ("EXPLAIN SELECT 1", "other"),
    ],
)  # fmt: skip
def test_kinds(lite: RawSql, text: str, kind: str) -> None:
    assert lite.classify(text) == kind
    if kind == "ddl":
        with pytest.raises(DdlRefusedError):
            lite.statement(text, "qmark")


def test_what_a_statement_touches(post: RawSql) -> None:
    found = post.statement(
        "WITH x AS (DELETE FROM line RETURNING id) SELECT c.name FROM customer c JOIN country USING (name)",
        "none",
    )
    assert found.kind == "select"
    assert {view.name for view in found.reads} == {"customer", "country"}
    assert {view.name for view in found.writes} == {"line"}
    assert [view.name for view in found.reads if view.shared] == ["country"]


def test_text_without_tenant_tables_is_the_callers_own(lite: RawSql) -> None:
    for text in (
        "SELECT * FROM country -- all",
        "SELECT 1",
        "UPDATE country SET name = 'x' WHERE code = 'CH'",
    ):
        assert lite.statement(text, "qmark").parts == (text,)


# ---- placeholders
def test_qmark_and_named_values(capsys: object) -> None:
    oracle = SqliteOracle()
    oracle.check("SELECT id FROM customer WHERE active = ? AND id > ? LIMIT ?", (1, 2, 5))
    oracle.check("SELECT id FROM customer WHERE id = ?2 OR id = ?1 OR id = ?2", (1, 2))
    oracle.check("SELECT id FROM customer WHERE id IN (:a, @b, $c)", {"a": 1, "b": 2, "c": 3})
    oracle.check("SELECT ?, id FROM customer WHERE '?' <> ':a'", (7,))
    oracle.check("INSERT INTO customer (id, name, email) VALUES (?, ?, ?)", (None, "x", "y"))
    oracle.check("INSERT INTO customer (id, name, email) VALUES (?, ?, ?)", (77, "x", "y"))
    oracle.check(
        "INSERT INTO customer (id, name, email) VALUES (:i, :n, :e)", {"i": None, "n": "x", "e": "tenant"}
    )
    oracle.check("UPDATE customer SET name = ?, city = ? WHERE id = ?", ("n", "c", 2))
    oracle.check("SELECT id FROM customer WHERE name = :tenant_id OR id = 1", {"tenant_id": "x"})
    assert oracle.answered == oracle.filled == 9


@pytest.fixture(scope="module")
def post_oracle(postgres_server: PostgresServer) -> Iterator[PostgresOracle]:
    import contextlib

    with contextlib.ExitStack() as stack:

        def connect(_number: int) -> psycopg.Connection:
            name = stack.enter_context(postgres_server.database())
            connection = psycopg.connect(postgres_server.dsn(name))
            stack.callback(connection.close)
            return connection

        oracle = PostgresOracle(connect)
        yield oracle


def test_format_values(post_oracle: PostgresOracle) -> None:
    oracle = post_oracle
    oracle.answered = oracle.filled = 0
    oracle.check("SELECT id FROM customer WHERE active = %s AND id > %s LIMIT %s", (1, 2, 5))
    oracle.check(
        "SELECT id FROM customer WHERE id = %(a)s OR id = %(a)s OR name = %(tenant_id)s",
        {"a": 1, "tenant_id": "x"},
    )
    oracle.check("SELECT id %% 2, name LIKE 'a%%' FROM customer WHERE id = ANY(%s)", ([1, 2],))
    oracle.check("INSERT INTO category (name, parent_id) VALUES (%s, %s)", ("x", 1))
    oracle.check(
        "INSERT INTO invoice (number, created) SELECT %s, '2020-01-01' FROM customer WHERE id = %s", ("x", 1)
    )
    oracle.check("UPDATE customer SET name = %s WHERE id = %s RETURNING *", ("n", 2))
    oracle.check("SELECT name LIKE 'a%', id % 2 FROM customer")
    assert oracle.answered == oracle.filled == 7


def test_psycopg2_values(post_oracle: PostgresOracle) -> None:
    connection = psycopg2.connect(post_oracle.pool.info.dsn, password=post_oracle.pool.info.password)
    try:
        cursor = connection.cursor()
        for text, values in (
            ("SELECT count(*) FROM customer WHERE id IN %s AND name <> %s", ((1, 2, 3), "it's")),
            ("SELECT count(*) FROM customer WHERE id = %(x)s - -1 AND 1 = %(y)s", {"x": 1, "y": 1}),
            ("SELECT count(*) FROM customer WHERE id - %s > 0", (-3,)),
        ):
            cursor.execute(post_oracle.raw.statement(text, "format").sql("1"), values)
            assert 0 < cursor.fetchone()[0] <= 9
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (
            "sqlite",
            "SELECT id, ':' || name AS n FROM customer WHERE id = :id OR name = '12:30' OR name = '\\:x'",
        ),
        (
            "sqlite",
            "SELECT (SELECT name FROM customer WHERE id = :id), (SELECT '\\:x' FROM customer WHERE id = 1)",
        ),
        ("sqlite", "SELECT id FROM customer WHERE id IN :ids AND id = :id"),
        ("postgresql", "SELECT id\\:\\:text, name::text FROM customer WHERE id = :id AND name LIKE '%a%'"),
        ("postgresql", "SELECT (ARRAY[1,2,3])[1\\:2], id % 2, :id FROM customer WHERE id = CAST(:id AS int)"),
    ],
)
def test_bodies_of_text(dialect: str, body: str) -> None:
    """What SQLAlchemy makes of the rewritten body differs from what it makes of the caller's by our views only."""
    raw = RawSql(dialect, WorldViews(dialect))  # type: ignore[arg-type]
    found = raw.statement(body, "text")
    assert len(found.parts) > 1
    target: Any = sqlite.dialect() if dialect == "sqlite" else postgresql.dialect()

    def rendered(text: str) -> str:
        clause = sql_text(text)
        if ":ids" in text:
            clause = clause.bindparams(bindparam("ids", expanding=True))
        return str(clause.compile(dialect=target))

    plain = rendered(body)
    ours = rendered(found.sql("5"))
    for view in found.reads:
        columns = ", ".join(f'"{view.name}"."{column}"' for column in view.columns)
        schema = '"main".' if dialect == "sqlite" else ""
        derived = f'(SELECT {columns} FROM {schema}"{view.name}" WHERE "{view.name}"."tenant_id" = 5) AS {view.name}'
        ours = ours.replace(derived, view.name)
    for label in (
        ' AS "(SELECT name FROM customer WHERE id = ?)"',
        " AS \"(SELECT ':x' FROM customer WHERE id = 1)\"",
    ):
        ours = ours.replace(label, "")
    assert ours == plain


def test_a_text_statement_runs_through_sqlalchemy() -> None:
    oracle = SqliteOracle()
    engine = create_engine("sqlite://", creator=lambda: oracle.pool)
    body = "SELECT name, (SELECT count(*) FROM invoice WHERE customer_id = :id) FROM customer WHERE id = :id AND '\\:a' = ':a ' OR id = :id"
    body = body.replace("':a '", "'\\:a'")
    with engine.connect() as connection:
        got = connection.execute(sql_text(oracle.raw.statement(body, "text").sql("2")), {"id": 3})
        assert list(got.keys()) == ["name", "(SELECT count(*) FROM invoice WHERE customer_id = ?)"]
        rows = got.fetchall()
    expected = oracle.singles[2].execute(
        "SELECT name, (SELECT count(*) FROM invoice WHERE customer_id = 3) FROM customer WHERE id = 3"
    )
    assert [tuple(row) for row in rows] == expected.fetchall() != []
    engine.dispose()


# ---- ids
@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("INSERT INTO customer (name) VALUES ('x')", True),
        ("INSERT INTO customer (id, name) VALUES (NULL, 'x')", True),
        ("INSERT INTO customer (id, name) VALUES (?, 'x')", True),
        ("INSERT INTO customer (id, name) VALUES (5, 'x')", False),
        ("INSERT INTO setting VALUES ('a', 'b')", False),
        ("INSERT INTO country VALUES ('a', 'b')", False),
        ("INSERT INTO category DEFAULT VALUES", True),
        ("INSERT INTO category (name) SELECT name FROM customer", True),
        ("UPDATE customer SET name = 'x'", False),
    ],
)
def test_who_numbers_the_row(lite: RawSql, post: RawSql, text: str, ours: bool) -> None:
    assert (lite.statement(text, "qmark").insert_id is not None) is ours
    assert post.statement(text.replace("?", "1"), "none").insert_id is None


def test_ids_that_are_given_and_left_out_in_one_statement(lite: RawSql) -> None:
    with pytest.raises(StatementRefusedError, match="two statements"):
        lite.statement("INSERT INTO customer (id, name) VALUES (5, 'x'), (NULL, 'y')", "qmark")


def test_ids_of_executemany_are_dense() -> None:
    oracle = SqliteOracle()
    sql = oracle.raw.statement("INSERT INTO category (name) VALUES (?)", "qmark").sql("3")
    before = oracle.pool.execute("SELECT max(id) FROM category WHERE tenant_id = 3").fetchone()[0]
    oracle.pool.executemany(sql, [(f"n{i}",) for i in range(5)])
    ids = [
        row[0]
        for row in oracle.pool.execute("SELECT id FROM category WHERE tenant_id = 3 ORDER BY id DESC LIMIT 5")
    ]
    assert ids == [before + 5 - i for i in range(5)]


# ---- names with placeholders in them
def test_names_that_look_like_placeholders() -> None:
    view = TableView("odd", None, ("id", "50%", "a:b", "c?d", 'e"f'), ("id",), "id")

    class Views:
        def find(self, name: str, schema: str | None = None) -> TableView | None:
            return view if name == "odd" else None

        def all(self) -> list[TableView]:
            return [view]

    raw = RawSql("postgresql", Views())
    assert '"odd"."50%%"' in raw.statement("SELECT * FROM odd", "format").parts[0]
    assert '"odd"."50%"' in raw.statement("SELECT * FROM odd", "none").parts[0]
    text = raw.statement("SELECT * FROM odd", "text").parts[0]
    assert '"odd"."a\\:b"' in text
    assert '"odd"."a:b"' in str(sql_text(text).compile(dialect=sqlite.dialect()))
    assert '"odd"."e""f"' in text


# ---- cache
@pytest.mark.timed
def test_the_second_time_is_from_the_cache(
    lite: RawSql, record_property: Callable[[str, object], None]
) -> None:
    text = "SELECT c.name FROM customer c JOIN invoice i ON i.customer_id = c.id WHERE c.id = ?"
    first = lite.statement(text, "qmark")
    assert lite.statement(text, "qmark") is first
    number = 20_000
    seconds = min(timeit.repeat(lambda: lite.statement(text, "qmark"), number=number, repeat=5)) / number
    miss = min(timeit.repeat(lambda: lite._work_out(text, "qmark"), number=50, repeat=3)) / 50
    record_property("figure", f"hit {seconds * 1e9:.0f} ns, miss of a join {miss * 1e6:.0f} µs")
    assert seconds < 5e-6


def test_placeholders_are_part_of_the_key(post: RawSql) -> None:
    assert post.statement("SELECT id FROM customer WHERE name LIKE 'a%'", "none").parts
    with pytest.raises(StatementRefusedError):
        post.statement("SELECT id FROM customer WHERE name LIKE 'a%'", "format")


def test_changed_tables_are_seen_after_invalidate() -> None:
    views = WorldViews("sqlite")
    raw = RawSql("sqlite", views)
    before = raw.statement("SELECT * FROM setting", "qmark")
    wider = TableView("setting", None, ("key", "value", "extra"), ("key",))
    views.find = lambda name, schema=None: wider  # type: ignore[method-assign]
    assert raw.statement("SELECT * FROM setting", "qmark") is before
    raw.invalidate()
    assert '"extra"' in raw.statement("SELECT * FROM setting", "qmark").parts[0]


def test_long_texts_are_not_kept(lite: RawSql) -> None:
    text = "SELECT id FROM customer WHERE name = '" + "x" * CACHE_TEXT_LENGTH + "'"
    assert lite.statement(text, "qmark") == lite.statement(text, "qmark")
    assert lite.statement(text, "qmark") is not lite.statement(text, "qmark")


def test_threads_share_one_enforcer(lite: RawSql) -> None:
    found: list[str] = []
    errors: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for n in range(60):
                text = f"SELECT id, {n % 7} FROM customer WHERE id = {k % 3}"
                sql = lite.statement(text, "qmark").sql(str(k))
                assert sql.count(f'"tenant_id" = {k})') == 1
                if n % 20 == k:
                    lite.invalidate()
                found.append(sql)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(found) == 360


def test_deep_nesting_is_refused(post: RawSql) -> None:
    for text in ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "SELECT " + "NOT " * 5000 + "true"):
        with pytest.raises(StatementRefusedError):
            post.statement(text, "none")


@pytest.mark.parametrize("count", [30, 120])
def test_no_text_takes_long_to_read(post: RawSql, count: int) -> None:
    for text in (
        "SELECT 1 FROM " + "customer a JOIN " * count + "customer b",
        "SELECT 1 FROM " + "customer a JOIN invoice b USING (id) JOIN " * count + "customer c",
        "SELECT " + "ARRAY[" * count + "1" + "]" * count,
        "SELECT " + "(" * count + "1" + ")" * count,
        "SELECT 1 FROM customer" + " LEFT JOIN invoice i ON i.id = 1" * count,
    ):
        seconds = timeit.timeit(lambda t=text: _quietly(post, t), number=1)  # type: ignore[misc]
        assert seconds < 5, text[:60]


def _quietly(raw: RawSql, text: str) -> None:
    try:
        raw.statement(text, "none")
    except StatementRefusedError:
        return


# ---- set-up
def test_more_functions_can_be_named() -> None:
    raw = RawSql("postgresql", WorldViews("postgresql"), safe_functions=["app.vat", "Slugify"])
    assert raw.statement("SELECT app.vat(total), slugify(number) FROM invoice", "none").parts
    with pytest.raises(StatementRefusedError, match=r"other\.vat"):
        raw.statement("SELECT other.vat(total) FROM invoice", "none")


def test_another_column_name() -> None:
    raw = RawSql("sqlite", WorldViews("sqlite"), column="owner_id")
    assert '"owner_id" = ' in raw.statement("SELECT id FROM customer", "qmark").parts[0]
    assert raw.statement("SELECT tenant_id FROM country", "qmark").parts
    with pytest.raises(StatementRefusedError):
        raw.statement("SELECT Owner_ID FROM customer", "qmark")


@pytest.mark.parametrize("column", ["", "Tenant", "a b", 'a"b', "a%b", "é"])
def test_odd_column_names_are_no_configuration(column: str) -> None:
    with pytest.raises(ConfigurationError):
        RawSql("sqlite", WorldViews("sqlite"), column=column)


def test_other_dialects_are_no_configuration() -> None:
    with pytest.raises(ConfigurationError):
        RawSql("mysql", WorldViews("sqlite"))  # type: ignore[arg-type]


def test_what_is_given_out_cannot_be_changed(lite: RawSql) -> None:
    found = lite.statement("SELECT 1", "qmark")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.parts = ("x",)  # type: ignore[misc]
