"""What is built of rule files, and what its rules say about columns: the matter that composition looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..model import Place, Rule
from .branches import Collected


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a rule says about a column (or, for ``route``, about all): what composition looks at.

    :param what: ``mask``, ``hide``, ``set``, ``route``, or how a column is read: ``condition``, ``message``, ``value``
    :param value: the mask, the expression or the engine
    """

    what: str
    rule: str
    scope: str
    place: Place
    table: str = ""
    column: str = ""
    verb: str = ""
    value: Any = None


@dataclass(slots=True)
class Built:
    """What all files together come to, so far."""

    rules: list[Rule] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    collected: Collected = field(default_factory=Collected)
