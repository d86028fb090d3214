"""What all commands share: errors as one line, exit codes, ``--json``, questions, tables, completion of slugs."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, NoReturn, TypeVar, cast

import click
from click.shell_completion import CompletionItem
from flask.cli import AppGroup, ScriptInfo
from sqlalchemy.exc import DBAPIError

from ..application import Application
from ..errors import TenancyError, TenantNotFoundError
from ..model import Tenant
from ..registry import state_of

F = TypeVar("F", bound=Callable[..., Any])

_JSON = "flask_tenant.json"
FOREIGN = "flask_tenant.foreign"
"""Set in a context's ``meta`` while a command of the application runs: its errors are not ours to shorten."""

COMPLETIONS = 100
"""How many slugs a shell is offered at most."""


class ExitCode(enum.IntEnum):
    """What a command tells the script that called it."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4


_CODES = {
    "not-found": ExitCode.NOT_FOUND,
    "exists": ExitCode.CONFLICT,
    "conflict": ExitCode.CONFLICT,
    "invalid": ExitCode.USAGE,
}
"""The last words of an error's code, and how the command exits."""


def exit_code_of(error: TenancyError) -> ExitCode:
    """Return how a command that failed so exits."""
    return next((code for word, code in _CODES.items() if error.code.endswith(word)), ExitCode.FAILURE)


class TenantGroup(AppGroup):
    """A group whose errors are one readable line, and an exit code; some of its commands are loaded when used."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._later: dict[str, str] = {}

    def add_later(self, name: str, where: str) -> None:
        """Add a command whose module is imported when the command is asked for.

        :param where: ``module:attribute``
        """
        self._later[name] = where

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order in which they were added."""
        return [*(name for name in self.commands if name not in self._later), *self._later]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command by its name."""
        if name in self._later and name not in self.commands:
            module, _, attribute = self._later[name].partition(":")
            self.add_command(getattr(import_module(module), attribute), name)
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong is told in one line."""
        try:
            return super().invoke(ctx)
        except TenancyError as error:
            fail(
                error.message,
                code=error.code,
                value=error.value,
                hint=error.hint,
                exit_code=exit_code_of(error),
            )
        except DBAPIError as error:
            if ctx.meta.get(FOREIGN):
                raise
            reason = next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__)
            fail(f"The database has failed: {reason}", code="database")


def fail(
    message: str,
    *,
    code: str = "command",
    value: object = None,
    hint: str = "",
    exit_code: ExitCode = ExitCode.FAILURE,
) -> NoReturn:
    """Say on standard error what went wrong, and exit.

    :param code: stable, for programs
    :param hint: what the reader can do about it
    """
    if as_json():
        found = {"error": code, "message": message, "value": value, "hint": hint}
        click.echo(json.dumps(found, default=str), err=True)
    else:
        click.echo(f"Error: {message}. {hint}" if hint else f"Error: {message}", err=True)
    raise click.exceptions.Exit(exit_code)


def missing(tenant: Tenant, kind: str, value: object, what: str = "") -> NoReturn:
    """Say that a tenant has nothing of that kind and name, and exit.

    :param kind: as the group of commands is called whose ``list`` shows what there is
    :param what: what there is not, in words; by default the kind and the name
    """
    fail(
        f"Tenant {tenant.slug!r} has {what or f'no {kind} {value!r}'}",
        code=f"{kind}-not-found",
        value=value,
        hint=f"'flask tenant {kind} list {tenant.slug}' shows them",
        exit_code=ExitCode.NOT_FOUND,
    )


# ---- options
def json_option(command: F) -> F:
    """Add ``--json``."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        ctx.meta[_JSON] = value

    return click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember, help="For programs."
    )(command)


def as_json() -> bool:
    """Whether the running command was given ``--json``."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_JSON))


def yes_option(command: F) -> F:
    """Add ``--yes``, which answers the question of a dangerous command."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def sure(question: str, yes: bool) -> None:
    """Ask before something that is hard to undo or that users notice at once, unless the answer was given.

    Nobody at the keyboard means no.
    """
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        fail("Not confirmed; nothing was changed", code="not-confirmed", hint="--yes answers in advance")


class Slug(click.ParamType):  # type: ignore[type-arg,unused-ignore] # generic since click 8.3
    """A tenant's slug, which shells can complete."""

    name = "slug"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the slugs that begin so; none at all when the application cannot be loaded."""
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
            with app.app_context():
                tenants = state_of(app).directory.all()
        except Exception:  # whatever it is, the middle of somebody's prompt is no place for it
            return []
        found = (t for t in tenants if t.slug.startswith(incomplete))
        return [CompletionItem(t.slug, help=t.name) for t in islice(found, COMPLETIONS)]


def slug_argument(command: F) -> F:
    """Add the argument SLUG."""
    return click.argument("slug", type=Slug())(command)


# ---- what commands work on
def state() -> Application:
    """Return Tenancy's state of the application whose command line this is."""
    return state_of()


def tenant_of(slug: str) -> Tenant:
    """Return the tenant of that slug.

    :raises TenantNotFoundError: when there is none; a similar slug is named
    """
    try:
        return state().directory.get(slug)
    except TenantNotFoundError as error:
        from difflib import get_close_matches

        close = get_close_matches(slug, [t.slug for t in state().directory.all()], n=1)
        if close:
            error.hint = f"Is it {close[0]!r}? {error.hint}"
        raise


# ---- output
def say(text: str, data: Any) -> None:
    """Print what a command has to tell.

    :param text: for people
    :param data: for programs: its keys are documented and stay
    """
    click.echo(json.dumps(data, indent=2, default=str) if as_json() else text)


def printable(text: object) -> str:
    """Return text without control characters: a tenant's name could hold what a terminal obeys."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> None:
    """Print a table for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*head, caption=caption or None, caption_justify="left")
    for row in rows:
        shown.add_row(
            *(Text(printable(cell)) for cell in row)
        )  # Text: no markup in what tenants call themselves
    Console().print(shown)


def show_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print rows: all that is known of them for programs, some columns for people.

    :param columns: keys of the rows
    """
    if as_json():
        say("", list(rows))
    else:
        table(columns, ([_cell(row[name]) for name in columns] for row in rows))


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value


def progress(total: int, what: str) -> Any:
    """Return a context manager whose value is called after each step; a bar where somebody can see it.

    :param total: number of steps
    """
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)

    @contextmanager
    def shown() -> Any:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
            task = bar.add_task(what, total=total)

            def step(name: str = "", count: int = 1) -> None:
                bar.update(task, advance=count, description=f"{what} {printable(name)}".strip())

            yield step

    return shown()


def tenant_data(tenant: Tenant) -> dict[str, Any]:
    """Return a tenant as programs read it."""
    return {
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "state": tenant.state.value,
        "created_at": moment(tenant.created_at),
        "domains": list(tenant.domains),
    }


def moment(at: Any) -> str | None:
    """Return a moment as ISO 8601 in UTC, ``None`` for none."""
    from datetime import UTC

    if at is None:
        return None
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return cast(str, aware.isoformat(timespec="seconds").replace("+00:00", "Z"))


__all__ = [
    "FOREIGN",
    "ExitCode",
    "Slug",
    "TenantGroup",
    "as_json",
    "fail",
    "json_option",
    "missing",
    "moment",
    "printable",
    "progress",
    "say",
    "show_rows",
    "slug_argument",
    "state",
    "sure",
    "table",
    "tenant_data",
    "tenant_of",
    "yes_option",
]
