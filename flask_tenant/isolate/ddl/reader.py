"""Reads hand-written DDL piece by piece, and splices into the caller's own text.

sqlglot's tokenizer finds the pieces, with their positions; nothing is ever printed from a tree, so that
what we do not touch stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from ...errors import DdlRefusedError

SQLGLOT_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgres"}

_FOREIGN_SPACE = re.compile(r"[^\S \t\r\n\f\v]|\x00")
_QUOTED = {TokenType.IDENTIFIER: "quoted", TokenType.STRING: "string"}
_LITERALS = frozenset(
    getattr(TokenType, name)
    for name in ("HEREDOC_STRING", "BYTE_STRING", "NATIONAL_STRING", "RAW_STRING", "HEX_STRING", "BIT_STRING")
    if hasattr(TokenType, name)
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, a quoted name, a literal or a punctuation mark.

    :param kind: ``word``, ``quoted``, ``string`` or ``mark``
    :param text: without quotes
    :param start: offset of its first character in the source
    :param end: offset behind its last one
    """

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The word in capitals; empty for everything that is no bare word."""
        return self.text.upper() if self.kind == "word" else ""

    def is_mark(self, mark: str) -> bool:
        """Whether this is that punctuation mark."""
        return self.kind == "mark" and self.text == mark


def refuse(source: str, position: int, why: str, hint: str) -> NoReturn:
    """Refuse DDL text, showing the place.

    :raises DdlRefusedError: always
    """
    line = source.count("\n", 0, position) + 1
    column = position - (source.rfind("\n", 0, position) + 1) + 1
    excerpt = source[position : position + 40].split("\n", 1)[0]
    raise DdlRefusedError(f"{why} (line {line}, column {column}: {excerpt!r})", value=source, hint=hint)


def _pieces_of(source: str, token: Token) -> Iterator[Piece]:
    start, end = token.start, token.end + 1
    text = source[start:end]
    kind = _QUOTED.get(token.token_type)
    if kind == "string" and text[:1] != "'":
        # The tokenizer swallows the rest of a statement that starts with a word it knows as a command.
        refuse(source, start, "A statement that cannot be read as DDL", "Use Alembic's operations instead")
    if kind is not None or token.token_type in _LITERALS:
        yield Piece(kind or "string", token.text, start, end)
        return
    for found in re.finditer(r"\S+", text):  # "PRIMARY KEY" is one token
        word = found.group()
        yield Piece(
            "word" if word[0].isalpha() or word[0] == "_" else "mark",
            word,
            start + found.start(),
            start + found.end(),
        )


def read(source: str, dialect_name: str) -> list[Piece]:
    """Return the pieces of the text.

    :param dialect_name: ``sqlite`` or ``postgresql``
    :raises DdlRefusedError: when the text cannot be read with certainty
    """
    try:
        tokens = Dialect.get_or_raise(SQLGLOT_DIALECTS[dialect_name]).tokenize(source)
    except SqlglotError as error:
        raise DdlRefusedError(
            f"DDL text that cannot be read: {error}", value=source, hint="Use Alembic's operations instead"
        ) from None
    pieces = [piece for token in tokens for piece in _pieces_of(source, token)]
    behind = 0
    for piece in (*pieces, Piece("mark", "", len(source), len(source))):
        found = _FOREIGN_SPACE.search(source, behind, piece.start if piece.kind == "string" else piece.end)
        if found:
            refuse(
                source, found.start(), "A character that only looks like white space", "Write a plain space"
            )
        behind = piece.end
    return pieces


def statements(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Split at the semicolons that end statements; those inside a trigger's or function's body do not."""
    current: list[Piece] = []
    depth = 0
    for piece in pieces:
        if piece.is_mark(";") and depth == 0:
            if current:
                yield current
            current = []
            continue
        current.append(piece)
        if current[0].word == "CREATE":
            if piece.word in ("BEGIN", "CASE"):
                depth += 1
            elif piece.word == "END" and depth:
                depth -= 1
    if current:
        yield current


