"""Ratios with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

RESAMPLES = 1_000


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def interval(runs: Sequence[Sequence[float]], resamples: int = RESAMPLES) -> Interval:
    """Bootstrap the median in two stages: which processes, then which rounds in each.

    Rounds within one process share its memory layout and are not independent; resampling rounds alone would
    promise too much.

    :param runs: for each generation of processes, one value a round
    """
    random = Random(1)
    runs = [run for run in runs if run]
    drawn = sorted(
        median(
            [value for run in random.choices(runs, k=len(runs)) for value in random.choices(run, k=len(run))]
        )
        for _ in range(resamples)
    )
    every = [value for run in runs for value in run]
    return Interval(median(every), drawn[int(0.025 * resamples)], drawn[int(0.975 * resamples) - 1])
