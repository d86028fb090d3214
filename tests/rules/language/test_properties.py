"""What holds for whatever is written: the normal form means what the condition says, and nothing crashes or hangs."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tenant.errors import RuleFileError
from flask_tenant.evaluation import evaluate
from flask_tenant.rules.language import Source, branches, check, conditions, dump, restore
from flask_tenant.rules.language.conditions import Names
from flask_tenant.rules.language.findings import ConditionError
from flask_tenant.rules.language.syntax import parse
from flask_tenant.rules.model import ALWAYS
from tests.rules.language.world import EXAMPLE, VOCABULARY, rules
from tests.services.availability import FULL

LONGEST = 5.0
"""Seconds that one check may take on a busy machine: what runs away takes minutes."""

DRAWN = partial(
    settings, deadline=None, database=None, derandomize=not FULL, suppress_health_check=list(HealthCheck)
)
NAMES = Names(VOCABULARY.facts, {"invoice": VOCABULARY.tables["invoice"]})

numbers = st.integers(-2, 2).map(str)
texts = st.sampled_from(["'a'", "'ab'", "'B'", "''"])
ints = st.recursive(
    numbers
    | st.sampled_from(["user.id", "month", "row.id", "row.owner_id", "size(roles)", "row.note.size()"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
    max_leaves=3,
)
strings = texts | st.sampled_from(
    ["plan", "channel", "row.note", "lower(row.iban)", "upper(plan)", "plan + row.note"]
)
atoms = st.one_of(
    st.sampled_from(
        ["user.staff", "row.paid", "true", "false", "(row.id in user.teams)", "(row.note in ['a', 'ab'])"]
    ),
    st.builds("({} {} {})".format, ints, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), ints),
    st.builds("({} {} {})".format, strings, st.sampled_from(["==", "!="]), strings),
    st.builds(
        "({}).{}({})".format, strings, st.sampled_from(["startsWith", "endsWith", "contains"]), strings
    ),
    st.builds("({} in roles)".format, strings),
    st.builds(
        "({} {} null)".format, st.sampled_from(["plan", "row.note", "user.id"]), st.sampled_from(["==", "!="])
    ),
)
texts_of_conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("({} == {})".format, inner, inner),
    ),
    max_leaves=7,
)
maybe_text = st.none() | st.sampled_from(["a", "ab", "B", ""])
maybe_int = st.none() | st.integers(-2, 2)
maybe_bool = st.none() | st.booleans()
facts_of_requests = st.fixed_dictionaries(
    {
        "user.staff": maybe_bool, "user.id": maybe_int, "month": maybe_int, "plan": maybe_text, "channel": maybe_text,
        "roles": st.none() | st.lists(st.sampled_from(["a", "ab", "B"]), max_size=2).map(tuple),
        "user.teams": st.none() | st.lists(st.integers(-2, 2), max_size=2).map(tuple),
    }
)  # fmt: skip
rows = st.fixed_dictionaries(
    {"paid": maybe_bool, "id": maybe_int, "owner_id": maybe_int, "note": maybe_text, "iban": maybe_text}
)


@DRAWN(max_examples=20_000 if FULL else 150)
@given(texts_of_conditions, facts_of_requests, rows, st.booleans())
def test_the_normal_form_means_what_the_condition_says(
    text: str, facts: dict[str, Any], row: dict[str, Any], possible: bool
) -> None:
    typed = conditions.condition(text, NAMES)
    collected = branches.Collected()
    try:
        normal = branches.condition(typed, possible=possible, collected=collected)
    except ConditionError as error:
        assert "branches" in error.message
        return
    said = evaluate(typed, row=row, facts=facts)
    wanted = said is not False if possible else said is True
    guards = list(collected.guards)
    values = [evaluate(slot, facts=facts) for slot in collected.slots]
    found = False
    for number, residual in normal.branches:
        guard = True if number == ALWAYS else evaluate(guards[number].test, facts=facts)
        assert number == ALWAYS or guards[number].possible is possible
        asked = True if residual is None else evaluate(residual, row=row, values=values)
        assert asked is not None, "a residual says itself what unknown means"
        found = found or ((guard is True or (possible and guard is None)) and asked)
    assert found is wanted, (text, facts, row, normal)


@DRAWN(max_examples=2_000 if FULL else 30)
@given(st.lists(texts_of_conditions, min_size=1, max_size=4))
def test_whatever_is_checked_is_restored_as_it_was(texts: list[str]) -> None:
    body = "".join(
        f"- id: r{n}\n  for: {{read: invoice}}\n  when: {json.dumps(text)}\n  filter: {json.dumps(text)}\n"
        for n, text in enumerate(texts)
    )
    try:
        ruleset = check([Source("a.yaml", rules(body))], VOCABULARY).ruleset
    except RuleFileError as error:
        assert all("branches" in finding for finding in error.findings), error.findings
        return
    stored = dump(ruleset)
    assert restore(stored) == ruleset
    assert dump(restore(stored)) == stored


@DRAWN(max_examples=50_000 if FULL else 150)
@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            ["row", ".", "paid", "(", ")", "[", "]", "{", "}", '"', "'", "\\", "\\n", "1", "1.5", "-", "!", "&&", "||",
             "==", "in", "?", ":", ",", "null", "true", " ", "\n", "//", "e9", "0x", "u", "b", "r", '"""', "date", "last"]
        ),
        max_size=30,
    ).map("".join)
)  # fmt: skip
def test_a_condition_is_read_or_refused(text: str) -> None:
    before = time.monotonic()
    try:
        parse(text)
    except ConditionError as error:
        assert 0 <= error.at <= len(text)
        assert error.message
    assert time.monotonic() - before < LONGEST


