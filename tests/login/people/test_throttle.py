"""How often somebody may try: each account from anywhere, each network whatever the account."""

from __future__ import annotations

import threading

import pytest

from flask_tenant.errors import ConfigurationError, TooManyAttemptsError
from flask_tenant.login.people import checked_email
from flask_tenant.login.store import TIDY_EVERY
from flask_tenant.login.throttle import Throttle, network_of
from tests.login.people.conftest import Clock, Kept

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def tries(kept: Kept, count: int, **what: str) -> int:
    """How many of so many attempts are let through."""
    good = 0
    for _ in range(count):
        try:
            kept.throttle.hit("login", **what)
            good += 1
        except TooManyAttemptsError:
            pass
    return good


def test_an_account_from_wherever(kept: Kept, clock: Clock) -> None:
    let_through = 0
    for number in range(15):
        let_through += tries(kept, 1, account="ada@example.com", network=f"192.0.2.{number}")
    assert let_through == 10
    with pytest.raises(TooManyAttemptsError) as caught:
        kept.throttle.hit("login", account="ADA@example.com ")
    assert caught.value.reason == "throttled"
    assert caught.value.seconds == 15 * 60
    assert "ada" not in str(caught.value)
    assert tries(kept, 1, account="bob@example.com") == 1
    clock.move(minutes=14, seconds=59)
    with pytest.raises(TooManyAttemptsError) as caught:
        kept.throttle.check("login", account="ada@example.com")
    assert caught.value.seconds == 1
    clock.move(seconds=1)
    assert tries(kept, 15, account="ada@example.com") == 10


def test_spellings_of_one_account_are_counted_together(kept: Kept) -> None:
    """Directories and mail take all of these for one: each would be worth ten attempts more."""
    spellings = [
        "ada@example.com", "Ada@Example.COM", " ada@example.com ", "\uff41da@example.com", "ada@example\u3002com",
        "ada@example\uff61com", "ada@exa\u00admple.com", "a\u200bda@example.com", "ada @example.com",
        "ad\u0301a@example.com", "ADA@EXAMPLE.COM", "ada@\u24d4xample.com",
    ]  # fmt: skip
    assert len(set(spellings)) == 12
    assert sum(tries(kept, 1, account=spelling) for spelling in spellings) == 10
    assert tries(kept, 1, account="ada@example.org") == 1


def test_a_domain_beyond_ascii_is_counted_together_with_its_other_name(kept: Kept) -> None:
    """They are one account: see how addresses are kept."""
    spellings = ["ada@b\u00fccher.example", "ada@xn--bcher-kva.example", "Ada@XN--Bcher-KVA.example"]
    assert len({checked_email(spelling) for spelling in spellings}) == 1
    assert sum(tries(kept, 5, account=f"local:{spelling}") for spelling in spellings) == 10
    assert tries(kept, 1, account="local:ada@xn--a.example") == 1  # what is no such name is itself


def test_password_spraying(kept: Kept) -> None:
    """One password for many accounts, from one network."""
    let_through = sum(tries(kept, 1, account=f"user{n}@example.com", network="192.0.2.1") for n in range(30))
    assert let_through == 20
    assert tries(kept, 1, account="new@example.com", network="192.0.2.2") == 1


def test_whoever_has_an_account_cannot_wipe_out_what_they_tried(kept: Kept) -> None:
    """Between two guesses the attacker logs in with an account of their own."""
    guessed = 0
    for number in range(30):
        guessed += tries(kept, 1, account=f"user{number}@example.com", network="192.0.2.1")
        if tries(kept, 1, account="mallory@example.com", network="192.0.2.1"):
            kept.throttle.forgive("login", account="mallory@example.com", network="192.0.2.1")
    assert guessed == 20


def test_who_succeeds_begins_anew(kept: Kept) -> None:
    for _ in range(5):
        assert tries(kept, 9, account="ada@example.com") == 9
        kept.throttle.forgive("login", account="ada@example.com")


def test_what_proved_nothing_is_taken_back_and_no_more(kept: Kept) -> None:
    ada = {"account": "ada@example.com", "network": "192.0.2.1"}
    assert tries(kept, 9, **ada) == 9
    for _ in range(5):  # nothing was compared: the server that would have done it did not answer
        kept.throttle.hit("login", **ada)
        kept.throttle.take_back("login", **ada)
    assert tries(kept, 5, **ada) == 1


def test_kinds_do_not_count_for_each_other(kept: Kept) -> None:
    assert tries(kept, 11, account="ada@example.com") == 10
    kept.throttle.hit("reset", account="ada@example.com")
    kept.throttle.hit("what nobody limits", account="ada@example.com")


def test_nothing_that_was_typed_is_kept(kept: Kept) -> None:
    kept.throttle.hit("login", account="my password by mistake", network="192.0.2.1")
    rows = kept.rows("attempt")
    assert len(rows) == 2
    assert "password" not in str(rows)
    assert "192.0.2.1" not in str(rows)


def test_many_at_once_are_counted_one_by_one(kept: Kept) -> None:
    start = threading.Barrier(4)
    let_through: list[int] = []

    def go() -> None:
        start.wait()
        let_through.append(tries(kept, 5, account="ada@example.com"))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_through) == 4
    assert sum(let_through) == 10


def test_all_servers_count_together(kept: Kept) -> None:
    other = Kept(kept.engine, kept.clock)
    assert tries(kept, 6, account="ada@example.com") == 6
    assert tries(other, 6, account="ada@example.com") == 4


def test_what_is_over_is_forgotten(kept: Kept, clock: Clock) -> None:
    kept.throttle.hit("login", account="ada@example.com")
    clock.move(minutes=15)
    for number in range(TIDY_EVERY):
        kept.throttle.hit("login", account=f"{number}")
    assert len(kept.rows("attempt")) == TIDY_EVERY


@pytest.mark.databases("sqlite")
def test_limits_of_ones_own(kept: Kept) -> None:
    directory = kept.directory
    own = Throttle(directory.connect, directory.tables, {"login.account": "1 per day"}, kept.clock)
    own.hit("login", account="ada")
    with pytest.raises(TooManyAttemptsError):
        own.hit("login", account="ada")
    for wrong in ({"login.account": "often"}, {"login": "1 per day"}, {"login.moon": "1 per day"}):
        with pytest.raises(ConfigurationError, match="TENANT_LOGIN_LIMITS"):
            Throttle(directory.connect, directory.tables, wrong)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("a socket", "unknown"),
    ],
)
@pytest.mark.databases("sqlite")
def test_networks(address: str | None, network: str) -> None:
    assert network_of(address) == network
