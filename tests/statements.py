"""The statements that a piece of work sends, for tests that compare or count them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

HOUSEKEEPING = (
    "version.number",  # each second, some request looks whether another process has changed the directory
    "tenancy_change",
    "DELETE FROM tenancy_attempt",  # one row in a hundred, at a place that each process draws anew, tidies up
)


@contextmanager
def statements_of(engine: sa.Engine) -> Iterator[list[str]]:
    """List what the block sends through an engine, but for what our own housekeeping adds now and then."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not any(words in statement for words in HOUSEKEEPING):
            sent.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
