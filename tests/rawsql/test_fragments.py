# ruff: noqa: E501 - statements and what they give stand on one line
"""Parts of statements: they cannot leave their place, and what they read is the tenant's."""

from __future__ import annotations

import pytest

from flask_tenant.errors import HiddenColumnError, StatementRefusedError
from flask_tenant.isolate.rawsql import RawSql
from tests.rawsql.oracle import SqliteOracle
from tests.rawsql.world import WorldViews

PLACES = ("expression", "columns", "from", "order_by", "group_by")


@pytest.fixture(params=["sqlite", "postgresql"])
def raw(request: pytest.FixtureRequest) -> RawSql:
    return RawSql(request.param, WorldViews(request.param))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("id = 1", "expression"),
        ("id = :id AND name LIKE '%x%'", "expression"),
        ("a OR b", "expression"),
        ("customer.id IN (1, 2)", "expression"),
        ("id IN :ids", "expression"),
        ("substr(name, 1, 2) = 'x' AND id > (SELECT 2 LIMIT 1)", "expression"),
        ("lower(name) = 'x'", "expression"),
        ("id", "columns"),
        ("id, name AS n, count(id) AS c", "columns"),
        ("1", "columns"),
        ("count(*)", "columns"),
        ("id DESC, lower(name) ASC NULLS LAST", "order_by"),
        ("1, 2 DESC", "order_by"),
        ("id, lower(name)", "group_by"),
        ("", "expression"),
        ("country c JOIN country d ON c.code = d.code", "from"),
    ],
)
def test_plain_parts_stay_as_they_are(raw: RawSql, text: str, place: str) -> None:
    found = raw.fragment(text, place)  # type: ignore[arg-type]
    assert found.parts == (text,)
    assert not found.star


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "text",
    [
        "1) OR (1=1", "1 = 1)", "(1", "1; DELETE FROM line", "1;", "1 -- x", "1 /* x */", "1 = 1 UNION SELECT 1",
        "1 FROM customer", "1 WHERE 1=1", "1 ORDER BY 1 LIMIT 1", "1 LIMIT 1", "1 GROUP BY 1", "1 HAVING 1",
        "SELECT 1", "DELETE FROM line", "1 RETURNING 1", "1 INTO x", "'x", '"x', "1 INTERSECT SELECT 2", "1 FOR UPDATE",
        "tenant_id = 1", '"tenant_id"', "customer.tenant_id", "rowid", "customer.rowid", "ctid", "c.ctid",
        "(SELECT * FROM nowhere)", "(SELECT 1 FROM tenancy_tenants)", "nextval('x')", "load_extension('x')", "CASE WHEN 1 THEN 2",
        "a.b.c.d", "id::regclass", "*/ 1 /*", "1 = 1 OFFSET 2", "a, (b", "1 JOIN customer", "x AS y FROM customer",
    ],
)  # fmt: skip
def test_no_part_leaves_its_place(text: str, place: str) -> None:
    for dialect, ordinary in (("sqlite", ("ctid", "c.ctid")), ("postgresql", ("rowid", "customer.rowid"))):
        if text in ordinary and place != "from":
            continue  # a name like any other there
        with pytest.raises(StatementRefusedError):
            RawSql(dialect, WorldViews(dialect)).fragment(text, place)  # type: ignore[arg-type]


def test_subqueries_are_spliced(raw: RawSql) -> None:
    found = raw.fragment("id IN (SELECT customer_id FROM invoice WHERE paid = :paid)", "expression")
    assert len(found.parts) == 2
    assert found.sql("5").count('"tenant_id" = 5') == 1
    assert [view.name for view in found.reads] == ["invoice"]
    listed = raw.fragment("(SELECT max(total) FROM invoice) AS m, id", "columns")
    assert '"tenant_id" = ' in listed.parts[0]


def test_from_elements_become_derived_tables(raw: RawSql) -> None:
    found = raw.fragment("customer AS c JOIN invoice ON invoice.customer_id = c.id", "from")
    assert found.sql("5").count('"tenant_id" = 5) AS c') == 1
    assert found.sql("5").count('"tenant_id" = 5) AS invoice') == 1


@pytest.mark.parametrize(
    ("text", "star"),
    [("*", True), ("customer.*", True), ("id, c.*", True), ("count(*)", False), ("id", False)],
)
def test_stars_are_told(raw: RawSql, text: str, star: bool) -> None:
    assert raw.fragment(text, "columns").star is star


def test_words_of_calls_are_no_clauses() -> None:
    raw = RawSql("postgresql", WorldViews("postgresql"))
    for text in (
        "substring(name FROM 1 FOR 2)",
        "extract(year FROM created)",
        "sum(x) OVER (ORDER BY y ROWS 1 PRECEDING)",
    ):
        assert raw.fragment(text, "columns").parts == (text,)


def test_whole_rows_are_told() -> None:
    raw = RawSql("postgresql", WorldViews("postgresql"))
    assert "c" in raw.fragment("row_to_json(c)", "columns").names
    assert raw.fragment("row_to_json(c.*)", "columns").star
    assert raw.fragment("(c).*", "columns").star
    with pytest.raises(StatementRefusedError):
        raw.fragment("c.row_to_json", "columns")
    with pytest.raises(StatementRefusedError):
        raw.fragment("c::customer", "columns")


def test_the_tenant_column_has_an_error_of_its_own(raw: RawSql) -> None:
    with pytest.raises(HiddenColumnError):
        raw.fragment("Tenant_Id = 2", "expression")


def test_a_spliced_condition_gives_the_tenants_rows() -> None:
    oracle = SqliteOracle()
    condition = oracle.raw.fragment("id IN (SELECT customer_id FROM invoice) OR 1 = 0", "expression").sql("3")
    got = oracle.pool.execute(
        f"SELECT id FROM customer WHERE tenant_id = 3 AND ({condition}) ORDER BY id"
    ).fetchall()
    expected = oracle.singles[3].execute(
        "SELECT id FROM customer WHERE id IN (SELECT customer_id FROM invoice) ORDER BY id"
    )
    assert got == expected.fetchall() != []
