"""The packs in rules/, and the rules that `make demo` shows: they are correct, they do what their cases say, and their
cases cover them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_tenant.rules.cases import judge, mutants, read_cases, survivors
from flask_tenant.rules.folder import read_folder
from flask_tenant.rules.language import Source, check
from tests.rules.operations.deciding import decide
from tests.rules.operations.vocabulary import WORDS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = read_folder(ROOT / "rules")
SHOWN = read_folder(ROOT / "demo_rules")


def test_there_are_packs() -> None:
    assert len(FOLDER.files) >= 10
    assert {file.scope for file in FOLDER.files} == {"all"}
    assert len(SHOWN.files) == 3


@pytest.mark.parametrize("file", [*FOLDER.files, *SHOWN.files], ids=lambda file: file.name)
def test_a_pack_does_what_its_cases_say_and_they_cover_it(file: object) -> None:
    rules = check([Source(file.name, file.text, file.scope)], WORDS).ruleset
    assert rules.rules
    name, text = (FOLDER.cases | SHOWN.cases)[file.name]
    cases = read_cases(name, text, WORDS)
    verdicts = [judge(case, rules, decide) for case in cases]
    assert [f"{v.case.name}: {v.wrong}" for v in verdicts if not v.good] == []
    broken = list(mutants(rules))
    assert len(broken) >= len(rules.rules)
    assert [(m.rule.id, m.mistake) for m in survivors(cases, broken, decide)] == []


def test_all_packs_go_together() -> None:
    rules = check([Source(f.name, f.text, f.scope) for f in FOLDER.files], WORDS).ruleset
    for name, text in FOLDER.cases.values():
        for case in read_cases(name, text, WORDS, {"roles": ("auditor",)}):
            assert judge(case, rules, decide).good, case.name
