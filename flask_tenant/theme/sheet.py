"""A theme as CSS. It is printed from typed values alone: no text that anybody wrote gets here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .assets import Asset
from .colours import Colour
from .scheme import Mode
from .tokens import STACKS

PREFIX = "--theme-"
"""What the names of all custom properties begin with."""

_FORMATS = {"woff2": "woff2", "woff": "woff"}


def render(
    colours: Mapping[Mode, Mapping[str, Colour]], value: Callable[[str], Any], assets: Mapping[str, Asset]
) -> str:
    """Return the stylesheet.

    :param value: gives the value of a token that is no colour
    :param assets: the files; fonts among them are declared, by addresses beside the stylesheet's own
    """
    lines = []
    for part in ("body", "heading"):
        font = assets.get(f"font.{part}")
        if font is not None:
            lines.append(
                f'@font-face{{font-family:"theme-{part}";font-display:swap;'
                f'src:url("font-{part}?v={font.digest}") format("{_FORMATS[font.ending]}")}}'
            )
    body = _family("body", value("font.body"), assets)
    heading = _family("heading", value("font.heading"), assets) if value("font.heading") else body
    shape = {
        "font-body": body,
        "font-heading": heading,
        "radius": f"{int(value('shape.radius'))}px",
        "border": f"{int(value('shape.border'))}px",
        "spacing": f"{float(value('shape.spacing')):g}",
        "text-size": f"{int(value('shape.text')) / 16:g}rem",
    }
    light = {role: str(colour) for role, colour in colours["light"].items()}
    dark = {role: str(colour) for role, colour in colours["dark"].items()}
    lines.append(f":root{{color-scheme:light dark;{_properties({**light, **shape})}}}")
    lines.append(f"@media (prefers-color-scheme:dark){{:root{{{_properties(dark)}}}}}")
    lines.append(f"@media print{{:root{{color-scheme:light;{_properties(light)}}}}}")
    return "\n".join(lines) + "\n"


def _family(part: str, font: Any, assets: Mapping[str, Asset]) -> str:
    if f"font.{part}" in assets:
        return f'"theme-{part}",{STACKS["system"]}'
    return STACKS[font]


def _properties(values: Mapping[str, str]) -> str:
    return ";".join(f"{PREFIX}{name}:{value}" for name, value in values.items())


def digest(stylesheet: str, others: Iterable[str]) -> str:
    """A short hash of a stylesheet and of what goes with it."""
    found = hashlib.sha256(stylesheet.encode())
    for other in others:
        found.update(other.encode())
    return found.hexdigest()[:20]
