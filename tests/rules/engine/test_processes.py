"""The engine among threads, in forked children, after errors, and over many reloads."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest

from flask_tenant.errors import RuleEngineError
from flask_tenant.expressions import Constant, Fact, Kind
from flask_tenant.rules.engine import Reference
from flask_tenant.rules.engine.durable import DurableRules
from flask_tenant.rules.engine.gates import native_rules
from flask_tenant.rules.model import Guard
from tests.services.availability import FULL

from .made_up import boolean

REFERENCE = Reference()


def guards(seed, count=20):
    """Guards whose constants are like no others'."""
    return [
        Guard(
            boolean(
                "&&",
                boolean("!=", Fact(Kind.TEXT, "channel"), Constant(Kind.TEXT, f"c{seed}-{number}")),
                boolean(">", Fact(Kind.INT, "rows"), Constant(Kind.INT, seed * 1000 + number)),
            ),
            number % 2 == 0,
        )
        for number in range(count)
    ]


def facts(number):
    return [{}, {"channel": "api", "rows": number}, {"rows": number + 7}, {"channel": f"c{number}-3"}][
        number % 4
    ]


@pytest.fixture
def engine():
    return DurableRules()


def agree(engine, made, some):
    assert engine.holding(engine.load(made), some) == REFERENCE.holding(REFERENCE.load(made), some)


def test_it_starts_no_threads(engine):
    before = threading.enumerate()
    agree(engine, guards(1), facts(1))
    assert threading.enumerate() == before


def test_threads(engine):
    wrong = []

    def work(seed):
        try:
            for number in range(100):
                agree(engine, guards(seed), facts(number))
        except Exception as error:
            wrong.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_was_forked_in_the_middle_of_a_question(engine):
    """The parent holds the lock, and events are half handled: the child neither waits nor takes them for its own."""
    agree(engine, guards(1), facts(1))
    handle = engine._handle
    real, children = engine._native, []

    class Forking:
        def __getattr__(self, name):
            return getattr(real, name)

        def start_action_for_state(self, *args):
            found = real.start_action_for_state(*args)
            if not children:
                children.append(os.fork())
                if not children[0]:
                    engine._native = real
                    try:
                        assert engine._handle is None
                        for number in range(8):
                            agree(engine, guards(2), facts(number))
                    except BaseException:
                        os._exit(1)
                    os._exit(0)
            return found

    engine._native = Forking()
    agree(engine, guards(3), facts(1))
    _, status = os.waitpid(children[0], 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert engine._handle == handle, "the parent goes on with its own"


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize(
    "function", ["create_ruleset", "assert_events", "start_action_for_state", "complete_and_start_action"]
)
def test_an_error_refuses_and_leaves_nothing_half_done(engine, monkeypatch, function, error):
    real = engine._native

    class Failing:
        def __getattr__(self, name):
            if name == function:
                raise error("now")
            return getattr(real, name)

    monkeypatch.setattr(engine, "_native", Failing())
    with pytest.raises(RuleEngineError if issubclass(error, Exception) else error):
        engine.holding(engine.load(guards(1)), facts(1))
    monkeypatch.setattr(engine, "_native", real)
    for number in range(4):
        agree(engine, guards(1), facts(number))


LIES = {
    "nothing fires": lambda real, name: (lambda *args: None) if name == "start_action_for_state" else None,
    "only the first fires": lambda real, name: (
        (lambda *args: None) if name == "complete_and_start_action" else None
    ),
    "everything was handled": lambda real, name: (
        (lambda *args: (0, real.assert_events(*args)[1])) if name == "assert_events" else None
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_not_whole_refuses(engine, monkeypatch, lie):
    real = engine._native

    class Lying:
        def __getattr__(self, name):
            return LIES[lie](real, name) or getattr(real, name)

    monkeypatch.setattr(engine, "_native", Lying())
    with pytest.raises(RuleEngineError, match="no whole answer"):
        engine.holding(engine.load(guards(1)), facts(1))


def test_a_question_within_a_question_refuses(engine, monkeypatch):
    """Such as by a finalizer that asks the database while the engine is at work."""
    real, seen = engine._native, []

    class Nesting:
        def __getattr__(self, name):
            return getattr(real, name)

        def assert_events(self, *args):
            if not seen:
                seen.append(1)
                with pytest.raises(RuleEngineError, match="while it was answering another"):
                    engine.holding(engine.load(guards(5)), facts(1))
                seen.append(2)
            return real.assert_events(*args)

    monkeypatch.setattr(engine, "_native", Nesting())
    agree(engine, guards(1), facts(1))
    assert seen == [1, 2]


def test_one_native_rule_set_whatever_is_loaded(engine, monkeypatch):
    real, made = engine._native, []

    class Counting:
        def __getattr__(self, name):
            return getattr(real, name)

        def create_ruleset(self, *args):
            made.append(args)
            return real.create_ruleset(*args)

    monkeypatch.setattr(engine, "_native", Counting())
    for seed in range(50):
        agree(engine, guards(seed, count=1 + seed), facts(seed))
    assert len(made) == 1
    assert len(native_rules()) == 6


def resident():
    """Resident memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reloads_do_not_grow_the_process(engine):
    """Each with other contents: what would have its own native rules would lose 84 kB each time."""
    reloads = 10_000 if FULL else 200

    def reload(first, count):
        for number in range(first, first + count):
            gate = engine.load(guards(number))
            for some in range(4):
                engine.holding(gate, facts(some))

    reload(0, 100)
    gc.collect()
    before = resident()
    reload(100, reloads)
    gc.collect()
    grown = resident() - before
    print(f"{reloads} reloads: {grown:.1f} MB")  # noqa: T201
    assert grown < (50 if FULL else 8)