class Reader:
    """Walks over one statement's pieces and collects the changes to its text."""

    def __init__(self, source: str, pieces: list[Piece], fold: Callable[[str, bool], str]) -> None:
        self.source = source
        self.pieces = pieces
        self.at = 0
        self.edits: list[tuple[int, int, str]] = []
        self._fold = fold
        self._end = Piece("mark", "", pieces[-1].end, pieces[-1].end)

    @property
    def here(self) -> Piece:
        """The next piece."""
        return self.pieces[self.at] if self.at < len(self.pieces) else self._end

    def ahead(self, count: int) -> Piece:
        """The piece ``count`` places after the next one."""
        return self.pieces[self.at + count] if self.at + count < len(self.pieces) else self._end

    def sees(self, *words: str) -> bool:
        """Whether these bare words come next."""
        return all(self.ahead(number).word == word for number, word in enumerate(words))

    def take(self, *words: str) -> bool:
        """Step over these bare words, if they come next."""
        if self.sees(*words):
            self.at += len(words)
            return True
        return False

    def take_any(self, *words: str) -> str:
        """Step over one of these words and return it, or return an empty string when another comes next."""
        word = self.here.word
        if word and word in words:
            self.at += 1
            return word
        return ""

    def refuse(self, why: str, hint: str) -> NoReturn:
        """Refuse the statement at the next piece."""
        refuse(self.source, self.here.start, why, hint)

    def expect(self, mark: str) -> Piece:
        """Step over a punctuation mark and return it.

        :raises DdlRefusedError: when something else comes next
        """
        piece = self.here
        if not piece.is_mark(mark):
            self.refuse(f"{mark!r} was expected here", "Use Alembic's operations instead")
        self.at += 1
        return piece

    def value(self, piece: Piece) -> str:
        """Return the name that a piece stands for, as the database stores it."""
        return self._fold(piece.text, piece.kind != "word")

    def name(self) -> tuple[str | None, str]:
        """Step over a possibly qualified name.

        :returns: schema and name, as the database stores them
        """
        parts = [self._name_part()]
        while self.here.is_mark("."):
            self.at += 1
            parts.append(self._name_part())
        if len(parts) > 2:
            self.refuse("A name of more than two parts", "Name the table as schema.table")
        return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])

    def _name_part(self) -> str:
        piece = self.here
        if piece.kind == "mark" or piece is self._end:
            self.refuse("A name was expected here", "Use Alembic's operations instead")
        self.at += 1
        return self.value(piece)

    def skip_group(self) -> tuple[Piece, Piece]:
        """Step over a group in parentheses and return the two."""
        opening = self.expect("(")
        depth = 1
        while depth:
            piece = self.here
            if piece is self._end:
                self.refuse("A parenthesis is not closed", "Close it")
            depth += piece.is_mark("(") - piece.is_mark(")")
            self.at += 1
        return opening, self.pieces[self.at - 1]

    def step(self) -> None:
        """Step over one piece, or over a whole group in parentheses."""
        if self.here.is_mark("("):
            self.skip_group()
        else:
            self.at += 1

    def insert(self, position: int, text: str) -> None:
        """Note that text goes in before ``position``."""
        self.edits.append((position, position, text))

    def cut(self, start: int, end: int, text: str = "") -> None:
        """Note that what stands from ``start`` to ``end`` goes, for ``text``."""
        self.edits.append((start, end, text))

    def between(self, start: int, end: int) -> str:
        """Return the caller's own text from ``start`` to ``end``."""
        return self.source[start:end]


def spliced(source: str, edits: list[tuple[int, int, str]]) -> str:
    """Return the text with all changes made; those at one place in the order in which they were noted."""
    result, behind = [], 0
    for start, end, text in sorted(edits, key=lambda edit: edit[0]):
        result += [source[behind:start], text]
        behind = end
    return "".join([*result, source[behind:]])
