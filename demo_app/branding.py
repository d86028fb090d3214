"""The company's colour, made readable: shades with enough contrast for light and dark pages."""

from __future__ import annotations

import colorsys
import re

HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
FALLBACK = "#2563eb"
LIGHT_SURFACE = "#ffffff"
DARK_SURFACE = "#171b21"
READABLE = 5.7  # more than the 4.5 of WCAG AA: the accent also stands on a tint of itself

FONTS = {
    "sans": 'system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif',
    "serif": '"Iowan Old Style", "Palatino Linotype", Georgia, "Liberation Serif", serif',
    "mono": 'ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace',
}


def _channels(colour: str) -> tuple[float, float, float]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two ``#rrggbb`` colours: from 1 (equal) to 21 (black on white)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable_on(colour: str, surface: str) -> str:
    """``colour``, made lighter or darker until text in it can be read on ``surface``."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(colour))
    step = 0.01 if _luminance(surface) < 0.2 else -0.01
    while contrast(colour, surface) < READABLE and 0 <= lightness + step <= 1:
        lightness += step
        channels = colorsys.hls_to_rgb(hue, lightness, saturation)
        colour = "#" + "".join(f"{round(c * 255):02x}" for c in channels)
    return colour


def stylesheet(accent: str, heading_font: str) -> str:
    """The few custom properties that make one company's pages differ from another's."""
    accent = accent if HEX_COLOUR.fullmatch(accent) else FALLBACK

    def theme(surface: str) -> str:
        shade = readable_on(accent, surface)
        ink = max("#ffffff", "#10131a", key=lambda candidate: contrast(candidate, shade))
        return f"--brand-accent: {shade}; --on-brand-accent: {ink};"

    return (
        f":root {{ {theme(LIGHT_SURFACE)} --brand-font: {FONTS.get(heading_font, FONTS['sans'])}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {theme(DARK_SURFACE)} }} }}\n"
    )
