"""Where rules come from: a text, and for whom it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import RuleFileError

ALL = "all"


@dataclass(frozen=True, slots=True)
class Source:
    """One rule file.

    :param name: of the file, for messages
    :param text: of the file
    :param scope: for whom it holds by where it lies: ``all``, ``plan:NAME``, ``tenant:SLUG``, or ``""`` when only the
        file says so; the two have to agree
    """

    name: str
    text: str
    scope: str = ""


def read_source(path: Path, root: Path | None = None) -> Source:
    """Read a rule file. ``_all.yaml`` holds for everybody, ``plans/NAME.yaml`` for a plan, ``SLUG.yaml`` for a tenant.

    :param root: the folder of all rule files: the name is said as seen from there
    :raises RuleFileError: when it is not UTF-8
    :raises OSError: when it cannot be read
    """
    name = str(path.relative_to(root)) if root is not None else path.name
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        found = f"{name}:{line}:{column}: expected text in UTF-8"
        raise RuleFileError(
            f"The rule file {name} cannot be accepted: {found}",
            value=name,
            hint="Save it as UTF-8",
            findings=(found,),
        ) from None
    if path.parent.name == "plans":
        return Source(name, text, f"plan:{path.stem}")
    return Source(name, text, ALL if path.stem == "_all" else f"tenant:{path.stem}")


def breadth(scope: str) -> int:
    """Return how narrow a scope is: 0 for all, 1 for a plan, 2 for a tenant."""
    return ("all", "plan", "tenant").index(scope.partition(":")[0])
