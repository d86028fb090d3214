"""Two transactions at once: what another one commits at a chosen moment of a statement under rules."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from flask_tenant.decision import Mask, Means, Overlay, Setting, Validation, WriteRules
from flask_tenant.expressions import Kind
from flask_tenant.isolate.writing import run as running
from tests.rules.shop import TOTAL, Order, Shop, big, col, const, denies, op, order

POSTGRESQL = ("postgresql+psycopg", "postgresql+psycopg2")
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

UNDONE = "ROLLBACK TO SAVEPOINT"
"""The statement was tried and is undone; its rows are about to be read."""

LOOKED = r"SELECT (?!1 )"
"""Its rows have been read and locked; it is about to run again."""

ALONE = r"SELECT 1 "
"""Nothing that must not be written hangs on them; it is about to run again."""

SECONDS = 30.0


class Doing:
    """Something that is done in a thread of its own, so without the scope and the rules of who starts it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self.value = work()
        except BaseException as error:
            self.error = error

    def ended(self, seconds: float = SECONDS) -> Any:
        """Wait until it is done; return what it gave, or raise what it raised."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it waits for somebody who never ends"
        if self.error is not None:
            raise self.error
        return self.value


class Other:
    """Another transaction, past the wall, on acme's rows: ``{acme}`` is the tenant in its statements."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        with shop.physical.connect() as connection:
            mine = "SELECT id FROM tenancy_tenant WHERE slug = 'acme'"
            self.acme = connection.exec_driver_sql(mine).scalar_one()

    def does(self, *statements: str, patience_ms: int = 10_000) -> None:
        """Commit statements.

        :param patience_ms: how long to wait for a lock
        """
        with self.doing(*statements, patience_ms=patience_ms):
            pass

    @contextmanager
    def doing(self, *statements: str, patience_ms: int = 10_000) -> Iterator[sa.Connection]:
        """Execute statements, and commit at the end."""
        with self.shop.physical.begin() as connection:
            connection.exec_driver_sql(
                f"PRAGMA busy_timeout = {patience_ms}"
                if self.shop.sqlite
                else f"SET LOCAL lock_timeout = {patience_ms}"
            )
            for sql in statements:
                connection.exec_driver_sql(sql.format(acme=self.acme))
            yield connection

    def waits_for(self, doing: Doing, waiting: int = 1) -> None:
        """Wait until so many transactions wait for a lock on this PostgreSQL database."""
        asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until = time.monotonic() + SECONDS
        with self.shop.physical.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while connection.exec_driver_sql(asked).scalar_one() < waiting:
                assert doing._thread.is_alive(), f"nothing waits: {doing.error!r}"
                assert time.monotonic() < until, "nothing waits"


@contextmanager
def between(
    monkeypatch: pytest.MonkeyPatch, after: str, work: Callable[[], Any], *, must: bool = True
) -> Iterator[None]:
    """Do something, once, behind a statement of the rules' own in the middle of the application's.

    :param must: whether that has to be sent
    """
    usual, done = running.runner, []

    def runner(*args: Any) -> Any:
        own = usual(*args)

        def run(sql: str, parameters: Any = ()) -> Any:
            found = own(sql, parameters)
            if re.match(after, sql) and not done:
                done.append(sql)
                Doing(work).ended()
            return found

        return run

    with monkeypatch.context() as patch:
        patch.setattr(running, "runner", runner)
        yield
    assert done or not must, "nothing was done in the middle"


