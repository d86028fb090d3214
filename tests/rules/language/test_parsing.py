"""What libyaml reads of a rule file is what ruamel.yaml reads: values, and where they stand. Else it is ruamel's."""

from __future__ import annotations

import random

import pytest

from flask_tenant.rules.language import document, parsing
from flask_tenant.rules.language.document import Document, read
from flask_tenant.rules.language.findings import Findings
from tests.docs.pages import ROOT
from tests.services.availability import FULL

SEEDS = [
    *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").rglob("*.yaml"))),
    "a: |\n  x\n   y\n\n  z\nb: >-\n  folded\n  text\n\n  more\nc: \"x\\ty\\u00e4\\/ \\\n   on\"\nd: 'it''s\n  two'\ne: x\n  y\n",
    'a: {b: c, "d":e, f: [1,2, {g: h}]}\n? i\n: j\nk:\n- - l\n  - m\n-\n  n: [ö, "🎉" ]  # ü\n',
    "# c\n%YAML 1.2\n---\na: on\nb: 2026-01-31\nc: 0x1F\nd: 1_000\ne: .5\nf: ~\n...\n",
    "{a:b, c: d:e, f: 'g'}\n",
]  # fmt: skip
PIECES = [
    *" :,-?[]{}#&*!|>'\"%@`\n\t\\~=<.0a", "\x85", "\u2028", "é", "\n  ", "\n    ", "\n- ", ": ", ", ", " #", "---", "...", "\n---\n",
    "|\n", "|+2\n", ">-\n", "!!", "<<", "\\n", "null", "''", '""',
]  # fmt: skip


def mutated(random_: random.Random) -> str:
    text = random_.choice(SEEDS)
    if random_.random() < 0.7:
        lines = text.split("\n")
        start = random_.randrange(len(lines))
        text = "\n".join(lines[start : start + random_.randint(1, 12)])
    for _ in range(random_.randint(1, 4)):
        at = random_.randint(0, len(text))
        if random_.random() < 0.6:
            text = text[:at] + random_.choice(PIECES) + text[at:]
        else:
            text = text[:at] + text[at + random_.randint(1, 4) :]
    return text


def by(parser: parsing.Parser, text: str) -> Document | None:
    return document._read(Document("a", text), parser, Findings())


def test_two_parsers_read_the_same() -> None:
    random_ = random.Random(4)
    compared = 0
    for _ in range(10_000 if FULL else 150):
        text = mutated(random_)
        quick = next(iter(parsing.parsers(text)))
        if quick[1]:
            continue
        found = by(quick[0], text)
        if found is None or not isinstance(found.data, dict):  # else it is no rule file, by both
            continue
        assert found == by(parsing._carefully, text), repr(text)
        compared += 1
    assert compared > (1_500 if FULL else 20)


@pytest.mark.parametrize(
    "text",
    [
        "a: b\tc",
        "a:\n- \tb",
        "a: 'b\u2028c'",
        "%YAML 1.1\n---\na: b",
        "a: b\n...\n...",
        "a:\n",
        "a: [b",
        "a: *b",
    ],
)
def test_what_they_may_disagree_on_is_read_with_care(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_both, alone = Findings(), Findings()
    found = read("a", text, with_both)
    monkeypatch.setattr(parsing, "CSafeLoader", None)
    assert read("a", text, alone) == found
    assert with_both.errors == alone.errors


def test_the_fast_one_is_there() -> None:
    """Nothing would be wrong without it, only slow."""
    (parser, final), *_ = parsing.parsers("a: b")
    assert not final
    found = by(parser, "a: b")
    assert found is not None
    assert found.data == {"a": "b"}
