"""Dates and times as people write them: with Babel where it is installed, else in English or by the numbers."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .speaking import ENGLISH, language

if TYPE_CHECKING:
    from babel import Locale

_LONGEST_ZONE = 6
"""Letters of a time zone's short name. Where people have none for it, Babel gives a description, or a number."""


def day(at: datetime, zone: str) -> str:
    """Return a day, such as ``22 November 2026``.

    :param zone: in which it is that day, such as ``Europe/Berlin``; ``""`` leaves the moment's own
    """
    local, locale = _local(at, zone), _locale(language().locale)
    if locale is not None:
        from babel.dates import format_date

        return format_date(local, "long", locale)
    if language().locale == ENGLISH.locale:
        return f"{local.day} {local:%B %Y}"
    return f"{local:%Y-%m-%d}"


def moment(at: datetime, zone: str) -> str:
    """Return a day and a time, such as ``22 Nov 2026, 10:22 UTC``.

    :param zone: see :func:`day`
    """
    local, locale = _local(at, zone), _locale(language().locale)
    if locale is not None:
        from babel.dates import format_date, format_time, get_timezone_name

        date, time = format_date(local, "medium", locale), format_time(local, "short", locale=locale)
        name = get_timezone_name(local, "short", locale=locale)
        both = str(locale.datetime_formats["medium"]).format(time, date)
        return f"{both} {name if name.isalpha() and len(name) <= _LONGEST_ZONE else local.tzname()}"
    if language().locale == ENGLISH.locale:
        return f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)) if zone else at


@lru_cache(64)
def _locale(name: str) -> Locale | None:
    """What Babel knows of a language. Plain English needs nothing of it."""
    if name == ENGLISH.locale:
        return None
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError:
        return None
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return None
