"""``flask tenant audit …``: who has done what, and whether anybody has meddled with that."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..actors import whoever
from ..audit import CENTRAL, Entry, Tampering, verify
from ..audit.anchor import read
from .frame import (
    ExitCode,
    Slug,
    TenantGroup,
    as_json,
    fail,
    json_option,
    moment,
    printable,
    say,
    show_rows,
    state,
    sure,
    tenant_of,
    yes_option,
)

audit = TenantGroup("audit", help="Who has done what, and whether anybody has meddled with that.")


def _whose(tenant: str | None, central: bool) -> int | None:
    if tenant is not None and central:
        fail("--tenant and --central exclude each other", code="usage", exit_code=ExitCode.USAGE)
    return CENTRAL if central else tenant_of(tenant).id if tenant is not None else None


def _slugs() -> dict[int, str]:
    return {tenant.id: tenant.slug for tenant in state().directory.all()} | {CENTRAL: ""}


tenant_option = click.option("--tenant", type=Slug(), metavar="SLUG", help="Of this tenant only.")
central_option = click.option("--central", is_flag=True, help="Of central work only.")


@audit.command("list")
@tenant_option
@central_option
@click.option("--action", default="", help="What the action begins with, such as member.")
@click.option("--actor", default="", help="Who, such as person:7.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, at most.")
@json_option
def show_all(tenant: str | None, central: bool, action: str, actor: str, limit: int) -> None:
    """List what was done, the newest first."""
    slugs = _slugs()
    found = state().trail.entries(_whose(tenant, central), action=action, actor=actor, newest=limit)
    show_rows(
        [_data(entry, slugs) for entry in found], ("at", "tenant", "number", "actor", "action", "details")
    )


def _data(entry: Entry, slugs: dict[int, str]) -> dict[str, Any]:
    return {
        "tenant": slugs.get(entry.tenant_id, f"({entry.tenant_id})"),
        "tenant_id": entry.tenant_id,
        "number": entry.number,
        "at": moment(entry.moment),
        "actor": entry.actor,
        "action": entry.action,
        "details": entry.known if as_json() else " ".join(f"{k}={v}" for k, v in entry.known.items()),
    }


@audit.command("verify")
@tenant_option
@central_option
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare with this file too: an older anchor, or a log. May be repeated.",
)
@json_option
def examine(tenant: str | None, central: bool, anchors: tuple[Path, ...]) -> None:
    """Look whether entries were changed, removed, inserted or cut off."""
    trail, whose, slugs = state().trail, _whose(tenant, central), _slugs()
    # The anchors first: what is written meanwhile is in the table by then.
    heads = read([*([trail.anchor.path] if trail.anchor.path is not None else []), *anchors])
    verdict = verify(trail.entries(whose), trail.keys, heads, whose)
    warning = ""
    if not verdict.anchored:
        warning = (
            "Nothing was noted outside the table: entries cut off the end cannot be noticed. Set TENANT_AUDIT_ANCHOR, "
            "or name a log with --anchor"
        )
    emptied = trail.anchor.path is not None and not heads and verdict.entries > 0
    if emptied:
        warning = (
            f"The anchor {trail.anchor.path} is empty, and the trail is not: somebody has emptied it, or it is new. "
            "Then write an entry first, or name an older anchor or a log with --anchor"
        )
    lines = [_line(each, slugs) for each in verdict.found]
    lines.append(
        f"{verdict.entries} entries in {verdict.chains} chains, {verdict.anchored} of them noted outside the table: "
        + (f"{len(verdict.found)} wrong." if verdict.found else "all as they were written.")
    )
    say(
        "\n".join([*lines, *([warning] if warning else [])]),
        {
            "entries": verdict.entries,
            "chains": verdict.chains,
            "anchored": verdict.anchored,
            "found": [each._asdict() | {"tenant": slugs.get(each.tenant_id)} for each in verdict.found],
            "warning": warning,
        },
    )
    if verdict.found or emptied:
        raise click.exceptions.Exit(ExitCode.FAILURE)


@audit.command("prune")
@tenant_option
@central_option
@click.option(
    "--before",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="What was written before that day, in UTC.",
)
@yes_option
@json_option
def prune(tenant: str | None, central: bool, before: datetime, yes: bool) -> None:
    """Remove old entries for good, and leave sealed word of it. Nothing is removed where somebody has meddled."""
    trail, whose, slugs = state().trail, _whose(tenant, central), _slugs()
    chains = trail.chains() if whose is None else [whose]
    heads = read([trail.anchor.path] if trail.anchor.path is not None else [])
    verdict = verify(trail.entries(whose), trail.keys, heads, whose)
    if verdict.found:
        fail(
            f"Somebody has meddled with the trail, and nothing was removed: {_line(verdict.found[0], slugs)}",
            code="audit",
            hint="'flask tenant audit verify' says more",
        )
    sure(f"Remove the entries from before {before:%Y-%m-%d} for good?", yes)
    gone = {each: trail.prune(each, before.replace(tzinfo=UTC), actor=whoever()) for each in chains}
    rows = [{"tenant": slugs.get(each), "tenant_id": each, "removed": many} for each, many in gone.items()]
    say(f"{sum(gone.values())} entries from before {before:%Y-%m-%d} were removed.", rows)


def _line(each: Tampering, slugs: dict[int, str]) -> str:
    place = "central work" if each.tenant_id == CENTRAL else slugs.get(each.tenant_id, f"({each.tenant_id})")
    return f"{place} {each.number}: {each.what}: {printable(each.detail)}"
