"""Shows that rules are enforced: a tenant that does not exist, two rules of its own, and statements that must obey.

One rule denies reading a table: the statement has to be refused. The other filters its rows by a value that nobody can
guess: that value has to reach the driver. Both hold because of a fact, so the engine is asked too. No row is read.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ..context import Scope
from ..directory import Directory
from ..errors import RuleDeniedError, RuleEngineError, TenancyError
from ..expressions import Call, Column, Constant, Expression, Fact, Kind, Slot
from ..isolate import Isolation
from ..model import Tenant
from ..rules.model import Condition, Deny, Filter, Guard, Place, Rule, RuleSet
from ..rules.store import RuleBook
from .vocabulary import tables_of

log = logging.getLogger("flask_tenant")


class Databases(Protocol):
    """What is asked of an application's databases."""

    isolations: WeakKeyDictionary[Engine, Isolation]
    replicas: WeakValueDictionary[str, Engine]

    def tables(self) -> tuple[str, ...]:
        """The names of all tables, for rules about ``"*"``."""


class Application(Protocol):
    """What is asked of Tenancy's state of an application."""

    @property
    def databases(self) -> Databases:
        """The engines that hold tenant data."""

    @property
    def directory(self) -> Directory:
        """The tenants."""

    @property
    def tenancy(self) -> Any:
        """What the application has registered."""

    def enter(self, scope: Scope) -> AbstractContextManager[Scope]:
        """Enter a scope."""

    def zone_of(self, tenant: Tenant) -> str:
        """Return the time zone in which a tenant's days begin, ``""`` for none."""


CANARY = Tenant(2**31 - 1, "flask-tenant-canary", "Canary")
"""Nobody: tenants' ids are given out from 1 on."""

_HERE = Place("canary", 1)


class Proof:
    """One proof, for every database of an application.

    :param application: Tenancy's state of it
    :param book: which the application's rules come from
    """

    def __init__(self, application: Application, book: RuleBook) -> None:
        self._application = application
        self._book = book

    def run(self) -> None:
        """Try statements that must obey.

        :raises RuleEngineError: when one does not
        """
        usual = list(self._application.databases.isolations.items())
        for engine, isolation in usual:
            self._prove(engine, isolation)
        for engine in list(self._application.databases.replicas.values()):
            law = getattr(getattr(engine.dialect, "ft_wall", None), "law", None)
            found = [isolation for _, isolation in usual if isolation.wall.law is law]
            if not found:
                raise _not_enforced(f"the engine {engine.url!r}, to which rules may send reads, has no wall")
            try:
                self._prove(engine, found[0])
            except sa.exc.OperationalError:  # it is down: nothing is read there, and the others go on
                log.warning(
                    "The engine %r cannot be reached to show that rules are enforced there", engine.url
                )

    def _prove(self, engine: Engine, isolation: Isolation) -> None:
        found = _column(isolation)
        if found is None:
            return  # no table: nothing can be read that rules would have to keep
        table, column, kind = found
        statement = sa.text(f"SELECT {_quoted(engine, column)} FROM {_quoted(engine, table)}")
        names = (table, *isolation.catalog.relatives.get(table, ()))  # whose rows are the same
        self._denied(engine, statement, names)
        self._filtered(engine, statement, names, column, kind)

    def _denied(self, engine: Engine, statement: sa.TextClause, names: tuple[str, ...]) -> None:
        rules = _canary(names, Deny(("This is only a test.",)))
        try:
            reached = self._reached(engine, statement, rules)
        except RuleDeniedError:
            return
        except TenancyError as error:
            raise _not_enforced(f"the statement failed otherwise: {error.message}") from error
        raise _not_enforced(
            f"a statement on {names[0]!r} that a rule denies reached the driver: {reached[0]!r}"
        )

    def _filtered(
        self, engine: Engine, statement: sa.TextClause, names: tuple[str, ...], column: str, kind: Kind
    ) -> None:
        value: Any = secrets.randbelow(2**30) + 2**29 if kind is Kind.INT else secrets.token_hex(12)
        keep = Call(Kind.BOOL, "==", (Column(kind, column), Slot(kind, 0)))
        rules = _canary(names, Filter(Condition(((0, keep),))), (Constant(kind, value),))
        try:
            text, parameters = self._reached(engine, statement, rules)
        except TenancyError as error:
            raise _not_enforced(f"a statement that a rule filters failed: {error.message}") from error
        if value not in _values(parameters):
            raise _not_enforced(f"a filter on {names[0]!r} is not part of what reached the driver: {text!r}")

    def _reached(self, engine: Engine, statement: sa.TextClause, rules: RuleSet) -> tuple[str, Any]:
        """Execute a statement for the canary up to the driver; what would have got there."""
        with self._book.trying(CANARY, rules), self._application.enter(Scope(CANARY)):
            return reached(engine, lambda connection: connection.execute(statement))


