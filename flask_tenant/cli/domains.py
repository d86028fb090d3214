"""``flask tenant domain …``: host names of tenants' own."""

from __future__ import annotations

from typing import Any

import click

from .frame import (
    TenantGroup,
    json_option,
    moment,
    printable,
    say,
    slug_argument,
    state,
    sure,
    table_or_json,
    tenant_of,
    yes_option,
)

domain = TenantGroup("domain", help="Host names of tenants' own. They count once an operator has confirmed them.")


def _data(slug: str, found: Any) -> dict[str, Any]:
    return {
        "slug": slug,
        "host": found.host,
        "confirmed_at": moment(found.confirmed_at),
        "primary": found.primary,
    }


def _one(slug: str, host: str) -> dict[str, Any]:
    tenant = tenant_of(slug)
    return next(_data(slug, d) for d in state().directory.domains(tenant) if d.host == host)


@domain.command("add")
@slug_argument
@click.argument("host")
@click.option("--confirm", is_flag=True, help="It is known to be theirs: serve it at once.")
@json_option
def add(slug: str, host: str, confirm: bool) -> None:
    """Give the tenant SLUG the host name HOST, which counts once it is confirmed."""
    directory = state().directory
    added = directory.add_domain(tenant_of(slug), host)
    if confirm:
        added = directory.confirm_domain(added.host)
    then = "It is served from now on" if confirm else f"Confirm it with 'domain confirm {printable(added.host)}'"
    say(f"Added {printable(added.host)} to {slug}. {then}.", _data(slug, added))
