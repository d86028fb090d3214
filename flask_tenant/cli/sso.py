"""``flask tenant sso …``: tenants' ways to log in."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ..identity import Provider
from ..model import Tenant
from .config import value_of
from .frame import (
    ExitCode,
    TenantGroup,
    as_json,
    fail,
    json_option,
    printable,
    say,
    show_rows,
    slug_argument,
    state,
    sure,
    table,
    tenant_of,
    yes_option,
)

sso = TenantGroup(
    "sso", help="Ways to log in to a tenant: OIDC providers, LDAP directories, local passwords."
)

OPERATOR = "command line"
"""Who does what is done here, for the audit trail."""

name_argument = click.argument("name")


def _data(slug: str, provider: Provider) -> dict[str, Any]:
    """Return a provider as programs read it; of its secrets only the names."""
    return {
        "slug": slug,
        "name": provider.name,
        "kind": provider.kind,
        "label": provider.label,
        "authority": provider.authority,
        "enabled": provider.enabled,
        "joins": provider.joins,
        "settings": dict(provider.settings),
        "secrets": sorted(provider.secrets),
    }


def _provider_of(tenant: Tenant, name: str) -> Provider:
    found = next((p for p in state().accounts.providers.all(tenant) if p.name == name), None)
    if found is None:
        fail(
            f"The tenant {tenant.slug!r} has no provider {name!r}",
            code="provider-not-found",
            value=name,
            hint=f"'flask tenant sso show {tenant.slug}' shows those that it has",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found


# ---- add
@sso.command("add")
@slug_argument
@name_argument
@click.option("--kind", required=True, help="oidc, ldap, local, or a kind of the application's own.")
@click.option("--label", default="", help="What stands on the button; NAME by default.")
@click.option("--set", "given", multiple=True, help="A setting, as KEY=VALUE or KEY=@FILE (repeatable).")
@click.option("--settings", "file", help="A TOML file of settings; --set goes before it.")
@click.option(
    "--secret", "secrets", multiple=True, help="A secret: KEY, to be asked for, or KEY=@FILE (repeatable)."
)
@click.option("--role", "roles", multiple=True, help="What a group gives, as GROUP=ROLE (repeatable).")
@click.option("--joins", is_flag=True, help="Whom it vouches for becomes a member by logging in.")
@click.option("--authority", default="", help="A name that providers share which know the same people.")
@click.option(
    "--replace", is_flag=True, help="Put it in place of the provider NAME; everything is given anew."
)
@json_option
def add(
    slug: str,
    name: str,
    kind: str,
    label: str,
    given: tuple[str, ...],
    file: str | None,
    secrets: tuple[str, ...],
    roles: tuple[str, ...],
    joins: bool,
    authority: str,
    replace: bool,
) -> None:
    """Let people log in to the tenant SLUG through the provider NAME.

    VALUE is JSON, or text where it is not. Secrets are asked for, or read from standard input, a line for each, where
    nobody sits at a terminal: on a command line, others on the machine could see them.
    """
    tenant, providers = tenant_of(slug), state().accounts.providers
    settings = _table(file) if file is not None else {}
    settings |= {key: _value(text) for key, text in _pairs("--set", given)}
    if roles:
        settings["roles"] = _roles(roles)
    if not replace and any(p.name == name and p.enabled and p.id for p in providers.all(tenant)):
        fail(
            f"The tenant {slug!r} has a provider {name!r} already",
            code="provider-exists",
            value=name,
            hint="--replace puts another in its place",
            exit_code=ExitCode.CONFLICT,
        )
    made = providers.add(
        tenant,
        name,
        kind,
        settings,
        _secrets(secrets),
        label=label,
        authority=authority,
        joins=joins,
        replace=replace,
        by=OPERATOR,
    )
    say(
        f"One can log in to {slug} through {name} now. Try it: flask tenant sso test {slug} {name}",
        _data(slug, made),
    )


def _pairs(option: str, given: Iterable[str]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise click.UsageError(f"{option} takes KEY=VALUE")
    return [(key, value) for key, _, value in pairs]


def _value(text: str) -> Any:
    return _content(text[1:]) if text.startswith("@") else value_of(text)


def _content(path: str) -> str:
    """Return what a file holds, without the line's end that editors put there."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from None


