"""The oracle: run as tenant on the pool, a case must do exactly what it does on that tenant's own database.

It gives the same answer (rows with their headings, as a multiset unless the statement orders them; row counts; new
ids), leaves the tenant's own tables in the same state, and everybody else's rows byte for byte as they were.
"""

from __future__ import annotations

import collections
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from flask_tenant.errors import RefusedError
from tests.isolation import schema
from tests.isolation.world import Dump, World

Run = Callable[[sa.Connection], Any]
Ids = Literal["same", "ranked", "any"]


@dataclass(frozen=True)
class Case:
    """Something to run on both databases.

    :param what: shown when it goes wrong
    :param run: returns what is compared
    :param fails: the application's mistake: both databases answer with an error
    :param ids: automatic ids are the ``same``, or ``ranked`` alike where there may be gaps; ``any`` row has any of them
        where rows are numbered in no particular order
    """

    what: str
    run: Run
    fails: bool = False
    ids: Ids = "same"


class Unordered(list[Any]):
    """Rows that come in no particular order."""


@dataclass
class Outcome:
    """What a case did on one database."""

    value: Any = None
    rows: Dump | None = None
    error: str | None = None
    refused: RefusedError | None = None


@dataclass
class Tally:
    """What came of the variants of one shape."""

    generated: int = 0
    equal: int = 0
    filled: int = 0
    failed_alike: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For the table of figures."""
        return (
            f"{self.generated:5} generated {self.equal:5} equal {self.filled:5} not empty "
            f"{self.failed_alike:3} failed alike {len(self.refused):3} refused {len(self.wrong):3} wrong"
        )


def normal(value: Any) -> Any:
    """Turn what a database gave into plain comparable values; objects stay what they are."""
    if isinstance(
        value, (str, int, float, bool, bytes, type(None), Decimal, dt.date, dt.time, dt.timedelta, uuid.UUID)
    ):
        return value
    if isinstance(value, Unordered):
        return sorted((normal(v) for v in value), key=repr)
    if isinstance(value, dict):
        return {k: normal(v) for k, v in value.items()}
    if isinstance(value, schema.Base):
        state = sa.inspect(value)
        shown = {k: normal(v) for k, v in state.dict.items() if k in state.mapper.column_attrs}
        return (type(value).__name__, shown)
    if isinstance(value, (list, tuple, sa.Row)):
        return tuple(normal(v) for v in value)
    if isinstance(value, (set, frozenset, sa.engine.result.MappingResult)):
        return sorted((normal(v) for v in value), key=repr)
    return repr(value) if hasattr(value, "lower_inc") else value


def empty(value: Any) -> bool:
    """Whether an answer shows nothing that could be wrong."""
    if isinstance(value, dict):
        value = [v for k, v in value.items() if k != "keys"]
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(empty(v) for v in value)
    return value is None or value in (0, "", -1) or value is False


class Oracle:
    """Compares runs, and counts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tally = Tally()

    def check(self, case: Case, tenant: str) -> None:
        """Run a case on both databases."""
        tally = self.tally
        tally.generated += 1
        expected = self._run(case, tenant, alone=True)
        got = self._run(case, tenant, alone=False)
        where = f"\n--- as {tenant}: {case.what}"
        if expected.refused is not None:
            tally.wrong.append(f"the single database refuses: {expected.refused}{where}")
        elif got.refused is not None:
            tally.refused.append(f"{type(got.refused).__name__}: {got.refused}{where}")
        elif expected.error and not case.fails:
            tally.wrong.append(f"this is no valid case: {expected.error}{where}")
        elif expected.error != got.error:
            tally.wrong.append(f"error\n{expected.error}\nbecame\n{got.error}{where}")
        elif expected.error:
            tally.failed_alike += 1
        elif expected.value != got.value:
            tally.wrong.append(f"answer\n{expected.value}\nbecame\n{got.value}{where}")
        elif expected.rows != got.rows:
            tally.wrong.append(f"{_difference(expected.rows, got.rows)}{where}")
        else:
            tally.equal += 1
            tally.filled += not empty(expected.value) or expected.rows is not None

    def _run(self, case: Case, tenant: str, *, alone: bool) -> Outcome:
        world = self.world
        schema.reset()
        outcome = Outcome()
        opened = world.alone(tenant) if alone else world.as_tenant(tenant)
        with opened as connection:
            transaction = connection.begin()
            driver = connection.connection.driver_connection
            wrote = world.wrote(connection)
            changed = False
            try:
                outcome.value = normal(case.run(connection))
                changed = wrote()
                if changed:
                    outcome.rows = world.mine(connection, None if alone else tenant)
                    if case.ids != "same":
                        outcome.rows = self._renamed(outcome.rows, case.ids)
                    if not alone and world.others(connection, tenant) != world.before[tenant]:
                        difference = _difference(world.before[tenant], world.others(connection, tenant))
                        self.tally.wrong.append(
                            f"A NEIGHBOUR'S ROWS: {difference}\n--- as {tenant}: {case.what}"
                        )
            except RefusedError as error:
                outcome.refused = error
            except DBAPIError as error:
                outcome.error = type(error).__name__
                if not case.fails:
                    outcome.error += f": {error}"
                if "tenant_id" in str(error) or "ft_" in str(error):
                    outcome.error += f"\nTHE ERROR TELLS OF THE WALL: {error}"
                changed = True
            except Exception as error:  # whatever it is, the other database has to answer the same
                outcome.error = f"{type(error).__name__}: {error}"
            finally:
                if transaction.is_active:
                    transaction.rollback()
                if changed or world.dialect == "postgresql":
                    # There, a number may be taken without anything being written.
                    world.restart_numbers(driver)
                    driver.commit()
        return outcome

    def _renamed(self, rows: Dump, ids: Ids) -> Dump:
        """Rows with the ranks of their automatic ids, or with these by themselves."""
        found = dict(rows)
        for table in self.world.tables:
            auto = table._autoincrement_column
            if auto is not None:
                at = list(table.c).index(auto)
                of = rows[table.fullname]
                numbers = sorted(row[at] for row in of)
                rank = {number: n if ids == "ranked" else 0 for n, number in enumerate(numbers)}
                found[table.fullname] = sorted(
                    ((*row[:at], rank[row[at]], *row[at + 1 :]) for row in of), key=repr
                )
                if ids == "any":
                    found[f"{table.fullname}'s ids"] = [(number,) for number in numbers]
        return found


