"""A small application with two tenants, and event rules as values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy
from flask_tenant.application import Application
from flask_tenant.expressions import Call, Constant, Expression, Fact, Kind
from flask_tenant.registry import state_of
from flask_tenant.rules.events import Event
from flask_tenant.rules.model import ALWAYS, Condition, Count, Effect, Guard, Place, Rule, RuleSet
from tests.rules.books import MemoryBook

USER = Fact(Kind.INT, "user.id")
RATIO = Call(Kind.BOOL, ">=", (Fact(Kind.NUMBER, "usage.ratio"), Constant(Kind.NUMBER, 1)))


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def event_rule(
    rule_id: str,
    event: str,
    *effects: Effect,
    count: Count | None = None,
    once: str = "",
    when: int = ALWAYS,
) -> Rule:
    """A rule as ``check`` makes it. ``when`` is the guard's index."""
    condition = Condition(((when, None),))
    place = Place("acme.yaml", 1)
    return Rule(rule_id, "tenant:acme", place, ("event",), (event,), condition, effects, count, once)


def three_in(seconds: float, by: Expression | None = USER, at_least: int = 3) -> Count:
    return Count(by, at_least, seconds)


class Shop:
    """The application. ``calls`` is what hooks were called with, in order."""

    def __init__(self, url: str, **config: Any) -> None:
        app = self.app = Flask("shop")
        app.config.update({"SECRET_KEY": "a secret", "SQLALCHEMY_DATABASE_URI": url, **config})
        self.db = SQLAlchemy(app)
        self.note = sa.Table(
            "note",
            self.db.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("text", sa.Text),
        )
        self.tenancy = Tenancy(app)
        self.calls: list[Event] = []
        self.ratio: object = None
        self.tenancy.facts.provider("usage.ratio", Kind.NUMBER)(lambda: self.ratio)
        with app.app_context():
            self.db.create_all()
        self.state: Application = state_of(app)
        for slug in ("acme", "bella"):
            if self.state.directory.find(slug) is None:
                self.state.create(slug, slug.title())

    def begin(
        self, *rules: Rule, guards: tuple[Guard, ...] = (), clock: Callable[[], float] = time.time
    ) -> Shop:
        """Begin a test: with these rules, and with nothing that an earlier one has left."""
        self.rules(*rules, guards=guards)
        self.ratio = None
        self.calls.clear()
        self.tenancy.hooks._functions.clear()
        self.tenancy.hooks.register("lock_account")(self.calls.append)
        events = self.state.events
        events.reaction._marks._known.clear()
        for part in (events.reaction, events.outbox, events.reaction._marks, events.reaction._windows._sql):
            part._clock = clock
        return self

    def empty(self) -> None:
        """Empty our own tables."""
        tables = self.state.directory.tables
        with self.state.directory.connect() as connection:
            for table in (tables.event_time, tables.event_mark, tables.webhook):
                connection.execute(table.delete())

    def rules(self, *rules: Rule, guards: tuple[Guard, ...] = ()) -> None:
        """Let other rules hold for acme."""
        mine = RuleSet("acme", rules, guards, version=1)
        self.state.rules.book = MemoryBook([mine])

    @contextmanager
    def inside(self, slug: str = "acme") -> Iterator[None]:
        """Work in a tenant, as a request does."""
        from flask_tenant import tenant_context

        with tenant_context(slug, self.app), self.app.app_context():
            yield

    def send(self, name: str, times: int = 1, slug: str = "acme", **facts: Any) -> int:
        """Send an event some times, and return how often the hook was called."""
        before = len(self.calls)
        with self.inside(slug):
            for _ in range(times):
                self.tenancy.events.send(
                    name, {key.replace("__", "."): value for key, value in facts.items()}
                )
        return len(self.calls) - before

    def rows(self, table: str) -> list[Any]:
        """What one of our own tables holds."""
        found = getattr(self.state.directory.tables, table)
        with self.state.directory.connect() as connection:
            return list(connection.execute(sa.select(found)))

    def close(self) -> None:
        """Let go of all connections."""
        self.state.directory.close()
        with self.app.app_context():
            self.db.engine.dispose()
