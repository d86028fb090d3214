"""``flask tenant rules activate``, ``history``, ``rollback`` and ``diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...errors import RuleFileError
from ...rules.store import Activated, Difference, RuleFile, differences
from ..frame import (
    ExitCode,
    as_json,
    fail,
    json_option,
    moment,
    printable,
    progress,
    say,
    sure,
    table,
    yes_option,
)
from .show import author, findings_of, folder_option, governance, opened, refuse, why_options


def data_of(done: Activated) -> dict[str, Any]:
    """Return an activation as programs read it."""
    return {
        "number": done.number,
        "at": moment(done.at),
        "author": done.author,
        "reason": done.reason,
        "back_to": done.back_to,
        "files": [
            {
                "name": s.name,
                "scope": s.scope,
                "change": "removed" if not s.digest else "new" if not s.previous else "changed",
                "digest": s.digest or None,
            }
            for s in done.switches
        ],
    }


def _told(done: Activated | None) -> None:
    if done is None:
        say("All of it holds already; nothing was switched.", {"activated": None})
        return
    data = data_of(done)
    files = ", ".join(f"{f['name']} ({f['change']})" for f in data["files"])
    say(f"Activation {done.number}: {files}. Every server obeys within a second.", {"activated": data})


def _difference_data(found: Difference) -> dict[str, Any]:
    return {
        "name": found.name,
        "scope": found.scope,
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": [{"rule": rule, "keys": list(keys)} for rule, keys in found.changed],
        "diff": list(found.lines),
    }


def _show_differences(found: list[Difference], *, lines: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for each in found:
        console.print(Text(f"{each.name}: {printable(each.sentence)}", "bold"))
        for line in each.lines if lines else ():
            console.print(Text(printable(line), styles.get(line[:1], "")), soft_wrap=True)


@click.command("activate")
@click.argument("names", nargs=-1)
@folder_option
@click.option("--prune", is_flag=True, help="Files that are active and not in the folder hold no longer.")
@why_options
@yes_option
@json_option
def activate(names: tuple[str, ...], folder: Path, prune: bool, why: str, by: str, yes: bool) -> None:
    """Let the rule files hold, on every server and all at once: the whole folder, or the files NAMES.

    Everything that they touch is checked first. When the rules of one tenant cannot be accepted, none is activated.
    """
    files = opened(folder)
    texts = {file.name: file.text for file in files.files}
    chosen = _chosen(files.files, names)
    rules = governance()
    active = rules.activations.history.files()
    gone = [file.name for file in active if file.name not in texts]
    if gone and not prune and not names:
        click.echo(f"Still active, and not in the folder: {', '.join(gone)}. --prune ends them.", err=True)
    remove = gone if prune else []
    found = differences(
        active, [*(f for f in active if f.name not in texts and f.name not in remove), *chosen]
    )
    if names:
        found = [each for each in found if each.name in names or each.name in remove]
    if found and not as_json():
        _show_differences(found, lines=False)
    if found:
        sure(f"Activate {len(found)} {'file' if len(found) == 1 else 'files'} on every server?", yes)
    try:
        with progress(len(chosen), "checking") as step:
            done = rules.activations.activate(chosen, author=author(by), reason=why, remove=remove, step=step)
    except RuleFileError as error:
        refuse(findings_of(error), texts, "Nothing was activated")
        raise
    _told(done)


def _chosen(files: tuple[RuleFile, ...], names: tuple[str, ...]) -> list[RuleFile]:
    if not names:
        return list(files)
    by_name = {file.name: file for file in files}
    for name in names:
        if name not in by_name:
            fail(
                f"There is no rule file {name!r}",
                code="rules-not-found",
                value=name,
                hint=f"There are: {', '.join(by_name) or 'none'}",
                exit_code=ExitCode.NOT_FOUND,
            )
    return [by_name[name] for name in names]


@click.command("history")
@click.argument("name", default="")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many; 0 for all."
)
@json_option
def history(name: str, limit: int) -> None:
    """Show who has activated what, when and why, the newest first; only what concerns the file NAME, if it is given."""
    found = [data_of(each) for each in governance().activations.history.all(limit=limit, name=name)]
    if as_json():
        say("", found)
        return
    rows = [
        (
            each["number"],
            each["at"],
            each["author"],
            "\n".join(f"{f['name']} ({f['change']})" for f in each["files"]),
            each["reason"] + (f" (back to {each['back_to']})" if each["back_to"] is not None else ""),
        )
        for each in found
    ]
    table(("number", "at", "who", "files", "why"), rows)


@click.command("rollback")
@click.argument("number", type=click.IntRange(min=0), required=False)
@click.option("--file", "only", multiple=True, help="Only this file (repeatable).")
@why_options
@yes_option
@json_option
def rollback(number: int | None, only: tuple[str, ...], why: str, by: str, yes: bool) -> None:
    """Let hold again what held after the activation NUMBER; without it, what held before the newest one.

    0 is before the first: no rules. It is an activation like any other, so it can be taken back as well.
    """
    activations = governance().activations
    newest = next((each.number for each in activations.history.all(limit=1)), 0)
    if number is None:
        number = newest - 1
    if not newest:
        fail("No rules were ever activated: there is nothing to take back", code="activation-not-found")
    if not 0 <= number < newest:
        fail(
            f"There is no activation {number} to go back to",
            code="activation-not-found",
            value=number,
            hint="'flask tenant rules history' shows them",
            exit_code=ExitCode.NOT_FOUND,
        )
    found = differences(activations.history.files(), activations.history.files(as_of=number))
    found = [each for each in found if not only or each.name in only]
    if found and not as_json():
        _show_differences(found, lines=False)
    if found:
        sure(f"Go back to activation {number} on every server?", yes)
    try:
        done = activations.rollback(
            number, author=author(by), reason=why, only=lambda name: not only or name in only
        )
    except RuleFileError as error:
        refuse(findings_of(error), {}, "Nothing was activated")
        raise
    _told(done)


@click.command("diff")
@click.argument("old", type=click.IntRange(min=0), required=False)
@click.argument("new", type=click.IntRange(min=0), required=False)
@folder_option
@json_option
def diff(old: int | None, new: int | None, folder: Path) -> None:
    """Show what differs between what holds and the folder, between activation OLD and the folder, or OLD and NEW."""
    history_ = governance().activations.history
    before = history_.files(as_of=old)
    after = list(opened(folder).files) if new is None else history_.files(as_of=new)
    labels = (
        f"activation {old}" if old is not None else "active",
        "folder" if new is None else f"activation {new}",
    )
    found = differences(before, after, labels)
    if as_json():
        say("", [_difference_data(each) for each in found])
    elif found:
        _show_differences(found, lines=True)
    else:
        click.echo("Nothing differs.")
