"""Whether what rules do in a case is what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import RuleEngineError
from ..model import RuleSet
from .notation import Case
from .outcome import Decide, Outcome, outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has come of a case.

    :param wrong: what is not as expected, in words; nothing when all is well
    """

    case: Case
    outcome: Outcome | None
    wrong: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the case holds."""
        return not self.wrong


def judge(case: Case, rules: RuleSet, decide: Decide) -> Verdict:
    """Try a case."""
    try:
        found = outcome(case, rules, decide)
    except RuleEngineError as error:
        return Verdict(case, None, (f"it cannot be decided: {error.message}",))
    wrong: list[str] = []
    for key, wanted in case.expect.items():
        has = getattr(found, key)
        if key == "denied":
            wrong += _denied(wanted, has)
        elif key in ("shows", "sets"):
            wrong += _values(key, wanted, has or {})
        elif isinstance(wanted, tuple):
            if sorted(wanted) != sorted(has):
                wrong.append(f"{key}: expected {_list(wanted)}, found {_list(has)}")
        elif wanted != has:
            words = {True: "visible", False: "hidden"} if key == "visible" else {}
            wrong.append(f"expected {words.get(wanted) or f'{key} {wanted}'}, found {words.get(has, has)}")
    return Verdict(case, found, tuple(wrong))


def _denied(wanted: bool | str, has: str | None) -> list[str]:
    if wanted is False:
        return [] if has is None else [f"expected allowed, found denied: {has}"]
    if has is None:
        return ["expected denied, found allowed"]
    return [] if wanted is True or wanted == has else [f"expected the message {wanted!r}, found {has!r}"]


def _values(key: str, wanted: Mapping[str, Any], has: Mapping[str, Any]) -> list[str]:
    if key == "sets" and not wanted:
        return [f"expected to set nothing, found {', '.join(has)}"] if has else []
    wrong = []
    for name, value in wanted.items():
        if name not in has:
            wrong.append(f"{key} {name}: expected {value!r}, found nothing")
        elif type(has[name]) is bool or type(value) is bool:
            wrong += [] if has[name] is value else [f"{key} {name}: expected {value!r}, found {has[name]!r}"]
        elif has[name] != value:
            wrong.append(f"{key} {name}: expected {value!r}, found {has[name]!r}")
    return wrong


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
