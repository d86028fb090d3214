"""An error that only a filtered row would raise is not raised, and nothing is told of such a row."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, with_loader_criteria

from flask_tenant.decision import Overlay
from flask_tenant.expressions import Constant, Expression, Kind
from flask_tenant.isolate.overlay.fence import may_tell, tokens_may_tell
from flask_tenant.isolate.rawsql.lexer import scan
from tests.rules.reads.world import Invoice, World, call, decide, number, text, word

I: Any = Invoice.__table__.c  # noqa: E741
FEW = call("<", number("quantity"), Constant(Kind.NUMBER, 4))


def _dear(depth: int) -> Expression:
    found: Expression = text("state")
    for n in range(depth):
        found = call("lower" if n % 2 else "upper", found, kind=Kind.TEXT)
    return call("==", found, word("nothing"))


FILTERED = decide({"invoice": Overlay((call("||", FEW, _dear(20)),))})
"""Invoices 4 and 9 have quantity 4, and are not there. PostgreSQL thinks the filter dearer than any probe, and so
works the probe out first where nothing keeps it from that."""

PROBES: dict[str, Any] = {
    "core": sa.select(I.id).where(1 / (I.quantity - 4) < 100),
    "function": sa.select(I.id).where(sa.func.chr(sa.case((I.quantity == 4, -1), else_=65)) != "B"),
    "orm": sa.select(Invoice.id).where(1 / (Invoice.quantity - 4) < 100),
    "join": sa.select(I.id).join(
        sa.alias(Invoice.__table__, "o"), sa.text("1 / (invoice.quantity - 4) < 100 AND o.id = 1")
    ),
    "criteria": sa.select(Invoice.id).options(with_loader_criteria(Invoice, 1 / (Invoice.quantity - 4) < 100)),
    "within": sa.select(sa.select(I.id, I.quantity).subquery("s").c.id).where(sa.text("1 / (s.quantity - 4) < 100")),
    "text": sa.text("SELECT id FROM invoice WHERE 1 / (quantity - 4) < 100"),
    "text cast": sa.text("SELECT id FROM invoice WHERE CAST(CASE quantity WHEN 4 THEN 'x' ELSE '1' END AS int) = 1"),
    "text subquery": sa.text("SELECT s.id FROM (SELECT * FROM invoice) s WHERE 1 / (s.quantity - 4) < 100"),
    "text cte": sa.text("WITH s AS (SELECT * FROM invoice) SELECT id FROM s WHERE 1 / (s.quantity - 4) < 100"),
    "update": sa.update(Invoice.__table__).values(memo="x").where(1 / (I.quantity - 4) < 100),
    "delete": sa.delete(Invoice.__table__).where(1 / (I.quantity - 4) < 100),
    "orm update": sa.update(Invoice).values(memo="x").where(1 / (Invoice.quantity - 4) < 100),
    "text update": sa.text("UPDATE invoice SET memo = 'x' WHERE 1 / (quantity - 4) < 100"),
    "text delete": sa.text("DELETE FROM invoice WHERE 1 / (quantity - 4) < 100"),
    "text exists": sa.text(
        "SELECT id FROM invoice WHERE EXISTS (SELECT 1 FROM customer c WHERE 1 / (invoice.quantity - 4) < 100)"
    ),
}  # fmt: skip


@pytest.mark.databases("postgresql+psycopg")
@pytest.mark.parametrize("probe", PROBES)
def test_an_error_tells_nothing_of_filtered_rows(world: World, probe: str) -> None:
    with world.under(None) as connection, pytest.raises(sa.exc.DBAPIError):
        Session(connection).execute(PROBES[probe])  # it has teeth
    with world.under(FILTERED) as connection:
        Session(connection).execute(PROBES[probe])


@pytest.mark.databases("sqlite")
def test_a_function_is_called_for_no_filtered_row(world: World) -> None:
    """On SQLite little raises, but a function of the application's own sees what it is given."""
    probes = [
        sa.text("SELECT id FROM invoice WHERE json(CASE quantity WHEN 4 THEN '{' ELSE '{}' END) IS NOT NULL"),
        sa.text("DELETE FROM invoice WHERE json(CASE quantity WHEN 4 THEN '{' ELSE '{}' END) IS NOT NULL"),
        sa.delete(Invoice.__table__).where(
            sa.func.json(sa.case((I.quantity == 4, "{"), else_="{}")).is_not(None)
        ),
        sa.select(I.id).where(sa.func.json(sa.case((I.quantity == 4, "{"), else_="{}")).is_not(None)),
    ]
    for probe in probes:
        with world.under(None) as connection, pytest.raises(sa.exc.DBAPIError):
            result = connection.execute(probe)
            assert result.returns_rows
            result.fetchall()
        with world.under(FILTERED) as connection:
            result = connection.execute(probe)
            assert (len(result.fetchall()) if result.returns_rows else result.rowcount) == 8


def test_what_may_tell() -> None:
    """No more than one such part is needed in a statement; each of these has one only."""
    for condition in (
        "memo LIKE 'a' ESCAPE state",
        "1 = ANY (state)",
        "total * 2 = 3",
        "total = (SELECT quantity FROM invoice)",
        "total < (WITH x AS (SELECT 1 AS n) SELECT n FROM x)",
        "chr(quantity) = 'x'",
    ):
        tokens = scan(f"SELECT id FROM invoice WHERE {condition}", "postgresql", "none", None).tokens
        assert tokens_may_tell(tokens), condition
    assert not tokens_may_tell(
        scan("SELECT id FROM invoice WHERE total = 3", "postgresql", "none", None).tokens
    )
    for condition in (
        sa.literal_column("1 / quantity") > 1,
        I.total == sa.select(I.quantity).scalar_subquery(),
        sa.text("1 / quantity > 1"),
    ):
        assert may_tell(condition)
    assert not may_tell(I.total == 3)


PLAIN: dict[str, Any] = {
    "key": sa.select(Invoice.__table__).where(I.id == 5),
    "list": sa.select(I.id).where(I.id.in_([1, 2]), I.state == "open", I.memo.is_not(None)).order_by(I.total),
    "join": sa.select(Invoice).join(Invoice.customer).where(Invoice.total > 3),
    "text": sa.text("SELECT count(*), max(total) FROM invoice i WHERE id = 5 AND (state = 'open' OR state IS NULL)"),
    "expression shown": sa.select(I.total * 2 / 3).where(I.id == 5),
}  # fmt: skip


@pytest.mark.parametrize("statement", PLAIN)
def test_a_statement_that_can_tell_nothing_has_no_fence(world: World, statement: str) -> None:
    with world.under(FILTERED) as connection:
        sent: list[str] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *a: sent.append(a[2]))
        Session(connection).execute(PLAIN[statement])
        assert "OFFSET" not in str(sent[-1])
        Session(connection).execute(PROBES["text"] if not world.sqlite else PROBES["text cte"])
        raw = world.wall.shapes(FILTERED.decision.shape).raw
        assert "OFFSET 0" in "".join(raw.statement(PROBES["text"].text, "text").parts)
