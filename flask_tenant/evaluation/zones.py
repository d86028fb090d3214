"""Days in a time zone: which day an instant is on, and between which instants a day is.

Time zones are those of the IANA's database (RFC 6557), as :mod:`zoneinfo` knows them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> tzinfo:
    """Return a time zone.

    :param name: such as ``Pacific/Auckland``
    :raises ValueError: when this machine knows none of that name
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def day_of(at: datetime, zone: str) -> date:
    """Return the day on which an instant is.

    :param at: with its zone
    :param zone: name of the zone whose calendar counts
    :raises ValueError: for a zone that there is not
    """
    try:
        return at.astimezone(zone_named(zone)).date()
    except OverflowError:  # beyond the calendar's last day, or before its first
        return at.date()


def day_start(day: date, zone: str) -> datetime:
    """Return the first instant of a day, in UTC.

    Where clocks are put forward at midnight a day begins at one o'clock, and where they are put back over midnight it
    begins when they show midnight for the first time.

    :raises ValueError: for a zone that there is not
    """
    try:
        return datetime.combine(day, time(), zone_named(zone)).astimezone(UTC)
    except OverflowError:
        return _FIRST if day.year == 1 else _LAST


def day_end(day: date, zone: str) -> datetime:
    """Return the instant at which the next day begins, in UTC.

    :raises ValueError: for a zone that there is not
    """
    return _LAST if day == date.max else day_start(day + _DAY, zone)


def day_of_text(at: object, zone: object) -> str | None:
    """Return the day on which an instant is, ``YYYY-MM-DD``: for SQLite, which keeps texts and knows no time zones.

    :param at: a timestamp as SQLite has it, in UTC where it names no zone
    :returns: ``None`` for what is no timestamp: an error would tell of rows that a filter takes away
    """
    if not isinstance(at, str) or not isinstance(zone, str):
        return None
    try:
        found = datetime.fromisoformat(at)
        return day_of(found if found.tzinfo is not None else found.replace(tzinfo=UTC), zone).isoformat()
    except ValueError:
        return None
