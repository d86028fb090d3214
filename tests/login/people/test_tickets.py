"""What is good once."""

from __future__ import annotations

import threading

import pytest

from flask_tenant.login import store
from flask_tenant.login.store import TIDY_EVERY
from tests.login.people.conftest import Clock, Kept

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def test_once_for_one_purpose_at_one_tenant(kept: Kept) -> None:
    secret = kept.tickets.issue("reset", 1, {"person": 7}, 60)
    assert secret not in str(kept.rows("ticket"))
    assert kept.tickets.redeem("invitation", 1, secret) is None
    assert kept.tickets.redeem("reset", 2, secret) is None
    assert kept.tickets.look("reset", 2, secret) is None
    assert kept.tickets.redeem("reset", 1, secret + "x") is None
    assert kept.tickets.look("reset", 1, secret) == kept.tickets.redeem("reset", 1, secret) == {"person": 7}
    assert kept.tickets.look("reset", 1, secret) is kept.tickets.redeem("reset", 1, secret) is None


def test_not_for_long(kept: Kept, clock: Clock) -> None:
    secret = kept.tickets.issue("reset", 1, {}, 60)
    clock.move(seconds=59)
    assert kept.tickets.look("reset", 1, secret) == {}
    clock.move(seconds=1)
    assert kept.tickets.look("reset", 1, secret) is kept.tickets.redeem("reset", 1, secret) is None


def test_what_happens_again_is_known(kept: Kept) -> None:
    assert kept.tickets.first("message", 1, "a", 60)
    assert not kept.tickets.first("message", 1, "a", 60)
    assert kept.tickets.first("message", 2, "a", 60)
    assert kept.tickets.first("message", 1, "b", 60)
    assert kept.tickets.first("other", 1, "a", 60)


def test_of_many_at_once_one_gets_it(kept: Kept) -> None:
    secret = kept.tickets.issue("reset", 1, {"person": 7}, 60)
    start = threading.Barrier(4)
    found: list[object] = []

    def go() -> None:
        start.wait()
        found.append(kept.tickets.redeem("reset", 1, secret))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, found)) == ["None", "None", "None", "{'person': 7}"]


def test_unused_ones_are_removed(kept: Kept, clock: Clock) -> None:
    kept.tickets.issue("reset", 1, {}, 60)
    clock.move(seconds=61)
    for _ in range(TIDY_EVERY):
        kept.tickets.issue("reset", 1, {}, 60)
    assert len(kept.rows("ticket")) == TIDY_EVERY


def test_what_was_seen_before(kept: Kept, clock: Clock) -> None:
    assert kept.tickets.first("logout", 1, "7", 60)
    assert not kept.tickets.first("logout", 1, "7", 60)
    assert kept.tickets.first("logout", 1, "8", 60)
    assert kept.tickets.first("logout", 2, "7", 60)
    assert kept.tickets.first("other", 1, "7", 60)
    assert kept.tickets.redeem("logout", 1, "logout\x001\x007") is None
    assert kept.tickets.redeem("seen:logout", 2, "logout\x001\x007") is None
    assert not kept.tickets.first("logout", 1, "7", 60)
    clock.move(seconds=60)
    assert kept.tickets.first("logout", 1, "7", 60)
    assert not kept.tickets.first("logout", 1, "7", 60)


def test_of_many_that_see_it_at_once_one_is_the_first(kept: Kept) -> None:
    start = threading.Barrier(4)
    found: list[bool] = []

    def go() -> None:
        start.wait()
        found.append(kept.tickets.first("logout", 1, "7", 60))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, False, False, True]


def test_messages_that_were_seen_are_forgotten_too(kept: Kept, clock: Clock) -> None:
    kept.tickets.first("logout", 1, "old", 60)
    clock.move(seconds=61)
    for number in range(TIDY_EVERY):
        kept.tickets.first("logout", 1, str(number), 60)
    assert len(kept.rows("ticket")) == TIDY_EVERY


def test_processes_that_do_not_live_long_tidy_up_too(
    kept: Kept, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins to count somewhere: of a hundred that issue one ticket each, one tidies up."""
    kept.tickets.issue("reset", 1, {}, 60)
    clock.move(seconds=61)
    monkeypatch.setattr(store.secrets, "randbelow", lambda below: below - 1)
    Kept(kept.engine, clock).tickets.issue("reset", 1, {}, 60)
    assert len(kept.rows("ticket")) == 1


def test_nobody_waits_while_very_many_are_removed(
    kept: Kept, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TIDY_MOST", 7)
    for _ in range(20):
        kept.tickets.issue("reset", 1, {}, 60)
    clock.move(seconds=61)
    for left in (20 - 7, 20 - 14, 0, 0):
        for _ in range(TIDY_EVERY):
            kept.tickets.issue("reset", 1, {}, 6000)
        rows = kept.rows("ticket")
        assert len(rows) % TIDY_EVERY == left
