"""Reads a condition's text into a tree. The syntax is CEL's, by cel-python's grammar; what it means is ours.

Only the grammar is used: cel-python's own evaluator never runs. Before the parser sees a text, its quotes are checked
in one pass that cannot run away: the grammar's pattern for texts can, on a quote that is never closed.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.exceptions import LarkError, UnexpectedCharacters, UnexpectedToken

from ...expressions import Constant, Kind
from .findings import ConditionError

LONGEST = 2_000
"""Characters of one condition."""
DEEPEST = 24
LARGEST = 2**63 - 1

_QUOTED = re.compile(
    r"""(?: [^"'/]++ | "(?:[^"\\\n]|\\.)*+" | '(?:[^'\\\n]|\\.)*+' | //[^\n]*+ | / )""", re.VERBOSE
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a condition.

    :param what: ``name``, ``column``, ``constant``, ``null``, ``list``, ``call``, ``method`` or ``operator``
    :param value: a dotted name, what stands before and within ``row["…"]``, a
        :class:`~flask_tenant.expressions.Constant`, or what is called
    :param at: offset in the text
    """

    what: str
    at: int
    value: Any = None
    children: tuple[Node, ...] = ()
    depth: int = 1


@lru_cache(maxsize=2048)
def parse(text: str) -> Node:
    """Read a condition.

    :raises ConditionError: with the offset at which it cannot go on
    """
    _admissible(text)
    with _LOCK:
        parser = _parser()
    try:
        tree: Any = parser.parse(text)
    except UnexpectedToken as error:
        raise ConditionError(*_unexpected(text, error)) from None
    except UnexpectedCharacters as error:
        at = getattr(error, "pos_in_stream", 0)  # declared as nothing, and a number
        raise ConditionError(_strange(text, at), at) from None
    except LarkError as error:
        raise ConditionError(str(error).splitlines()[0]) from None
    found: Node = tree
    return found


def _admissible(text: str) -> None:
    if len(text) > LONGEST:
        raise ConditionError(f"the condition has {len(text):,} characters; at most {LONGEST:,} are read")
    if not text.strip():
        raise ConditionError("expected a condition, found nothing")
    at = 0
    while at < len(text):
        found = _QUOTED.match(text, at)
        if found is None:
            raise ConditionError("the text that begins here is not closed on its line", at)
        if found[0][0] in "\"'":
            if at and (
                text[at - 1] in "bBrR" and (at < 2 or not _part(text[at - 2]) or text[at - 2] in "bBrR")
            ):
                raise ConditionError('expected a plain text in quotes; b"…" and r"…" are not read', at - 1)
            if found.end() < len(text) and text[found.end()] in "\"'":
                raise ConditionError("expected an operator between two texts; no text has three quotes", at)
        at = found.end()


def _part(character: str) -> bool:
    return character.isalnum() or character == "_"


def _unexpected(text: str, error: UnexpectedToken) -> tuple[str, int]:
    if error.token.type == "$END":
        return "the condition ends too early: expected a value", len(text.rstrip())
    at = int(error.token.start_pos or 0)
    word = str(error.token)
    hints = {
        "and": "&&",
        "or": "||",
        "not": "!",
        "AND": "&&",
        "OR": "||",
        "NOT": "!",
        "is": "==",
        "IS": "==",
        "like": ".contains",
        "LIKE": ".contains",
    }
    if word in hints:
        return f'"{word}" is written {hints[word]}', at
    before = re.search(r"\b(?:not|NOT)\s+$", text[:at])
    if before:
        return f'"{before[0].strip()}" is written !', before.start()
    if word == "," and text[:at].count("(") > text[:at].count(")"):
        return 'expected ")"; a list stands in square brackets: ["a", "b"]', at
    if word == "," and re.search(r"\d$", text[:at]):
        return "a number with decimals has a point: 1000.50", at
    if any(name in error.accepts for name in ("IDENT", "STRING_LIT")):
        return f'expected a value, found "{word}"', at
    return f'expected an operator such as && or ==, found "{word}"', at


def _strange(text: str, at: int) -> str:
    hints = {"=": "a comparison is written ==", "&": "and is written &&", "|": "or is written ||"}
    found = text[at]
    if found.isalpha():
        return (
            f'the letter "{found}" has no meaning outside of a text: names are made of a to z, 0 to 9 and _; '
            'a column of another name is written row["…"]'
        )
    return hints.get(found) or f'the character "{found}" has no meaning in a condition'


# ---- the tree
def _node(what: str, at: int, value: Any = None, children: tuple[Node, ...] = ()) -> Node:
    depth = 1 + max((child.depth for child in children), default=0)
    if depth > DEEPEST:
        raise ConditionError(f"the condition is nested deeper than {DEEPEST} levels", at)
    return Node(what, at, value, children, depth)


def _operator(symbol: str, *children: Node) -> Node:
    return _node("operator", children[0].at, symbol, children)


class _Tree:
    """What each rule of the grammar becomes; the names of the methods are the grammar's."""

    def expr(self, parts: list[Node]) -> Node:
        return parts[0] if len(parts) == 1 else _operator("?", *parts)

    def _same(self, parts: list[Any]) -> Any:
        return parts[0]

    member = primary = paren_expr = _same

    def _joined(self, symbol: str, parts: list[Node]) -> Node:
        if len(parts) == 1:
            return parts[0]
        left, right = parts
        if left.what == "operator" and left.value == symbol:  # a && b && c is one level, not two
            return _operator(symbol, *left.children, right)
        return _operator(symbol, left, right)

    def conditionalor(self, parts: list[Node]) -> Node:
        return self._joined("||", parts)

    def conditionaland(self, parts: list[Node]) -> Node:
        return self._joined("&&", parts)

    def _binary(self, parts: list[Any]) -> Node:
        if len(parts) == 1:
            found: Node = parts[0]
            return found
        (symbol, left), right = parts
        return _operator(symbol, left, right)

    relation = addition = multiplication = _binary

    def unary(self, parts: list[Any]) -> Node:
        return parts[0] if len(parts) == 1 else _operator(parts[0], parts[1])

    def unary_not(self, parts: list[Any]) -> str:
        return "!"

    def unary_neg(self, parts: list[Any]) -> str:
        return "-"

    def ident(self, parts: list[Token]) -> Node:
        return _node("name", _at(parts[0]), str(parts[0]))

    def ident_arg(self, parts: list[Any]) -> Node:
        return _node("call", _at(parts[0]), str(parts[0]), parts[1] if len(parts) > 1 else ())

    def member_dot(self, parts: list[Any]) -> Node:
        owner, name = parts
        if owner.what != "name":
            raise ConditionError(f'expected a name before ".{name}"', owner.at)
        return _node("name", owner.at, f"{owner.value}.{name}")

    def member_index(self, parts: list[Node]) -> Node:
        owner, name = parts
        if owner.what != "name" or name.what != "constant" or name.value.kind is not Kind.TEXT:
            raise ConditionError("expected a name; a[b] is not read, use b in a", owner.at)
        return _node("column", owner.at, (owner.value, name.value.value))

    def member_dot_arg(self, parts: list[Any]) -> Node:
        owner, name, *arguments = parts
        return _node("method", _at(name), str(name), (owner, *(arguments[0] if arguments else ())))

    def exprlist(self, parts: list[Node]) -> tuple[Node, ...]:
        return tuple(parts)

    def list_lit(self, parts: list[Any]) -> Node:
        if not parts:
            raise ConditionError("a list without items holds nothing: expected at least one")
        return _node("list", parts[0][0].at, None, parts[0])

    def literal(self, parts: list[Token]) -> Node:
        (token,) = parts
        at, text = _at(token), str(token)
        if token.type == "NULL_LIT":
            return _node("null", at)
        return _node("constant", at, _constant(token.type, text, at))

    def __getattr__(self, name: str) -> Any:
        symbols = {
            "relation_lt": "<", "relation_le": "<=", "relation_gt": ">", "relation_ge": ">=", "relation_eq": "==",
            "relation_ne": "!=", "relation_in": "in", "addition_add": "+", "addition_sub": "-",
            "multiplication_mul": "*", "multiplication_div": "/", "multiplication_mod": "%",
        }  # fmt: skip
        if name in symbols:
            return lambda parts: (symbols[name], parts[0])
        refused = {
            "member_object": "objects {…} are not read in a condition",
            "map_lit": "maps {…} are not read in a condition",
            "dot_ident": "expected a name, not a dot before it",
            "dot_ident_arg": "expected a name, not a dot before it",
        }
        if name in refused:

            def refuse(parts: list[Any]) -> Node:
                first = parts[0] if parts else None
                raise ConditionError(refused[name], first.at if isinstance(first, Node) else 0)

            return refuse
        raise AttributeError(name)

    def fieldinits(self, parts: list[Any]) -> None:
        raise ConditionError("objects {…} are not read in a condition")

    mapinits = fieldinits


def _at(token: Token) -> int:
    return int(token.start_pos or 0)


def _constant(type_: str, text: str, at: int) -> Constant:
    if type_ == "BOOL_LIT":
        return Constant(Kind.BOOL, text == "true")
    if type_ == "STRING_LIT":
        return Constant(Kind.TEXT, _unescaped(text[1:-1], at))
    if type_ == "INT_LIT":
        if "x" in text or len(text) > 20 or abs(int(text)) > LARGEST:
            raise ConditionError(f"{text} is no whole number of at most 64 bits in decimal digits", at)
        return Constant(Kind.INT, int(text))
    if type_ == "FLOAT_LIT":
        value = Decimal(text) if len(text) <= 40 else None
        if value is None or abs(value.adjusted()) > 30:
            raise ConditionError("expected a number of at most 30 digits", at)
        return Constant(Kind.NUMBER, value)
    raise ConditionError(f"{text} is of a type that conditions do not know", at)


def _unescaped(text: str, at: int) -> str:
    def one(found: re.Match[str]) -> str:
        letter = found[1]
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if len(letter) == 5 and not 0xD800 <= int(letter[1:], 16) <= 0xDFFF and int(letter[1:], 16):
            return chr(int(letter[1:], 16))
        raise ConditionError(f"there is no escape {found[0]}; for a backslash, write two", at)

    return _ESCAPE.sub(one, text)


_LOCK = threading.Lock()


def _boolean(token: Token) -> Token:
    """The grammar cannot tell ``true`` from a name."""
    return Token.new_borrow_pos("BOOL_LIT", token.value, token) if token.value in ("true", "false") else token


@lru_cache(maxsize=1)
def _parser() -> Lark:
    # The grammar's file is read, and cel-python is not imported: its import pulls in an evaluator that is not used.
    package = importlib.util.find_spec("celpy")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("Rules need cel-python: pip install 'flask-tenant[rules]'", name="celpy")
    grammar = Path(package.origin).with_name("cel.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        start="expr",
        lexer_callbacks={"IDENT": _boolean},
        maybe_placeholders=False,
        priority="invert",
        transformer=_Tree(),
    )