# ---- rules, and what is tried under them
SMALL = op("<=", TOTAL, const(Decimal(10_000), Kind.NUMBER))
OLD_BIG = op(">", col("total", Kind.NUMBER, "old"), const(Decimal(10_000), Kind.NUMBER))
NO_DELETE = {("order", "delete"): denies("big", big())}
ASKED = WriteRules(validations=(Validation("ask", "small"),))
MARKS = WriteRules(settings=(Setting("late", (("status", const("late", Kind.TEXT)),), OLD_BIG),))
RULES: dict[str, dict[str, Any]] = {
    "new": {"writes": {("order", "update"): denies("big", big()), **NO_DELETE}},
    "old": {"writes": {("order", "update"): denies("big", OLD_BIG), **NO_DELETE}},
    "filter": {"overlays": {"order": Overlay((SMALL,))}},
    "mask": {
        "overlays": {"order": Overlay(masks=(("status", Mask(Means.CONSTANT, "x", applies=big())),))},
        "writes": NO_DELETE,
    },
    "hook": {"writes": {("order", "update"): ASKED, ("order", "delete"): ASKED}},
    "set": {"writes": {("order", "update"): MARKS, **NO_DELETE}},
}
"""Each keeps somebody from writing *mine* into an order above 10,000, or from deleting it."""

Work = Callable[[sa.Connection], Any]


def sql(text: str) -> Work:
    return lambda connection: connection.execute(sa.text(text))


def _flush(connection: sa.Connection, change: Callable[[Session, Order], None]) -> None:
    """Change an object that was loaded before the statement."""
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        change(session, session.get_one(Order, 1))
        session.commit()


UPDATES: dict[str, Work] = {
    "text": sql("""UPDATE "order" SET status = 'mine' WHERE id = 1"""),
    "range": sql("""UPDATE "order" SET status = 'mine' WHERE id < 2 AND customer_id = 1"""),
    "from": sql(
        """UPDATE "order" o SET status = 'mine' FROM customer c WHERE c.id = o.customer_id AND o.id < 2"""
    ),
    "subselect": sql(
        """UPDATE "order" SET status = 'mine' WHERE id IN (SELECT id FROM "order" WHERE total = 100)"""
    ),
    "with": sql(
        """WITH w AS (SELECT id FROM "order" WHERE total = 100)
        UPDATE "order" SET status = 'mine' FROM w WHERE "order".id = w.id"""
    ),
    "fenced": sql("""UPDATE "order" SET status = 'mine' WHERE id = 1 AND 1 / id = 1"""),
    "upsert": sql(
        """INSERT INTO "order" (id, total, status) VALUES (1, 1, 'mine')
        ON CONFLICT (id) DO UPDATE SET status = 'mine'"""
    ),
    "core": lambda c: c.execute(order.update().where(order.c.id == 1).values(status="mine")),
    "many": lambda c: c.execute(
        order.update().where(order.c.id == sa.bindparam("key")).values(status=sa.bindparam("to")),
        [{"key": 4, "to": "mine"}, {"key": 1, "to": "mine"}],
    ),
    "flush": lambda c: _flush(c, lambda _, found: setattr(found, "status", "mine")),
}
DELETES: dict[str, Work] = {
    "text": sql('DELETE FROM "order" WHERE id = 1'),
    "using": sql('DELETE FROM "order" o USING customer c WHERE c.id = o.customer_id AND o.id < 2'),
    "core": lambda c: c.execute(order.delete().where(order.c.id == 1)),
    "flush": lambda c: _flush(c, lambda session, found: session.delete(found)),
}
GROWS = """UPDATE "order" SET total = 20000 WHERE tenant_id = {acme} AND id = 1"""
SHRINKS = """UPDATE "order" SET total = 100, status = 'open' WHERE tenant_id = {acme} AND id = 1"""


def as_acme(shop: Shop, rules: dict[str, Any], work: Work, level: str = "") -> None:
    """Look at order 1, do something under rules, and commit."""
    shop.tenancy.hooks._functions["small"] = lambda row: row["total"] <= 10_000
    with shop.ruled(**rules), shop.engine.connect() as plain:
        connection = plain.execution_options(isolation_level=level) if level else plain
        found = connection.execute(sa.select(order.c.total).where(order.c.id == 1)).scalar_one()
        assert found == 100
        work(connection)
        connection.commit()
