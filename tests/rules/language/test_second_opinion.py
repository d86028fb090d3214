"""Where everything is known, a condition means what CEL says that it means: cel-python's own evaluator is asked.

The product uses cel-python's grammar only; its evaluator runs in this test alone.
"""

from __future__ import annotations

import sys
from typing import Any

import celpy
import pytest
from celpy.adapter import json_to_cel
from hypothesis import given
from hypothesis import strategies as st

from flask_tenant.evaluation import evaluate
from flask_tenant.rules.language import conditions
from tests.rules.language.test_properties import DRAWN, NAMES, texts_of_conditions
from tests.services.availability import FULL

pytestmark = pytest.mark.once

text = st.sampled_from(["a", "ab", "B", ""])
whole = st.integers(-2, 2)
requests = st.fixed_dictionaries(
    {
        "user.staff": st.booleans(), "user.id": whole, "month": whole, "plan": text, "channel": text,
        "roles": st.lists(text, max_size=2).map(tuple), "user.teams": st.lists(whole, max_size=2).map(tuple),
    }
)  # fmt: skip
rows = st.fixed_dictionaries(
    {"paid": st.booleans(), "id": whole, "owner_id": whole, "note": text, "iban": text}
)


def nested(facts: dict[str, Any], row: dict[str, Any]) -> Any:
    """Facts as CEL has them: `user.id` is a field of `user`."""
    found: dict[str, Any] = {"row": row}
    for name, value in facts.items():
        owner, _, field = name.rpartition(".")
        plain = list(value) if isinstance(value, tuple) else value
        (found.setdefault(owner, {}) if owner else found)[field] = plain
    return json_to_cel(found)


@DRAWN(max_examples=5_000 if FULL else 60)
@given(texts_of_conditions.filter(lambda text: "er(" not in text and "null" not in text), requests, rows)
def test_a_condition_means_what_it_means_in_cel(
    condition: str, facts: dict[str, Any], row: dict[str, Any]
) -> None:
    limit = sys.getrecursionlimit()
    environment = celpy.Environment()
    sys.setrecursionlimit(limit)  # it raises that of the whole process
    theirs = environment.program(environment.compile(condition)).evaluate(nested(facts, row))
    ours = evaluate(conditions.condition(condition, NAMES), row=row, facts=facts)
    assert ours is bool(theirs), (condition, facts, row)
