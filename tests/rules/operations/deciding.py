"""Decides as servers do, with the engine that is plain Python."""

from __future__ import annotations

from flask_tenant.decision import Decision
from flask_tenant.rules.compose import compose
from flask_tenant.rules.engine.reference import Reference
from flask_tenant.rules.model import Facts, RuleSet
from tests.rules.operations.vocabulary import WORDS

_ENGINE = Reference()


def decide(rules: RuleSet, facts: Facts) -> Decision:
    """Make a decision."""
    return compose(rules, _ENGINE.holding(_ENGINE.load(rules.guards), facts), WORDS.tables)
