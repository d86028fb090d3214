"""A light or dark set of colours: what each role is called, what stands on what, and whether it can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from .colours import Colour, colour, contrast, mixed, nearest

Mode = Literal["light", "dark"]
MODES: tuple[Mode, ...] = ("light", "dark")

TEXT, PARTS = 4.5, 3.0
"""Least contrast ratios of WCAG 2 AA: of text (1.4.3), and of parts of controls (1.4.11)."""


def _colours(**named: str) -> Mapping[str, Colour]:
    return MappingProxyType({k.replace("_", "-"): Colour(*bytes.fromhex(v)) for k, v in named.items()})


DEFAULTS: Mapping[Mode, Mapping[str, Colour]] = {
    "light": _colours(
        background="f5f6f8", surface="ffffff", tint="eef1f5", text="171a21", muted="596273", line="dde1e7",
        control="7b8494", accent="1d4ed8", on_accent="ffffff", focus="1d4ed8",
        good="15703f", warn="8a5300", bad="b42318", info="1d5fa8",
    ),
    "dark": _colours(
        background="0f1216", surface="171b21", tint="1f252d", text="e9ecf1", muted="a0aaba", line="2b323c",
        control="76808f", accent="8ab0ff", on_accent="10131a", focus="8ab0ff",
        good="5fd08f", warn="f2bd5c", bad="ff8f84", info="86b9f5",
    ),
}  # fmt: skip

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "background": "the page",
        "surface": "cards, tables, fields",
        "tint": "what is set apart a little: rows under the pointer, tabs",
        "text": "text",
        "muted": "text of less weight",
        "line": "lines that only decorate: no contrast is asked of it",
        "control": "the edges of fields and buttons",
        "accent": "links, buttons, what is chosen",
        "on-accent": "text on the accent",
        "focus": "the ring around what the keyboard is at",
        "good": "what went well",
        "warn": "what wants a look",
        "bad": "errors, what is late",
        "info": "what is only told",
    }
)
"""What may be set, and what it is for."""

BRAND = ("accent", "focus", "good", "warn", "bad", "info")
"""Roles that may be set once for both modes: the other mode takes the nearest shade that can be read there."""

DERIVED: Mapping[str, tuple[str, str, float]] = MappingProxyType(
    {
        "accent-tint": ("accent", "surface", 0.1),
        "accent-strong": ("text", "accent", 0.14),
        "good-tint": ("good", "surface", 0.12),
        "warn-tint": ("warn", "surface", 0.12),
        "bad-tint": ("bad", "surface", 0.12),
        "info-tint": ("info", "surface", 0.12),
    }
)
"""Made from others: (what lies above, what below, how much of the upper one is seen)."""

_GROUNDS = ("background", "surface", "tint")

PAIRS: tuple[tuple[str, str, float], ...] = (
    *((ink, ground, TEXT) for ink in ("text", "muted", "accent") for ground in _GROUNDS),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("accent", "accent-tint", TEXT),
    ("text", "accent-tint", TEXT),
    *((ink, ground, TEXT) for ink in ("good", "warn", "bad", "info") for ground in ("background", "surface")),
    *((ink, f"{ink}-tint", TEXT) for ink in ("good", "warn", "bad", "info")),
    *(("text", f"{ink}-tint", TEXT) for ink in ("good", "warn", "bad", "info")),
    *((part, ground, PARTS) for part in ("control", "focus") for ground in ("background", "surface")),
)
"""Every pair that a page puts together: what is seen, on what, and the least contrast."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Two colours that are too close.

    :param role: what cannot be seen
    :param ground: on what
    :param ratio: their contrast
    :param least: what it has to be
    :param better: the nearest shade of ``role`` that can be read wherever the role stands, if there is one
    """

    mode: Mode
    role: str
    ground: str
    colours: tuple[Colour, Colour]
    ratio: float
    least: float
    better: Colour | None

    def __str__(self) -> str:
        seen, below = self.colours
        advice = f"; the nearest that does is {self.better}" if self.better else f"; change {self.ground} too"
        return (
            f"{self.role} {seen} on {self.ground} {below} has a contrast of {shown(self.ratio)}:1 "
            f"in the {self.mode} mode, and WCAG AA asks for {self.least:g}:1{advice}"
        )


def shown(ratio: float) -> str:
    """A ratio as people read it, rounded down: 4.499 is not 4.5."""
    return f"{int(ratio * 100) / 100:.2f}"


def build(
    given: Mapping[Mode, Mapping[str, Colour]], shared: Mapping[str, Colour]
) -> Mapping[Mode, Mapping[str, Colour]]:
    """Fill up what an operator has said to two whole schemes.

    What was said stays as it is. What was not is taken from :data:`DEFAULTS`, and moved to the nearest shade that can
    be read on what was said.

    :param given: by mode
    :param shared: said once, for both modes
    """
    return {mode: _build(mode, given.get(mode, {}), shared) for mode in MODES}


def _build(mode: Mode, given: Mapping[str, Colour], shared: Mapping[str, Colour]) -> Mapping[str, Colour]:
    scheme = {**DEFAULTS[mode], **shared, **given}
    fixed = set(given) | (set(shared) if mode == "light" else set())
    for role in ("text", "muted", "control", "accent", "focus", "good", "warn", "bad", "info"):
        if role == "focus" and role not in {*given, *shared}:
            scheme[role] = scheme["accent"]
        if role not in fixed:
            # The accent's own text is chosen below, to fit: it must not hold the accent back.
            scheme[role] = _readable(scheme, role, () if role == "accent" else ("accent",)) or scheme[role]
    if "on-accent" not in fixed:
        grounds = [scheme["accent"], derive(scheme)["accent-strong"]]
        inks = [colour("white") or scheme["surface"], colour("ink") or scheme["text"]]
        scheme["on-accent"] = max(inks, key=lambda ink: min(contrast(ink, ground) for ground in grounds))
    return MappingProxyType({**scheme, **derive(scheme)})


def derive(scheme: Mapping[str, Colour]) -> dict[str, Colour]:
    """The colours that are made from others."""
    return {name: mixed(scheme[over], scheme[under], share) for name, (over, under, share) in DERIVED.items()}


def _readable(scheme: Mapping[str, Colour], role: str, beside: tuple[str, ...] = ()) -> Colour | None:
    """The nearest shade of a role that can be read on everything that it stands on.

    :param beside: roles on which it is not asked for: what stands on them is settled later
    """
    pairs = [(ground, least) for seen, ground, least in PAIRS if seen == role and ground not in beside]

    def passes(shade: Colour) -> bool:
        tried = {**scheme, role: shade}
        tried.update(derive(tried))
        return all(contrast(shade, tried[ground]) >= least for ground, least in pairs)

    return nearest(scheme[role], passes)


def unreadable(scheme: Mapping[str, Colour], mode: Mode) -> list[Unreadable]:
    """Every pair of a scheme that is too close."""
    found = []
    for role, ground, least in PAIRS:
        ratio = contrast(scheme[role], scheme[ground])
        if ratio < least:
            better = _readable(scheme, role)
            found.append(Unreadable(mode, role, ground, (scheme[role], scheme[ground]), ratio, least, better))
    return found
