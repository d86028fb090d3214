"""From what was written (YAML, JSON) to typed tokens. Everything that is wrong is found, each with where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from .tokens import TOKENS, WrongValueError

LONGEST = 40
"""Letters of a wrong value that are shown."""

_GROUPS = {name.rpartition(".")[0] for name in TOKENS} | {"colours"} - {""}


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that a theme cannot say.

    :param path: the token's name, as far as it could be followed
    :param problem: what was found and what was expected
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path or 'the theme'}: {self.problem}"


@dataclass(slots=True)
class Read:
    """What a theme says: typed values by token name, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)


def read(raw: Any) -> Read:
    """Read what a theme file or a tenant's configuration says.

    :param raw: nested mappings; nothing in them is trusted
    """
    found = Read()
    if raw is not None:
        _group("", raw, found)
    return found


def _group(path: str, raw: Any, found: Read) -> None:
    if not isinstance(raw, Mapping):
        found.wrong.append(Wrong(path, f"{_shown(raw)} stands where names and values were expected"))
        return
    for key, value in raw.items():
        name = f"{path}.{key}" if path else str(key)
        token = TOKENS.get(name)
        if token is not None:
            try:
                found.values[name] = token.read(value)
            except WrongValueError as error:
                found.wrong.append(Wrong(name, f"{_shown(value)} is not {error}"))
        elif name in _GROUPS:
            _group(name, value, found)
        else:
            found.wrong.append(Wrong(name[:80], f"there is no such token{_like(name)}"))


def _like(name: str) -> str:
    close = get_close_matches(name, [*TOKENS, *_GROUPS], n=1, cutoff=0.5)
    return f"; is it {close[0]}?" if close else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
