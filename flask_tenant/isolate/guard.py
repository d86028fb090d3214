"""The guard at the cursor: a statement that no enforcer has vouched for does not reach the driver.

The driver's own connection and cursor classes are subclassed, so that whatever the application does with them
(``raw_connection()``, ``connection.connection.cursor()``, a driver's shortcuts) passes here. A statement that one of
our enforcers has rendered is a :class:`Vouched` string and goes straight through; any other text is rewritten by the
raw SQL enforcer, or refused.
"""

from __future__ import annotations

from typing import Any


class Vouched(str):
    """A statement that an enforcer has rendered. Only flask_tenant makes these."""

    __slots__ = ()


def with_comment(text: str, vouched: str) -> bool:
    """Whether ``text`` is the vouched statement with nothing but one comment before or behind it.

    Instrumentation adds such comments in ``before_cursor_execute``.
    """
    before, found, behind = text.partition(vouched)
    return bool(found) and _is_comment(before) and _is_comment(behind)


def _is_comment(text: str) -> bool:
    text = text.strip()
    if not text:
        return True
    inner = text[2:-2]
    return text.startswith("/*") and text.endswith("*/") and len(text) >= 4 and "*/" not in inner and "/*" not in inner


def refused(what: str, hint: str) -> Any:
    """Return a method that refuses: for the driver's ways round SQL text."""
    from ..errors import StatementRefusedError

    def method(self: Any, *args: Any, **kw: Any) -> Any:
        raise StatementRefusedError(f"{what} on a tenanted connection", value=what, hint=hint)

    return method
