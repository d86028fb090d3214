"""Colours as three numbers, and how far two of them are apart: WCAG 2.2, "relative luminance" and "contrast ratio".

A library for these few lines would be one more thing that every installation has to carry.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z", re.ASCII)

PALETTE = {
    "black": "#000000",
    "white": "#ffffff",
    "ink": "#171a21",
    "slate": "#475569",
    "stone": "#57534e",
    "brick": "#b3400f",
    "red": "#b91c1c",
    "rose": "#be185d",
    "plum": "#86198f",
    "violet": "#6d28d9",
    "indigo": "#4338ca",
    "blue": "#1d4ed8",
    "sky": "#0369a1",
    "teal": "#0f766e",
    "green": "#15703f",
    "olive": "#4d6410",
    "amber": "#8a5300",
    "gold": "#fbbf24",
    "cream": "#fbf7ee",
    "mist": "#f1f4f8",
    "night": "#0f1216",
}
"""Colours that may be called by their names."""


class Colour(NamedTuple):
    """A colour: red, green and blue, each from 0 to 255. It prints as ``#rrggbb`` and as nothing else."""

    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        return "#" + "".join(f"{channel & 255:02x}" for channel in self)


def colour(text: object) -> Colour | None:
    """Return the colour that ``#rrggbb`` or a name of :data:`PALETTE` stands for, ``None`` for anything else."""
    if not isinstance(text, str):
        return None
    text = PALETTE.get(text, text)
    if not _HEX.match(text):
        return None
    return Colour(*(int(text[i : i + 2], 16) for i in (1, 3, 5)))


def luminance(of: Colour) -> float:
    """Relative luminance, from 0 (black) to 1 (white)."""
    shares = (c / 255 for c in of)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio, from 1 (equal) to 21 (black on white)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(over: Colour, under: Colour, share: float) -> Colour:
    """A colour that lies over another.

    :param share: how much of ``over`` is seen, from 0 to 1
    """
    return Colour(*(round(share * a + (1 - share) * b) for a, b in zip(over, under, strict=True)))


def nearest(start: Colour, passes: Callable[[Colour], bool]) -> Colour | None:
    """Return the shade of the same hue that is least lighter or darker, and passes.

    :returns: ``start`` itself if it passes; ``None`` when no shade does
    """
    return next((shade for shade in _shades(start) if passes(shade)), None)


def _shades(start: Colour) -> Iterator[Colour]:
    """The shades of a colour's hue, from itself outwards in steps of half a per cent."""
    yield start
    hue, lightness, saturation = colorsys.rgb_to_hls(*(c / 255 for c in start))
    for step in range(1, 201):
        for at in (lightness - step / 200, lightness + step / 200):
            if 0 <= at <= 1:
                yield Colour(*(round(c * 255) for c in colorsys.hls_to_rgb(hue, at, saturation)))
