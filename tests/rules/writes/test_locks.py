"""Which locks the rules' own look at rows takes, and what others find locked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from flask_tenant.decision import Mask, Means, Overlay
from flask_tenant.errors import RuleDeniedError
from flask_tenant.expressions import Kind
from tests.rules.shop import Shop, big, col, denies, op, order
from tests.rules.writes.races import (
    GROWS,
    LOOKED,
    POSTGRESQL,
    RULES,
    SHRINKS,
    UNDONE,
    UPDATES,
    Doing,
    Other,
    Work,
    as_acme,
    between,
)


# ---- locks: as the application alone would have them
@pytest.mark.databases(*POSTGRESQL)
def test_rows_are_locked_no_stronger_than_by_the_statement(shop: Shop) -> None:
    """An UPDATE that leaves a row's key alone is in nobody's way who adds rows that hang on it."""
    other = Other(shop)
    adds = """INSERT INTO "order" (tenant_id, id, customer_id, total) VALUES ({acme}, 9, 1, 5)"""
    known = op("is_known", col("tax_id", Kind.TEXT, "old"))
    rules = {("customer", "update"): denies("unknown", op("!", known))}
    with shop.ruled(rules), shop.engine.connect() as connection:
        connection.execute(sa.text("UPDATE customer SET name = 'Eve' WHERE id = 1"))
        other.does(adds)
        connection.commit()
    assert shop.rows()[-1][0] == 9
    assert shop.rows("customer", "id, name")[0] == (1, "Eve")


@pytest.mark.databases(*POSTGRESQL)
def test_rows_are_locked_in_the_order_of_the_statement(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that write the same rows in the same order wait for each other, and neither is a deadlock's victim."""
    other = Other(shop)
    write = """UPDATE "order" SET total = total + 1 WHERE tenant_id = {acme} AND id = %d"""
    many = order.update().where(order.c.id == sa.bindparam("key")).values(status="mine")
    order_of_keys = [{"key": 4}, {"key": 1}]
    doing: list[Doing] = []
    with shop.physical.connect() as connection:

        def begin() -> None:
            connection.exec_driver_sql((write % 4).format(acme=other.acme))

        def work() -> None:
            as_acme(shop, RULES["old"], lambda c: c.execute(many, order_of_keys))

        with between(monkeypatch, UNDONE, begin):
            doing.append(Doing(work))
            other.waits_for(doing[0])
        connection.exec_driver_sql((write % 1).format(acme=other.acme))
        connection.commit()
    doing[0].ended()
    assert [row for row in shop.rows() if row[0] in (1, 4)] == [(1, 101, "mine"), (4, 6, "mine")]


# ---- SQLite: one writes at a time
def _journal(shop: Shop, mode: str) -> None:
    """Let the file be written in another way, for which nobody may have it open."""
    shop.engine.dispose()
    shop.physical.dispose()
    with shop.physical.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}").scalar_one() == mode


@pytest.fixture
def wal(shop: Shop) -> Iterator[None]:
    """Who writes and who reads do not wait for each other."""
    _journal(shop, "wal")
    yield
    _journal(shop, "delete")


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("begun", [False, True], ids=["idle", "begun"])
def test_nobody_writes_to_a_file_while_we_look(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, mode: str, begun: bool
) -> None:
    other = Other(shop)
    if mode == "wal":
        request.getfixturevalue("wal")

    def refused() -> None:
        with pytest.raises(OperationalError, match="locked"):
            other.does(GROWS, patience_ms=0)

    def work(connection: sa.Connection, write: Work) -> None:
        if begun:
            connection.exec_driver_sql("BEGIN")  # which locks nothing yet
        write(connection)

    for moment in (UNDONE, LOOKED):
        for name in ("text", "upsert", "many", "flush"):
            with between(monkeypatch, moment, refused):
                as_acme(shop, RULES["old"], lambda c, name=name: work(c, UPDATES[name]))
            assert shop.rows()[0] == (1, 100, "mine")
            other.does(SHRINKS)


@pytest.mark.databases("sqlite")
@pytest.mark.usefixtures("wal")
def test_a_row_that_has_changed_since_it_was_read_from_a_file(shop: Shop) -> None:
    """In a transaction that began before, SQLite ends it; without one it is judged as it is now."""
    other = Other(shop)

    def work(connection: sa.Connection, write: Work, begun: bool) -> None:
        if begun:
            connection.exec_driver_sql("BEGIN")
            connection.execute(sa.select(order.c.id)).all()
        Doing(lambda: other.does(GROWS)).ended()
        write(connection)

    for rules in ("new", "old", "mask", "hook"):
        for name in ("text", "upsert", "core", "many"):
            for begun, error in ((True, OperationalError), (False, RuleDeniedError)):
                with pytest.raises(error):
                    as_acme(shop, RULES[rules], lambda c, n=name, b=begun: work(c, UPDATES[n], b))
                assert shop.rows()[0] == (1, 20_000, "open"), (rules, name, begun)
                other.does(SHRINKS)


# ---- transactions
@pytest.mark.databases(*POSTGRESQL)
def test_a_row_that_is_judged_again_after_a_savepoint(shop: Shop) -> None:
    other = Other(shop)

    def work(connection: sa.Connection) -> None:
        inner = connection.begin_nested()
        UPDATES["text"](connection)
        inner.rollback()
        Doing(lambda: other.does(GROWS)).ended()
        UPDATES["text"](connection)

    for rules in ("new", "old", "mask", "hook"):
        with pytest.raises(RuleDeniedError):
            as_acme(shop, RULES[rules], work)
        assert shop.rows()[0] == (1, 20_000, "open")
        other.does(SHRINKS)


@pytest.mark.databases(*POSTGRESQL)
def test_a_row_that_is_read_with_a_lock_is_there_as_it_is_then(shop: Shop) -> None:
    """Who locks rows to write them later gets none that a filter takes away meanwhile, and sees no mask go."""
    other = Other(shop)
    masked = {"overlays": {"order": Overlay(masks=(("status", Mask(Means.CONSTANT, "x", applies=big())),))}}
    for rules, answer in ((RULES["filter"], []), (masked, [(1, 20_000, "x")])):
        for query in (
            sa.select(order.c.id, order.c.total, order.c.status).where(order.c.id == 1).with_for_update(),
            sa.select(order.c.id, order.c.total, order.c.status).where(1 / order.c.id == 1).with_for_update(),
            sa.text('SELECT id, total, status FROM "order" WHERE id = 1 FOR UPDATE'),
        ):
            found: list[Any] = []
            with other.doing(GROWS):
                doing = Doing(
                    lambda r=rules, q=query, f=found: as_acme(shop, r, lambda c: f.extend(c.execute(q).all()))
                )
                other.waits_for(doing)
            doing.ended()
            assert [tuple(row) for row in found] == answer
            other.does(SHRINKS)