class _ReachedError(Exception):
    def __init__(self, statement: str, parameters: Any) -> None:
        super().__init__(statement)
        self.statement, self.parameters = statement, parameters


def reached(engine: Engine, execute: Callable[[Connection], Any]) -> tuple[str, Any]:
    """Return what a statement would hand to the driver: text and parameters. The driver does not get it.

    :param execute: executes one statement
    """

    def work(connection: Connection) -> tuple[str, Any]:
        with _stopped(connection):
            try:
                execute(connection)
            except _ReachedError as found:
                return found.statement, found.parameters
        raise RuleEngineError(
            "No statement reached the driver", hint="Give one statement that reads or writes rows"
        )

    if engine.dialect.is_async:
        return _awaited(engine, work)
    with engine.connect() as connection:
        return work(connection)


def _awaited(engine: Engine, work: Callable[[Connection], tuple[str, Any]]) -> tuple[str, Any]:
    """Do something on an asynchronous engine, in a loop of our own: the application's may be the one that waits for us.

    The connection is our own as well, because connections belong to the loop in which they were made.
    """
    from sqlalchemy.ext.asyncio import AsyncEngine

    own = copy.copy(engine)
    own.pool = engine.pool.recreate()

    async def ask() -> tuple[str, Any]:
        asynchronous = AsyncEngine(own)
        try:
            async with asynchronous.connect() as connection:
                return await connection.run_sync(work)
        finally:
            await asynchronous.dispose()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(contextvars.copy_context().run, asyncio.run, ask()).result()


@contextmanager
def _stopped(connection: Connection) -> Iterator[None]:
    def stop(
        conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        raise _ReachedError(statement, parameters)

    event.listen(connection, "before_cursor_execute", stop)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", stop)


def _canary(names: tuple[str, ...], effect: Any, slots: tuple[Expression, ...] = ()) -> RuleSet:
    asked = Call(Kind.BOOL, "==", (Fact(Kind.TEXT, "tenant.slug"), Constant(Kind.TEXT, CANARY.slug)))
    rule = Rule("canary", "all", _HERE, ("read",), names, Condition(((0, None),)), (effect,))
    return RuleSet(
        CANARY.slug, (rule,), (Guard(asked, possible=True),), slots, {"tenant.slug": Kind.TEXT}, version=-1
    )


def _column(isolation: Isolation) -> tuple[str, str, Kind] | None:
    """A table of the application, and one of its columns that can be compared."""
    for table, columns in sorted(tables_of(isolation).items()):
        for column, kind in columns.items():
            if kind in (Kind.INT, Kind.TEXT):
                return table, column, kind
    return None


def _quoted(engine: Engine, name: str) -> str:
    return engine.dialect.identifier_preparer.quote(name)


def _values(parameters: Any) -> list[Any]:
    if isinstance(parameters, dict):
        return list(parameters.values())
    return [
        v for each in parameters for v in (_values(each) if isinstance(each, dict | tuple | list) else [each])
    ]


def _not_enforced(why: str) -> RuleEngineError:
    return RuleEngineError(
        f"Rules are not enforced: {why}",
        hint="Nobody is served: something stands between the application and its wall. See 'flask tenant doctor'",
    )
