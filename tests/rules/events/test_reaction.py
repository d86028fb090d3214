"""What event rules do, end to end in one process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import blinker
import pytest
import sqlalchemy as sa

from flask_tenant import signals
from flask_tenant.errors import ConfigurationError, NoTenantError
from flask_tenant.expressions import Kind
from flask_tenant.rules.events import Event
from flask_tenant.rules.model import CallHook, Emit, Guard, Webhook
from tests.rules.books import MemoryBook
from tests.rules.events.world import RATIO, Clock, Shop, event_rule, three_in

pytestmark = pytest.mark.databases("sqlite")
MakeShop = Callable[..., Shop]

LOCK = CallHook("lock_account")
LOCKOUT = event_rule("lockout", "login.failed", LOCK, Emit("account.locked"), count=three_in(300))
LOCKED = event_rule("told", "account.locked", LOCK)


def errors(caplog: Any) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


# ---- counting
@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_the_third_failed_login_locks_the_account(make_shop: MakeShop) -> None:
    shop = make_shop(LOCKOUT, LOCKED)
    assert shop.send("login.failed", 2, user__id=7) == 0
    assert shop.send("login.failed", 2, user__id=8) == 0, "another user's are counted apart"
    assert shop.send("login.failed", user__id=7) == 2
    assert [(e.name, e.rule, e.tenant.slug, e.facts["user.id"]) for e in shop.calls] == [
        ("login.failed", "lockout", "acme", 7),
        ("account.locked", "told", "acme", 7),
    ]


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_it_fires_as_long_as_there_are_that_many(make_shop: MakeShop) -> None:
    """So that an account whose lock has failed, or was taken off, is locked with the next attempt."""
    clock = Clock()
    shop = make_shop(LOCKOUT, clock=clock)
    assert shop.send("login.failed", 5, user__id=7) == 3
    if shop.app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"):  # PostgreSQL has a clock of its own
        clock.now += 301
        assert shop.send("login.failed", 2, user__id=7) == 0


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_tenants_do_not_share_their_counts(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.rules(event_rule("lockout", "login.failed", LOCK, count=three_in(300)))
    rules = shop.state.rules.book.active(shop.state.directory.get("acme"))
    assert rules is not None
    shop.state.rules.book = MemoryBook([rules, replace(rules, tenant="bella")])
    assert shop.send("login.failed", 2, user__id=7) == 0
    assert shop.send("login.failed", 2, slug="bella", user__id=7) == 0
    assert shop.send("login.failed", 1, slug="bella", user__id=7) == 1
    assert shop.send("login.failed", 1, user__id=7) == 1


def test_what_is_not_known_is_counted_together(make_shop: MakeShop) -> None:
    shop = make_shop(LOCKOUT)
    assert shop.send("login.failed", 3) == 1


def test_an_edited_rule_starts_anew_unless_only_its_doing_was_edited(make_shop: MakeShop) -> None:
    shop = make_shop(LOCKOUT)
    shop.send("login.failed", 2, user__id=7)
    shop.rules(event_rule("lockout", "login.failed", LOCK, LOCK, count=three_in(300)))
    assert shop.send("login.failed", 1, user__id=7) == 2, "it goes on counting"
    shop.rules(event_rule("lockout", "login.failed", LOCK, count=three_in(299)))
    assert shop.send("login.failed", 2, user__id=7) == 0
    assert shop.send("login.failed", 1, user__id=7) == 1


# ---- conditions
@pytest.mark.parametrize(
    ("ratio", "possible", "fires"),
    [(2, True, 1), (0, True, 0), (None, True, 1), (None, False, 0), ("2", True, 1), (float("nan"), True, 1)],
)
def test_what_is_unknown_or_wrong_fires(
    make_shop: MakeShop, caplog: Any, ratio: Any, possible: bool, fires: int
) -> None:
    guards = (Guard(RATIO, possible),)
    shop = make_shop(event_rule("quota", "usage.changed", LOCK, when=0), guards=guards)
    assert shop.send("usage.changed", usage__ratio=ratio) == fires
    wrong = ratio is not None and not isinstance(ratio, int)
    assert any("counts as true" in text for text in errors(caplog)) == wrong


def test_the_events_own_facts_come_before_the_requests(make_shop: MakeShop) -> None:
    shop = make_shop(event_rule("quota", "usage.changed", LOCK, when=0), guards=(Guard(RATIO, False),))
    shop.ratio = 2
    assert shop.send("usage.changed") == 1
    assert shop.send("usage.changed", usage__ratio=0) == 0
    shop.ratio = 0
    assert shop.send("usage.changed") == 0


# ---- once
@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_once_a_month(make_shop: MakeShop) -> None:
    clock = Clock(1_793_500_000.0)  # 1 November 2026, 02:26 UTC
    shop = make_shop(event_rule("quota", "usage.changed", LOCK, once="month"), clock=clock)
    other = make_shop(event_rule("quota", "usage.changed", LOCK, once="month"), clock=clock)
    assert shop.send("usage.changed", 3) == 1
    assert other.send("usage.changed", 3) == 0, "another server knows it"
    clock.now += 29 * 86_400
    assert shop.send("usage.changed") == 0
    clock.now += 86_400
    assert [other.send("usage.changed"), shop.send("usage.changed")] == [1, 0]


def test_once_an_hour_for_each_user(make_shop: MakeShop) -> None:
    clock = Clock()
    shop = make_shop(
        event_rule("lockout", "login.failed", LOCK, count=three_in(300, at_least=1), once="hour"), clock=clock
    )
    assert [shop.send("login.failed", 2, user__id=n) for n in (7, 8)] == [1, 1]
    clock.now += 3600
    assert shop.send("login.failed", 2, user__id=7) == 1


def test_what_has_failed_is_tried_again_by_the_next_event(make_shop: MakeShop, caplog: Any) -> None:
    shop = make_shop(event_rule("quota", "usage.changed", CallHook("breaks"), LOCK, once="month"))

    @shop.tenancy.hooks.register("breaks")
    def breaks(event: Event) -> None:
        if not caplog.records:
            raise ZeroDivisionError("the mail server is down")

    caplog.clear()
    assert shop.send("usage.changed") == 0, "what comes after the failure is not done"
    assert "ZeroDivisionError" in caplog.text
    assert len(errors(caplog)) == 1
    assert shop.send("usage.changed", 2) == 1


def test_a_server_that_died_in_the_middle_holds_up_nobody(make_shop: MakeShop) -> None:
    clock = Clock()
    shop = make_shop(event_rule("quota", "usage.changed", LOCK, once="month"), clock=clock)
    shop.send("nothing")
    marks = shop.state.events.reaction._marks
    keep = marks.keep
    marks.keep = lambda *_, **__: None  # type: ignore[method-assign]
    assert shop.send("usage.changed") == 1
    marks.keep = keep  # type: ignore[method-assign]
    assert shop.send("usage.changed") == 0, "for a minute it could still be at work"
    clock.now += 61
    assert shop.send("usage.changed", 2) == 1


# ---- doing
def test_a_failing_rule_breaks_neither_the_request_nor_other_rules(make_shop: MakeShop, caplog: Any) -> None:
    shop = make_shop(
        event_rule("a", "login.failed", CallHook("lock_acount")), event_rule("b", "login.failed", LOCK)
    )
    failed = []
    with signals.event_failed.connected_to(lambda sender, event, error: failed.append((event.rule, error))):
        assert shop.send("login.failed") == 1
    assert [rule for rule, _ in failed] == ["a"]
    assert "Did you mean 'lock_account'?" in errors(caplog)[0]


def test_rules_that_cannot_be_read_break_no_request(make_shop: MakeShop, caplog: Any) -> None:
    shop = make_shop()

    class Broken:
        def active(self, tenant: Any) -> Any:
            raise OSError("no directory")

    shop.state.rules.book = Broken()
    shop.send("login.failed")
    assert "its rules cannot be read: no directory" in errors(caplog)[0]


def test_events_that_cause_each_other_are_cut(make_shop: MakeShop, caplog: Any) -> None:
    shop = make_shop(event_rule("a", "ping", LOCK, Emit("pong")), event_rule("b", "pong", Emit("ping")))
    assert shop.send("ping") == 4
    assert "8 deep" in errors(caplog)[0]
    many = [event_rule(f"r{n}", "ping", LOCK, Emit("ping")) for n in range(10)]
    shop.rules(*many)
    assert shop.send("ping") <= 10 * 101
    assert "100 others" in caplog.text
    assert shop.send("pong") == 0


def test_outside_any_tenant_no_rules_hold(make_shop: MakeShop) -> None:
    shop = make_shop(LOCKED)
    with pytest.raises(NoTenantError), shop.app.app_context():
        shop.tenancy.events.send("account.locked")


def test_what_rules_may_name(make_shop: MakeShop) -> None:
    events = make_shop().tenancy.events
    events.declare("login.failed", {"user.id": Kind.INT})
    events.declare("login.failed", {"user.id": Kind.INT})
    assert dict(events) == {"login.failed": {"user.id": Kind.INT}}
    with pytest.raises(ConfigurationError, match="declared twice"):
        events.declare("login.failed", {"user.id": Kind.TEXT})


# ---- signals
def test_signals_become_events(make_shop: MakeShop, caplog: Any) -> None:
    shop = make_shop(LOCKOUT)
    user_login_failed = blinker.Signal()
    shop.tenancy.events.connect(
        user_login_failed, "login.failed", lambda app, user: {"user.id": user["id"]} if user else None
    )
    happened = []
    watch = lambda sender, name, facts, tenant: happened.append((name, facts, tenant.slug))  # noqa: E731
    with signals.event_happened.connected_to(watch, sender=shop.tenancy):
        user_login_failed.send(shop.app, user={"id": 7})  # outside any tenant
        with shop.inside():
            for user in ({"id": 7}, None, {"id": 7}, {"wrong": 1}, {"id": 7}):
                user_login_failed.send(shop.app, user=user)
    assert len(shop.calls) == 1
    assert happened == [("login.failed", {"user.id": 7}, "acme")] * 3 + [
        ("account.locked", {"user.id": 7}, "acme")
    ]
    assert len(errors(caplog)) == 1


def test_a_signal_is_an_event_of_the_application_that_sent_it(make_shop: MakeShop) -> None:
    signal = blinker.Signal()
    shops = [make_shop(LOCKOUT), make_shop(LOCKOUT)]
    for shop in shops:  # as a factory does that is called twice
        shop.tenancy.events.connect(signal, "login.failed", lambda sender: {"user.id": 7})
    with shops[0].inside():
        for _ in range(2):
            signal.send()
        assert shops[0].calls == []  # each counted once
        signal.send()
    assert [len(shop.calls) for shop in shops] == [1, 0]


# ---- the database's own trouble
@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", ["count", "once", "webhook"])
def test_in_the_middle_of_the_requests_own_transaction(make_shop: MakeShop, kind: str, caplog: Any) -> None:
    """An SQLite file has one writer. The request holds it: counting waits until its session is closed."""
    rule = {
        "count": LOCKOUT,
        "once": event_rule("lockout", "login.failed", LOCK, once="day"),
        "webhook": event_rule("lockout", "login.failed", LOCK, Webhook("ops")),
    }[kind]
    shop = make_shop(rule)
    with shop.inside():
        shop.db.session.execute(shop.note.insert().values(text=f"a failed log-in: {kind}"))
        for _ in range(3):
            shop.tenancy.events.send("login.failed", {"user.id": 7})
        assert len(shop.calls) == (3 if kind == "webhook" else 0)
        shop.db.session.commit()
    assert len(shop.calls) == {"count": 1, "once": 1, "webhook": 3}[kind]
    assert len(shop.rows("webhook")) == (3 if kind == "webhook" else 0)
    assert errors(caplog) == []
    with shop.inside():
        assert f"a failed log-in: {kind}" in shop.db.session.scalars(sa.select(shop.note.c.text)).all()


@pytest.mark.databases("sqlite")
def test_when_nothing_can_count_the_request_goes_on(make_shop: MakeShop, caplog: Any) -> None:
    shop = make_shop(LOCKOUT)
    with shop.state.directory.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE tenancy_event_time RENAME TO elsewhere")
    try:
        assert shop.send("login.failed", user__id=7) == 0
    finally:
        with shop.state.directory.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO tenancy_event_time")
    assert "no such table" in errors(caplog)[0]
