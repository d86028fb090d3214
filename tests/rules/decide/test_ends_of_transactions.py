"""Rules hold until the transaction ends, whoever ends it: SQLAlchemy, a driver's own commit, or each statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant import tenant_context
from flask_tenant.errors import RuleDeniedError
from flask_tenant.rules.model import RuleSet
from tests.rules.books import MemoryBook
from tests.rules.writes.test_onward import DENY, World

OTHER = "- {id: other, for: {delete: item}, deny: Never.}"
READ, DELETE = "SELECT id FROM ledger", "DELETE FROM ledger WHERE id = 2"


class Ruled(World):
    """Rules are switched in memory, at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.fill()
        self.book = MemoryBook()
        rules: Any = self.state.governance.runtime
        rules.book = self.book
        self.compiled: dict[str, RuleSet] = {
            rule: replace(self.state.governance.compile([self.file(rule)], None), tenant="acme")
            for rule in (DENY, OTHER)
        }

    def switch(self, rule: str | None) -> None:
        if rule is None:
            self.book.drop("acme")
        else:
            self.book.activate(self.compiled[rule])


@pytest.fixture
def world(database_url: str) -> Iterator[Ruled]:
    found = Ruled(database_url)
    yield found
    found.close()


def _sqlalchemy(world: World, between: Callable[[], None]) -> None:
    with world.engine.connect() as connection:
        connection.exec_driver_sql(READ).all()
        connection.commit()
        between()
        connection.exec_driver_sql(DELETE)


def _autocommit(execute: Callable[[sa.Connection, str], Any]) -> Callable[[World, Callable[[], None]], None]:
    def work(world: World, between: Callable[[], None]) -> None:
        with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            execute(connection, READ).all()
            between()
            execute(connection, DELETE)

    return work


def _raw(world: World, between: Callable[[], None], *, autocommit: bool = False, block: bool = False) -> None:
    pooled = world.engine.raw_connection()
    connection: Any = pooled.dbapi_connection
    before = None
    try:
        if autocommit and world.sqlite:
            before, connection.isolation_level = connection.isolation_level, None
        elif autocommit:
            connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(READ)
        cursor.fetchall()
        if block and world.engine.driver != "psycopg":  # whose block closes the connection
            with connection:
                pass
        elif not autocommit:
            connection.commit()
        between()
        cursor.execute(DELETE)
    finally:
        if autocommit and world.sqlite:
            connection.isolation_level = before
        elif autocommit:
            connection.autocommit = False
        pooled.close()


WAYS: dict[str, Callable[[World, Callable[[], None]], None]] = {
    "SQLAlchemy's commit": _sqlalchemy,
    "autocommit, SQL for the driver": _autocommit(lambda c, sql: c.exec_driver_sql(sql)),
    "autocommit, text": _autocommit(lambda c, sql: c.execute(sa.text(sql))),
    "the driver's commit": _raw,
    "the driver's block": lambda world, between: _raw(world, between, block=True),
    "the driver's autocommit": lambda world, between: _raw(world, between, autocommit=True),
}


@pytest.mark.every_driver
def test_another_version_holds_from_the_next_transaction_on(world: Ruled) -> None:
    for (name, work), before in product(WAYS.items(), (None, OTHER)):
        world.switch(before)
        with tenant_context("acme", world.app):
            try:
                work(world, lambda: world.switch(DENY))
            except RuleDeniedError:
                continue
            pytest.fail(f"{name}: what held before holds on")
    assert world.ledger() == [(1, "open"), (2, "closed")]


def test_one_version_holds_in_a_transaction(world: Ruled) -> None:
    """On SQLite no transaction of the file's is open yet: SQLAlchemy's is."""
    ways = (lambda c, sql: c.exec_driver_sql(sql), lambda c, sql: c.execute(sa.text(sql)))
    for execute, before in product(ways, (None, OTHER)):
        world.switch(before)
        with tenant_context("acme", world.app), world.engine.connect() as connection:
            execute(connection, READ).all()
            world.switch(DENY)
            assert execute(connection, DELETE).rowcount == 1
            connection.rollback()
            with pytest.raises(RuleDeniedError):
                execute(connection, DELETE)
