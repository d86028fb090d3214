"""One wall, and one dialect object, for each shape.

SQLAlchemy's caches are keyed by the dialect object: a statement that was compiled with one set of overlays is found by
no statement under another. Shapes are told apart by content, so that all tenants and roles with equal overlays share
what was compiled.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...decision import Overlay
from .compiler import overlay_compiler_for

if TYPE_CHECKING:
    from ..wall import Wall

SHAPES = 256
"""So many are kept; the one that was used longest ago goes."""

Shape = frozenset[tuple[str, Overlay]]


def shapes_of(make: Callable[[Shape], Wall]) -> Callable[[Shape], Wall]:
    """Return what finds a shape's wall, and makes it when it is new.

    :param make: makes one
    """
    return lru_cache(SHAPES)(make)


def dialect_for(base: Any, wall: Wall) -> Any:
    """Return the dialect object of a shape.

    :param base: the tenant's, without rules
    :param wall: the shape's
    """
    found = wall.dialect
    if found is None:
        found = copy.copy(base)
        found.ft_wall = wall
        found.ft_base = base
        found.statement_compiler = overlay_compiler_for(base.statement_compiler)
        wall.dialect = found  # a second thread's is as good, and this one stays with its statement
    return found