HEADER, *EXAMPLES = EXAMPLE.replace("\n- ", "\n\0- ").split("\0")
PIECES = [
    "{", "}", "[", "]", "'", '"', ":", ": ", "- ", "\n", "\n  ", " ", "#", "&a ", "*a", "!", "!!str ", "|\n", ">\n", "\t",
    "null", "~", "on", "12", "1e9", "-", "%", "@", "`", "\\", "\x00", "\ufeff", "\ud7ff", "é", "row.", "when", "unless",
    "filter", "rules", "tenant", '"*"', "&&", "||", "?", "<<: ", "---\n", "...\n", "id: a, ", "last(4)", "{row.x}",
]  # fmt: skip


def mutated(chance: random.Random) -> str:
    """A few rules of the example, with a few things wrong."""
    text = HEADER + "".join(chance.sample(EXAMPLES, chance.randint(1, 3)))
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at, other = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        piece = text[at : min(other, at + 12)]
        before, after = text[:at], text[at:]
        new = chance.choice(PIECES)
        text = chance.choice(
            [
                before + after[len(piece) :],
                before + new + after,
                before + new + after[1:],
                text[:other] + piece + text[other:],
                before + new * chance.choice([2, 40]) + after,
                before,
            ]
        )
    return text


@pytest.mark.parametrize("seed", range(10))
def test_a_broken_rule_file_is_refused_with_a_place_and_nothing_worse(seed: int) -> None:
    chance = random.Random(seed)
    accepted = refused = 0
    for _ in range(10_000 if FULL else 25):
        text = mutated(chance)
        before = time.monotonic()
        try:
            ruleset = check([Source("a.yaml", text)], VOCABULARY).ruleset
        except RuleFileError as error:
            refused += 1
            assert error.findings
            lines = text.removeprefix("\ufeff").splitlines() or [""]
            for finding in error.findings:
                if finding.startswith("…"):
                    continue
                _, line, column, message = finding.split(":", 3)
                assert 1 <= int(line) <= len(lines) + 1, (finding, text)
                assert int(column) >= 1
                assert message.strip()
        else:
            accepted += 1
            assert restore(dump(ruleset)) == ruleset
        assert time.monotonic() - before < LONGEST, text
    assert refused
    assert accepted or not FULL


STORED = dump(check([Source("a.yaml", EXAMPLE)], VOCABULARY).ruleset)


def damaged(data: Any, chance: random.Random) -> Any:
    """The same data with one value at random put elsewhere or replaced."""
    values: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, inner in items:
            values.append((value, key))
            collect(inner)

    collect(data)
    owner, key = chance.choice(values)
    other, other_key = chance.choice(values)
    owner[key] = chance.choice(
        [None, -1, 0, 1, 10**6, 0.5, "", "x", "read", True, [], {}, [[]], other[other_key]]
    )
    return data


@pytest.mark.parametrize("seed", range(5))
def test_a_stored_set_that_was_changed_is_refused_or_sound(seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for _ in range(2_000 if FULL else 60):
        data = damaged(json.loads(STORED), chance)
        try:
            text = json.dumps(data)
        except ValueError:  # it was put into itself
            continue
        try:
            found = restore(text)
        except RuleFileError:
            refused += 1
            continue
        # What is taken has only guards and slots that can be worked out, whatever the facts are.
        for guard in found.guards:
            assert evaluate(guard.test) in {True, False, None}
        values = [evaluate(slot) for slot in found.slots]
        for rule in found.rules:
            for number, residual in rule.applies.branches:
                assert ALWAYS <= number < len(found.guards)
                assert residual is None or evaluate(residual, values=values) in {True, False, None}
    assert refused


def test_an_expression_that_grows_without_end_is_refused_at_once() -> None:
    data = json.loads(STORED)
    data["expressions"] = [["c", "bool", True], *(["x", "&&", n, n] for n in range(100))]
    data["guards"], data["slots"], data["rules"] = [[100, 1]], [], []
    before = time.monotonic()
    with pytest.raises(RuleFileError, match="too large"):
        restore(json.dumps(data))
    assert time.monotonic() - before < LONGEST


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 2}', "NaN", "[" * 100_000, STORED[:-1]])
def test_what_is_no_stored_set_is_refused(text: str) -> None:
    with pytest.raises(RuleFileError, match="activate the rules again"):
        restore(text)


@pytest.mark.parametrize(
    "text",
    [
        '"' + "\\n" * 900,  # the grammar's pattern for texts, alone, would try every way to read the escapes
        "'" + "\\'" * 900,
        '"""' + "\\n" * 900,
        "(" * 1900,
        "!" * 1900,
        "-" * 1900,
        "1" * 1900,
        "a." * 900 + "a",
        "row.paid ? " * 150,
        "[" * 1900,
        "//" * 900,
        "row.paid || " * 160 + "row.paid",
    ],
)
def test_no_condition_runs_away(text: str) -> None:
    before = time.monotonic()
    with suppress(ConditionError):
        conditions.condition(text, NAMES)
    assert time.monotonic() - before < LONGEST


@pytest.mark.parametrize(
    "piece", ["[", "{", "- ", "? ", "'", '"', "a: ", "&a ", "{a: ", "[a, ", "a:\n", "#", "!!", "|\n", "- - "]
)
def test_no_file_runs_away(piece: str) -> None:
    before = time.monotonic()
    try:
        check([Source("a.yaml", piece * (60_000 // len(piece)))], VOCABULARY)
    except RuleFileError as error:
        assert error.findings
    assert time.monotonic() - before < 2 * LONGEST
