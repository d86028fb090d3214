"""The language of rule files: from what an operator writes to a :class:`~flask_tenant.rules.model.RuleSet`.

In the order in which a file goes through it::

    source        a text, and for whom it holds
    document      YAML 1.2 to plain values, with the place of each
    schema        the published JSON Schema (schema.json)
    syntax        a condition's text to a tree
    conditions    names and types (kinds)
    branches      partial evaluation: guards, residuals, slots
    rules         rules and their effects (words: masks, messages, values; claims: what they say about columns)
    composition   whether rules go together; a narrower scope never widens
    serial        a rule set to JSON and back, for those that are activated (pool: expressions; json_values)
"""

from __future__ import annotations

from .check import Checked, check
from .schema import schema
from .serial import dump, restore
from .source import Source, read_source
from .vocabulary import Vocabulary

__all__ = ["Checked", "Source", "Vocabulary", "check", "dump", "read_source", "restore", "schema"]
