"""What time it is."""

from __future__ import annotations

from datetime import UTC, date, datetime


def today() -> date:
    """The day where the server stands."""
    return datetime.now().astimezone().date()


def utcnow() -> datetime:
    """The time now, in UTC and without a zone: how every timestamp is stored."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
