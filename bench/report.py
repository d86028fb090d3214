"""What was measured, for people (a table, a plot) and for programs (JSON)."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import Interval, interval
from bench.run import Measured

NOTES = """\
ours: flask_tenant under the untouched application. hand: predicates and stamps written by hand, with the
same keys on the same physical schema ("no rules": ours without the machinery of rules). plain: the
untouched application on a database of its own. Ratios are of processor time, this process's and the
database server's for it: it counts all the work and no waiting, so busy neighbours on the machine disturb
it least, and waiting for the disc, equal on all sides, does not water the ratio down. "clock" is the same
ratio on the wall clock; creating a tenant ends with a commit, for whose disc only the clock waits. Medians
of paired turns; [95 % interval], bootstrapped over processes and rounds; the target is for its upper end.
No garbage collection inside a turn. What the cases write is rolled back, so the cost of a commit, equal on
all sides, is not in them."""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    :param time: what one piece of work took us, in ``unit``
    :param hand: ratio to hand-written predicates (``compile``: what it took more, in ``unit``)
    :param plain: ratio to the untouched application (``compile``: what it took more, in ``unit``)
    :param clock: as ``hand``, or ``plain`` without one, on the wall clock (``tenant``: what it took)
    :param passed: whether the upper end meets the target; ``None`` without a target
    """

    case: str
    title: str
    kind: str
    back_end: str
    unit: str
    time: Interval
    hand: Interval | None
    plain: Interval | None
    clock: Interval | None
    target: float | None
    passed: bool | None


UNITS = {"tenant": ("ms", 1e6), "compile": ("µs", 1e3), "miss": ("µs", 1e3)}


def figure(found: Measured) -> Figure:
    """Work out the figures of a case."""
    case = found.case
    unit, scale = UNITS.get(case.kind, ("µs", 1e3))
    first = case.sides[0]

    def against(other: str, clock: str) -> Interval | None:
        other = "demo_plain" if (first, other) == ("demo", "plain") else other
        other = case.sides[1] if case.kind in ("rules", "ruled") and other == "hand" else other
        if other not in case.sides:
            return None
        if case.kind == "compile":
            more = found.differences(first, other, clock)
            return interval([[value / scale for value in run] for run in more])
        return interval(found.ratios(first, other, clock))

    def took(clock: str) -> Interval:
        return interval([[value / scale for value in run] for run in found.times(first, clock)])

    time = took("cpu")
    hand, plain = against("hand", "cpu"), against("plain", "cpu")
    judged = time if case.kind == "tenant" else hand
    return Figure(
        case=case.method,
        title=case.title,
        kind=case.kind,
        back_end=found.back_end,
        unit=unit,
        time=time,
        hand=hand,
        plain=plain,
        clock=took("wall") if case.kind == "tenant" else against("hand" if hand else "plain", "wall"),
        target=case.target,
        passed=None if case.target is None or judged is None else judged.high <= case.target,
    )


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print a table for each database."""
    figures = list(figures)
    for back_end in dict.fromkeys(f.back_end for f in figures):
        table = Table(title=f"{back_end}: what the wall costs", title_justify="left", title_style="bold")
        table.add_column("work", no_wrap=True)
        for heading in ("ours", "ours : hand", "target", "", "ours : plain", "clock"):
            table.add_column(heading, justify="right", no_wrap=True)
        kind = None
        for f in (f for f in figures if f.back_end == back_end):
            if kind in (None, "request") and f.kind in UNITS:
                table.add_section()
            kind = f.kind
            verdict = {None: "", True: "[green]pass[/]", False: "[red]miss[/]"}[f.passed]
            table.add_row(
                f.title,
                _time(f),
                _interval(f.hand, f),
                _target(f),
                verdict,
                _interval(f.plain, f),
                _interval(f.clock, f, short=True),
            )
        console.print(table)
    console.print(NOTES)
    judged = [f for f in figures if f.passed is not None]
    missed = [f"{f.title} ({f.back_end})" for f in judged if not f.passed]
    console.print(f"\n{len(judged) - len(missed)} of {len(judged)} targets met.")
    if missed:
        console.print("Missed: " + "; ".join(missed))


def _time(f: Figure) -> str:
    if f.kind == "tenant":
        return f"{f.time.value:.2f} [{f.time.low:.2f}, {f.time.high:.2f}] {f.unit}"
    return f"{f.time.value:,.0f} {f.unit}"


def _interval(found: Interval | None, f: Figure, *, short: bool = False) -> str:
    if found is None:
        return "–"
    if f.kind == "tenant":
        return f"{found.value:.2f} ms"
    if f.kind == "compile":
        return f"{found.value:+.0f} µs" + ("" if short else f" [{found.low:+.0f}, {found.high:+.0f}]")
    return f"{found.value:.2f}" if short else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _target(f: Figure) -> str:
    if f.target is None:
        return ""
    if f.kind == "compile":
        return f"≤ {f.target:+.0f} µs"
    return f"≤ {f.target:.0f} ms" if f.kind == "tenant" else f"≤ {f.target:.2f}"


def about() -> dict[str, str]:
    """What it was measured with."""
    return {
        "python": platform.python_version(),
        "sqlalchemy": version("sqlalchemy"),
        "psycopg": version("psycopg"),
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
    }


def write_json(figures: Iterable[Figure], path: Path, plan: Any) -> None:
    """Write everything that the table shows, and more digits of it."""
    found = {"with": about(), "plan": asdict(plan), "figures": [asdict(f) for f in figures]}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def write_plot(figures: Iterable[Figure], path: Path) -> None:
    """Draw the ratios to hand-written predicates with their intervals and targets, as SVG."""
    shown = [f for f in figures if f.hand is not None and f.kind != "compile"]
    left, width, row, low, high = 380, 460, 22, 0.7, 1.5
    height = row * len(shown) + 60

    def x(ratio: float) -> float:
        return left + width * (min(max(ratio, low), high) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {height}" font-size="12">',
        "<style>text { font-family: system-ui, sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="18" font-weight="bold">Processor time, ours : hand-written predicates</text>',
    ]
    for tick in (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5):
        colour = "#555" if tick == 1.0 else "#ddd"
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="26" y2="{height - 26}" stroke="{colour}"/>'
        )
        parts.append(f'<text x="{x(tick):.1f}" y="{height - 10}" text-anchor="middle">{tick:.1f}</text>')
    for n, f in enumerate(shown):
        y = 40 + n * row
        assert f.hand is not None
        colour = {None: "#777", True: "#1a7f37", False: "#b42318"}[f.passed]
        parts.append(
            f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(f.title)} · {f.back_end}</text>'
        )
        ends = f'x1="{x(f.hand.low):.1f}" x2="{x(f.hand.high):.1f}"'
        parts.append(f'<line {ends} y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<circle cx="{x(f.hand.value):.1f}" cy="{y}" r="4" fill="{colour}"/>')
        if f.target is not None:
            at = x(f.target)
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 7}" y2="{y + 7}" stroke="#e08700"/>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
