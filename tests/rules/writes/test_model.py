"""Made-up writes under made-up rules do what a plain model says: exactly its rows, or a refusal that changes nothing.

``TENANCY_EXAMPLES`` says how many (in ``make test`` the same ones each time; any other number takes new ones).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flask_tenant.decision import Overlay, WriteRules
from flask_tenant.errors import RuleDeniedError, StatementRefusedError
from flask_tenant.hooks import Hooks
from tests.isolation.world import physical
from tests.rules.shop import Shop, customer, order
from tests.rules.writes.model import COLUMNS, Answer, Failed, Model, Refused, Row, Statement
from tests.rules.writes.statements import (
    CUSTOMERS,
    HOOKS,
    ORDERS,
    OTHERS,
    OVERLAYS,
    VALUES,
    WAYS,
    execute,
    statements,
    write_rules,
)
from tests.services.availability import examples

EXAMPLES = examples(320)
WANTED = int(os.environ.get("TENANCY_EXAMPLES", EXAMPLES))


class Ledger:
    """Both tenants' rows past the wall, in the transaction that is tried."""

    def __init__(self, shop: Shop, connection: sa.Connection) -> None:
        self.driver = connection.connection.driver_connection
        self.mine = shop.app.extensions["tenancy"].directory.get("acme").id

        if shop.sqlite:  # the driver begins with the first write, and would commit with the last savepoint
            physical(self.driver, "BEGIN")

    def over(self) -> bool:
        """Whether PostgreSQL wants the transaction to be rolled back before anything else."""
        info = getattr(self.driver, "info", None)
        return info is not None and info.transaction_status.name == "INERROR"

    def orders(self) -> dict[int, Row]:
        """The tenant's orders, by id."""
        sql = f'SELECT {", ".join(COLUMNS)} FROM "order" WHERE tenant_id = {self.mine}'
        return {
            row[0]: dict(zip(COLUMNS, map(plain, row), strict=True)) for row in physical(self.driver, sql)
        }

    def rest(self) -> list[Any]:
        """Everything else: other tenants' rows, and other tables."""
        theirs = physical(self.driver, f'SELECT * FROM "order" WHERE tenant_id <> {self.mine} ORDER BY 1, 2')
        assert theirs, "there is nobody to protect"
        return [
            theirs,
            *(physical(self.driver, f"SELECT * FROM {n} ORDER BY 1, 2") for n in ("customer", "stock")),
        ]


def plain(value: Any) -> Any:
    """A value as the model has it."""
    if isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-":
        return dt.date.fromisoformat(value)
    return value if isinstance(value, str | dt.date | None) else int(value)


class Tally:
    """What came of the statements that were made up."""

    def __init__(self) -> None:
        self.generated = self.equal = self.alike = self.failed = self.filled = 0
        self.more: list[str] = []

    def line(self, name: str) -> str:
        """For the table of figures."""
        return (
            f"writes under rules, {name}: {self.generated:5} generated {self.equal:5} equal {self.filled:5} not empty "
            f"{self.alike:4} refused alike {self.failed:3} failed alike {len(self.more):3} refused besides"
        )


@contextmanager
def registered(shop: Shop) -> Iterator[None]:
    """The hooks that rules name."""
    hooks: Hooks = shop.tenancy.hooks
    before = dict(hooks._functions)
    hooks._functions.update(HOOKS)
    yield
    hooks._functions.clear()
    hooks._functions.update(before)


@pytest.mark.databases("sqlite", "postgresql+psycopg")
@pytest.mark.timeout(max(300, WANTED))
def test_made_up_writes(shop: Shop, record_property: Callable[[str, object], None]) -> None:
    with shop.as_("acme"), shop.engine.begin() as connection:
        connection.execute(order.delete())
        connection.execute(customer.delete())
        connection.execute(customer.insert(), CUSTOMERS)
        connection.execute(order.insert(), ORDERS)
    tally = Tally()

    @settings(
        max_examples=WANTED, derandomize=WANTED == EXAMPLES, deadline=None, database=None,
        phases=[Phase.generate, Phase.shrink] if WANTED != EXAMPLES else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(statements(), write_rules(), OVERLAYS, OTHERS, VALUES, st.sampled_from(WAYS))
    def check(
        statement: Statement,
        rules: dict[str, WriteRules],
        overlay: Overlay,
        others: Overlay,
        values: tuple[Any, ...],
        way: str,
    ) -> None:
        tally.generated += 1
        what = f"\n{statement}\n{way}\n{rules}\n{overlay}\n{others}\n{values}"
        model = Model(
            {row["id"]: row for row in ORDERS}, {row["id"]: row for row in CUSTOMERS}, overlay, others, rules, values,
            HOOKS,
        )  # fmt: skip
        wanted: Answer | Exception
        try:
            wanted = model.run(statement)
        except (Refused, Failed) as said:
            wanted = said
        overlays = {n: o for n, o in (("order", overlay), ("customer", others)) if o != Overlay()}
        writes = {("order", verb): found for verb, found in rules.items()}

        def compare(
            ledger: Ledger,
            rest: list[Any],
            error: Exception | None,
            count: int | None,
            returned: list[Any] | None,
        ) -> None:
            if isinstance(error, sa.exc.IntegrityError):
                assert isinstance(wanted, Failed), f"failed: {error}{what}"
                tally.failed += 1
                return
            if error is not None:
                # A row that is in an upsert's way is refused by an error of PostgreSQL's, which ends the transaction.
                assert ledger.over() or ledger.orders() == model.rows, f"{error}, and it did{what}"
                assert ledger.over() or ledger.rest() == rest
                refused = not isinstance(wanted, Answer)
                assert refused or isinstance(error, StatementRefusedError), f"refused: {error}{what}"
                tally.alike += refused
                tally.more += [] if refused else [f"{error}{what}"]
                return
            assert isinstance(wanted, Answer), f"nobody refused it, and the model says: {wanted!r}{what}"
            found = ledger.orders()
            odd = [row for row in found.values() if row not in wanted.rows.values()]
            assert found == wanted.rows, f"{odd}{what}"
            assert ledger.rest() == rest, f"ANOTHER'S ROWS{what}"
            assert count is None or count == wanted.count, f"{count} instead of {wanted.count}{what}"
            if returned is not None:
                got = sorted((tuple(map(plain, row)) for row in returned), key=repr)
                assert got == sorted(wanted.returned, key=repr), what
            tally.equal += 1
            tally.filled += wanted.rows != model.rows

        with shop.ruled(writes, *values, overlays=overlays), shop.engine.connect() as connection:
            connection.begin()
            ledger = Ledger(shop, connection)
            rest = ledger.rest()
            assert ledger.orders() == model.rows
            error: Exception | None = None
            count = returned = None
            try:
                count, returned = execute(shop, connection, statement, way)
            except (RuleDeniedError, StatementRefusedError, sa.exc.IntegrityError) as caught:
                error = caught
            try:
                compare(ledger, rest, error, count, returned)
            finally:
                connection.rollback()

    with registered(shop):
        check()
    record_property("figure", tally.line("SQLite" if shop.sqlite else "PostgreSQL"))
    assert shop.rows(columns="id, total, status") == [
        (r["id"], float(r["total"]), r["status"]) for r in ORDERS
    ]
    assert len(tally.more) <= 0.03 * tally.generated, "\n\n".join(tally.more[:5])
    assert tally.filled >= 0.25 * tally.generated, tally.line("")
    assert tally.alike >= 0.1 * tally.generated, tally.line("")