def _difference(expected: Dump | None, got: Dump | None) -> str:
    if expected is None or got is None:
        return f"one of the two wrote nothing: {expected is None=} {got is None=}"
    for table, rows in expected.items():
        if rows != got[table]:
            before, after = collections.Counter(map(repr, rows)), collections.Counter(map(repr, got[table]))
            lost, more = list((before - after).elements()), list((after - before).elements())
            return f"table {table}: expected\n{lost[:5]}\nis\n{more[:5]}"
    return "nothing"


# ---- what a case runs
def execute(connection: Any, statement: Any, parameters: Any = None, *, ordered: bool | None = None) -> Any:
    """Execute a statement, and return all that an application could learn from it."""
    result = (
        connection.execute(statement, parameters) if parameters is not None else connection.execute(statement)
    )
    return learnt(result, statement, ordered=ordered)


def learnt(result: Any, statement: Any = None, *, ordered: bool | None = None) -> Any:
    """Everything that a result tells."""
    if result.returns_rows:
        if ordered is None:
            ordered = bool(getattr(statement, "_order_by_clauses", ()))
        found = [tuple(row) for row in result.all()]
        return {"keys": tuple(result.keys()), "rows": found if ordered else Unordered(found)}
    told: dict[str, Any] = {"count": result.rowcount}
    context = getattr(result, "context", None)
    if (
        context is not None
        and context.isinsert
        and not context.executemany
        and context.compiled.statement.select is None
    ):
        if context.dialect.name == "sqlite" and context.compiled.statement._post_values_clause is not None:
            return told  # where the row is there already, SQLite shows the id of an earlier one
        if not context.compiled.statement._multi_values:
            told["key"] = tuple(result.inserted_primary_key)
        table = context.compiled.statement.table
        if context.dialect.name == "sqlite" and getattr(table, "_autoincrement_column", None) is not None:
            told["lastrowid"] = result.lastrowid
    return told


def show(statement: Any) -> str:
    """A statement for people."""
    try:
        return str(statement.compile())
    except Exception as error:  # shown only; some shapes have no generic form
        return f"{statement!r} ({type(error).__name__})"


def core(statement: Any, parameters: Any = None, *, ordered: bool | None = None, ids: Ids = "same") -> Case:
    """A case that executes one statement."""
    what = f"{show(statement)}\n{parameters if parameters is not None else ''}"
    return Case(what, lambda connection: execute(connection, statement, parameters, ordered=ordered), ids=ids)


def orm(run: Callable[[Session], Any], what: str = "", *, fails: bool = False) -> Case:
    """A case that works with a session, whose commits are savepoints."""

    def within(connection: sa.Connection) -> Any:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            return normal(run(session))

    return Case(what or run.__name__, within, fails)
