"""The language that holds for the running code, and saying something in it. English where nobody has chosen one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from gettext import NullTranslations
from typing import Any

log = logging.getLogger("flask_tenant.translations")

_PLACEHOLDER = re.compile(r"%\((\w+)\)([sdr])|%%")


@dataclass(frozen=True)
class Language:
    """A language in which something is said.

    :param locale: how dates are written, such as ``de_AT``
    :param catalogue: what is said, such as that for ``de``
    """

    locale: str = "en"
    catalogue: NullTranslations = field(default_factory=NullTranslations)

    @property
    def tag(self) -> str:
        """As HTML and HTTP write it (BCP 47)."""
        return self.locale.replace("_", "-")


ENGLISH = Language()
"""The language in which all of it is written. It needs no catalogue."""

_now: ContextVar[Language] = ContextVar("flask_tenant.language", default=ENGLISH)


def language() -> Language:
    """Return the language that holds."""
    return _now.get()


@contextmanager
def speaking(chosen: Language) -> Iterator[None]:
    """Let a language hold for the length of a ``with`` block."""
    token = _now.set(chosen)
    try:
        yield
    finally:
        _now.reset(token)


# ---- saying something
def gettext(message: str, **values: Any) -> str:
    """Say something.

    :param message: in English, with placeholders such as ``%(name)s``, and ``%%`` for a percent sign
    :param values: what takes their places
    """
    return message_in_language(message) % values


def ngettext(singular: str, plural: str, n: int, **values: Any) -> str:
    """Say something of a number of things; the placeholder ``%(num)d`` is the number."""
    return plural_in_language(singular, plural, n) % {"num": n, **values}


class Message(str):
    """English text that can be said in another language later, by :func:`translated`: that of an error, which is
    written to a log in English and shown in the language of whoever has made it.

    :param message: in English, with placeholders such as ``%(name)s``
    :param values: what takes their places
    """

    __slots__ = ("message", "values")

    message: str
    values: Mapping[str, Any]

    def __new__(cls, message: str, **values: Any) -> Message:
        self = super().__new__(cls, message % values)
        self.message, self.values = message, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.message,), dict(self.values)


def translated(text: str) -> str:
    """Say a :class:`Message` in the language that holds. Other text stays as it is."""
    return gettext(text.message, **text.values) if isinstance(text, Message) else text


# ---- what catalogues say
def message_in_language(message: str) -> str:
    """Return what stands in the catalogue, placeholders included."""
    return _sound(message, _now.get().catalogue.gettext(message))


def plural_in_language(singular: str, plural: str, n: int) -> str:
    """Return the form for a number, placeholders included."""
    return _sound(plural, _now.get().catalogue.ngettext(singular, plural, n), singular)


def placeholders(text: str) -> frozenset[str] | None:
    """Return the names that a text has placeholders for; ``None`` when it cannot be formatted."""
    names = frozenset(found[1] for found in _PLACEHOLDER.finditer(text) if found[1])
    return None if "%" in _PLACEHOLDER.sub("", text) else names


@lru_cache(2048)
def _sound(message: str, found: str, other: str = "") -> str:
    """A catalogue that somebody has written must not break a page: what wants values that there are not is left out."""
    if found in (message, other):
        return found
    wanted, known = placeholders(found), placeholders(message)
    if wanted is not None and (known is None or wanted <= known):
        return found
    log.error("The translation %r has other placeholders than %r, and is left out", found, message)
    return message
