"""What the commands for rules share: findings with the line that they are about, and options."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import RuleFileError
from ...governance import Governance
from ...rules.folder import Folder, read_folder
from ..frame import ExitCode, as_json, fail, printable, say, state

F = TypeVar("F", bound=Callable[..., Any])

_FINDING = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?:(?P<column>\d+):)? ?(?P<message>.*)", re.DOTALL)


def folder_option(command: F) -> F:
    """Add ``--folder``."""
    return click.option(
        "--folder",
        default="rules",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Where the rule files are.",
    )(command)


def why_options(command: F) -> F:
    """Add ``--why`` and ``--by``, which the history keeps."""
    command = click.option("--why", default="", help="Why, for the history.")(command)
    return click.option("--by", default="", help="Who does it; by default your name on this machine.")(
        command
    )


def author(by: str) -> str:
    """Return who does something."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def governance() -> Governance:
    """Return the rules of the application whose command line this is."""
    return state().governance


def opened(folder: Path) -> Folder:
    """Read the folder of rules; one that is not there is wrong usage."""
    if not folder.is_dir():
        fail(
            f"There is no folder {str(folder)!r}",
            code="rules-invalid",
            value=str(folder),
            hint="Name another with --folder",
            exit_code=ExitCode.USAGE,
        )
    return read_folder(folder)


def findings_of(error: RuleFileError) -> tuple[str, ...]:
    """Return everything that an error lists, itself where it lists nothing."""
    return error.findings or (error.message,)


def finding(text: str) -> dict[str, Any]:
    """Return a finding as programs read it."""
    found = _FINDING.fullmatch(text)
    if found is None:
        return {"file": None, "line": None, "column": None, "message": text}
    column = found["column"]
    return {
        "file": found["file"],
        "line": int(found["line"]),
        "column": int(column) if column else None,
        "message": found["message"],
    }


def pictured(text: str, texts: Mapping[str, str]) -> str:
    """Return a finding with the line that it is about, and a caret below the place.

    :param texts: of the files, by name
    """
    at = finding(text)
    lines = texts.get(at["file"] or "", "").splitlines()
    if not at["line"] or at["line"] > len(lines):
        return printable(text)
    line = lines[at["line"] - 1]
    column = min(at["column"] or 1, len(line) + 1)
    head = f"{at['line']:>5} | "
    caret = " " * len(head) + "".join("\t" if c == "\t" else " " for c in line[: column - 1]) + "^"
    shown = "".join(c if c.isprintable() or c == "\t" else "?" for c in line)
    return f"{printable(text)}\n{head}{shown}\n{caret}"


def counted(number: int, what: str) -> str:
    """Return ``1 rule``, ``2 rules``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def refuse(errors: Iterable[str], texts: Mapping[str, str], what: str) -> None:
    """Show findings, and exit with 1 if there are any."""
    listed = list(dict.fromkeys(errors))
    if not listed:
        return
    if as_json():
        say("", {"errors": [finding(each) for each in listed]})
    else:
        click.echo("\n".join(pictured(each, texts) for each in listed), err=True)
        click.echo(f"{what}: {len(listed)} {'error' if len(listed) == 1 else 'errors'}.", err=True)
    raise click.exceptions.Exit(ExitCode.FAILURE)
