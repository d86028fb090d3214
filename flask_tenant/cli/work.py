"""``flask tenant shell`` and ``flask tenant run``: the application's own commands, inside a tenant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import click
from flask.cli import FlaskGroup, shell_command

from .. import pipeline
from ..application import Application
from ..errors import TenantError
from ..model import Tenant, TenantState
from ..registry import COMMANDED
from .frame import (
    FOREIGN,
    ExitCode,
    Slug,
    TenantGroup,
    as_json,
    json_option,
    printable,
    progress,
    say,
    slug_argument,
    state,
    tenant_of,
)

_group = TenantGroup()

_any_state = click.option("--any-state", is_flag=True, help="Also when the tenant is not active.")


@_group.command("shell")
@slug_argument
@_any_state
@click.pass_context
def shell(ctx: click.Context, slug: str, any_state: bool) -> None:
    """Open the application's shell inside the tenant SLUG."""
    here, tenant = state(), _admitted(slug, any_state)
    command = _own_command(ctx, "shell", here) or shell_command
    click.echo(f"Inside tenant {tenant.slug} (id {tenant.id}), {printable(tenant.name)}.", err=True)
    with _inside(here, tenant):
        code = _invoke(ctx, command, "shell", ())
    ctx.exit(code)


@_group.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--tenant", "slugs", type=Slug(), multiple=True, help="Inside this tenant (repeatable).")
@click.option("--all", "everyone", is_flag=True, help="Inside every active tenant in turn.")
@_any_state
@json_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context, slugs: tuple[str, ...], everyone: bool, any_state: bool, command: tuple[str, ...]
) -> None:
    """Run COMMAND inside a tenant: a command of this application, or a program.

    A command of the application, such as "seed" for "flask seed", runs in this process. Anything else is started as a
    program, in which the application works for the tenant wherever nothing else names one.

    With several tenants it goes on after a failure, and exits with 1 in the end.
    """
    if everyone == bool(slugs):
        raise click.UsageError("Name tenants with --tenant SLUG, or take all of them with --all")
    here = state()
    work = _work(ctx, here, command)
    if len(slugs) == 1 and not as_json():
        ctx.exit(work(_admitted(slugs[0], any_state)))
    if everyone:
        tenants = [t for t in here.directory.all() if any_state or t.state is TenantState.ACTIVE]
    else:
        tenants = [_admitted(slug, any_state) for slug in dict.fromkeys(slugs)]
    results = []
    with progress(len(tenants), command[0]) as step:
        for tenant in tenants:
            results.append(_result(tenant, work))
            step(tenant.slug)
    failed = [found["slug"] for found in results if found["exit_code"]]
    text = f"{command[0]}: {len(results)} tenants, {len(failed)} failed"
    say(f"{text}: {', '.join(failed)}." if failed else f"{text}.", results)
    ctx.exit(ExitCode.FAILURE if failed else ExitCode.OK)


def _result(tenant: Tenant, work: Callable[[Tenant], int]) -> dict[str, Any]:
    """Run the work in one of several tenants; what it prints is headed by the tenant."""
    begun = time.monotonic()
    error = None
    click.echo(f"== {tenant.slug}", err=True)
    try:
        with redirect_stdout(sys.stderr if as_json() else sys.stdout):
            code = work(tenant)
    except Exception as caught:  # the others have their turn
        code, error = 1, f"{type(caught).__name__}: {caught}"
        click.echo(f"Error in {tenant.slug}: {error}", err=True)
    return {
        "slug": tenant.slug,
        "exit_code": code,
        "error": error,
        "seconds": round(time.monotonic() - begun, 3),
    }


def _work(ctx: click.Context, here: Application, words: tuple[str, ...]) -> Callable[[Tenant], int]:
    """Return what runs a command inside a tenant, and answers its exit code."""
    if words[0] == "run":
        raise click.UsageError("'run' serves every tenant by itself: flask run")
    command = _own_command(ctx, words[0], here)
    if command is not None:
        found = command

        def in_process(tenant: Tenant) -> int:
            with _inside(here, tenant):
                return _invoke(ctx, found, words[0], words[1:])

        return in_process
    program = sys.executable if words[0] == "python" else shutil.which(words[0])
    if program is None:
        raise click.UsageError(f"{words[0]!r} is no command of this application, and no program")

    def started(tenant: Tenant) -> int:
        environment = {**os.environ, COMMANDED: tenant.slug}
        output = 2 if as_json() else None  # the descriptor of standard error
        sys.stdout.flush()
        return subprocess.run(  # noqa: S603 - the operator's own words
            [program, *words[1:]], env=environment, stdout=output, check=False
        ).returncode

    return started


def _admitted(slug: str, any_state: bool) -> Tenant:
    """Return the tenant that a command names, if it may be entered.

    :raises TenantError: when it is not active, and that was not asked for
    """
    tenant, directory = tenant_of(slug), state().directory
    resolution = pipeline.admit_command(slug, directory.find, lambda: directory.source)
    if resolution.tenant is None and not any_state:
        raise TenantError(
            f"Tenant {slug!r} is {tenant.state.value}", value=slug, hint="--any-state enters it all the same"
        )
    return tenant


@contextmanager
def _inside(here: Application, tenant: Tenant) -> Iterator[None]:
    """Enter a tenant, with an application context of its own: ``flask.g`` must not go from one to the next."""
    from ..context import Scope

    with here.app.app_context(), here.enter(Scope(tenant)):
        yield


def _own_command(ctx: click.Context, name: str, here: Application) -> click.Command | None:
    """Return a command of ``flask``, whoever has registered it."""
    root = ctx.find_root()
    group = root.command
    if not isinstance(group, FlaskGroup):
        group = FlaskGroup(create_app=lambda: here.app, load_dotenv=False, set_debug_flag=False)
    return group.get_command(root, name)


def _invoke(ctx: click.Context, command: click.Command, name: str, arguments: tuple[str, ...]) -> int:
    """Run a command in this process, and return its exit code."""
    ctx.meta[FOREIGN] = True
    try:
        with command.make_context(name, list(arguments), parent=ctx.find_root()) as inner:
            command.invoke(inner)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        click.echo(end.code, err=True)
        return 1
    ctx.meta[FOREIGN] = False
    return 0


COMMANDS = (shell, run)
