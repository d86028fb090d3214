"""``flask tenant domain …``: host names of tenants' own."""

from __future__ import annotations

from typing import Any

import click

from ..directory.names import checked_host
from ..errors import DomainError
from ..model import Domain, Tenant
from .frame import (
    ExitCode,
    TenantGroup,
    fail,
    json_option,
    missing,
    moment,
    say,
    show_rows,
    slug_argument,
    state,
    sure,
    tenant_of,
    yes_option,
)

domain = TenantGroup(
    "domain", help="Host names of tenants' own. Each counts once an operator has confirmed it."
)


_primary = click.option("--primary", is_flag=True, help="Links to the tenant are made with this domain.")


def _data(slug: str, found: Domain) -> dict[str, Any]:
    return {
        "slug": slug,
        "host": found.host,
        "confirmed_at": moment(found.confirmed_at),
        "primary": found.primary,
    }


def _host(text: str) -> str:
    """Return a host name as the directory keeps it; what is none is wrong usage."""
    try:
        return checked_host(text)
    except DomainError as error:
        fail(error.message, code="domain-invalid", value=text, hint=error.hint, exit_code=ExitCode.USAGE)


def _domain_of(tenant: Tenant, host: str) -> Domain:
    """Return a tenant's domain; somebody else's is as good as none."""
    found = next((d for d in state().directory.domains(tenant) if d.host == host), None)
    if found is None:
        missing(tenant, "domain", host)
    return found


@domain.command("add")
@slug_argument
@click.argument("host")
@click.option("--confirm", "confirmed", is_flag=True, help="Confirm it as well: it is known to be theirs.")
@_primary
@json_option
def add(slug: str, host: str, confirmed: bool, primary: bool) -> None:
    """Note that HOST is to lead to the tenant SLUG. It counts once it is confirmed."""
    if primary and not confirmed:
        raise click.UsageError("--primary goes with --confirm")
    directory, tenant, host = state().directory, tenant_of(slug), _host(host)
    try:
        directory.add_domain(tenant, host)
    except DomainError as error:
        fail(error.message, code="domain-exists", value=host, hint=error.hint, exit_code=ExitCode.CONFLICT)
    if confirmed:
        directory.confirm_domain(host, primary=primary)
    then = "It leads there from now on" if confirmed else "It counts once it is confirmed"
    say(f"Added {host} to {slug}. {then}.", _data(slug, _domain_of(tenant, host)))


@domain.command("confirm")
@slug_argument
@click.argument("host")
@_primary
@json_option
def confirm(slug: str, host: str, primary: bool) -> None:
    """Serve the tenant SLUG at HOST from now on. Make sure first that the name is theirs."""
    directory, tenant, host = state().directory, tenant_of(slug), _host(host)
    _domain_of(tenant, host)
    directory.confirm_domain(host, primary=primary)
    say(f"{host} leads to {slug} from now on.", _data(slug, _domain_of(tenant, host)))


@domain.command("remove")
@slug_argument
@click.argument("host")
@yes_option
@json_option
def remove(slug: str, host: str, yes: bool) -> None:
    """Forget that HOST leads to the tenant SLUG."""
    directory, tenant, host = state().directory, tenant_of(slug), _host(host)
    found = _domain_of(tenant, host)
    sure(f"Remove {host} from {slug}? Its links end at once", yes or found.confirmed_at is None)
    directory.remove_domain(host)
    say(f"{host} does not lead to {slug} any more.", _data(slug, found))


@domain.command("list")
@slug_argument
@json_option
def show_all(slug: str) -> None:
    """List the domains of the tenant SLUG."""
    rows = [_data(slug, found) for found in state().directory.domains(tenant_of(slug))]
    show_rows(rows, ("host", "confirmed_at", "primary"))
