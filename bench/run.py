"""Lets the sides take turns, in small blocks and random order, and collects what they took."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from random import Random
from typing import Any

from bench.cases import CASES, Case
from bench.databases import Databases, tidy
from bench.worker import Took, serve


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    :param generations: how often all processes are started anew
    :param rounds: in each generation, how often each side has its turn
    :param block_ms: how long one turn should take, in milliseconds
    """

    generations: int = 6
    rounds: int = 30
    block_ms: float = 8.0


@dataclass
class Measured:
    """All turns of one case on one database.

    :param turns: for each generation and round, what each side took for one piece of work, in nanoseconds
    """

    case: Case
    back_end: str
    turns: list[list[dict[str, tuple[float, float]]]] = field(default_factory=list)

    def ratios(self, side: str, other: str, clock: str) -> list[list[float]]:
        """What ``side`` took against ``other`` in each round.

        :param clock: ``wall`` or ``cpu``
        """
        at = 0 if clock == "wall" else 1
        return [[turn[side][at] / turn[other][at] for turn in turns] for turns in self.turns]

    def differences(self, side: str, other: str, clock: str) -> list[list[float]]:
        """What ``side`` took more than ``other`` in each round, in nanoseconds."""
        at = 0 if clock == "wall" else 1
        return [[turn[side][at] - turn[other][at] for turn in turns] for turns in self.turns]

    def times(self, side: str, clock: str) -> list[list[float]]:
        """What ``side`` took in each round, in nanoseconds."""
        at = 0 if clock == "wall" else 1
        return [[turn[side][at] for turn in turns] for turns in self.turns]


class Worker:
    """The other end of a side's process."""

    def __init__(self, name: str, databases: Databases) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe: Pipe
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, databases), daemon=True)
        self._process.start()
        theirs.close()

    def ready(self) -> None:
        """Wait until the side has set itself up."""
        self._pipe.recv()

    def run(self, case: Case, times: int) -> tuple[Took, Any]:
        """Let the side work."""
        self._pipe.send((CASES.index(case), times))
        took: tuple[Took, Any] = self._pipe.recv()
        return took

    def stop(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(20)
        if self._process.is_alive():
            self._process.kill()


@contextmanager
def workers(names: list[str], databases: Databases) -> Iterator[dict[str, Worker]]:
    """A process for each side."""
    started = {name: Worker(name, databases) for name in names}
    try:
        for worker in started.values():
            worker.ready()
        yield started
    finally:
        for worker in started.values():
            worker.stop()


def measure(
    back_end: str, databases: Databases, cases: list[Case], plan: Plan, say: Callable[[str], None]
) -> list[Measured]:
    """Measure cases on one database.

    :param say: is told how far things are
    """
    random = Random(1)
    measured = {case: Measured(case, back_end) for case in cases if back_end in case.back_ends}
    names = sorted({side for case in measured for side in case.sides})
    if "demo" in names:
        from bench.tenanted import fill_demo

        fill_demo(databases)
    for generation in range(plan.generations):
        for url in (databases.ours, databases.hand, databases.plain):
            tidy(url)  # what was rolled back has left dead rows
        with workers(names, databases) as sides:
            for case, found in measured.items():
                say(f"{back_end}, {generation + 1} of {plan.generations}: {case.title}")
                found.turns.append(_take_turns(case, sides, plan, random))
    return list(measured.values())


def _take_turns(
    case: Case, sides: dict[str, Worker], plan: Plan, random: Random
) -> list[dict[str, tuple[float, float]]]:
    order = list(case.sides)
    answers = {}
    for side in order:
        sides[side].run(case, 3)  # fills the caches
        took, answers[side] = sides[side].run(case, 1)
    if len({repr(answer) for answer in answers.values()}) > 1 and case.kind != "request":
        raise AssertionError(f"{case.title}: the sides do not do the same work: {answers}")
    if not answers[order[0]]:
        raise AssertionError(f"{case.title}: there was nothing to read or write")
    took, _ = sides[order[-1]].run(case, 5)
    times = max(1, round(plan.block_ms * 1e6 / (took.wall / 5)))
    turns = []
    for _ in range(plan.rounds):
        random.shuffle(order)
        turn = {}
        for side in order:
            took, _ = sides[side].run(case, times)
            turn[side] = took.wall / times, took.cpu / times
        turns.append(turn)
    return turns
