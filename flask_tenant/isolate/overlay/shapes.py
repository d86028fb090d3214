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

from sqlalchemy.engine import Engine
from sqlalchemy.orm.mapper import _all_registries

from ...decision import Overlay
from .compiler import overlay_compiler_for

if TYPE_CHECKING:
    from ..wall import Wall

SHAPES = 256
"""So many are kept; the one that was used longest ago goes."""

ROOM = 8
"""So many times as many compiled statements as usual are kept, at most."""

Shape = frozenset[tuple[str, Overlay]]


def shapes_of(make: Callable[[Shape], Wall]) -> Callable[[Shape], Wall]:
    """Return what finds a shape's wall, and makes it when it is new.

    :param make: makes one
    """
    return lru_cache(SHAPES)(make)


def dialect_for(base: Any, wall: Wall, engine: Engine) -> Any:
    """Return the dialect object of a shape.

    :param base: the tenant's, without rules
    :param wall: the shape's
    :param engine: whose cache of compiled statements the shapes share
    """
    found = wall.dialect
    if found is None:
        found = copy.copy(base)
        found.ft_wall = wall
        found.ft_base = base
        found.statement_compiler = overlay_compiler_for(base.statement_compiler)
        make_room(base, engine)
        wall.dialect = found  # a second thread's is as good, and this one stays with its statement
    return found


def make_room(base: Any, engine: Engine) -> None:
    """Let SQLAlchemy keep the compiled statements of several shapes: each has its own form of each statement.

    :param base: the dialect without rules
    :param engine: its cache is for all statements; for what the ORM flushes, each mapper has one
    """
    times = min(base.ft_wall.shapes.cache_info().currsize + 1, ROOM)
    own: Any = engine._compiled_cache
    if own is not None:  # the application may have switched it off
        usual = base.__dict__.setdefault("ft_usual_room", own.capacity)
        own.capacity = max(own.capacity, usual * times)
    for registry in _all_registries():
        for mapper in registry.mappers:
            kept: Any = mapper._compiled_cache
            kept.capacity = max(kept.capacity, mapper._compiled_cache_size * times)
