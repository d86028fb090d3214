"""Expressions: nothing in them is changed, but every name, call, cast and subquery is looked at."""

from __future__ import annotations

from ..functions import HINTS
from .cursor import is_op
from .lexer import END, NAME, OP, PARAM, QUOTED, STRING
from .nodes import Mention
from .types import Types
from .words import (
    EXPRESSION_WORDS,
    NOT_FUNCTION,
    OPERATOR_WORDS,
    QUERY_STARTS,
    SET_OPERATORS,
    STOPS,
)

_NOTHING: frozenset[str] = frozenset()
_AFTER_QUERY = SET_OPERATORS | {"ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"}
_WITH_FROM = frozenset({"extract", "substring", "trim", "overlay"})
_LABELLED = frozenset({"xmlelement", "xmlforest", "xmlattributes"})
_BEFORE_STRING = EXPRESSION_WORDS | {"AS", "PLACING", "ZONE", "COLLATE", "SYMMETRIC", "VALUE", "MATCH"}
_CLOSERS = frozenset({")", "]", ",", ";", ":"})


class Expressions(Types):
    """Reads expressions."""

    def query(self) -> object:
        """Read a query; see :class:`~.queries.Queries`."""
        raise NotImplementedError

    def member_table(self) -> None:
        """Read the table behind IN; see :class:`~.relations.Relations`."""
        raise NotImplementedError

    def expression(self, extra: frozenset[str] = _NOTHING) -> None:
        """Step over one expression; stop before a comma, a closing bracket or a word that starts a clause.

        :param extra: more words to stop before
        """
        tokens = self.tokens
        stops = STOPS[self.dialect]
        first = self.i
        while True:
            token = tokens[self.i]
            kind = token.kind
            if kind == NAME:
                key = token.key
                if (key in extra or key in stops) and not self.is_function_word(key):
                    break
                if key == "WINDOW" and self.sqlite and self.peek(2) == "AS" and self.peek(3) == "(":
                    break
                self.word()
            elif kind == QUOTED:
                self.column_or_call()
            elif kind == OP:
                key = token.key
                if key == "(":
                    self.group()
                elif key in _CLOSERS:
                    break
                elif key == "::":
                    self.i += 1
                    self.type_name()
                elif key == "[":
                    self.subscript()
                elif key == ".":
                    self.field()
                elif key == "..":
                    self.unexpected()
                else:
                    self.i += 1
            elif kind == END:
                break
            else:
                self.i += 1
        if self.i == first:
            self.unexpected("an expression was expected")

    def expressions(self, extra: frozenset[str] = _NOTHING) -> None:
        """Step over expressions with commas between them."""
        self.expression(extra)
        while self.accept(","):
            self.expression(extra)

    def order_list(self, extra: frozenset[str] = _NOTHING) -> None:
        """Step over what follows ORDER BY."""
        while True:
            self.expression(extra | {"USING"})
            if self.key == "USING" and self.peek() in ("<", ">"):
                self.conceal(self.i, self.i + 1)
                self.i += 2
            if not self.accept(","):
                return

    def is_function_word(self, key: str) -> bool:
        """Whether a word that else ends an expression belongs to it, as in ``left(...)``."""
        if self.peek() != "(":
            return False
        if key == "LEFT" or key == "RIGHT":
            return not self.sqlite
        return key == "GROUP" and self.tokens[self.i - 1].key == "WITHIN"

    # ---- words
    def word(self) -> None:
        token = self.token
        key = token.key
        following = self.tokens[self.i + 1]
        if following.key == "(" and following.kind == OP:
            self.bracketed()
            return
        if key == "IN":
            self.i += 1
            if following.kind == PARAM:
                # SQLAlchemy's expanding parameters and psycopg2 write a list there, never a name
                self.blanks.append((following.start, following.end, "z" * (following.end - following.start)))
                self.i += 1
            else:
                self.member_table()
            return
        if following.key == ".":
            self.column_or_call()
            return
        if key == "DISTINCT" and following.key == "FROM" and self.tokens[self.i - 1].key in ("IS", "NOT"):
            self.i += 2
            return
        if key == "COLLATE":
            self.i += 1
            self.chain()
            return
        if key == "OVER" and is_op(self.tokens[self.i - 1], ")") and following.kind in (NAME, QUOTED):
            self.i += 2
            return
        if key in ("TIMESTAMP", "TIME") and following.key in ("WITH", "WITHOUT"):
            self.type_name()
            return
        if key == "CURRENT" and following.key == "OF":
            self.refuse("WHERE CURRENT OF a cursor", hint="Compare the key instead")
        if key == "UESCAPE":
            self.refuse(
                "A string with Unicode escapes of its own", hint="Use the backslash, or plain letters"
            )
        if key in EXPRESSION_WORDS:
            self.i += 1
            return
        if following.kind == STRING and not self.sqlite and key not in _BEFORE_STRING:
            self.check_type([self.i])  # a typed literal: date '2024-01-01'
            self.i += 1
            return
        self.column_or_call()

    def bracketed(self) -> None:
        """A word with a bracket behind it."""
        token = self.token
        key = token.key
        before = self.tokens[self.i - 1] if self.i else token
        after_call = is_op(before, ")")
        if key in NOT_FUNCTION[self.dialect]:
            self.i += 1
            self.group()
        elif key == "FILTER" and after_call and self.peek(2) == "WHERE":
            self.i += 3
            self.expression()
            self.expect(")")
        elif key == "OVER" and after_call:
            self.i += 1
            self.window()
        elif key == "GROUP" and before.key == "WITHIN":
            self.i += 2
            self.expect("ORDER", "BY")
            self.order_list()
            self.expect(")")
        elif (key == "SETS" and before.key == "GROUPING") or (key == "ZONE" and before.key == "TIME"):
            self.i += 1
            self.group()
        elif (
            key == "AND"
            or key == "OR"
            or (
                key in OPERATOR_WORDS
                and self.i
                and (before.kind != OP or before.key in (")", "]"))
                and before.key not in EXPRESSION_WORDS - {"NOT", "END", "NULL"}
            )
        ):
            self.i += 1
        elif key == "OPERATOR" and not self.sqlite:
            self.operator()
        else:
            self.column_or_call()

    def operator(self) -> None:
        self.i += 2
        if self.token.kind != OP:
            if self.identifier("an operator").name != "pg_catalog":
                self.refuse("An operator of another schema", hint="Use the plain operator")
            self.expect(".")
        if self.token.kind != OP or self.key in "().,[];":
            self.unexpected("an operator was expected")
        self.i += 1
        self.expect(")")

    # ---- names and calls
    def column_or_call(self) -> None:
        """Step over ``a``, ``a.b``, ``a.*``, ``schema.table.column`` or a call."""
        first = self.i
        chain = [first]
        self.i += 1
        star = False
        while self.key == ".":
            self.i += 1
            token = self.token
            if is_op(token, "*"):
                star = True
                self.i += 1
                break
            if token.kind not in (NAME, QUOTED):
                self.unexpected("a name was expected")
            chain.append(self.i)
            self.i += 1
        if is_op(self.token, "(") and not star:
            self.call(chain)
            return
        if self.token.kind == STRING and not self.sqlite:
            self.check_type(chain)  # pg_catalog.regclass 'name'
        parts = [self.tokens[at].name for at in chain]
        if star:
            parts.append("*")
        if len(parts) == 3:
            if self.setup.views.find(parts[1], parts[0]) is None:
                self.refuse(f"No table {parts[0]}.{parts[1]} is known to belong to the application", first)
            # the derived table has the table's name, but no schema
            self.replace(self.tokens[chain[0]].start, self.tokens[chain[1]].start, "")
            parts = parts[1:]
        elif len(parts) > 3:
            self.refuse("A name of more than three parts", first, hint="Leave the database's name out")
        qualifier = parts[0] if len(parts) == 2 else None
        self.scope.mentions.append(Mention(qualifier, parts[-1], first, self.grouped > 0, self.function))
        if star and self.token.kind == OP and self.key not in (")", ",", ";", "::"):
            self.unexpected()

    def call(self, chain: list[int]) -> None:
        """Check the function and step over its arguments; the opening bracket is in hand."""
        name = self.tokens[chain[-1]].name
        if len(chain) > 1:
            schema = self.tokens[chain[0]].name
            if len(chain) > 2 or schema != "pg_catalog" or self.sqlite:
                full = ".".join(self.tokens[at].name for at in chain)
                if full not in self.setup.extra_functions:
                    self.refuse_call(full, chain[0])
        if name not in self.setup.functions:
            self.refuse_call(name, chain[0])
        if self.sqlite and self.tokens[chain[0]].kind == QUOTED and name == "cast":
            self.unexpected()
        self.arguments(name)

    def refuse_call(self, name: str, at: int) -> None:
        self.refuse(
            f"The function {name}() is not known to stay inside the tenant",
            at,
            value=name,
            hint=HINTS.get(name, "Name it as a safe function in the configuration if it reads no other rows"),
        )

    def arguments(self, name: str) -> None:
        self.i += 1
        if self.accept(")"):
            return
        if is_op(self.token, "*") and self.peek() == ")":
            self.i += 2
            return
        if self.key in ("DISTINCT", "ALL") and self.peek() not in (")", ","):
            self.i += 1
        aggregate = name in self.setup.aggregates
        self.grouped += aggregate
        outer, self.function = self.function, name
        extra = frozenset({"IN"}) if name == "position" else _NOTHING
        while True:
            if self.key in ("FROM", "FOR") and name in _WITH_FROM:  # trim(from x)
                self.i += 1
            self.expression(extra)
            key = self.key
            if key == ",":
                self.i += 1
            elif key == ")":
                self.i += 1
                break
            elif key in ("FROM", "FOR") and name in _WITH_FROM:
                continue
            elif key == "IN" and extra:
                self.i += 1
            elif key == "AS" and name == "cast":
                self.i += 1
                self.type_name()
                self.expect(")")
                break
            elif key == "AS" and name in _LABELLED:
                self.i += 1
                self.identifier("a name")
                if not self.accept(","):
                    self.expect(")")
                    break
            elif key == "ORDER":
                self.expect("ORDER", "BY")
                self.order_list()
                if not self.accept(","):
                    self.expect(")")
                    break
            else:
                self.unexpected()
        self.grouped -= aggregate
        self.function = outer

    def window(self) -> None:
        """Step over a window's definition; the opening bracket is in hand."""
        self.expect("(")
        if self.token.kind in (NAME, QUOTED) and self.key not in (
            "PARTITION",
            "ORDER",
            "ROWS",
            "RANGE",
            "GROUPS",
        ):
            self.i += 1
        if self.accept("PARTITION", "BY"):
            self.expressions(frozenset({"ROWS", "RANGE", "GROUPS"}))
        if self.accept("ORDER", "BY"):
            self.order_list(frozenset({"ROWS", "RANGE", "GROUPS"}))
        if self.key in ("ROWS", "RANGE", "GROUPS"):
            self.i += 1
            if self.key != ")":
                self.frame()
        self.expect(")")

    def frame(self) -> None:
        mentions = self.scope.mentions
        kept = len(mentions)
        self.expression(frozenset({"EXCLUDE", "GROUP"}))
        if self.accept("EXCLUDE"):
            _ = self.accept("NO") or self.accept("CURRENT")
            if self.token.kind != NAME:
                self.unexpected()
            self.i += 1
        del mentions[kept:]  # UNBOUNDED, PRECEDING, CURRENT ROW ... are no columns

    # ---- brackets
    def starts_query(self, at: int) -> bool:
        """Whether the opening bracket at index ``at`` holds a query."""
        tokens = self.tokens
        inner = tokens[at + 1]
        if inner.kind == NAME:
            key = inner.key
            if key == "VALUES":
                return tokens[at + 2].key == "("
            if key == "WITH" and self.sqlite:
                return tokens[at + 2].kind in (NAME, QUOTED)
            if key == "TABLE" and self.sqlite:
                return False
            return key in QUERY_STARTS
        if is_op(inner, "("):
            if not self.starts_query(at + 1):
                return False
            behind = tokens[self.lexed.mates[at + 1] + 1]
            return behind.key in _AFTER_QUERY or behind.key == ")"
        return False

    def group(self) -> None:
        """Step over brackets; the opening one is in hand."""
        if not is_op(self.token, "("):
            self.unexpected("'(' was expected")
        if self.starts_query(self.i):
            self.i += 1
            self.query()
            self.expect(")")
            return
        self.i += 1
        if self.accept(")"):
            return
        self.expressions()
        self.expect(")")

    def subscript(self) -> None:
        before = self.tokens[self.i - 1]
        if self.i and (before.key in ("ARRAY", "[", ",")):
            # sqlglot's time doubles with each level of ARRAY[...]; brackets name the same relations
            if before.key == "ARRAY":
                self.conceal(self.i - 1, self.i - 1)
            self.conceal(self.i, self.i, "(")
            close = self.lexed.mates[self.i]
            self.conceal(close, close, ")")
        self.expect("[")
        while not self.accept("]"):
            if self.key in (":", ","):
                self.i += 1
            else:
                self.expression()

    def field(self) -> None:
        """``(row).field`` and ``array[1].field``."""
        if not self.i or self.tokens[self.i - 1].key not in (")", "]"):
            self.unexpected()
        self.i += 1
        token = self.token
        if is_op(token, "*"):
            self.scope.stars = True
        elif token.kind not in (NAME, QUOTED):
            self.unexpected()
        self.i += 1
