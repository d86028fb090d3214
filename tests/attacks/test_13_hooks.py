"""Class 13: the application's own hooks run after ours, and change rows, statements and text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from flask_tenant import TenancyError
from flask_tenant.errors import StatementRefusedError
from tests.attacks.cases import on_sqlite
from tests.attacks.world import Customer, Setting, World, foreign_words, visit


@contextmanager
def listening(target: Any, name: str, hook: Any, **kw: Any) -> Iterator[None]:
    event.listen(target, name, hook, **kw)
    try:
        yield
    finally:
        event.remove(target, name, hook)


def set_tenant(target: Any) -> None:
    target.tenant_id = 2


@pytest.mark.parametrize("name", ["before_insert", "before_update", "before_flush"])
def test_hooks_that_set_the_tenant(world: World, name: str) -> None:
    """The attribute is none of the mapper's: it goes nowhere."""

    def on_mapper(mapper: Any, connection: Any, target: Any) -> None:
        set_tenant(target)

    def on_session(session: Any, *_: Any) -> None:
        for target in (*session.new, *session.dirty):
            set_tenant(target)

    target, hook = (Session, on_session) if name == "before_flush" else (Setting, on_mapper)
    with listening(target, name, hook), world.as_(), Session(world.engine) as session:
        session.add(
            Setting(
                key="hook",
                value="v",
            )
        )
        session.get_one(Setting, "logo").value = "changed"
        session.flush()
        assert world.others(session.connection()) == world.neighbours()
        assert ("hook", "v") in world.mine(session.connection())["setting"]
        assert ("logo", "changed") in world.mine(session.connection())["setting"]
        session.rollback()


def test_hooks_that_write_with_the_connection(world: World) -> None:
    def after(mapper: Any, connection: Any, target: Any) -> None:
        connection.execute(sa.update(visit).values(hits=99))
        connection.execute(sa.text("UPDATE customer SET note = 'hook'"))
        connection.exec_driver_sql("DELETE FROM invoice")
        cursor = connection.connection.cursor()
        cursor.execute("UPDATE setting SET value = 'hook'")
        cursor.close()

    with listening(Setting, "after_insert", after), world.as_(), Session(world.engine) as session:
        session.add(Setting(key="hook", value="v"))
        session.flush()
        assert world.others(session.connection()) == world.neighbours()
        assert not world.mine(session.connection())["invoice"]
        session.rollback()


REPLACED = "SELECT name FROM customer"


