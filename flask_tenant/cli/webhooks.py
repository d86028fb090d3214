"""``flask tenant webhooks …``: what event rules tell other applications."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from ..application import Application
from ..errors import ConfigurationError
from ..rules.events.webhooks.deliver import SETTING, Attempt
from ..rules.events.webhooks.signature import secret_of, shown
from .frame import (
    ExitCode,
    TenantGroup,
    as_json,
    json_option,
    say,
    show_rows,
    slug_argument,
    state,
    tenant_of,
)

webhooks = TenantGroup(
    "webhooks", help="What event rules tell other applications: deliver it, look at what fails."
)

PAUSE = 1.0
"""Seconds between two looks, with --watch."""


@webhooks.command()
@click.option("--watch", is_flag=True, help="Go on until stopped, and look once a second.")
@json_option
def deliver(watch: bool) -> None:
    """Send all webhooks that are due. Any number of these may run at once."""
    application = state()
    deliverer = application.events.deliverer()
    sent = failed = 0
    while True:
        for attempt in deliverer.drain():
            sent, failed = (sent, failed + 1) if attempt.error else (sent + 1, failed)
            if not as_json():
                click.echo(_line(application, attempt))
            elif watch:
                click.echo(json.dumps(_data(attempt)))
        if not watch:
            break
        time.sleep(PAUSE)
    say(f"Delivered {sent}, failed {failed}.", {"delivered": sent, "failed": failed})
    if failed:
        raise click.exceptions.Exit(ExitCode.FAILURE)


@webhooks.command("list")
@json_option
def show_all() -> None:
    """List webhooks that are not delivered yet, and those that were given up."""
    application = state()
    rows: list[dict[str, Any]] = []
    for message in application.events.outbox.all():
        tenant = application.directory.find_id(message.tenant_id)
        due = (
            "given up" if message.due_at is None else f"in {max(0, message.due_at / 1e6 - time.time()):.0f} s"
        )
        rows.append(
            {
                "tenant": tenant.slug if tenant is not None else None,
                "name": message.name,
                "message": message.message,
                "attempts": message.attempts,
                "next": due,
                "error": message.error,
            }
        )
    show_rows(rows, ("tenant", "name", "message", "attempts", "next", "error"))


@webhooks.command()
@slug_argument
@click.argument("name")
@json_option
def secret(slug: str, name: str) -> None:
    """Print the secret with which the receiver of the webhook NAME of the tenant SLUG verifies signatures."""
    tenant = tenant_of(slug)
    key = state().app.secret_key
    if tenant.config.get(SETTING + name) is None:
        raise ConfigurationError(
            f"The tenant {slug!r} has no webhook {name!r}",
            value=name,
            hint=f"flask tenant config set {slug} {SETTING}{name} https://…",
        )
    found = shown(secret_of(key, tenant.id, name))
    say(found, {"tenant": slug, "name": name, "secret": found})


def _line(application: Application, attempt: Attempt) -> str:
    tenant = application.directory.find_id(attempt.message.tenant_id)
    what = f"{tenant.slug if tenant is not None else '?'}: {attempt.message.name}"
    if not attempt.error:
        return f"{what}: delivered"
    again = f"again in {attempt.again_in:g} s" if attempt.again_in is not None else "given up"
    return f"{what}: {attempt.error} ({again})"


def _data(attempt: Attempt) -> dict[str, Any]:
    message = attempt.message
    return {
        "message": message.message,
        "name": message.name,
        "error": attempt.error,
        "again_in": attempt.again_in,
    }
