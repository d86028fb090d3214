"""One statement object under alternating rulings and tenants, in threads, with a change in the middle."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from flask_tenant import tenant_context
from flask_tenant.context import current_scope
from flask_tenant.decision import Overlay, Ruling
from flask_tenant.isolate.overlay import shapes
from tests.rules.reads.world import LAST4, OPEN, TODAY, Customer, Invoice, World, decide, recent

STATEMENTS: dict[str, Any] = {
    "core": sa.select(Invoice.__table__.c.id).order_by("id"),
    "orm": sa.select(Invoice.id).order_by(Invoice.id),
    "text": sa.text("SELECT id FROM invoice ORDER BY id"),
}


def _cases() -> list[tuple[Ruling, list[int]]]:
    cases: list[tuple[Ruling, list[int]]] = [
        (
            decide({"invoice": Overlay((recent(),))}, (TODAY - dt.timedelta(days=30 * n + 5),)),
            list(range(1, n + 1)),
        )
        for n in (1, 4, 7)
    ]
    cases += [(decide({}), list(range(1, 11))), (decide({"invoice": Overlay((OPEN,))}), [1, 3, 5, 7, 9])]
    return cases


def test_nobody_meets_a_decision_of_another(world: World) -> None:
    chosen = threading.local()
    wrong: list[Any] = []
    rounds = [0] * 4
    for slug in ("acme", "bella"):
        world.rules.rulings[slug] = lambda: chosen.ruling

    def work(number: int) -> None:
        slug = ("acme", "bella")[number % 2]
        with tenant_context(slug, world.app):
            for turn in range(12):
                with Session(world.engine) as session:
                    for name, statement in STATEMENTS.items():
                        ruling, wanted = _cases()[
                            (number + turn + len(name)) % 5
                        ]  # equal in content, new each time
                        chosen.ruling = ruling
                        found = list(session.scalars(statement))
                        if found != wanted or current_scope().tenant.slug != slug:  # type: ignore[union-attr]
                            wrong.append((slug, name, found, wanted))
                        rounds[number] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert rounds == [36] * 4


def test_the_orm_flushes_under_two_shapes(world: World) -> None:
    """Its flush has a cache of its own."""
    filtered = decide({"invoice": Overlay((recent(),))}, (TODAY - dt.timedelta(days=95),))
    masked = decide({"customer": Overlay(masks=(("phone", LAST4),))})
    for ruling in (None, filtered, masked, filtered, None):
        with world.under(ruling) as connection, Session(connection) as session:
            customer = session.get_one(Customer, 1)
            assert customer.phone == ("****1111" if ruling is masked else "+49 30 01111")
            customer.name = "changed"
            session.flush()
            session.get_one(Invoice, 2).memo = "changed"
            session.flush()
            found = session.get(Invoice, 8)
            assert (found is None) is (ruling is filtered)


@pytest.mark.databases("sqlite")
def test_shapes_are_shared_by_content_and_bounded(world: World) -> None:
    wall = world.wall
    assert wall.shapes(_cases()[0][0].decision.shape) is wall.shapes(_cases()[1][0].decision.shape)
    for n in range(shapes.SHAPES + 20):
        wall.shapes(decide({f"t{n}": Overlay((OPEN,))}).decision.shape)
    assert wall.shapes.cache_info().currsize == shapes.SHAPES  # type: ignore[attr-defined]


@pytest.mark.databases("sqlite")
def test_many_shapes_do_not_push_out_what_others_have_compiled(world: World) -> None:
    """A page of sixty statements under twenty shapes: the second time nothing is compiled again."""
    shaped = [
        decide({"invoice": Overlay((OPEN,), hidden=("memo",) * (n % 2)), f"t{n}": Overlay((OPEN,))})
        for n in range(20)
    ]
    invoice = Invoice.__table__
    statements = [sa.select(invoice.c.id.label(f"c{n}")).limit(1) for n in range(60)]
    hits: list[Any] = []

    def look(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "invoice" in statement:  # the directory, too, asks something each second
            hits.append(context.cache_hit.name)

    for turn in range(2):
        sa.event.listen(world.engine, "before_cursor_execute", look) if turn else None
        for ruling in shaped:
            with world.under(ruling) as connection:
                for statement in statements:
                    assert len(connection.execute(statement).all()) == 1
    sa.event.remove(world.engine, "before_cursor_execute", look)
    assert len(hits) == 20 * 60
    assert set(hits) == {"CACHE_HIT"}


def test_a_listener_that_asks_for_anothers_rows(world: World) -> None:
    """Between the question which rules hold and the statement itself, others may be executed under rules of theirs."""
    cases = _cases()
    world.rules.rulings["bella"] = cases[2][0]
    inside: list[Any] = []

    def listener(*args: Any) -> None:
        if not inside:
            inside.append(args)
            with tenant_context("bella", world.app), world.engine.connect() as other:
                assert list(other.scalars(STATEMENTS["core"])) == cases[2][1]

    with world.under(cases[0][0]) as connection:
        sa.event.listen(world.engine, "before_execute", listener)
        try:
            for statement in (*STATEMENTS.values(), *STATEMENTS.values()):
                inside.clear()
                assert list(connection.scalars(statement)) == cases[0][1]
                assert inside
        finally:
            sa.event.remove(world.engine, "before_execute", listener)
