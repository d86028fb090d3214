"""What is wrong with a rule file, each with its place, collected so that an operator sees everything at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...errors import RuleFileError
from ..model import Place

MOST = 50
"""How many findings are listed: after that many, the rest is likely to follow from them."""


class ConditionError(Exception):
    """A condition cannot be understood.

    :param message: what was expected
    :param at: offset in the condition's text
    """

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "…"?`` for the known name that is most like ``name``, or the names if they are few."""
    names = sorted(set(known))
    like = difflib.get_close_matches(name, names, 1, 0.6)
    if like:
        return f'; did you mean "{like[0]}"?'
    if not names:
        return "; there are none"
    if len(names) <= 8:
        return f"; there is {', '.join(names)}" if len(names) == 1 else f"; there are {', '.join(names)}"
    return ""


@dataclass(slots=True)
class Findings:
    """Collects errors and notes."""

    errors: list[tuple[Place, str]] = field(default_factory=list)
    notes: list[tuple[Place, str]] = field(default_factory=list)

    def error(self, place: Place, message: str) -> None:
        self.errors.append((place, message))

    def note(self, place: Place, message: str) -> None:
        self.notes.append((place, message))

    def stop(self) -> None:
        """Raise what was found, if anything.

        :raises RuleFileError: with all of it
        """
        if not self.errors:
            return
        listed = lines(self.errors)
        more = len(listed) - MOST
        if more > 0:
            listed = (*listed[:MOST], f"… and {more} more")
        first = self.errors[0][0]
        raise RuleFileError(
            f"The rule file {first.file} cannot be accepted: {listed[0]}"
            + (f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""),
            value=first.file,
            hint="Nothing was changed: correct what is listed and check again",
            findings=listed,
        )


def lines(findings: Iterable[tuple[Place, str]]) -> tuple[str, ...]:
    """Return findings as ``file:line:column: message``, in the order of their places, each once."""
    ordered = sorted(findings, key=lambda each: (each[0].file, each[0].line, each[0].column))
    return tuple(dict.fromkeys(f"{at.file}:{at.line}:{at.column}: {message}" for at, message in ordered))
