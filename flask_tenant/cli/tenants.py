"""``flask tenant create``, ``list``, ``show``, ``set``, ``rename`` and ``release``."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from ..directory.names import SLUG
from ..errors import TenantExistsError
from ..model import Tenant, TenantState
from . import bulk
from .frame import (
    ExitCode,
    TenantGroup,
    as_json,
    fail,
    json_option,
    printable,
    progress,
    say,
    slug_argument,
    state,
    sure,
    table,
    tenant_data,
    tenant_of,
    yes_option,
)
from .tokens import token_data

_group = TenantGroup()

BATCH = 100
"""Tenants that a bulk creation commits together: after an interruption, whole batches are there, or not."""


@_group.command("create")
@click.argument("slug", required=False)
@click.option("--name", help="For people; by default made from the slug.")
@click.option(
    "--from",
    "source",
    type=click.File(encoding="utf-8"),
    help="Many: a CSV or JSON file, - for standard input.",
)
@click.option("--skip-existing", is_flag=True, help="With --from: leave out slugs that are taken.")
@click.option("--dry-run", is_flag=True, help="Check and tell, but create nothing.")
@json_option
def create(
    slug: str | None, name: str | None, source: TextIO | None, skip_existing: bool, dry_run: bool
) -> None:
    """Create the tenant SLUG, or those in a file, with what start-up and migrations have seeded."""
    if (slug is None) == (source is None):
        raise click.UsageError("Name one SLUG, or a file with --from")
    if source is None and skip_existing:
        raise click.UsageError("--skip-existing goes with --from")
    if source is not None:
        if name is not None:
            raise click.UsageError("--name goes with SLUG; in a file, 'name' is a column")
        _create_many(bulk.read(source, source.name), skip_existing=skip_existing, dry_run=dry_run)
        return
    slug = str(slug)
    row = bulk.Row("the command line", slug, name or bulk.name_from(slug))
    if dry_run:
        _create_many([row], skip_existing=False, dry_run=True)
        return
    made = state().create(row.slug, row.name)
    say(f"Created tenant {made.slug} (id {made.id}).", tenant_data(made))


def _create_many(rows: list[bulk.Row], *, skip_existing: bool, dry_run: bool) -> None:
    bulk.check(rows, SLUG.match)
    here = state()
    taken = {t.slug for t in here.directory.all()}
    existing = [row.slug for row in rows if row.slug in taken]
    if existing and not skip_existing:
        shown = ", ".join(existing[:10]) + (f" and {len(existing) - 10} more" if len(existing) > 10 else "")
        raise TenantExistsError(
            f"Taken already: {shown}",
            value=existing,
            hint="Nothing was created; --skip-existing leaves them out",
        )
    new = [row for row in rows if row.slug not in taken]
    made: list[Tenant] = []
    if not dry_run:
        with progress(len(new), "Creating") as step:
            for at in range(0, len(new), BATCH):
                batch = here.create_many([(row.slug, row.name) for row in new[at : at + BATCH]])
                made += batch
                step(batch[-1].slug, len(batch))
    data = {
        "created": [tenant_data(t) for t in made],
        "would_create": [{"slug": row.slug, "name": row.name} for row in new] if dry_run else [],
        "skipped": existing,
    }
    done = f"Would create {_tenants(len(new))}" if dry_run else f"Created {_tenants(len(made))}"
    say(f"{done}; {len(existing)} skipped." if existing else f"{done}.", data)


def _tenants(count: int) -> str:
    return f"{count:,} tenant" if count == 1 else f"{count:,} tenants"


@_group.command("list")
@click.option(
    "--state", "wanted", type=click.Choice([s.value for s in TenantState]), help="Only those in this state."
)
@click.option("--search", help="Only those with this in slug or name.")
@click.option("--page", type=click.IntRange(min=1), help="Which page; the first by default.")
@click.option("--per-page", type=click.IntRange(min=0), help="Tenants on a page: 100 by default, 0 for all.")
@json_option
def show_all(wanted: str | None, search: str | None, page: int | None, per_page: int | None) -> None:
    """List the tenants, in the order of their creation. With --json all of them, unless a page is asked for."""
    found = state().directory.all()
    if wanted is not None:
        found = [t for t in found if t.state.value == wanted]
    if search is not None:
        needle = search.casefold()
        found = [t for t in found if needle in t.slug or needle in t.name.casefold()]
    everything = as_json() and page is None and per_page is None
    size = (100 if per_page is None and not everything else per_page) or max(len(found), 1)
    start = ((page or 1) - 1) * size
    shown = found[start : start + size]
    if as_json():
        say("", [tenant_data(t) for t in shown])
        return
    table(("id", "slug", "name", "state"), ((t.id, t.slug, t.name, t.state.value) for t in shown))
    if len(shown) < len(found):
        last = -(-len(found) // size)
        click.echo(
            f"Page {(page or 1):,} of {last:,}, {_tenants(len(found))} in all. Others: --page, --search",
            err=True,
        )


@_group.command("show")
@slug_argument
@json_option
def show(slug: str) -> None:
    """Show what is known of the tenant SLUG."""
    found = tenant_of(slug)
    directory = state().directory
    data: dict[str, Any] = {
        **tenant_data(found),
        "config": dict(found.config),
        "tokens": sum(token_data(slug, t)["valid"] for t in directory.tokens(found)),
        "unconfirmed_domains": [d.host for d in directory.domains(found) if d.confirmed_at is None],
    }
    texts = {key: ", ".join(value) if isinstance(value, list) else value for key, value in data.items()} | {
        "config": ", ".join(f"{k} = {json.dumps(v)}" for k, v in data["config"].items())
    }
    width = max(map(len, data))
    lines = (
        f"{key:<{width}}  {printable('' if value is None else value)}".rstrip()
        for key, value in texts.items()
    )
    say("\n".join(lines), data)


@_group.command("set")
@slug_argument
@click.option("--name", required=True, help="For people.")
@json_option
def change(slug: str, name: str) -> None:
    """Change what people call the tenant SLUG."""
    changed = state().directory.set_name(tenant_of(slug), name)
    say(f"Tenant {changed.slug} is called {printable(changed.name)}.", tenant_data(changed))


@_group.command("rename")
@slug_argument
@click.argument("new_slug")
@yes_option
@json_option
def rename(slug: str, new_slug: str, yes: bool) -> None:
    """Give the tenant SLUG another slug, and so another address. The old one stays reserved for it."""
    tenant = tenant_of(slug)
    if tenant.slug != new_slug:
        sure(f"Rename {tenant.slug} to {printable(new_slug)}? Its address changes at once", yes)
    changed = state().directory.rename(tenant, new_slug)
    say(f"Tenant {tenant.slug} is now {changed.slug}.", tenant_data(changed))


@_group.command("release")
@click.argument("former")
@yes_option
@json_option
def release(former: str, yes: bool) -> None:
    """Forget that a tenant was called FORMER before it was renamed, so that another tenant may be."""
    directory = state().directory
    tenant = directory.find_renamed(former)
    if tenant is None:
        fail(
            f"No tenant was called {former!r} before",
            code="slug-not-found",
            value=former,
            hint="'flask tenant rename' reserves the old slug; nothing else does",
            exit_code=ExitCode.NOT_FOUND,
        )
    sure(f"Release {former}? Old links to {tenant.slug} lead nowhere from then on", yes)
    directory.release_slug(former)
    say(f"{former} is free; {tenant.slug} was called that before.", {"former": former, "slug": tenant.slug})


COMMANDS = (create, show_all, show, change)
