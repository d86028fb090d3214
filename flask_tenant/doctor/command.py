"""``flask tenant doctor``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import flask
from flask.cli import ScriptInfo, with_appcontext

from ..errors import TenancyError

LEAKED, NOT_RUN = 1, 2


@click.command("doctor")
@click.option(
    "--login", metavar="MODULE:FUNCTION", help="Logs a test client in; called with the client and the tenant."
)
@click.option("--method", "methods", multiple=True, help="Call routes of this method too (repeatable).")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file: arguments of routes, values of columns, what to skip.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="HOST:PORT",
    help="A service that the application may reach (repeatable).",
)
@click.option("--scratch", metavar="URL", help="An empty PostgreSQL database for the scratch copy.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_appcontext
def doctor(
    login: str | None,
    methods: tuple[str, ...],
    plan_file: Path | None,
    allow: tuple[str, ...],
    scratch: str | None,
    as_json: bool,
) -> None:
    """Look for leaks between tenants, in a scratch copy of the database.

    Checks the set-up, calls the application's routes as two tenants, and attacks its tables. The live data is read
    only. Exit code 0: nothing leaked, 1: something did, 2: it could not run.
    """
    # Here and not above: an application's servers import this module too, and never examine anything.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .examine import examine
    from .plan import plan_of, read_plan
    from .show import show

    err = Console(stderr=True)
    try:
        data: dict[str, Any] = read_plan(plan_file) if plan_file is not None else {}
        plan = plan_of(data)
        plan.login = login or plan.login
        plan.methods = tuple(dict.fromkeys([*plan.methods, *(m.upper() for m in methods)]))
        plan.allow = (*plan.allow, *allow)
        info = click.get_current_context().find_object(ScriptInfo)
        target = info.app_import_path if info is not None else None
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=err, transient=True,
            disable=not err.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task("copying the schema", total=1)

            def progress(done: int, total: int, what: str) -> None:
                bar.update(task, completed=done, total=total, description=what)

            found = examine(flask.current_app._get_current_object(), target, plan, scratch, progress)  # type: ignore[attr-defined]
    except TenancyError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(NOT_RUN) from None
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        show(found, Console())
    raise SystemExit(LEAKED if found.leaks else 0)
