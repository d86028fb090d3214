"""The page about rule files says what the schema and the language say; its examples are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel import yaml

from flask_tenant.expressions import FUNCTIONS
from flask_tenant.rules.cases.notation import schema as case_schema
from flask_tenant.rules.language import Source, check, conditions, schema
from flask_tenant.rules.language.conditions import Names
from flask_tenant.rules.language.document import read
from flask_tenant.rules.language.findings import ConditionError, Findings
from tests.docs.pages import ROOT
from tests.rules.language.world import EXAMPLE, VOCABULARY, rules

PAGE = ROOT / "docs" / "reference" / "rule-files.md"

pytestmark = pytest.mark.once


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def parts(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema and all within it."""
    yield node
    for value in node.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from parts(inner)


def table(properties: Mapping[str, Any]) -> str:
    """What the page says about names, generated from the schema."""
    lines = []
    for name, each in properties.items():
        verbs = ", ".join(each.get("x-verbs", ())) or "all"
        lines.append(f"| `{name}` | {verbs} | {each['description']} |")
    return "\n".join(lines)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"].endswith("2020-12/schema")


def test_the_schema_says_of_everything_what_it_is_for() -> None:
    seen = 0
    for part in parts(schema()):
        for name, each in part.get("properties", {}).items():
            if isinstance(each, dict) and name != "properties":
                assert each.get("description"), name
                seen += 1
    assert seen > 30


def test_the_schema_takes_nothing_that_it_does_not_name() -> None:
    for part in parts(schema()):
        if "properties" in part and "additionalProperties" not in part:
            pytest.fail(f"names that nobody knows are let through: {sorted(part['properties'])}")


def test_the_tables_are_those_of_the_schema() -> None:
    rule = schema()["$defs"]["rule"]["properties"]
    for properties in (rule, rule["for"]["else"]["properties"], rule["do"]["items"]["properties"]):
        for line in table(properties).splitlines():
            assert line in text(), line


def test_the_page_about_cases_says_what_their_schema_says() -> None:
    found = case_schema()
    page = PAGE.with_name("case-files.md").read_text(encoding="utf-8")
    of_a_case = found["$defs"]["case"]["properties"]
    for properties in (found["properties"], of_a_case, found["$defs"]["expectation"]["properties"]):
        listed = "\n".join(f"| `{name}` | {each['description']} |" for name, each in properties.items())
        assert listed in page
    for word in of_a_case["expect"]["oneOf"][0]["enum"]:
        assert f"`{word}`" in page
    example = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0]
    Draft202012Validator(found).validate(yaml.YAML(typ="safe").load(example))


def test_the_first_example_is_that_of_the_tests() -> None:
    assert EXAMPLE in text()


def examples() -> list[str]:
    """All rules that the page shows."""
    blocks = re.findall(r"```text\n(.*?)```", text(), re.DOTALL)
    return [block for block in blocks if block.startswith(("version:", "- "))]


@pytest.mark.parametrize("number", range(3))
def test_its_examples_are_read(number: int) -> None:
    found = examples()
    assert len(found) == 3, "as many as are tested"
    block = found[number] if found[number].startswith("version") else rules(found[number])
    assert check([Source("page.yaml", block)], VOCABULARY).ruleset.rules


def test_every_function_is_named_and_means_what_it_says() -> None:
    """Each line of the tables of functions and operators is `expression` | what for; and each expression has a type."""
    shown = re.findall(
        r"^\| `([^`]+)` \| ([^|`]+) \|", text().split("## Conditions")[1].split("## ")[0], re.MULTILINE
    )
    assert len(shown) > 25
    names = Names({**VOCABULARY.facts, "usage.ratio": VOCABULARY.events["usage.changed"]["usage.ratio"]},
                  {"invoice": VOCABULARY.tables["invoice"]})  # fmt: skip
    used = " ".join(expression for expression, _ in shown)
    for expression, kind in shown:
        found = conditions.value(expression.replace("¦", "|"), names)
        assert found.kind.value == kind.strip(), expression
    own = {"if", "coalesce", "is_true", "not_false", "is_known", "&&", "||", "day_start", "day_end"}
    assert all(name in used for name in FUNCTIONS.keys() - own)


def test_every_limit_is_said() -> None:
    from flask_tenant.rules.language import branches, document, syntax

    for limit in (
        document.LONGEST, document.DEEPEST, document.MOST_ITEMS, document.MOST_VALUES, syntax.LONGEST, syntax.DEEPEST,
        branches.MOST_BRANCHES,
    ):  # fmt: skip
        assert re.search(rf"\b{limit:,}\b", text()), limit


def test_what_the_page_says_is_refused_is() -> None:
    names = Names(VOCABULARY.facts, {"invoice": VOCABULARY.tables["invoice"]})
    said = text().split("What is refused")[1].split("\n\n## ")[0]
    shown = re.findall(r"^- `([^`]+)`", said, re.MULTILINE)
    assert len(shown) >= 8
    for expression in shown:
        with pytest.raises(ConditionError):
            conditions.value(expression, names)


def test_yaml_that_is_only_yaml_1_2() -> None:
    findings = Findings()
    document = read("a.yaml", "a: on\nb: no\nc: 0o17\nd: 1_000\ne: 12:30\nf: 2026-01-31", findings)
    assert document is not None
    assert document.data == {"a": "on", "b": "no", "c": "0o17", "d": "1_000", "e": "12:30", "f": "2026-01-31"}
