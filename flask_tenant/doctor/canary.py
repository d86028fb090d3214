"""Canaries: values that each stand in one place of one tenant's rows only, and can be recognised wherever they
show."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from .unpack import texts

Owner = Literal["A", "B"]
OWNERS: tuple[Owner, Owner] = ("A", "B")

LENGTH = 10
"""Characters of a canary: long enough never to come up by chance, short enough for most columns."""

DIGITS = 7
"""Digits of a canary that is a number."""

_LETTERS = string.ascii_lowercase
_ALL = _LETTERS + string.digits
_NUMBER = re.compile(r"(?<![0-9A-Za-z_])\d[\d.,'\u00a0\u202f]{5,15}(?![0-9A-Za-z_])")
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a canary stands.

    :param owner: the tenant that it belongs to
    :param table: with its schema where that is not the default one
    """

    owner: Owner
    table: str
    column: str
    word: str

    def __str__(self) -> str:
        return f"{self.owner}'s {self.table}.{self.column}"


def other(owner: Owner) -> Owner:
    """Return the other one of both tenants."""
    return "B" if owner == "A" else "A"


class Canaries:
    """All canaries of an examination."""

    def __init__(self) -> None:
        self._stem = "".join(secrets.choice("bcdfghjkmnpqrtvwxz") for _ in range(3))
        self._word = re.compile(f"(?=({self._stem}[{_ALL}]{{{LENGTH - 3}}}))")
        self._marks: dict[str, Mark] = {}

    def __len__(self) -> int:
        return len(self._marks)

    def word(self, owner: Owner, table: str, column: str) -> str:
        """Return a new canary of lower-case letters and digits."""
        word = self._stem + "".join(secrets.choice(_ALL) for _ in range(LENGTH - 3))
        return self._keep(word, owner, table, column)

    def number(self, owner: Owner, table: str, column: str, digits: int = DIGITS) -> int:
        """Return a new canary that is a number which ends in no zero."""
        while True:
            made: int = secrets.randbelow(9 * 10 ** (digits - 1)) + 10 ** (digits - 1)
            if made % 10 and str(made) not in self._marks:
                self._keep(str(made), owner, table, column)
                return made

    def keep_uuid(self, value: str, owner: Owner, table: str, column: str) -> str:
        """Recognise a UUID from now on."""
        self._keep(value.replace("-", "").lower(), owner, table, column)
        return value

    def _keep(self, word: str, owner: Owner, table: str, column: str) -> str:
        self._marks[word] = Mark(owner, table, column, word)
        return word

    def forget(self, marks: Iterable[str]) -> None:
        """Forget canaries that were not written after all."""
        for word in marks:
            self._marks.pop(word, None)

    def marks(self) -> Iterable[Mark]:
        """Return all of them."""
        return self._marks.values()

    def known(self) -> set[str]:
        """Return every canary's text."""
        return set(self._marks)

    def find(self, data: bytes | str, owner: Owner, sent: str = "") -> list[Mark]:
        """Return the canaries of ``owner`` that show in ``data``.

        :param sent: what was sent; an answer may repeat it
        """
        sent = sent.lower()
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "replace")
        found: dict[str, Mark] = {}
        for text in texts(raw):
            for word in self._candidates(text.lower()):
                mark = self._marks.get(word)
                if mark is not None and mark.owner == owner and word not in sent:
                    found[word] = mark
        return list(found.values())

    def _candidates(self, text: str) -> Iterator[str]:
        for match in self._word.finditer(text):
            yield match.group(1)
        for match in _NUMBER.finditer(text):
            digits = re.sub(r"\D", "", match.group())
            yield digits
            yield digits.rstrip("0")  # 12.50 of 12.5
        for match in _UUID.finditer(text):
            yield match.group().replace("-", "")
