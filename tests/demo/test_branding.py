"""Whatever colour a company chooses, its pages stay readable."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from demo_app.branding import DARK_SURFACE, LIGHT_SURFACE, contrast, readable_on, stylesheet

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def tinted(colour: str, surface: str) -> str:
    """The surface below 10 % of the colour: the background of the chosen entry in the navigation."""
    pairs = [(int(colour[i : i + 2], 16), int(surface[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(0.1 * over + 0.9 * under):02x}" for over, under in pairs)


@given(colours)
def test_accents_can_be_read(colour: str) -> None:
    for surface in (LIGHT_SURFACE, DARK_SURFACE):
        accent = readable_on(colour, surface)
        assert contrast(accent, surface) >= 4.5
        assert contrast(accent, tinted(accent, surface)) >= 4.5


@given(colours)
def test_text_on_accents_can_be_read(colour: str) -> None:
    pairs = re.findall(r"--brand-accent: (#\w+); --on-brand-accent: (#\w+);", stylesheet(colour, "sans"))
    assert len(pairs) == 2
    for accent, ink in pairs:
        assert contrast(accent, ink) >= 4.5


@given(st.text())
def test_no_text_gets_into_the_style_sheet(text: str) -> None:
    assert stylesheet(f"#{text}", text) == stylesheet("#2563eb", "sans") or re.fullmatch(
        r"[0-9a-fA-F]{6}", text
    )
