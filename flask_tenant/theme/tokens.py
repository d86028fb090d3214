"""What a theme may say: every token with its kind. A token is a typed value; text that is no such value is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from .colours import PALETTE, Colour, colour
from .scheme import BRAND, MODES, ROLES

STACKS: Mapping[str, str] = MappingProxyType(
    {
        "system": 'system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif',
        "grotesque": '"Helvetica Neue", Helvetica, "Liberation Sans", Arial, sans-serif',
        "humanist": 'Seravek, "Gill Sans Nova", Ubuntu, Calibri, "DejaVu Sans", sans-serif',
        "condensed": '"Arial Narrow", "Liberation Sans Narrow", "Roboto Condensed", sans-serif',
        "serif": '"Iowan Old Style", "Palatino Linotype", Palatino, "Liberation Serif", Georgia, serif',
        "slab": 'Rockwell, "Rockwell Nova", "Roboto Slab", "DejaVu Serif", serif',
        "mono": 'ui-monospace, "Cascadia Mono", Menlo, "DejaVu Sans Mono", monospace',
    }
)
"""Type faces that computers have, by what may be written."""

IMAGES = ("svg", "png", "webp", "jpg", "jpeg")
FONTS = ("woff2", "woff")
LAYOUTS = ("centre", "side")

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+\Z", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Z][a-z]{3})?(?:_(?:[A-Z]{2}|[0-9]{3}))?\Z", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}\Z", re.ASCII)


class WrongValueError(ValueError):
    """A value is not of its token's kind; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class FileName:
    """A file that an operator has put into a theme's folder: a bare name, so that it cannot lead elsewhere."""

    name: str

    @property
    def ending(self) -> str:
        """What follows the last point, in small letters."""
        return self.name.rpartition(".")[2].lower()


@dataclass(frozen=True, slots=True)
class Token:
    """One thing that a theme may say.

    :param name: its path in a theme file: ``font.body`` is ``body`` below ``font``
    :param kind: what is expected, in words
    :param read: turns what was written into the typed value, or raises :class:`WrongValueError`
    :param default: the value where nobody says anything
    :param about: what it is for
    """

    name: str
    kind: str
    read: Callable[[Any], Any]
    default: Any
    about: str


def _colour(value: Any) -> Colour:
    found = colour(value)
    if found is None:
        advice = ". Put it in quotes: in YAML, what follows # is a comment" if value is None else ""
        raise WrongValueError(f"a colour: '#rrggbb' or one of {', '.join(PALETTE)}{advice}")
    return found


def _number(least: float, most: float, *, whole: bool) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise WrongValueError(f"a{' whole' if whole else ''} number from {least:g} to {most:g}")
        return value

    return read


def _choice(among: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in among:
            raise WrongValueError(f"one of {', '.join(among)}")
        return value

    return read


def _file(endings: tuple[str, ...]) -> Callable[[Any], FileName]:
    def read(value: Any) -> FileName:
        expected = f"the bare name of a {', '.join(endings)} file, without a folder"
        if not isinstance(value, str) or len(value) > 80 or not _FILE.match(value):
            raise WrongValueError(expected)
        found = FileName(value)
        if found.ending not in endings:
            raise WrongValueError(expected)
        return found

    return read


def _font(value: Any) -> str | FileName:
    if isinstance(value, str) and value in STACKS:
        return value
    try:
        return _file(FONTS)(value)
    except WrongValueError as error:
        raise WrongValueError(f"one of {', '.join(STACKS)}, or {error}") from None


def _language(value: Any) -> str:
    if isinstance(value, str) and _LANGUAGE.match(value) and _known_language(value):
        return value
    raise WrongValueError("a language such as de, en_GB or zh_Hant_TW")


def _known_language(value: str) -> bool:
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError:  # without Babel nobody would speak it anyway
        return True
    try:
        Locale.parse(value)
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _zone(value: Any) -> str:
    if isinstance(value, str) and len(value) <= 64 and _ZONE.match(value):
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            pass
        else:
            return value
    raise WrongValueError("a time zone such as Europe/Berlin")


def _text(longest: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if (
            not isinstance(value, str)
            or len(value) > longest
            or any(unicodedata.category(c)[0] == "C" for c in value)
        ):
            raise WrongValueError(f"text of up to {longest} letters, without control characters")
        return value

    return read


_COLOUR = "colour"

TOKENS: Mapping[str, Token] = MappingProxyType(
    {
        token.name: token
        for token in (
            *(
                Token(f"colours.{role}", _COLOUR, _colour, None, f"{ROLES[role]}; in both modes")
                for role in BRAND
            ),
            *(
                Token(f"colours.{mode}.{role}", _COLOUR, _colour, None, about)
                for mode in MODES
                for role, about in ROLES.items()
            ),
            Token("font.body", "font", _font, "system", "text"),
            Token("font.heading", "font", _font, None, "headings; else as text"),
            Token("shape.radius", "pixels, 0 to 24", _number(0, 24, whole=True), 10, "how round corners are"),
            Token("shape.border", "pixels, 1 to 4", _number(1, 4, whole=True), 1, "how thick edges are"),
            Token(
                "shape.spacing",
                "number, 0.75 to 1.5",
                _number(0.75, 1.5, whole=False),
                1,
                "how much room there is between things",
            ),
            Token(
                "shape.text",
                "pixels, 14 to 20",
                _number(14, 20, whole=True),
                16,
                "size of text, for browsers as they come; whoever has set larger text gets it larger",
            ),
            Token("logo.light", "image", _file(IMAGES), None, "the logo"),
            Token("logo.dark", "image", _file(IMAGES), None, "the logo on dark pages; else the same"),
            Token("language", "language", _language, None, "what pages and e-mails are written in"),
            Token("timezone", "time zone", _zone, None, "what clocks show"),
            Token("login.heading", "text, 80 letters", _text(80), None, "greets at the log-in page"),
            Token("login.text", "text, 300 letters", _text(300), None, "explains there"),
            Token("login.layout", " or ".join(LAYOUTS), _choice(LAYOUTS), "centre", "how it is laid out"),
        )
    }
)
"""All tokens by name."""
