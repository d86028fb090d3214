"""Which languages there are, and which one to take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from .speaking import ENGLISH, Language

DOMAIN = "flask_tenant"
OURS = Path(__file__).parent

_FILE = Path("LC_MESSAGES") / f"{DOMAIN}.mo"

_LOOKED_AT = 20
"""How many languages of a header are looked at."""


class Catalogues:
    """The languages that an application has: ours, and those in a folder of its own, which come first.

    :param folder: with files such as ``de/LC_MESSAGES/flask_tenant.mo``; it need not be there
    """

    def __init__(self, folder: Path) -> None:
        self._folders = (folder, OURS)
        self._read: dict[str, NullTranslations] = {}

    @cached_property
    def names(self) -> dict[str, str]:
        """The languages, by their names in small letters."""
        found = [path.parents[1].name for folder in self._folders for path in folder.glob(f"*/{_FILE}")]
        return {name.lower(): name for name in ("en", *sorted(found))}

    def of(self, locale: str) -> Language | None:
        """Return a language that somebody has chosen.

        :param locale: such as ``de_AT``
        :returns: ``None`` when we do not speak it
        """
        name = self._nearest(locale)
        return Language(locale, self._catalogue(name)) if name is not None else None

    def choose(self, locale: str, header: str | None) -> Language:
        """Return the language in which to answer: that of the tenant's, else one that the browser wants.

        :param locale: the tenant's, ``""`` where nobody has said one
        :param header: ``Accept-Language``
        """
        return self.of(locale) or self.accepted(header)

    def accepted(self, header: str | None) -> Language:
        """Return the first language that a browser wants and we speak: else English.

        :param header: ``Accept-Language`` (RFC 9110, section 12.5.4)
        """
        wanted = list(parse_accept_header(header, LanguageAccept))[:_LOOKED_AT] if header else []
        for tag, quality in wanted:
            name = self._nearest(tag) if quality > 0 else None
            if name is not None:
                return Language(name, self._catalogue(name))
        return Language(ENGLISH.locale, self._catalogue("en"))

    def _nearest(self, locale: str) -> str | None:
        """``de_AT``, or ``de`` where there is only that: the look-up of RFC 4647, section 3.4."""
        return next((self.names[name] for name in _wider(locale) if name in self.names), None)

    def _catalogue(self, name: str) -> NullTranslations:
        found = self._read.get(name)
        if found is None:
            found = self._read[name] = self._load(name)
        return found

    def _load(self, name: str) -> NullTranslations:
        """The application's own before ours, and a language before the one that it is a kind of."""
        first: NullTranslations | None = None
        for wider in _wider(name):
            for folder in self._folders:
                path = folder / self.names.get(wider, wider) / _FILE
                if not path.is_file():
                    continue
                with path.open("rb") as file:
                    found = GNUTranslations(file)
                if first is None:
                    first = found
                else:
                    first.add_fallback(found)
        return first if first is not None else ENGLISH.catalogue


def _wider(locale: str) -> Iterator[str]:
    """``zh_hant_tw``, ``zh_hant``, ``zh``."""
    parts = locale.replace("-", "_").lower().split("_")
    return ("_".join(parts[:count]) for count in range(len(parts), 0, -1))
