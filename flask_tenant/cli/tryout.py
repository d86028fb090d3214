"""``flask-tenant``: several tenants on an application that does not know of them."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from flask.cli import FlaskGroup

from ..errors import TenancyError
from ..registry import state_of

_database = click.option(
    "--database", help="URL of a scratch database to use in place of the application's own."
)
_shared = click.option("--shared", multiple=True, help="A table that belongs to no tenant (repeatable).")
_engine = click.option(
    "--engine",
    "engines",
    metavar="MODULE:NAME",
    multiple=True,
    help="An engine that the application makes itself (repeatable).",
)


@click.group()
def main() -> None:
    """Try multi-tenancy on an application without changing a line of it."""


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("target", metavar="MODULE:APP")
@click.option("--tenant", "tenants", multiple=True, help="Create this tenant if it is missing (repeatable).")
@_database
@_shared
@_engine
@click.option("--port", default=8000, show_default=True)
def run(
    target: str,
    tenants: tuple[str, ...],
    database: str | None,
    shared: tuple[str, ...],
    engines: tuple[str, ...],
    port: int,
) -> None:
    """Serve MODULE:APP (an application or a factory) to several tenants."""
    from .. import autoregister

    try:
        app = autoregister.load(target, database=database, shared=shared, engines=engines)
        with app.app_context():
            state = state_of(app)
            state.discover()
            if database is not None:
                autoregister.make_tables(app)
            known = {t.slug for t in state.directory.all()}
            for slug in tenants or (() if known else ("acme", "bella")):
                if slug not in known:
                    state.create(slug, slug.title())
            for tenant in state.directory.all():
                click.echo(f"  http://{tenant.slug}.localhost:{port}")
    except autoregister.NeedsScratchDatabaseError as error:
        click.echo(f"Error: {error}", err=True)
        if not sys.stdin.isatty() or not click.confirm("Use a new scratch database instead?", default=True):
            click.echo(f"Try again with --database {error.suggestion}", err=True)
            raise SystemExit(1) from None
        _again(target, tenants, error.suggestion, shared, engines, port)
    except TenancyError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from None
    else:
        os.environ.pop(
            "FLASK_RUN_FROM_CLI", None
        )  # of a flask command that we were started by: it would not serve
        app.run(host="127.0.0.1", port=port)


@main.command("flask", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_database
@_shared
@_engine
@click.argument("target", metavar="MODULE:APP")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def flask_command(
    target: str,
    database: str | None,
    shared: tuple[str, ...],
    engines: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Run a command of MODULE:APP's, as `flask COMMAND` would if Tenancy were registered with it.

    So a tenant gets its first user: `flask-tenant flask MODULE:APP tenant run --tenant acme add-user ...`.
    """
    from .. import autoregister

    try:
        app = autoregister.load(target, database=database, shared=shared, engines=engines)
    except TenancyError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from None
    FlaskGroup(create_app=lambda: app).main(args=list(command), prog_name="flask-tenant flask")


def _again(
    target: str,
    tenants: tuple[str, ...],
    database: str,
    shared: tuple[str, ...],
    engines: tuple[str, ...],
    port: int,
) -> None:
    # A new process: the application's modules hold engines of the old database.
    arguments: list[Any] = ["run", target, "--database", database, "--port", str(port)]
    for flag, values in (("--tenant", tenants), ("--shared", shared), ("--engine", engines)):
        for value in values:
            arguments += [flag, value]
    os.execv(  # noqa: S606 - our own interpreter, no shell wanted
        sys.executable, [sys.executable, "-m", "flask_tenant.cli", *arguments]
    )
