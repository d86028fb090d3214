"""What rules deny is not read, and nothing reaches the database."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from flask_tenant import tenant_context
from flask_tenant.decision import Denial, Overlay
from flask_tenant.errors import RuleDeniedError, RuleEngineError, StatementRefusedError
from flask_tenant.expressions import Kind, Slot
from tests.rules.reads.world import OPEN, Customer, Invoice, Note, World, decide

DENIED = decide({}, ("ann",), reads={"invoice": Denial("no-invoices", ("Not for ", Slot(Kind.TEXT, 0), "."))})

READS: list[Any] = [
    sa.select(Invoice.id),
    sa.select(Customer).join(Customer.invoices),
    sa.select(Customer.id).where(Customer.id.in_(sa.select(Invoice.customer_id))),
    sa.text("SELECT 1 FROM customer, invoice"),
    sa.text("WITH x AS (SELECT id FROM invoice) SELECT * FROM x"),
    sa.text("INSERT INTO note (id, text) SELECT id + 50, state FROM invoice"),
    sa.select(Customer.id).where(sa.text("EXISTS (SELECT 1 FROM invoice)")),
    sa.update(Invoice).values(memo="x"),
    sa.delete(Invoice),
    sa.text("UPDATE invoice SET memo = 'x'"),
    sa.text("INSERT INTO invoice (id, customer_id, issued_on, state, total, quantity) "
            "VALUES (1, 1, '2026-01-01', 'open', 1, 1) ON CONFLICT (id) DO UPDATE SET memo = 'x'"),
]  # fmt: skip


@pytest.mark.parametrize("statement", READS, ids=range(len(READS)))
def test_a_denied_table_is_not_read(world: World, statement: Any) -> None:
    with world.under(DENIED) as connection:
        sent: list[str] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *a: sent.append(a[2]))
        with pytest.raises(RuleDeniedError, match="Not for ann") as caught:
            connection.execute(statement)
        assert caught.value.rule == "no-invoices"
        assert sent == []


@pytest.mark.parametrize("statement", READS, ids=range(len(READS)))
def test_what_ran_without_rules_is_denied_by_them(world: World, statement: Any) -> None:
    """A denial alone changes no statement's shape, so that the compiled form is the one that was let through before."""
    for _ in range(2):
        with world.under(None) as connection:
            connection.execute(statement)
        with world.under(DENIED) as connection, pytest.raises(RuleDeniedError):
            connection.execute(statement)


def test_raw_sql_is_denied_too(world: World) -> None:
    with world.under(DENIED) as connection:
        with pytest.raises(RuleDeniedError):
            connection.exec_driver_sql("SELECT * FROM invoice")
        with pytest.raises(RuleDeniedError):
            connection.connection.cursor().execute("SELECT * FROM invoice")


def test_what_is_not_denied_goes_on(world: World) -> None:
    with world.under(DENIED) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Customer)) == 5
        connection.execute(sa.insert(Note).values(id=7, text="x"))
        row = {
            "id": 99,
            "customer_id": 1,
            "issued_on": "2026-01-01",
            "state": "open",
            "total": 1,
            "quantity": 1,
        }
        connection.execute(
            sa.text(
                "INSERT INTO invoice (id, customer_id, issued_on, state, total, quantity) "
                "VALUES (:id, :customer_id, :issued_on, :state, :total, :quantity)"
            ),
            row,
        )
        with Session(connection) as session:
            session.add(Note(id=1000, text="by the ORM"))
            session.flush()


def test_an_error_of_the_rules_refuses(world: World) -> None:
    def broken() -> Any:
        raise RuleEngineError("cannot be decided")

    with world.under(broken) as connection:
        for way in (
            lambda: connection.execute(sa.select(Note)),
            lambda: connection.exec_driver_sql("SELECT 1 FROM note"),
            lambda: connection.connection.cursor().execute("SELECT 1 FROM note"),
        ):
            with pytest.raises(RuleEngineError):
                way()


def test_rules_that_name_an_unknown_column_refuse(world: World) -> None:
    with (
        world.under(decide({"note": Overlay(hidden=("secret",))})) as connection,
        pytest.raises(RuleEngineError, match="secret"),
    ):
        connection.execute(sa.select(Note))


def test_a_connection_of_another_class_is_not_listened_to(world: World) -> None:
    """Nothing in it asks for rules."""
    ruling = decide({}, reads={"note": Denial("no-notes", ("No.",))})
    with world.held(ruling), tenant_context("acme", world.app), sa.Connection(world.engine) as own:
        for statement in (sa.select(Note), sa.text("SELECT text FROM note")):
            with pytest.raises((StatementRefusedError, RuleDeniedError)):
                own.execute(statement)


@pytest.mark.every_version
def test_a_kept_compiled_form_is_not_executed_under_another_ruling(world: World) -> None:
    if not hasattr(sa.Connection, "_execute_compiled"):
        pytest.skip("this SQLAlchemy executes no compiled forms")
    with world.under(None) as connection:
        compiled = sa.select(Invoice.id).compile(connection)
        world.rules.rulings["acme"] = decide({"invoice": Overlay((OPEN,))})
        with pytest.raises(StatementRefusedError):
            connection.execute(compiled)  # type: ignore[call-overload]


def test_what_rules_keep_with_a_connection_goes_when_its_transaction_ends(world: World) -> None:
    with world.under(decide({})) as connection:
        world.rules.holders.clear()
        connection.execute(sa.select(Note))
        connection.exec_driver_sql("SELECT 1 FROM note")
        connection.connection.cursor().execute("SELECT 1 FROM note")
        assert len({id(h) for h in world.rules.holders}) == 1  # one transaction, one version and one now
        assert len(world.rules.holders) >= 3
        held = world.rules.holders[0].ft_held
        for end in (connection.commit, connection.rollback):
            connection.execute(sa.select(Note))
            assert held
            end()
            assert not held
        connection.execute(sa.select(Note))
        assert held
    assert not held
