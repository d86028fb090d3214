"""Two transactions at once: what another one commits at a chosen moment of a statement under rules."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.isolate.writing import run as running
from tests.rules.shop import Shop

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

    def ended(self) -> Any:
        """Wait until it is done; return what it gave, or raise what it raised."""
        self._thread.join(SECONDS)
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

    def does(self, *statements: str) -> None:
        """Commit statements."""
        with self.doing(*statements):
            pass

    @contextmanager
    def doing(self, *statements: str) -> Iterator[sa.Connection]:
        """Execute statements, and commit at the end."""
        with self.shop.physical.begin() as connection:
            if not self.shop.sqlite:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
            for sql in statements:
                connection.exec_driver_sql(sql.format(acme=self.acme))
            yield connection

    def waits_for(self, doing: Doing, waiting: int = 1) -> None:
        """Wait until so many transactions wait for a lock on this PostgreSQL database."""
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
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
