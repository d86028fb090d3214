"""A connection without the wall, for flask_tenant's own statements about the physical tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy.engine import Connection

from ..context import internal


@contextmanager
def plainly(connection: Connection) -> Iterator[Connection]:
    """Let statements on ``connection`` pass as they are for the length of a ``with`` block."""
    was: Any = connection.dialect
    connection.dialect = cast(Any, getattr(was, "ft_plain", was))
    try:
        with internal():
            yield connection
    finally:
        connection.dialect = was
