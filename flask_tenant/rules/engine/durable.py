"""Asks durable-rules, through its C functions: one set of native rules per process, made once, which keeps nothing.

Its Python classes are left out: they start threads that poll, and cost more than the question. What holds here was
measured on 2.0.28, and ``tests/rules/engine/test_measured.py`` measures it again.

* Every question is a batch of events on one and the same state; those that fire are consumed before it returns.
* Its C functions hold Python's lock, but a question takes several of them: a lock of ours keeps questions apart.
* Native memory is shared with a forked child in whatever state it was: a child makes its own.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Sequence
from threading import RLock
from typing import Any, TypeVar

from ...errors import ConfigurationError, RuleEngineError, TenancyError
from ..model import Facts, Guard
from .gates import Gate, Question, Ranks, batch, native_rules, spread_out

NOT_ALL = 1
"""durable-rules' answer when not every event of a batch fired: with the one that must not, always."""
STATE = "0"
"""The state that events without one go to. A state of its own for each question would take one of 1,024 slots."""
BATCH = 100
"""Questions that are asked together."""
REMEMBERED = 256
"""Sets of ranks whose answer a gate keeps."""
QUESTIONS = 10_000
"""Questions whose answer is kept, for all rule sets of the process."""

K = TypeVar("K")
V = TypeVar("V")


class DurableRules:
    """The engine. An answer depends on nothing but the question, and is kept by it.

    :raises ConfigurationError: when durable-rules is not installed
    """

    def __init__(self) -> None:
        try:
            import durable_rules_engine
        except ImportError as error:
            raise ConfigurationError(
                "A tenant has rules, but durable-rules is not installed",
                hint="pip install flask-tenant[rules]",
            ) from error
        self._native: Any = durable_rules_engine
        self._lock = RLock()
        self._busy = False
        self._handle: int | None = None
        self._known: dict[Question, bool] = {}
        _engines.add(self)

    def load(self, guards: Sequence[Guard]) -> Gate:
        """Prepare guards. Nothing native is made."""
        return Gate(guards)

    def holding(self, loaded: Gate, facts: Facts) -> frozenset[int]:
        """Return the indices of the guards that hold."""
        ranks = loaded.ranks(facts)
        found = loaded.seen.get(ranks)
        if found is None:
            found = self._answers(loaded, ranks)
            _remember(loaded.seen, ranks, found, REMEMBERED)
        return found

    def _answers(self, gate: Gate, ranks: Ranks) -> frozenset[int]:
        """Ask what was never asked: lines of other rule sets, in other words, are often the same question."""
        values = spread_out(ranks)
        known = self._known
        held = set(gate.always)
        new: dict[Question, list[int]] = {}
        for line in gate.lines:
            question = line.asks(values)
            answer = known.get(question)
            if answer is None:
                new.setdefault(question, []).append(line.guard)
            elif answer:
                held.add(line.guard)
        asked = list(new)
        for start in range(0, len(asked), BATCH):
            questions = asked[start : start + BATCH]
            fired = self._fired(batch(questions))
            for number, question in enumerate(questions):
                answer = str(number) in fired
                _remember(known, question, answer, QUESTIONS)
                if answer:
                    held.update(new[question])
        return frozenset(held)

    def _fired(self, text: str) -> set[str]:
        """Return the ids of the lines that hold.

        :raises RuleEngineError: for any sign that the answer is not whole
        """
        with self._lock:
            if self._busy:
                raise RuleEngineError("A question was put to the rule engine while it was answering another")
            self._busy = True
            try:
                fired = self._run(text)
            except BaseException as error:
                # What it left half done must not become part of another's answer.
                self._discard()
                if isinstance(error, TenancyError) or not isinstance(error, Exception):
                    raise
                raise RuleEngineError(f"The rule engine failed: {error}", value=error) from error
            finally:
                self._busy = False
        return fired

    def _run(self, text: str) -> set[str]:
        native = self._native
        handle = self._handle
        if handle is None:
            handle = self._handle = native.create_ruleset("flask_tenant", json.dumps(native_rules()))
        result, state = native.assert_events(handle, text)
        fired: set[str] = set()
        answer = native.start_action_for_state(handle, state)
        message = answer[1] if answer else None
        while message:
            # {"s1":{"m":{"id":"yes", ...
            name = message.split('"', 8)[7]
            if name in fired:
                raise RuleEngineError("The rule engine fired twice for one event", value=name)
            fired.add(name)
            message = native.complete_and_start_action(handle, state)
        left = native.get_events(handle, STATE)
        if result != NOT_ALL or "yes" not in fired or "no" in fired or left != "[]":
            raise RuleEngineError("The rule engine gave no whole answer", value=result)
        fired.discard("yes")
        return fired

    def _discard(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._native.delete_ruleset(handle)

    def forget(self) -> None:
        """Begin anew, in a forked child; what the parent has made is left alone."""
        self._lock = RLock()
        self._busy = False
        self._handle = None


def _remember(kept: dict[K, V], key: K, value: V, limit: int) -> None:
    if len(kept) >= limit:
        kept.clear()
    kept[key] = value


_engines: weakref.WeakSet[DurableRules] = weakref.WeakSet()
_shared: DurableRules | None = None


def shared() -> DurableRules:
    """Return the engine of this process."""
    global _shared
    if _shared is None:
        _shared = DurableRules()
    return _shared


def _in_child() -> None:
    for engine in list(_engines):
        engine.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
