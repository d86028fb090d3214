"""``flask tenant rules record`` and ``dry-run``: what a candidate would change, seen on recorded statements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...errors import RuleFileError
from ...governance.rehearsal import Rehearsal, Result
from ...rules.model import RuleSet
from ...rules.store import RuleFile
from ...rules.store.home import plan_of
from ..frame import as_json, json_option, printable, progress, say, slug_argument, table, tenant_of
from .show import findings_of, folder_option, governance, opened, refuse


@click.command("record")
@slug_argument
@click.option(
    "--minutes", type=click.FloatRange(min=0.01, max=1440), default=10, show_default=True, help="How long."
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="How many statements."
)
@click.option("--values", is_flag=True, help="Keep values too: only with them rows can be counted.")
@click.option("--stop", is_flag=True, help="Record no longer; what is recorded stays.")
@click.option("--delete", "drop", is_flag=True, help="Record no longer, and delete what is recorded.")
@json_option
def record(slug: str, minutes: float, limit: int, values: bool, stop: bool, drop: bool) -> None:
    """Record the statements of the tenant SLUG for a time, on every server, for a dry run.

    Values are left out, of bound parameters as well as those that stand in the text, unless you want them. The facts
    of each request are kept, such as who was logged in. What was recorded before is deleted.
    """
    recording = Rehearsal(governance(), tenant_of(slug)).recording
    if stop or drop:
        recording.stop()
        if drop:
            recording.delete()
        say(f"{slug} is not recorded any more.", {"slug": slug, "recording": False})
        return
    recording.start(minutes, limit, values=values)
    say(
        f"Recording {slug} for {minutes:g} minutes, {limit:,} statements at most, "
        f"{'with' if values else 'without'} values.",
        {"slug": slug, "recording": True, "minutes": minutes, "limit": limit, "values": values},
    )


@click.command("dry-run")
@slug_argument
@folder_option
@click.option(
    "--activation", type=click.IntRange(min=0), help="Try what held after this activation, not the folder."
)
@json_option
def dry_run(slug: str, folder: Path, activation: int | None) -> None:
    """Show what the rule files in the folder would change for the recorded statements of the tenant SLUG.

    Statements that read are executed under the rules that hold and under the candidate, in transactions that are rolled
    back, when their values were recorded. Statements that write are not executed.
    """
    rules = governance()
    tenant = tenant_of(slug)
    if activation is None:
        files = opened(folder).chain(f"tenant:{slug}", plan_of(tenant))
    else:
        files = [
            file
            for file in rules.activations.history.files(as_of=activation)
            if file.scope in ("all", f"plan:{plan_of(tenant)}", f"tenant:{slug}")
        ]
    candidate = _candidate(files, tenant)
    rehearsal = Rehearsal(rules, tenant)
    active = rehearsal.active()
    found = []
    statements = rehearsal.recording.all()
    with progress(len(statements), "trying") as step:
        for one in statements:
            before, after = (
                rehearsal.result(one.statement, one.parameters, r, one.facts) for r in (active, candidate)
            )
            found.append(_data(one.id, one.statement, before, after))
            step()
    _tell(slug, found)


def _candidate(files: list[RuleFile], tenant: Any) -> RuleSet | None:
    if not files:
        return None
    try:
        return governance().compile(files, tenant)
    except RuleFileError as error:
        refuse(findings_of(error), {file.name: file.text for file in files}, "Nothing was tried")
        raise


def _data(number: int, statement: str, before: Result, after: Result) -> dict[str, Any]:
    return {
        "id": number,
        "statement": statement,
        "rows_before": before.rows,
        "rows_after": after.rows,
        "rows_changed": after.rows_beyond(before),
        "refused_before": before.refused or None,
        "refused_after": after.refused or None,
        "masked": sorted(set(after.masked) - set(before.masked)),
        "unmasked": sorted(set(before.masked) - set(after.masked)),
        "changed": before != after,
    }


def _tell(slug: str, found: list[dict[str, Any]]) -> None:
    changed = [each for each in found if each["changed"]]
    if as_json():
        say("", found)
        return
    if not found:
        click.echo(f"Nothing is recorded of {slug}: 'flask tenant rules record {slug}' begins.")
        return
    rows = []
    for each in changed:
        what = []
        if each["refused_after"] != each["refused_before"]:
            what.append(f"refused: {each['refused_after']}" if each["refused_after"] else "no longer refused")
        if each["rows_changed"]:
            what.append(f"{each['rows_changed']:,} rows new, or with other values")
        if each["masked"]:
            what.append(f"masked: {', '.join(each['masked'])}")
        if each["unmasked"]:
            what.append(f"shown: {', '.join(each['unmasked'])}")
        counts = ["?" if each[key] is None else f"{each[key]:,}" for key in ("rows_before", "rows_after")]
        rows.append((each["id"], printable(each["statement"])[:120], *counts, "\n".join(what)))
    if rows:
        table(("number", "statement", "rows", "then", "what"), rows)
    click.echo(f"{len(found)} statements, {len(changed)} change.")
