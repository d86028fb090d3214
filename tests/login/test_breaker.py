"""How long others wait for a provider: a bounded time, and nobody else at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from flask_tenant.errors import LoginRefusedError, ProviderUnavailableError
from flask_tenant.login.breaker import CROWD, FAILURES, REST_SECONDS, SLOW_SECONDS, Breaker


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging call waits for; opened in the end."""
    event = threading.Event()
    yield event
    event.set()


def fail() -> None:
    raise ProviderUnavailableError("gone")


def refuse() -> None:
    raise LoginRefusedError("no", reason="no")


def refused_at_once(breaker: Breaker) -> bool:
    """Whether the provider is not even asked."""
    asked = []
    try:
        breaker.call(lambda: asked.append(1), 5)
    except ProviderUnavailableError:
        assert not asked
        return True
    return False


def test_the_result_and_the_error_come_through() -> None:
    breaker = Breaker("it")
    assert breaker.call(lambda: 42, 5) == 42
    with pytest.raises(ZeroDivisionError):
        breaker.call(lambda: 1 // 0, 5)

    def late() -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        breaker.call(late, 5)


@pytest.mark.timed
def test_nobody_waits_longer_than_was_said(gate: threading.Event) -> None:
    breaker = Breaker("it")
    began = time.monotonic()
    with pytest.raises(ProviderUnavailableError, match=r"0\.2 seconds"):
        breaker.call(gate.wait, 0.2)
    assert time.monotonic() - began < 2


def test_after_failures_in_a_row_it_rests_and_is_tried_again_by_itself(ticks: Ticks) -> None:
    breaker = Breaker("it", ticks)
    for _ in range(FAILURES):
        with pytest.raises(ProviderUnavailableError, match="gone"):
            breaker.call(fail, 5)
    assert refused_at_once(breaker)
    with pytest.raises(ProviderUnavailableError, match=r"3 times in a row.*gone.*tried again in 10 seconds"):
        breaker.call(fail, 5)
    ticks.now += REST_SECONDS - 1
    assert refused_at_once(breaker)
    ticks.now += 2
    with pytest.raises(ProviderUnavailableError, match="gone"):
        breaker.call(fail, 5)  # one tries, in vain
    assert refused_at_once(breaker)
    ticks.now += REST_SECONDS + 1
    assert breaker.call(lambda: 42, 5) == 42
    assert not refused_at_once(breaker)


def test_while_one_tries_it_again_the_others_do_not(ticks: Ticks, gate: threading.Event) -> None:
    breaker = Breaker("it", ticks)
    for _ in range(FAILURES):
        with pytest.raises(ProviderUnavailableError):
            breaker.call(fail, 5)
    ticks.now += REST_SECONDS + 1
    trying = threading.Event()

    def work() -> None:
        trying.set()
        gate.wait()

    thread = threading.Thread(target=lambda: breaker.call(work, 30))
    thread.start()
    assert trying.wait(5)
    assert refused_at_once(breaker)
    gate.set()
    thread.join(5)
    assert not refused_at_once(breaker)


def test_an_answer_that_we_do_not_like_is_an_answer(ticks: Ticks) -> None:
    breaker = Breaker("it", ticks)
    for _ in range(FAILURES * 2):
        with pytest.raises(LoginRefusedError):
            breaker.call(refuse, 5)
    for _ in range(FAILURES - 1):
        with pytest.raises(ProviderUnavailableError):
            breaker.call(fail, 5)
    with pytest.raises(LoginRefusedError):
        breaker.call(refuse, 5)
    with pytest.raises(ProviderUnavailableError):
        breaker.call(fail, 5)
    assert not refused_at_once(breaker)


def test_when_a_few_wait_nobody_else_does(ticks: Ticks, gate: threading.Event) -> None:
    breaker = Breaker("it", ticks)
    begun = threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        gate.wait()

    threads = [threading.Thread(target=lambda: breaker.call(hang, 30)) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=5)
    assert not refused_at_once(breaker), "they have not waited for long yet"
    ticks.now += SLOW_SECONDS + 0.1
    assert refused_at_once(breaker)
    gate.set()
    for thread in threads:
        thread.join(5)
    assert not refused_at_once(breaker)


def test_what_was_given_up_counts_until_it_has_ended(gate: threading.Event) -> None:
    breaker = Breaker("it", lambda: 100.0 + (0 if not given_up else 1000.0))
    given_up: list[int] = []
    for _ in range(FAILURES - 1):
        with pytest.raises(ProviderUnavailableError):
            breaker.call(gate.wait, 0.01)
    assert breaker.call(lambda: 1, 5)
    for _ in range(FAILURES - 1):
        with pytest.raises(ProviderUnavailableError):
            breaker.call(gate.wait, 0.01)
    given_up.append(1)
    assert 2 * (FAILURES - 1) >= CROWD
    assert refused_at_once(breaker), "their threads are still there"
    gate.set()
    deadline = time.monotonic() + 5
    while refused_at_once(breaker):
        assert time.monotonic() < deadline


def test_a_thread_that_cannot_start_is_not_counted(ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = Breaker("it", ticks)

    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        for _ in range(CROWD):
            with pytest.raises(RuntimeError):
                breaker.call(lambda: 1, 5)
    ticks.now += SLOW_SECONDS + 1
    assert not refused_at_once(breaker)
