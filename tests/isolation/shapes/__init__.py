"""The shapes of statements: each is a generator of many variants of one thing that SQLAlchemy can say."""

from __future__ import annotations

from tests.isolation.shapes import (
    customs,
    entities,
    fragments,
    joins,
    loading,
    odds,
    postgres,
    selects,
    units,
    upserts,
    writes,
)
from tests.isolation.shapes.registry import SHAPES, Shape

__all__ = ["SHAPES", "Shape"]
_modules = (customs, entities, fragments, joins, loading, odds, postgres, selects, units, upserts, writes)
