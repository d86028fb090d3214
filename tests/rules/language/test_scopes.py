"""A narrower scope restricts further, and never gives back what a wider one takes."""

from __future__ import annotations

import pytest

from flask_tenant.errors import RuleFileError
from tests.rules.language.world import checked, rules

PLAN = "{plan: free}"
TENANT = "{tenant: acme}"


def refused(wide: str, narrow: str) -> str:
    """What is said about the narrower file."""
    with pytest.raises(RuleFileError) as raised:
        checked(rules(wide, "all"), rules(narrow, TENANT))
    (found,) = raised.value.findings
    assert found.startswith("b.yaml:4:")
    return found


def test_a_rule_of_a_wider_scope_cannot_be_redefined() -> None:
    same = "- {id: a, for: {read: invoice}, filter: row.paid}"
    assert "no rule can be redefined" in refused(same, "- {id: a, for: {read: invoice}, filter: 'true'}")


def test_an_exemption_stays_with_its_own_rule() -> None:
    wide, narrow = (
        "- {id: a, for: {read: invoice}, cap: 5}",
        "- {id: b, for: {read: invoice}, unless: 'true', cap: 9}",
    )
    first, second = checked(rules(wide, "all"), rules(narrow, TENANT)).ruleset.rules
    assert first == checked(rules(wide, "all")).ruleset.rules[0]
    assert second.applies.branches == ()


@pytest.mark.parametrize(
    "word", ["override: a", "disable: [a]", "exempt: a", "allow: true", "enabled: false", "extends: a"]
)
def test_there_are_no_words_that_would_switch_another_rule_off(word: str) -> None:
    wide = "- {id: a, for: {read: invoice}, cap: 5}"
    assert "there is no" in refused(wide, f"- {{id: b, for: {{read: invoice}}, cap: 9, {word}}}")


@pytest.mark.parametrize(
    "wide",
    [
        "- {id: a, for: {read: order}, filter: row.status == 'open'}",
        "- {id: a, for: {delete: order}, unless: row.status == 'open', deny: x}",
        "- {id: a, for: {read: order}, mask: {status: empty}}",
        "- {id: a, for: {read: order}, hide: [status]}",
    ],
)
def test_what_a_wider_rule_depends_on_cannot_be_set(wide: str) -> None:
    assert "a narrower scope cannot set it" in refused(
        wide, "- {id: b, for: {write: order}, set: {status: \"'open'\"}}"
    )
    # The same scope may: it is the same author's.
    both = f"{wide}\n- {{id: b, for: {{write: order}}, set: {{status: \"'open'\"}}}}"
    assert len(checked(rules(both, "all")).ruleset.rules) == 2


@pytest.mark.parametrize("scope", [PLAN, TENANT])
def test_masks_and_routes_of_a_wider_scope_cannot_be_replaced(scope: str) -> None:
    pairs = [
        ("invoice", "mask: {note: \"'x'\"}", "mask: {note: \"'y'\"}", "neither is stricter"),
        ('"*"', "route: replica", "route: archive", "a statement has one engine"),
    ]
    for tables, one, other, message in pairs:
        with pytest.raises(RuleFileError, match=message):
            checked(
                rules(f"- {{id: a, for: {{read: {tables}}}, {one}}}", "all"),
                rules(f"- {{id: b, for: {{read: {tables}}}, {other}}}", scope),
            )


@pytest.mark.parametrize(
    ("one", "other"), [("empty", "last(4)"), ("last(4)", "last(2)"), ("empty", "\"'x'\"")]
)
def test_masks_that_can_be_compared_go_together(one: str, other: str) -> None:
    found = checked(
        rules(f"- {{id: a, for: {{read: invoice}}, mask: {{note: {one}}}}}", "all"),
        rules(f"- {{id: b, for: {{read: invoice}}, mask: {{note: {other}}}}}", TENANT),
    )
    assert len(found.ruleset.rules) == 2


def test_an_operator_is_told_what_a_rule_gives_away() -> None:
    found = checked(
        rules("- {id: a, for: {read: invoice}, mask: {iban: last(4)}}", "all"),
        rules("- {id: b, for: {read: invoice}, filter: row.iban.startsWith('DE')}", TENANT),
        rules("- {id: c, for: {update: invoice}, when: row.paid, deny: no}", TENANT),
    )
    assert found.notes == (
        'a.yaml:4:40: "iban" is masked in part, thus probeable: what is shown can be searched and sorted by',
        'b.yaml:4:41: "iban" is masked or hidden by the rule "a", and this condition reads its raw value: which rows it is true for tells something of it',
        "c.yaml:4:51: in a rule for update, row is the row as it will be; what it was before is old",
    )