def test_text_replaced_before_the_cursor(world: World) -> None:
    """``before_cursor_execute`` may return another text, after every compiler has had its say."""

    def replace(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> Any:
        return REPLACED, () if world.sqlite else {}

    with world.as_(), listening(world.engine, "before_cursor_execute", replace, retval=True):
        for sent in (sa.select(sa.literal(1)), sa.text("SELECT 1"), sa.select(Customer.id)):
            with world.engine.connect() as connection:
                try:
                    found = connection.execute(sent).scalars().all()
                except (TenancyError, sa.exc.SQLAlchemyError) as error:
                    world.says_nothing(str(error))
                    continue
                assert set(found) == {"canary-acme-1", "canary-acme-2"}
    with (
        listening(world.physical, "before_cursor_execute", replace, retval=True),
        world.physical.connect() as plain,
    ):
        assert len(plain.execute(sa.select(sa.literal(1))).all()) == 9


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s + " OR 1=1",
        lambda s: s.replace("WHERE", "WHERE 1=1 OR"),
        lambda s: s.replace("tenant_id", "id"),
        lambda s: s + " UNION SELECT name FROM customer",
        lambda s: s.split("WHERE")[0],
        lambda s: f"/* trace */ {s} /* end */ OR 1=1",
        lambda s: f"{s} -- */ ",
        lambda s: f"/* x */ DELETE FROM visit; {s}",
        lambda s: f"{s}; DELETE FROM visit",
        lambda s: f"/* */ {s} /* */ /* */ UNION SELECT name FROM customer /* */",
    ],
)
def test_a_vouched_text_that_is_changed(world: World, change: Any) -> None:
    """Only a comment before or behind it leaves a rendered statement vouched for."""

    def edit(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> Any:
        return change(statement), parameters

    for sent in (sa.select(Customer.name), sa.text("SELECT name FROM customer")):
        with world.as_(), world.engine.connect() as connection:
            try:
                with listening(world.engine, "before_cursor_execute", edit, retval=True):
                    rows = connection.execute(sent).all()
            except (TenancyError, sa.exc.SQLAlchemyError) as error:
                world.says_nothing(str(error), change("tenant_id"))
            else:
                assert not any(word in repr(rows) for word in foreign_words())
                assert world.others(connection) == world.neighbours()
            connection.rollback()


def _edited(change: Callable[[Any], Any], parameters: Any, many: bool) -> Any:
    def one(row: Any) -> Any:
        return {k: change(v) for k, v in row.items()} if isinstance(row, dict) else tuple(map(change, row))

    return [one(row) for row in parameters] if many else one(parameters)


PARAMETERS: dict[str, Callable[[Any, bool], Any]] = {
    "another tenant's": lambda given, many: _edited(lambda v: 2 if v == 1 else v, given, many),
    "as text": lambda given, many: _edited(str, given, many),
    "one row less": lambda given, many: given[1:] if many else given,
    "none": lambda given, many: type(given)(),
}
SENT: dict[str, tuple[Any, Any]] = {
    "select": (sa.select(Customer.name).where(Customer.id > 0), None),
    "insert": (sa.insert(visit), {"page": "x", "hits": 7}),
    "rows": (sa.insert(visit), [{"page": "x", "hits": 7}, {"page": "y", "hits": 8}]),
    "returning": (sa.insert(visit).returning(visit.c.page), [{"page": "x", "hits": 7}, {"page": "y", "hits": 8}]),
    "update": (sa.update(visit).where(visit.c.hits == sa.bindparam("was")), [{"was": 0, "hits": 7}, {"was": 5, "hits": 8}]),
}  # fmt: skip


@pytest.mark.parametrize("comment", ["", "/* trace */ "])
@pytest.mark.parametrize("name", SENT)
def test_parameters_that_are_changed(world: World, name: str, comment: str) -> None:
    """A listener may send others: not in the tenant's place."""
    statement, rows = SENT[name]
    assert world.ids["acme"] == 1
    assert world.ids["bella"] == 2
    for how, change in PARAMETERS.items():

        def edit(
            conn: Any, cursor: Any, text: str, given: Any, context: Any, many: bool, change: Any = change
        ) -> Any:
            return comment + text, change(given, isinstance(given, list))

        with world.as_(), world.engine.connect() as connection:
            with listening(world.engine, "before_cursor_execute", edit, retval=True):
                if how == "one row less" and (
                    name != "update" and (name != "rows" or world.driver == "psycopg2")
                ):
                    connection.execute(statement, rows)  # one row, or one statement for all
                else:
                    with pytest.raises(StatementRefusedError, match="event listener"):
                        connection.execute(statement, rows)
            assert world.others(connection) == world.neighbours()
            connection.rollback()


def test_parameters_that_are_copied_or_are_the_applications(world: World) -> None:
    def edit(conn: Any, cursor: Any, text: str, given: Any, context: Any, many: bool) -> Any:
        return text, _edited(
            lambda v: "canary-acme-1" if v == "nobody" else v, given, isinstance(given, list)
        )

    with world.as_(), world.engine.connect() as connection:
        with listening(world.engine, "before_cursor_execute", edit, retval=True):
            asked = sa.select(Customer.name).where(Customer.name == "nobody")
            assert connection.execute(asked).scalars().all() == ["canary-acme-1"]
            connection.execute(sa.insert(visit), [{"page": "nobody", "hits": 7}] * 3)
        assert connection.scalar(sa.select(sa.func.count()).where(visit.c.page == "canary-acme-1")) == 3
        connection.rollback()


@pytest.mark.parametrize("text", ["/* sqlcommenter */ {}", "{} /* route='/x' */", "/* a */ {} /* b */"])
def test_comments_are_let_through(world: World, text: str) -> None:
    def comment(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> Any:
        return text.format(statement), parameters

    with listening(world.engine, "before_cursor_execute", comment, retval=True):
        with world.as_(), world.engine.connect() as connection:
            assert len(connection.execute(sa.select(Customer.name)).all()) == 2
            assert connection.execute(sa.update(visit).values(hits=0)).rowcount == 2
            connection.rollback()


def test_a_listener_that_executes_by_itself(world: World) -> None:
    """``do_execute`` hands the driver's cursor over."""
    seen: list[Any] = []

    def instead(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        try:
            cursor.execute("SELECT name FROM customer WHERE 1=1 OR 1=1")
            seen.append(cursor.fetchall())
        except TenancyError as error:
            seen.append(error)
        cursor.execute(statement, parameters)
        return True

    with world.as_(), listening(world.engine, "do_execute", instead), world.engine.connect() as connection:
        assert len(connection.execute(sa.select(Customer.id)).all()) == 2
    assert seen
    assert not any(word in repr(seen) for word in foreign_words())


def test_a_statement_replaced_before_it_is_compiled(world: World) -> None:
    def replace(conn: Any, element: Any, multi: Any, params: Any, options: Any) -> Any:
        return sa.select(Customer.name), (), {}

    with world.as_(), listening(world.engine, "before_execute", replace, retval=True):
        with world.engine.connect() as connection:
            assert len(connection.execute(sa.select(sa.literal(1))).all()) == 2


@on_sqlite
def test_functions_of_the_applications_own(world: World) -> None:
    """A Python function that SQL calls reaches the connection again, guarded as before."""
    with world.as_(), world.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        found: list[Any] = []

        def peek(_: Any) -> int:
            found.append(driver.execute("SELECT name FROM customer").fetchall())
            return 1

        driver.create_function("upper", 1, peek)
        try:
            connection.exec_driver_sql("SELECT upper('x')").all()
        finally:
            driver.create_function("upper", 1, None)
        assert len(found) == 1
        assert len(found[0]) == 2
        with pytest.raises(TenancyError):
            connection.exec_driver_sql("SELECT unheard_of('x')")
        connection.invalidate()
