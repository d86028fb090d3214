"""A theme is data: what is no typed value does not get in, and nothing but typed values gets out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tenant.theme.composing import Layer, compose
from flask_tenant.theme.reading import read
from flask_tenant.theme.scheme import DERIVED, MODES, ROLES
from flask_tenant.theme.tokens import TOKENS
from tests.services.availability import examples

ATTACKS = [
    "};body{display:none",
    "#ffffff;}body{background:red",
    "#ffffff}</style><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "url(javascript:alert(1))",
    'url("http://elsewhere.example/x")',
    "expression(alert(1))",
    "@import url(//elsewhere.example/x.css);",
    "\\3c script\\3e ",
    "\\7d body\\7b display:none",
    "red/*",
    "*/}body{",
    "<!--",
    "]]>",
    "\u202e#ffffff",
    "#fffff\uff46",
    "a" * 100_000,
    "\0",
    "1e309",
    "${7*7}",
    "{{ config }}",
    "var(--x)",
    "calc(1px)",
    "sans-serif, x",
    '"; }',
    "../../../etc/passwd",
    "..\\secret.svg",
    "/etc/passwd.svg",
    "tenants/bella/logo.svg",
    "logo.svg\0.png",
    "logo.svg?x",
    "file:///etc/passwd.png",
    ".hidden.svg",
    "logo.html",
    "logo.svg\n",
]
GRAMMAR = re.compile(
    r"(?:@font-face\{[^{}]*\}\n)*"
    r":root\{color-scheme:light dark;(?P<light>[^{}]*)\}\n"
    r"@media \(prefers-color-scheme:dark\)\{:root\{(?P<dark>[^{}]*)\}\}\n"
    r"@media print\{:root\{color-scheme:light;(?P<print>[^{}]*)\}\}\n\Z"
)
ONE = re.compile(r"--theme-[a-z-]+:(?:#[0-9a-f]{6}|\d+px|[\d.]+(?:rem)?|[A-Za-z\", -]+)\Z")
TEXTS = {"login.heading", "login.text"}


UNCHANGED = compose("", []).theme.stylesheet


def properties(css: str) -> dict[str, str]:
    """The properties of a stylesheet, which must be of exactly the shape that is printed."""
    found = GRAMMAR.match(css)
    assert found, css
    light: dict[str, str] = {}
    for part in ("light", "dark", "print"):
        for one in found[part].split(";"):
            assert ONE.match(one), one
            if part == "light":
                name, _, value = one.partition(":")
                light[name] = value
    return light


def nested(token: str, value: Any) -> Any:
    for part in reversed(token.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: repr(a)[:30])
def test_no_token_takes_an_attack(attack: str, tmp_path) -> None:
    taken = []
    for token in TOKENS:
        said = read(nested(token, attack))
        if said.values:
            taken.append(token)
        else:
            assert len(said.wrong) == 1
            assert len(str(said.wrong[0])) < 700, "a message as long as the attack"
        theme = compose("", [Layer("test", nested(token, attack), tmp_path)]).theme
        assert theme.stylesheet == UNCHANGED
    assert properties(UNCHANGED)
    # Text is text: it is not printed to CSS, and templates escape it.
    assert set(taken) <= TEXTS


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(ATTACKS[:20]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(400), deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(TOKENS)), json, max_size=6), json)
def test_whatever_is_said_the_stylesheet_has_its_shape(said: dict[str, Any], other: Any) -> None:
    raw: dict[str, Any] = {}
    for token, value in said.items():
        at = raw
        *groups, last = token.split(".")
        for group in groups:
            inner = at.setdefault(group, {})
            at = inner if isinstance(inner, dict) else {}
        at[last] = value
    from pathlib import Path

    for layer in (raw, other):
        theme = compose("", [Layer("test", layer, Path("/nonexistent"))]).theme
        found = properties(theme.stylesheet)
        assert {f"--theme-{role}" for role in (*ROLES, *DERIVED)} < found.keys()


def test_every_token_is_there_and_what_there_is_not_has_a_near_name() -> None:
    assert len(TOKENS) >= 45
    (wrong,) = read({"colours": {"light": {"acent": "#123456"}}}).wrong
    assert "there is no such token; is it colours.light.accent?" in str(wrong)
    (wrong,) = read({"colors": {"accent": "#123456"}}).wrong
    assert "is it colours" in str(wrong)


def test_all_mistakes_are_told_at_once() -> None:
    said = read(
        {"colours": {"accent": "red;"}, "shape": {"radius": 99, "text": 16}, "font": {"body": "Comic Sans"}}
    )
    assert sorted(w.path for w in said.wrong) == ["colours.accent", "font.body", "shape.radius"]
    assert said.values == {"shape.text": 16}


def test_a_colour_that_yaml_took_for_a_comment_gets_advice() -> None:
    assert "Put it in quotes" in str(read({"colours": {"accent": None}}).wrong[0])


@pytest.mark.parametrize(
    ("token", "good", "bad"),
    [
        ("language", ["de", "de_DE", "zh_Hant_TW"], ["german", "de-DE", "xx_YY", "../de", "", 5]),
        (
            "timezone",
            ["Europe/Berlin", "UTC"],
            ["Berlin", "../../etc/passwd", "Europe/Berlin\0", "", 5, "/etc/localtime"],
        ),
        ("shape.radius", [0, 24], [-1, 25, 1.5, "6", True, float("nan"), float("inf")]),
        ("shape.spacing", [0.75, 1, 1.5], [0.7, 1.6, "1", float("nan"), True]),
        ("font.body", ["serif", "own.woff2"], ["Serif", "own.ttf", "own.svg"]),
        ("logo.light", ["logo.svg", "a-b_c.png"], ["logo", "logo.gif", "a b.svg"]),
        ("login.layout", ["side"], ["left", ""]),
        ("login.heading", ["Willkommen <3"], ["x" * 81, "a\nb", "\u202e", "\x1b[2J"]),
    ],
)
def test_kinds(token: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert read(nested(token, value)).values == {token: TOKENS[token].read(value)}
    for value in bad:
        assert read(nested(token, value)).values == {}, value


def test_layers_win_token_by_token_and_a_wrong_one_is_left_out_whole(tmp_path) -> None:
    layers = [
        Layer("default", {"colours": {"accent": "green"}, "shape": {"radius": 2}}, tmp_path),
        Layer("plan", {"shape": {"radius": 20}, "language": "de"}, tmp_path),
        Layer("broken", {"language": "fr", "shape": {"radius": 999}}, tmp_path),
        Layer("pale", {"colours": {"light": {"accent": "gold"}}, "language": "sv"}, tmp_path),
    ]
    composed = compose("", layers)
    assert composed.theme.value("shape.radius") == 20
    assert composed.theme.value("language") == "de"
    assert str(composed.theme.colours["light"]["accent"]) == "#15703f"
    assert any(f.startswith("broken: shape.radius: 999 is not") for f in composed.findings)
    assert any(f.startswith("pale: colours.light.accent: accent #fbbf24 on") for f in composed.findings)


def test_both_modes_are_printed() -> None:
    assert MODES == ("light", "dark")
    theme = compose("", []).theme
    assert theme.stylesheet.count("--theme-accent:") == 3
