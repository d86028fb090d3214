"""Puts the readers together: a text in, what it is and what it becomes out."""

from __future__ import annotations

import re
from typing import Literal

from ...errors import DdlRefusedError
from ...expressions import Slot
from .commands import Commands, Kind, first_kind
from .cursor import TENANT, is_op
from .judge import judge
from .lexer import END, NAME, OP
from .nodes import Mention, Scope
from .words import ROW_ADDRESSES
from .writes import Writes

Place = Literal["expression", "columns", "from", "order_by", "group_by"]

_HOLE = re.compile(f"{TENANT}(?:\x01(\\d+)\x01)?")
_LATE = frozenset({"FETCH", "FOR", "OFFSET", "WINDOW"})
_WRAPS: dict[Place, tuple[str, str]] = {
    "expression": ("SELECT 1 WHERE ( ", " )"),
    "columns": ("SELECT ", " "),
    "from": ("SELECT 1 FROM ", " "),
    "order_by": ("SELECT 1 ORDER BY ", " "),
    "group_by": ("SELECT 1 GROUP BY ", " "),
}

_CHANNELS = "Channels are shared by all tenants: use them through an exempt engine, with the tenant's id in the message"
_INSTEAD = {
    "COPY": "Use executemany() to write many rows, and SELECT to read them",
    "DO": "Send its statements one by one; in a migration that is not yours, make the schema with create_all() and "
    "stamp the revision",
    "EXPLAIN": "Ask for the plan in the database's own client: it shows the statistics of all tenants' rows",
    "LISTEN": _CHANNELS,
    "LOCK": "Use SELECT ... FOR UPDATE: a lock of the table would hold up all tenants",
    "MERGE": "Use INSERT ... ON CONFLICT DO UPDATE",
    "NOTIFY": _CHANNELS,
}


class Parser(Writes, Commands):
    """Reads one statement, or one fragment of one."""

    def statement(self) -> Kind:
        """Read a whole statement, noting the changes that it needs.

        :returns: its kind
        :raises DdlRefusedError: for a change of the schema
        """
        if self.token.kind == END:
            self.refuse("The text holds no statement")
        kind = first_kind(self.tokens)
        if kind == "ddl":
            raise DdlRefusedError(
                f"{self.key} changes the schema or the database for all tenants",
                value=self.text,
                hint="Change the schema by a migration, or in central_context(reason=...)",
            )
        if kind == "transaction":
            self.transaction()
        elif kind == "setting":
            self.setting()
        elif kind == "maintenance":
            self.maintenance()
        elif kind == "select":
            self.query()
        elif kind == "other":
            self.refuse(
                f"{self.key or 'This'} statements are not among those that can be kept inside a tenant",
                hint=_INSTEAD.get(self.key, "Use SELECT, INSERT, UPDATE or DELETE"),
            )
        else:
            self.write_statement()
        self.finished()
        if kind in ("select", "insert", "update", "delete"):
            judge(self)
        return kind

    def fragment(self, place: Place) -> bool:
        """Read a part of a statement, which cannot reach beyond its place.

        :returns: whether a star shows columns of the statement around it
        """
        if self.lexed.comments:
            self.refuse("A comment in a part of a statement", 0, hint="Leave it out")
        scope = self.scope
        self.bare = True
        if self.token.kind == END:
            return False
        if self.sqlite:
            self.refuse_late_clauses()
        if place == "expression":
            self.expression()
        elif place == "columns":
            self.columns(scope)
        elif place == "from":
            self.from_list(scope)
        elif place == "order_by":
            self.order_list()
        else:
            self.expressions()
        if self.token.kind != END:
            self.unexpected()
        stars = scope.stars or any(mention.name == "*" for mention in scope.mentions)
        self.arm_in_hand = None
        outside = Scope()
        self.close(scope, outside)
        for mention in outside.mentions:
            self.check_outside(mention)
        self.scope = outside
        before, behind = _WRAPS[place]
        judge(self, before, behind)
        return stars

    def refuse_late_clauses(self) -> None:
        """Refuse words that SQLite takes for names, and for clauses where they follow an expression."""
        at, before = 0, None
        while self.tokens[at].kind != END:
            token = self.tokens[at]
            if token.key in _LATE and before is not None and (before.kind != OP or before.key == ")"):
                self.refuse("This has no place in a part of a statement", at)
            at = self.lexed.mates.get(at, at) + 1
            before = self.tokens[at - 1]

    def check_outside(self, mention: Mention) -> None:
        """Refuse what would reach a physical table around a fragment by more than its columns."""
        if mention.name in ROW_ADDRESSES[self.dialect]:
            self.refuse_address(mention.name, mention.at)
        # t.row_to_json is row_to_json(t) to PostgreSQL
        called = not self.sqlite and mention.qualifier is not None and mention.name in self.setup.functions
        if called and not any(mention.name in view.columns for view in self.setup.views.all()):
            self.refuse(
                f"{mention.name!r} is a function, not a column",
                mention.at,
                value=mention.name,
                hint="Name a column of the table",
            )

    def columns(self, scope: Scope) -> None:
        """Step over a list of columns with labels."""
        self.accept("DISTINCT")
        while True:
            if is_op(self.token, "*"):
                scope.stars = True
                self.i += 1
            else:
                self.expression()
            if self.accept("AS"):
                token = self.identifier("a name")
                if token.kind == NAME:
                    self.blanks.append((token.start, token.end, "z" * (token.end - token.start)))
            if not self.accept(","):
                return

    def parts(self) -> tuple[tuple[str, ...], tuple[Slot | None, ...]]:
        """The text with all changes made, cut where a value belongs, and the values."""
        found = _HOLE.split(self.spliced())
        holes = (None if n is None else self.slots[int(n)] for n in found[1::2])
        return tuple(found[::2]), tuple(holes)


__all__ = ["Kind", "Parser", "Place"]
