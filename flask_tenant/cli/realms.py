"""``flask tenant realm …``: mail domains, for finding the way from an address to its tenant."""

from __future__ import annotations

from typing import Any

import click

from ..actors import whoever
from ..login.discovery import Realm, Realms
from .frame import (
    ExitCode,
    Slug,
    TenantGroup,
    json_option,
    moment,
    say,
    show_rows,
    slug_argument,
    state,
    tenant_of,
)

realm = TenantGroup("realm", help="Mail domains, for finding the way from an address to its tenant.")

domain_argument = click.argument("domain")


def _realms() -> Realms:
    return state().accounts.realms


def _data(found: Realm) -> dict[str, Any]:
    tenant = state().directory.find_id(found.tenant_id)
    name, text = found.record
    return {
        "tenant": tenant.slug if tenant is not None else None,
        "domain": found.domain,
        "verified_at": moment(found.verified_at),
        "record": name,
        "text": text,
    }


@realm.command("add")
@slug_argument
@domain_argument
@json_option
def add(slug: str, domain: str) -> None:
    """Note the mail domain DOMAIN of the tenant SLUG, and say which DNS record proves it."""
    found = _realms().add(tenant_of(slug).id, domain, by=whoever())
    name, text = found.record
    say(f'Add this to the DNS, then verify it: {name} TXT "{text}"', _data(found))


@realm.command("verify")
@slug_argument
@domain_argument
@json_option
def verify(slug: str, domain: str) -> None:
    """Look into DNS whether DOMAIN is the tenant SLUG's, and let it count if it is."""
    found = _realms().verify(tenant_of(slug).id, domain, by=whoever())
    say(f"{found.domain} counts for {slug}.", _data(found))


@realm.command("list")
@click.option("--tenant", type=Slug(), metavar="SLUG", help="Of this tenant only.")
@json_option
def show_all(tenant: str | None) -> None:
    """List mail domains."""
    found = _realms().of(tenant_of(tenant).id if tenant is not None else None)
    show_rows([_data(each) for each in found], ("tenant", "domain", "verified_at", "record", "text"))


@realm.command("check")
@json_option
def check() -> None:
    """Look into DNS again for all domains that count, which may have changed hands. For cron, daily."""
    found = _realms().verify_again(by=whoever())
    lines = [f"{each.domain}: {wrong or 'counts'}" for each, wrong in found]
    say(
        "\n".join([*lines, f"{len(found)} looked at."]),
        [{**_data(each), "wrong": wrong} for each, wrong in found],
    )
    if any(wrong for _, wrong in found):
        raise click.exceptions.Exit(ExitCode.FAILURE)


@realm.command("remove")
@slug_argument
@domain_argument
@json_option
def remove(slug: str, domain: str) -> None:
    """Forget the mail domain DOMAIN of the tenant SLUG."""
    _realms().remove(tenant_of(slug).id, domain, by=whoever())
    say(f"{domain} is not {slug}'s any more.", {"tenant": slug, "domain": domain})
