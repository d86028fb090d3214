"""Cuts SQL text into tokens exactly as SQLite and PostgreSQL do, and nothing else.

The scanner is small and total: each character belongs to a token, a comment or plain ASCII white space,
or the text is refused. So no parser above it can see a quote or a comment where the database sees none.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, NoReturn, Protocol

from ...errors import HiddenColumnError, StatementRefusedError

Dialect = Literal["sqlite", "postgresql"]
Placeholders = Literal["none", "qmark", "named", "format", "numeric_dollar", "text"]
"""How the caller's text marks parameters.

``none``: nothing is a placeholder (psycopg without parameters: ``%`` is an operator); ``qmark`` and
``named``: SQLite's own ``?``, ``?1``, ``:name``, ``@name``, ``$name``; ``format``: psycopg's ``%s``,
``%(name)s``, ``%%``; ``numeric_dollar``: ``$1``; ``text``: the body of SQLAlchemy's ``text()``, with
``:name`` and ``\\:``.
"""

NAME, QUOTED, STRING, NUMBER, PARAM, OP, END = "name", "quoted", "string", "number", "param", "op", "end"


class Refuse(Protocol):
    """Raises for the text in hand."""

    def __call__(self, what: str, at: int, hint: str = "") -> NoReturn:
        """Refuse because of ``what`` at offset ``at``."""


class Token(NamedTuple):
    """One token.

    :param key: upper-case text of an unquoted name, the symbol of an operator, else ``""``
    :param name: what an identifier stands for after folding and unquoting; a plain string's content
    """

    kind: str
    start: int
    end: int
    key: str = ""
    name: str = ""


_SQLITE = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]++)
    | (?P<comment>--[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)
    | (?P<prefixed>[xX]'[0-9a-fA-F]*+')
    | (?P<string>'(?:[^']++|'')*+')
    | (?P<quoted>"(?:[^"]++|"")*+"|`(?:[^`]++|``)*+`|\[[^\]]*+\])
    | (?P<name>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+)
    | (?P<number>(?:0[xX][0-9a-fA-F]++|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)
        (?![A-Za-z0-9_$\x80-\U0010ffff]))
    | (?P<param>\x01\x02*+)
    | (?P<native>\?[0-9]*+|[:@$][A-Za-z0-9_$\x80-\U0010ffff]++)
    | (?P<op>->>|->|\|\||<<|>>|<>|<=|>=|==|!=|/(?!\*)|-(?!-)|[+*%&|~=<>(),.;])
    """,
    re.VERBOSE,
)

