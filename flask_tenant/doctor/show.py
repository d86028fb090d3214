"""The report for people: leaks first."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .findings import Examination, RouteResult

_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}


def show(found: Examination, console: Console) -> None:
    """Print the report."""
    _leaks(found, console)
    _checks(found, console)
    _tables(found, console)
    _routes(found, console)
    for note in found.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    console.print(summary(found), soft_wrap=True)


def summary(found: Examination) -> str:
    """One line about all of it."""
    calls = sum(route.calls for route in found.routes)
    routes = len({leak.route for leak in found.leaks})
    leaked = (
        f"{_count(len(found.leaks), 'leak')} in {_count(routes, 'place')}"
        if found.leaks
        else "Nothing leaked"
    )
    return (
        f"{leaked}: {_count(len(found.called), 'route')} called ({_count(calls, 'call')}), "
        f"{len(found.skipped)} skipped, {_count(found.attacks, 'attack')}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _leaks(found: Examination, console: Console) -> None:
    for number, leak in enumerate(found.leaks, 1):
        console.print(
            f"[bold red]LEAK {number}[/]  [bold]{escape(leak.route)}[/]", soft_wrap=True, highlight=False
        )
        for name, text in (("how", leak.how), ("where", leak.where), ("what", leak.what), ("do", leak.do)):
            console.print(f"  {name:<6} {escape(text)}", soft_wrap=True, highlight=False)
    if found.leaks:
        console.print()


def _checks(found: Examination, console: Console) -> None:
    table = Table("check", "", "found", "what to do", title="Set-up", title_justify="left")
    for check in found.checks:
        table.add_row(
            escape(check.name),
            f"[{_COLOURS[check.level]}]{check.level}[/]",
            escape(check.what),
            escape(check.do),
        )
    console.print(table)


def _tables(found: Examination, console: Console) -> None:
    filled = [table for table in found.tables if not table.problem]
    canaries = sum(table.canaries for table in found.tables)
    named = "tenant table" if len(filled) == 1 else "tenant tables"
    console.print(f"{len(filled)} {named} filled with {canaries} canaries.", highlight=False)
    for result in found.tables:
        if result.problem:
            console.print(f"  not filled: {escape(result.table)}: {escape(result.problem)}", soft_wrap=True)
        elif not result.canaries:
            console.print(f"  {escape(result.table)} has no column that takes a canary", soft_wrap=True)


def _routes(found: Examination, console: Console) -> None:
    leaking = {leak.route for leak in found.leaks}
    table = Table("route", "calls", "answers", "remarks", title="Routes", title_justify="left")
    for route in sorted(found.called, key=lambda r: r.route not in leaking):
        colour = "red" if route.route in leaking else "green" if route.seen else "yellow"
        answers = ", ".join(f"{status} ×{count}" for status, count in sorted(route.statuses.items()))
        table.add_row(
            f"[{colour}]{escape(route.route)}[/]", str(route.calls), answers, escape(_remark(route))
        )
    if found.called:
        console.print(table)
    console.print(f"Login: {escape(found.login)}.", soft_wrap=True, highlight=False)
    for route in found.skipped:
        console.print(
            f"  skipped {escape(route.route)}: {escape(route.skipped)}", soft_wrap=True, highlight=False
        )


def _remark(route: RouteResult) -> str:
    remarks = list(route.remarks)
    if not route.seen:
        remarks.insert(0, "never answered with content: nothing could be seen")
    return "; ".join(remarks)