def _table(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(_content(path))
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{path} is no TOML: {error}") from None


def _roles(given: Iterable[str]) -> dict[str, list[str]]:
    mapped: dict[str, list[str]] = {}
    for text in given:
        # The last one: names of groups may be distinguished names, cn=staff,dc=example.
        group, equals, role = text.rpartition("=")
        if not (group and equals and role):
            raise click.UsageError("--role takes GROUP=ROLE")
        mapped.setdefault(group, []).append(role)
    return mapped


def _secrets(given: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if equals and not value.startswith("@"):
            raise click.UsageError(f"--secret {key} takes no value but @FILE: others could see it here")
        found[key] = _content(value[1:]) if equals else _asked(key)
        if not found[key]:
            raise click.UsageError(f"The secret {key} is empty")
    return found


def _asked(key: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(key, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


# ---- look at them
@sso.command("show")
@slug_argument
@click.argument("name", required=False)
@json_option
def show(slug: str, name: str | None) -> None:
    """Show how one can log in to the tenant SLUG, or what is set for the provider NAME. Secrets are never shown."""
    tenant = tenant_of(slug)
    if name is None:
        rows = [_data(slug, provider) for provider in state().accounts.providers.all(tenant)]
        show_rows(rows, ("name", "kind", "label", "authority", "enabled", "joins"))
        return
    data = _data(slug, _provider_of(tenant, name))
    if as_json():
        say("", data)
    else:
        table((name, ""), _lines(data))


def _lines(data: Mapping[str, Any]) -> list[tuple[str, object]]:
    settings = [(f"settings.{key}", value) for key, value in data["settings"].items()]
    secrets = [(f"secrets.{key}", "(kept)") for key in data["secrets"]]
    plain = [
        (key, value) for key, value in data.items() if key not in ("slug", "name", "settings", "secrets")
    ]
    return [*plain, *settings, *secrets]


@sso.command("test")
@slug_argument
@click.argument("name", required=False)
@json_option
def test(slug: str, name: str | None) -> None:
    """Try out all providers of the tenant SLUG, or the provider NAME: ask its server, and say what is wrong.

    Nobody is logged in. Exits with 1 when something is wrong.
    """
    tenant, providers = tenant_of(slug), state().accounts.providers
    wanted = [_provider_of(tenant, name)] if name is not None else providers.of(tenant)
    rows = [
        {"name": provider.name, "what": finding.what, "ok": finding.ok, "detail": finding.detail}
        for provider in wanted
        for finding in providers.examine(provider)
    ]
    show_rows(rows, ("name", "what", "ok", "detail"))
    if not all(row["ok"] for row in rows):
        raise click.exceptions.Exit(ExitCode.FAILURE)


# ---- take away
@sso.command("remove")
@slug_argument
@name_argument
@yes_option
@json_option
def remove(slug: str, name: str, yes: bool) -> None:
    """Let nobody log in to the tenant SLUG through the provider NAME any more, and end the sessions of those who have.

    Its members stay members, without the roles that its groups gave. 'local' switches local passwords off.
    """
    tenant = tenant_of(slug)
    found = _provider_of(tenant, name)
    if found.enabled:
        sure(
            f"Remove {name} ({printable(found.label)}) from {slug}? Whoever came through it is logged out",
            yes,
        )
        state().accounts.providers.remove(tenant, name, by=OPERATOR)
    say(f"Nobody can log in to {slug} through {name} any more.", _data(slug, found))


@sso.command("rotate")
@json_option
def rotate() -> None:
    """Encrypt all secrets of all tenants' providers anew, with the first of TENANT_SECRET_KEYS.

    Keys that were used before can be left out from then on.
    """
    count = state().accounts.providers.rotate(by=OPERATOR)
    say(f"Encrypted {count} secrets anew.", {"rotated": count})
