"""The reference says what the schema says."""

from __future__ import annotations

import re

from flask_tenant.theme.colours import PALETTE
from flask_tenant.theme.scheme import DERIVED, PAIRS
from flask_tenant.theme.sheet import PREFIX
from flask_tenant.theme.tokens import STACKS, TOKENS
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "reference" / "theme-tokens.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_tokens() -> None:
    shown = {name: (kind, default, about) for name, kind, default, about in rows("Tokens")}
    there = {t.name: (t.kind, "" if t.default is None else str(t.default), t.about) for t in TOKENS.values()}
    assert shown == there


def test_pairs() -> None:
    assert [(a, b, float(least.removesuffix(":1"))) for a, b, least in rows("Contrast")] == list(PAIRS)


def test_colours_and_fonts() -> None:
    assert dict(map(tuple, rows("Named colours"))) == PALETTE
    assert dict(map(tuple, rows("Fonts"))) == dict(STACKS)
    shown: dict[str, str] = dict(rows("Colours that are made from others"))
    assert shown.keys() == {f"{PREFIX}{name}" for name in DERIVED}
    for name, (over, under, share) in DERIVED.items():
        assert shown[PREFIX + name] == f"{round(share * 100)} % of `{over}` over `{under}"


def test_properties_are_those_of_a_stylesheet() -> None:
    from flask_tenant.theme import Theme

    printed = set(re.findall(r"--theme-([a-z-]+):", Theme().stylesheet))
    named = set(re.findall(r"`--theme-([a-z-]+)`", TEXT))
    roles = {name.rpartition(".")[2] for name in TOKENS if name.startswith("colours.light.")}
    assert printed == roles | set(DERIVED) | {n for n in named if n not in roles}
