"""Decides as servers do, with the engine that is plain Python."""

from __future__ import annotations

from flask_tenant.decision import Decision
from flask_tenant.rules.decide import Decider
from flask_tenant.rules.engine import Reference
from flask_tenant.rules.model import Facts, RuleSet
from tests.rules.operations.vocabulary import WORDS


def decide(rules: RuleSet, facts: Facts) -> Decision:
    """Make a decision."""
    return Decider(rules, Reference(), WORDS.tables).decide(facts)
