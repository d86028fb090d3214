"""``flask tenant theme …``: how tenants look."""

from __future__ import annotations

import json
from typing import Any

import click

from ..model import Tenant
from ..theme.scheme import MODES
from ..theme.store import CONFIG
from ..theme.tokens import TOKENS, FileName
from .config import refuse_wrong, value_of
from .frame import (
    ExitCode,
    TenantGroup,
    as_json,
    fail,
    json_option,
    say,
    slug_argument,
    state,
    table,
    tenant_of,
)

theme = TenantGroup("theme", help="How a tenant looks: colours, fonts, logo, language, time zone.")


@theme.command("show")
@slug_argument
@click.option("--theme", "name", default="", help="With this named theme on top.")
@click.option("--css", is_flag=True, help="Print the stylesheet.")
@json_option
def show(slug: str, name: str, css: bool) -> None:
    """Show how the tenant SLUG looks, all layers together."""
    found = state().theming.store.theme(tenant_of(slug), name)
    if css:
        click.echo(found.stylesheet, nl=False)
        return
    shown: dict[str, Any] = {}
    for token in TOKENS:
        if token.startswith("colours."):
            mode = token.split(".")[1]
            if mode in MODES:
                role = token.rpartition(".")[2]
                shown[token] = str(found.colours["dark" if mode == "dark" else "light"][role])
        else:
            value = found.value(token)
            shown[token] = value.name if isinstance(value, FileName) else value
    if as_json():
        say("", shown)
    else:
        table(("token", "value"), ((k, "" if v is None else v) for k, v in shown.items()))


@theme.command("set")
@slug_argument
@click.argument("token")
@click.argument("value")
@json_option
def set_token(slug: str, token: str, value: str) -> None:
    """Set TOKEN to VALUE for the tenant SLUG, in its configuration; VALUE null takes it back.

    What would not be accepted as a theme, or could not be read, changes nothing.
    """
    tenant = tenant_of(slug)
    wanted = _with(tenant, token, value_of(value))
    refuse_wrong(state().theming.store.tried(tenant, wanted or None), value)
    if wanted:
        state().directory.set_config(tenant, CONFIG, wanted)
    elif CONFIG in tenant.config:
        state().directory.unset_config(tenant, CONFIG)
    say(f"{slug}: {token} = {json.dumps(value_of(value))}", wanted)


def _with(tenant: Tenant, token: str, value: Any) -> dict[str, Any]:
    """What a tenant's configuration says of its theme, with one token changed."""
    said = tenant.config.get(CONFIG)
    if isinstance(said, str):
        fail(
            f"The configuration of {tenant.slug} names the theme {said!r}, which is a file",
            code="theme-named",
            value=said,
            hint=f"Change the file, or 'flask tenant config unset {tenant.slug} {CONFIG}' first",
            exit_code=ExitCode.CONFLICT,
        )
    whole: dict[str, Any] = json.loads(json.dumps(said)) if said else {}
    *groups, last = token.split(".")
    trail: list[dict[str, Any]] = [whole]
    for group in groups:
        inner = trail[-1].setdefault(group, {})
        if not isinstance(inner, dict):
            inner = trail[-1][group] = {}
        trail.append(inner)
    if value is None:
        trail[-1].pop(last, None)
    else:
        trail[-1][last] = value
    for outer, group in zip(reversed(trail[:-1]), reversed(groups), strict=True):
        if not outer[group]:
            del outer[group]
    return whole


@theme.command("check")
@click.argument("slug", required=False)
@json_option
def check(slug: str | None) -> None:
    """Check the theme of the tenant SLUG, or of all, each with every named theme on top."""
    store = state().theming.store
    tenants: list[Tenant | None] = [tenant_of(slug)] if slug else [None, *state().directory.all()]
    names = store.names()
    findings = dict.fromkeys(
        f for tenant in tenants for name in ("", *names) for f in store.check(tenant, name)
    )
    if as_json():
        say("", {"themes": names, "findings": list(findings)})
    else:
        for finding in findings:
            click.echo(finding)
        if not findings:
            many = sum(tenant is not None for tenant in tenants)
            click.echo(f"Checked: {many} tenants, {len(names)} named themes. No mistakes.")
    if findings:
        raise click.exceptions.Exit(ExitCode.FAILURE)
