"""Types: those of values are stepped over, those that look names up or are a table's rows are refused."""

from __future__ import annotations

from .cursor import Cursor, is_op
from .lexer import END, NAME, NUMBER, QUOTED, STRING
from .words import REG_TYPES

_FIELDS = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TO"})
"""Which parts an interval holds."""


class Types(Cursor):
    """Reads the names of types."""

    def only_type(self) -> None:
        """Read a text that is a type in brackets, and nothing else."""
        self.expect("(")
        self.type_name()
        if self.accept("COLLATE"):
            self.chain()
        self.expect(")")
        if self.token.kind != END:
            self.unexpected()

    def type_name(self) -> None:
        """Step over a type."""
        if self.sqlite:
            start = self.i
            while self.key != ")":
                if is_op(self.token, "("):
                    self.modifiers()
                    continue
                if self.token.kind not in (NAME, QUOTED, STRING):
                    self.unexpected("a type was expected")
                self.i += 1
            if self.i > start + 1:
                self.conceal(start, self.i - 1, "INT")  # any words make a type to SQLite
            return
        first = self.token
        chain = self.chain()
        self.check_type(chain)
        if self.key == "PRECISION" or self.key == "VARYING":
            self.i += 1
        elif first.key == "NATIONAL":
            self.i += 1
            self.accept("VARYING")
        if first.key == "INTERVAL" and self.key in _FIELDS:
            at = self.i
            while self.key in _FIELDS:
                self.i += 1
            self.conceal(at, self.i - 1)
        if is_op(self.token, "("):
            self.modifiers()
        if first.key in ("TIME", "TIMESTAMP") and self.key in ("WITH", "WITHOUT"):
            self.i += 1
            self.expect("TIME", "ZONE")
        if self.key == "ARRAY":
            self.i += 1
        while is_op(self.token, "["):
            self.i += 1
            if self.token.kind == NUMBER:
                self.i += 1
            self.expect("]")

    def modifiers(self) -> None:
        """Step over the brackets of ``numeric(10, 2)``."""
        close = self.lexed.mates[self.i]
        for at in range(self.i + 1, close):
            token = self.tokens[at]
            if token.kind not in (NUMBER, NAME) and token.key not in (",", "-", "+"):
                self.refuse("This has no place in a type", at)
        self.i = close + 1

    def check_type(self, chain: list[int]) -> None:
        """Refuse types that look names up, and the row types of tables."""
        token = self.tokens[chain[-1]]
        schema = self.tokens[chain[0]].name if len(chain) > 1 else None
        name = token.name.lstrip("_")
        if (
            name in REG_TYPES
            or name.startswith("pg_")
            or schema == "information_schema"
            or (self.setup.prefix and name.startswith(self.setup.prefix))
            or self.setup.views.find(name, None if schema == "pg_catalog" else schema) is not None
        ):
            self.refuse(
                f"The type {token.name!r}",
                chain[0],
                value=token.name,
                hint="Types that name tables or look names up show what belongs to all tenants",
            )
