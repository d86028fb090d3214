"""The second opinion: sqlglot must find the same relations, or the statement is refused.

Our own parser says where to splice; sqlglot's, written by other people, says whether it overlooked a
relation. What sqlglot sees is made harmless first: literals emptied, comments gone, operators plain, so
that the two can only differ in grammar, never in lexing.
"""

from __future__ import annotations

import logging

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.errors import SqlglotError

from .cursor import Cursor
from .lexer import NAME, NUMBER, OP, PARAM, QUOTED

_KEPT = frozenset(
    {"(", ")", "[", "]", ",", ".", ";", ":", "::", "=", "<", ">", "<=", ">=", "<>", "!=", "*", "=>", ":="}
)
_DIALECTS = {
    "sqlite": SqlglotDialect.get_or_raise("sqlite"),
    "postgresql": SqlglotDialect.get_or_raise("postgres"),
}

# sqlglot warns when it gives up on a statement; we refuse it and say so ourselves.
logging.getLogger("sqlglot").addFilter(
    lambda record: "Falling back to parsing as a 'Command'" not in record.getMessage()
)


def plain_text(cursor: Cursor) -> str:
    """Return a text of the same length that sqlglot cannot misread."""
    pieces: list[str] = []
    at = 0
    text = cursor.text
    for kind, start, end, key, _name in cursor.tokens:
        if start > at:
            pieces.append(" " * (start - at))
        length = end - start
        at = end
        if kind == NAME:
            word = text[start:end]
            pieces.append(word if key else "".join(c if c.isascii() else "z" for c in word))
        elif kind == OP:
            pieces.append(key if key in _KEPT else "+".ljust(length))
        elif kind in (NUMBER, PARAM):
            pieces.append("1" * length)
        elif kind == QUOTED:
            inner = "".join(c if c.isascii() and c.isalnum() else "_" for c in text[start + 1 : end - 1])
            pieces.append(f'"{inner}"')
        elif length:
            pieces.append("'" + "x" * (length - 2) + "'")
    if not cursor.blanks:
        return "".join(pieces)
    characters = list("".join(pieces))
    for start, end, instead in cursor.blanks:
        characters[start:end] = instead.ljust(end - start)
    return "".join(characters)


def judge(cursor: Cursor, before: str = "", behind: str = "") -> None:
    """Refuse what sqlglot reads differently.

    :param before: text that makes a statement of a fragment, with ``behind``
    """
    try:
        trees = _DIALECTS[cursor.dialect].parse(f"{before}{plain_text(cursor)}{behind}")
    except (SqlglotError, RecursionError) as error:
        cursor.i = 0
        cursor.refuse(
            f"The statement could not be read ({_first_line(error)})",
            hint="If this is valid SQL, write it in a plainer way, or with SQLAlchemy's constructs",
        )
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1:
        cursor.i = 0
        cursor.refuse("More than one statement, or none", hint="Send one statement at a time")
    shift = len(before)
    seen = set()
    for node in found[0].walk():
        if isinstance(node, exp.Table):
            name = node.this
            if isinstance(name, exp.Identifier):
                seen.add(name.meta.get("start", -1 - shift) - shift)
        elif isinstance(node, exp.Command):
            cursor.i = 0
            cursor.refuse("The statement could not be read", hint="Write it in a plainer way")
    wanted = cursor.relations
    if not (wanted <= seen <= wanted | cursor.members):
        offset = min((wanted ^ seen) - cursor.members)
        cursor.i = next((k for k, token in enumerate(cursor.tokens) if token.end > offset), 0)
        cursor.refuse(
            "It is not certain which tables the statement names",
            hint="Write it in a plainer way, or with SQLAlchemy's constructs",
        )


def _first_line(error: Exception) -> str:
    return type(error).__name__
