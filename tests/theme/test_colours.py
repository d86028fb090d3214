"""Whatever is composed can be read, and what cannot be is refused with what would do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tenant.theme.colours import PALETTE, Colour, colour, contrast, nearest
from flask_tenant.theme.reading import read
from flask_tenant.theme.scheme import DEFAULTS, MODES, PAIRS, ROLES, build, derive, unreadable
from tests.services.availability import examples

colours = st.builds(Colour, *(st.integers(0, 255) for _ in range(3)))


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),  # the well-known grey that just fails
        ("#767676", "#ffffff", 4.54),  # and the one that just passes
        ("#ff0000", "#ffffff", 4.00),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(colour(one), colour(other)) == pytest.approx(ratio, abs=0.005)


def test_what_comes_with_us_can_be_read() -> None:
    for mode in MODES:
        assert DEFAULTS[mode].keys() == ROLES.keys()
        assert unreadable({**DEFAULTS[mode], **derive(DEFAULTS[mode])}, mode) == []
    assert len(PAIRS) > 25


def test_every_name_of_the_palette_is_a_colour_and_makes_a_theme() -> None:
    for name in PALETTE:
        assert colour(name) == colour(PALETTE[name])
        scheme = build({}, {"accent": colour(name)})
        assert unreadable(scheme["dark"], "dark") == [], name


@settings(max_examples=examples(300), deadline=None)
@given(colours)
def test_an_accent_said_once_is_moved_until_it_can_be_read_on_dark_pages(accent: Colour) -> None:
    scheme = build({}, {"accent": accent})
    assert unreadable(scheme["dark"], "dark") == []
    assert scheme["light"]["accent"] == accent  # what was said is not touched where it was said


@settings(max_examples=examples(200), deadline=None)
@given(colours)
def test_the_advice_is_a_shade_that_passes(accent: Colour) -> None:
    scheme = build({"light": {"accent": accent}}, {})
    found = [u for u in unreadable(scheme["light"], "light") if u.role == "accent"]
    for wrong in found:
        assert wrong.ratio < wrong.least
        assert wrong.better is not None
        better = build({"light": {"accent": wrong.better}}, {})
        assert [u for u in unreadable(better["light"], "light") if u.role == "accent"] == []


def test_the_nearest_shade_is_the_nearest() -> None:
    grey = colour("#777777")
    found = nearest(grey, lambda shade: contrast(shade, colour("white")) >= 4.5)
    assert found == Colour(0x76, 0x76, 0x76) or contrast(found, colour("white")) < 4.65
    assert nearest(grey, lambda shade: False) is None


def test_the_message_names_pair_ratio_and_what_would_do() -> None:
    scheme = build({"light": {"accent": colour("gold")}}, {})
    message = str(unreadable(scheme["light"], "light")[0])
    assert re.search(
        r"accent #fbbf24 on background #f5f6f8 has a contrast of 1\.5\d:1 in the light mode", message
    )
    assert re.search(r"WCAG AA asks for 4\.5:1; the nearest that does is #[0-9a-f]{6}$", message)


def test_what_nobody_said_gives_way_to_what_somebody_said() -> None:
    """A page of middle grey is possible: text, links and edges move until they can be seen on it."""
    said = {role: colour("#c8ccd4") for role in ("background", "surface", "tint")}
    assert unreadable(build({"light": said}, {})["light"], "light") == []


@pytest.mark.parametrize(
    "text",
    ["red;}", "#fff", "#12345g", "#1234567", " #123456", "#123456\n", "#１２３４５６", "", 5, None, [], True],
)
def test_anything_else_is_no_colour(text: object) -> None:
    assert colour(text) is None
    assert read({"colours": {"accent": text}}).wrong