_POSTGRESQL = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]++)
    | (?P<comment>--[^\n\r]*+)
    | (?P<block>/\*)
    | (?P<unicode_name>[uU]&")
    | (?P<prefixed>[eE]'(?:[^'\\]++|''|\\[\s\S])*+'|[bBxX]'[^']*+'|(?:[nN]|[uU]&)'(?:[^']++|'')*+')
    | (?P<string>'(?:[^']++|'')*+')
    | (?P<quoted>"(?:[^"]++|"")*+")
    | (?P<name>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+)
    | (?P<number>(?:[0-9]++(?:\.(?!\.)[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?
        (?![A-Za-z0-9_$\x80-\U0010ffff]))
    | (?P<param>\x01\x02*+)
    | (?P<native>\$[0-9]++(?![A-Za-z0-9_$\x80-\U0010ffff]))
    | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+)?\$)
    | (?P<op>::|:=|=>(?![-+*/<>=~!@\#%^&|?])|\.\.|(?:(?!--|/\*)[-+*/<>=~!@\#%^&|?])++|[(),.;:\[\]])
    """,
    re.VERBOSE,
)

_BLOCK_MARK = re.compile(r"/\*|\*/")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ASCII_UPPER = {c: c + 32 for c in range(65, 91)}
_IDENTIFIER_BYTES = 63  # PostgreSQL cuts longer identifiers off

_FORMAT = re.compile(r"%%|%(?:\([^()%'\"]*\))?[sbt]|%")
# The first two are SQLAlchemy's own (sql/elements.py and sql/compiler.py); where they disagree, we refuse.
_TEXT_BIND = re.compile(r"(?<![:\w\x5c]):(\w+)(?!:)")
_TEXT_BIND_COMPILED = re.compile(r"(?<![:\w$\x5c]):([\w$]+)(?![:\w$])")
_TEXT_ESCAPE = re.compile(r"\x5c(:[\w$]*)(?![:\w$])")
_TEXT_ESCAPES = re.compile(r":*(?:\x5c:+)+")


def fold(name: str, dialect: Dialect, *, quoted: bool) -> str:
    """Return the identity of an identifier: two names that the database takes for one give the same."""
    if dialect == "sqlite":
        return name.translate(_ASCII_UPPER)
    if not quoted:
        name = name.translate(_ASCII_UPPER)
    if len(name) > _IDENTIFIER_BYTES // 4:
        name = name.encode()[:_IDENTIFIER_BYTES].decode(errors="ignore")
    return name


class Lexed(NamedTuple):
    """The tokens of a text, with an ``END`` token behind them.

    :param masked: the text with each placeholder replaced by marks of the same length
    :param comments: whether there was any comment
    """

    masked: str
    tokens: list[Token]
    mates: dict[int, int]
    comments: bool


def scan(text: str, dialect: Dialect, placeholders: Placeholders, hidden: str | None) -> Lexed:
    """Cut ``text`` into tokens.

    :param hidden: folded name of the tenant column, or ``None`` when it may be named
    :raises StatementRefusedError: for what the database, a driver and we might read differently
    :raises HiddenColumnError: when an identifier names the tenant column
    """

    def refuse(what: str, at: int, hint: str = "") -> NoReturn:
        raise StatementRefusedError(what, hint=hint, statement=text, position=at)

    found = _CONTROL.search(text)
    if found:
        refuse(
            f"The text holds the control character {found.group()!r}",
            found.start(),
            "Send it as a parameter",
        )
    masked = _mask(text, placeholders, refuse)
    natives = {"qmark", "named"} if dialect == "sqlite" else {"numeric_dollar"}
    match = (_SQLITE if dialect == "sqlite" else _POSTGRESQL).match
    tokens: list[Token] = []
    mates: dict[int, int] = {}
    opened: list[tuple[str, int]] = []
    comments = False
    ascii_only = masked.isascii()
    previous = ""  # the rule that made the token before, comments and white space skipped
    at, length = 0, len(masked)
    while at < length:
        m = match(masked, at)
        if m is None:
            char = text[at]
            if char in "'\"`[":
                refuse("A quote is not closed", at)
            refuse(
                f"{char!r} (U+{ord(char):04X}) has no place here, or what starts with it is not closed", at
            )
        rule = m.lastgroup
        end = m.end()
        if rule == "space":
            at = end
            continue
        word = m.group()
        if rule == "name":
            if not ascii_only and not word.isidentifier() and not word.replace("$", "_").isidentifier():
                refuse("An identifier holds a character that is neither a letter nor a digit", at)
            name = fold(word, dialect, quoted=False)
            if name == hidden:
                raise _hidden(text, at, hidden)
            # Not word.upper() as such: 'ſelect' would become a keyword that no database sees.
            tokens.append(Token(NAME, at, end, word.upper() if word.isascii() else "", name))
        elif rule == "op":
            if word in "([":
                opened.append((word, len(tokens)))
            elif word in ")]":
                if not opened or opened[-1][0] != ("(" if word == ")" else "["):
                    refuse(f"{word!r} closes nothing", at)
                start = opened.pop()[1]
                mates[start] = len(tokens)
            tokens.append(Token(OP, at, end, word))
        elif rule == "string":
            if previous == "prefixed" or previous == "dollar":
                refuse("A string continues an escape string", at, "Write it as one string")
            tokens.append(Token(STRING, at, end, "", word[1:-1].replace("''", "'")))
        elif rule == "number":
            tokens.append(Token(NUMBER, at, end))
        elif rule == "quoted":
            inner = word[1:-1]
            if not inner:
                refuse("An identifier is empty", at)
            if word[0] != "[":
                inner = inner.replace(word[0] * 2, word[0])
            if placeholders == "format" and "%" in inner:
                refuse("A percent sign in an identifier", at)
            name = fold(inner, dialect, quoted=True)
            if name == hidden:
                raise _hidden(text, at, hidden)
            tokens.append(Token(QUOTED, at, end, "", name))
        elif rule == "native" or rule == "param":
            if rule == "native" and placeholders not in natives:
                refuse(
                    f"{text[at:end]!r} is not a placeholder of this interface",
                    at,
                    "Use the interface's own placeholders",
                )
            if rule == "param":
                word = text[at:end]
            _check_neighbours(masked, text, at, end, previous, refuse)
            if (
                rule == "native"
                and word[0] == "$"
                and dialect == "sqlite"
                and masked[end : end + 1] in ("(", ":")
            ):
                refuse("A placeholder in the style of Tcl", at)
            tokens.append(Token(PARAM, at, end))
        elif rule == "comment" or rule == "block":
            comments = True
            if rule == "block":
                end = _block_end(masked, at, refuse)
                word = masked[at:end]
            if "\x01" in word:
                refuse(*_placeholder_in("comment", at + word.index("\x01"), placeholders))
            at = end
            continue
        elif rule == "prefixed":
            tokens.append(Token(STRING, at, end))
        elif rule == "dollar":
            close = masked.find(word, end)
            if close < 0:
                refuse("A dollar quote is not closed", at)
            end = close + len(word)
            tokens.append(Token(STRING, at, end))
        else:
            refuse("Unicode escapes in an identifier", at, "Write the identifier in plain letters")
        if (rule in ("string", "quoted", "prefixed", "dollar")) and "\x01" in masked[at:end]:
            kind = "quoted identifier" if rule == "quoted" else "string"
            refuse(*_placeholder_in(kind, masked.index("\x01", at), placeholders))
        previous = rule
        at = end
    if opened:
        refuse(f"{opened[-1][0]!r} is not closed", tokens[opened[-1][1]].start)
    tokens.append(Token(END, length, length))
    return Lexed(masked, tokens, mates, comments)


def _hidden(text: str, at: int, hidden: str) -> HiddenColumnError:
    return HiddenColumnError(
        "The tenant column is not the application's to read or to set",
        value=hidden,
        hint="Leave it out: it is filled in and compared for you",
        statement=text,
        position=at,
    )


def _placeholder_in(kind: str, at: int, placeholders: Placeholders) -> tuple[str, int, str]:
    hint = r"Write '\:' for a colon" if placeholders == "text" else "Write '%%' for a percent sign"
    return f"A placeholder inside a {kind}", at, hint


def _check_neighbours(masked: str, text: str, at: int, end: int, previous: str, refuse: Refuse) -> None:
    # psycopg2 puts the value's text in the placeholder's place: it must not melt into what stands beside it.
    before, after = masked[at - 1 : at], masked[end : end + 1]
    if (before and (before.isalnum() or before in "_$&'\"\x01\x02")) or (
        after and (after.isalnum() or after in "_$'\"(\x01")
    ):
        refuse("A placeholder touches the word beside it", at, "Put a blank between them")
    if previous in ("string", "prefixed", "dollar"):
        refuse("A placeholder follows a string", at)


def _block_end(masked: str, at: int, refuse: Refuse) -> int:
    depth, position = 0, at
    while True:
        m = _BLOCK_MARK.search(masked, position)
        if m is None:
            refuse("A comment is not closed", at)
        position = m.end()
        depth += 1 if m.group() == "/*" else -1
        if not depth:
            return position


def _marks(length: int) -> str:
    return "\x01" + "\x02" * (length - 1)


def _mask(text: str, placeholders: Placeholders, refuse: Refuse) -> str:
    """Replace placeholders by marks of the same length, and undo escapes as driver or SQLAlchemy will."""
    if placeholders == "format":
        if "%" not in text:
            return text

        def percent(m: re.Match[str]) -> str:
            word = m.group()
            if word == "%%":
                return "% "
            if word == "%":
                refuse("A lone percent sign", m.start(), "Write '%%' for a percent sign")
            return _marks(len(word))

        return _FORMAT.sub(percent, text)
    if placeholders == "text":
        if ":" not in text:
            return text
        binds = [m.span() for m in _TEXT_BIND_COMPILED.finditer(text)]
        unsure = set(binds) ^ {m.span() for m in _TEXT_BIND.finditer(text)}
        if unsure:
            refuse(
                "A colon that might be a placeholder",
                min(unsure)[0],
                "Put '\\' before the colon, or a blank behind the name",
            )
        pieces, at = [], 0
        for start, end in binds:
            pieces += [text[at:start], _marks(end - start)]
            at = end
        masked = "".join(pieces) + text[at:]
        if "\x5c:" not in masked:
            return masked
        if "\x5c:" in _TEXT_ESCAPE.sub(r"\1", masked):
            refuse("An escaped colon that SQLAlchemy leaves alone", masked.index("\x5c:"))
        # '\:\:int' stands for '::int': the padding goes behind the run, so that '::' stays one token.
        return _TEXT_ESCAPES.sub(lambda m: m.group().replace("\x5c", "").ljust(len(m.group())), masked)
    return text
