"""``flask tenant config …``: what operators set for one tenant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from ..errors import TenantConfigError
from ..theme.store import CONFIG as THEME
from .frame import (
    ExitCode,
    TenantGroup,
    as_json,
    fail,
    json_option,
    printable,
    say,
    slug_argument,
    state,
    table,
    tenant_of,
)

config = TenantGroup("config", help="What operators set for one tenant; the application reads tenant.config.")

key_argument = click.argument("key")


def value_of(text: str) -> Any:
    """Return what was typed: JSON where it is JSON (``5``, ``true``, ``["a"]``), else the text itself."""
    try:
        return json.loads(text, parse_constant=lambda name: name)
    except json.JSONDecodeError:
        return text


@config.command("set")
@slug_argument
@key_argument
@click.argument("value")
@click.option("--text", is_flag=True, help="Take VALUE as text, even where it looks like JSON.")
@json_option
def set_value(slug: str, key: str, value: str, text: bool) -> None:
    """Set KEY to VALUE for the tenant SLUG. VALUE is JSON, or text where it is not."""
    tenant, wanted = tenant_of(slug), value if text else value_of(value)
    if key == THEME:
        refuse_wrong(state().theming.store.tried(tenant, wanted), value)
    try:
        changed = state().directory.set_config(tenant, key, wanted)
    except TenantConfigError as error:
        fail(error.message, code="config-invalid", value=key, hint=error.hint, exit_code=ExitCode.USAGE)
    say(f"{slug}: {key} = {printable(json.dumps(changed.config[key]))}", dict(changed.config))


@config.command("get")
@slug_argument
@key_argument
@json_option
def get(slug: str, key: str) -> None:
    """Print the value of KEY for the tenant SLUG: text as it is, anything else as JSON."""
    found = tenant_of(slug).config
    if key not in found:
        _missing(slug, key)
    value = found[key]
    say(value if isinstance(value, str) else json.dumps(value), value)


@config.command("unset")
@slug_argument
@key_argument
@json_option
def unset(slug: str, key: str) -> None:
    """Forget the value of KEY for the tenant SLUG."""
    tenant = tenant_of(slug)
    if key not in tenant.config:
        _missing(slug, key)
    changed = state().directory.unset_config(tenant, key)
    say(f"{slug}: {key} is not set any more", dict(changed.config))


@config.command("list")
@slug_argument
@json_option
def show_all(slug: str) -> None:
    """List what is set for the tenant SLUG."""
    found = tenant_of(slug).config
    if as_json():
        say("", dict(found))
    else:
        table(("key", "value"), ((key, json.dumps(value)) for key, value in found.items()))


def refuse_wrong(findings: Sequence[str], value: object) -> None:
    """End the command if a theme would have mistakes; nothing was changed."""
    if findings:
        fail("; ".join(findings), code="theme-invalid", value=value, exit_code=ExitCode.USAGE)


def _missing(slug: str, key: str) -> None:
    fail(
        f"{key!r} is not set for tenant {slug!r}",
        code="config-not-found",
        value=key,
        hint=f"'flask tenant config list {slug}' shows what is",
        exit_code=ExitCode.NOT_FOUND,
    )
