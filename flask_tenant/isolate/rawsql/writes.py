"""INSERT, UPDATE and DELETE."""

from __future__ import annotations

from typing import Any

from ...errors import CentralRefusedError, StatementRefusedError
from .cursor import is_op, raises
from .lexer import NAME, QUOTED
from .nodes import Query, Scope, Source
from .stamping import Stamping
from .words import NOT_ALIAS, ROW_ADDRESSES

_DO = frozenset({"DO"})


def replaced(table: str) -> StatementRefusedError:
    """Return the error for a REPLACE of a table whose rows rules are about."""
    return StatementRefusedError(
        f"REPLACE deletes rows of table {table!r} without a word, and rules protect them",
        value=table,
        hint="Use INSERT … ON CONFLICT DO UPDATE",
    )


class Writes(Stamping):
    """Reads statements that change rows."""

    upsert = False
    """Whether rows that are there are changed by an INSERT."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.conflict_names: set[int] = set()  # tokens of ON CONFLICT's own list
        self.returning_at: int | None = None
        self.unlabelled: list[tuple[int, int]] = []  # expressions of RETURNING without a name of their own

    def write_statement(self) -> None:
        """Step over an INSERT, UPDATE or DELETE behind its WITH."""
        parent, bare = self.scope, self.bare
        self.scope = Scope()  # a writing statement sees no names from outside
        frames = len(self.frames)
        if self.key == "WITH":
            self.with_clause()
        key = self.key
        if key == "INSERT" or key == "REPLACE":
            self.insert_statement()
        elif key == "UPDATE":
            self.update_statement()
        elif key == "DELETE":
            self.delete_statement()
        else:
            self.unexpected("INSERT, UPDATE or DELETE was expected")
        del self.frames[frames:]
        self.scope, self.bare = parent, bare

    # ---- what the three share
    def target(self) -> Source:
        """Step over the table to write to. It is never a CTE."""
        chain = self.chain()
        name = self.tokens[chain[-1]]
        self.relations.add(name.start)
        view = self.table(chain)
        if self.central and not view.shared:
            raise CentralRefusedError(
                f"Central work may not write to table {view.name!r}, whose rows belong to tenants",
                value=view.name,
                hint="Write inside tenant_context(), or with for_each_tenant()",
            )
        self.writes.add(view)
        return Source(
            "target",
            alias=name.name,
            alias_text=self.text[name.start : name.end],
            view=view,
            schema=self.tokens[chain[0]].name if len(chain) > 1 else None,
            name=(self.tokens[chain[0]].start, name.end),
        )

    def target_alias(self, source: Source, *not_these: str) -> None:
        token = self.token
        if self.accept("AS"):
            token = self.identifier("a name")
        elif token.kind == QUOTED or (
            token.kind == NAME and token.key not in NOT_ALIAS[self.dialect] and token.key not in not_these
        ):
            self.i += 1
        else:
            return
        source.alias, source.alias_text = token.name, self.text[token.start : token.end]
        source.aliased = True

    def where(self, source: Source, *, met: bool = False) -> None:
        """Step over WHERE, or make one: the tenant's rows, and of them what the caller asks for.

        :param met: whether a row is met by its key, so that one which rules take away has to be refused
        """
        view = source.table
        keeps = "" if view.shared else self.keeps(view, source.alias_text)
        predicate = "" if view.shared else self.belongs(source.alias_text)
        before, behind = "(", ")"
        if keeps and (met or self.fenced):  # the caller's condition is worked out for no other rows
            otherwise = "false"
            if met:
                otherwise = raises(self.dialect, f"{source.alias_text}.{self.quote(self.setup.column)}")
            before, behind = f"(CASE WHEN {keeps} THEN (", f") ELSE {otherwise} END)"
        elif keeps:
            predicate = f"{predicate} AND {keeps}"
        if self.key == "WHERE":
            where = self.token
            self.i += 1
            self.expression()
            if not view.shared:
                self.insert(where.end, f" {predicate} AND {before}")
                self.insert(self.tokens[self.i - 1].end, behind)
        elif not view.shared:
            if before != "(":
                predicate = f"{predicate} AND {before}true{behind}"
            self.insert(self.tokens[self.i - 1].end, f" WHERE {predicate}")

    def index_hint(self) -> None:
        if not self.sqlite:
            return
        first = self.i
        if self.accept("INDEXED"):
            self.expect("BY")
            self.identifier("an index")
        elif self.key == "NOT" and self.peek() == "INDEXED":
            self.i += 2
        if self.i > first:
            self.conceal(first, self.i - 1)

    def returning(self, source: Source, others: list[Source]) -> None:
        """Step over RETURNING; a star shows the columns that the application knows."""
        if not self.accept("RETURNING"):
            return
        if self.key == "WITH":
            self.refuse("RETURNING WITH", hint="Name the columns")
        self.returning_at = self.i
        own = self.returned_by(source)  # SQLite takes a bare name that it does not know for a string
        while True:
            star = self.token
            if is_op(star, "*"):
                self.i += 1
                if not source.table.shared:
                    shown = [self.columns_of(source.table, own)]
                    if not self.sqlite:
                        if any(not other.alias or other.nested for other in others):
                            self.refuse("RETURNING * with this FROM", self.i - 1, hint="Name the columns")
                        shown += [f"{other.alias_text or other.alias}.*" for other in others]
                    self.replace(star.start, star.end, ", ".join(shown))
                if self.key == "AS":
                    self.unexpected()
            elif star.name == source.alias and self.peek() == "." and is_op(self.tokens[self.i + 2], "*"):
                self.i += 3
                if not source.table.shared:
                    shown_columns = self.columns_of(source.table, own)
                    self.replace(star.start, self.tokens[self.i - 1].end, shown_columns)
            else:
                first, edits = self.i, len(self.edits)
                self.expression()
                if self.sqlite and self.key != "AS":
                    self.keep_heading(first, edits)
                if self.key != "AS" and not self.is_labelled(first, self.i - 1):
                    self.unlabelled.append((first, self.i - 1))
            if self.accept("AS"):
                token = self.identifier("a name")
                self.blanks.append((token.start, token.end, "z" * (token.end - token.start)))
            if not self.accept(","):
                return

    def close_write(self, source: Source, scope: Scope, *, excluded: bool = False) -> None:
        """Check what is said of the bare table, and filter the other ones."""
        if not source.table.shared and not self.central:
            self.show_covered(source, scope)
            columns = self.folded(source.table.columns)
            for mention in scope.mentions:
                self.check_mention(
                    source, columns, scope, mention.qualifier, mention.name, mention.at, excluded
                )
        nowhere = Scope()
        scope.mentions = [m for m in scope.mentions if m.qualifier != source.alias]
        self.arm_in_hand = None
        self.close(Scope(sources=scope.sources, mentions=[]), nowhere)
        others = [other for other in scope.sources if not other.behind]
        for mention in scope.mentions:
            for other in others:
                if other.kind == "table" and mention.qualifier == other.alias and mention.name != "*":
                    self.check_column(other, mention.name, mention.at)

    def returned_by(self, source: Source) -> str:
        """What qualifies the target's columns in RETURNING, where SQLite does not know its alias."""
        return self.quote(source.table.name) if self.sqlite else source.alias_text

    def show_covered(self, source: Source, scope: Scope) -> None:
        """Put what a masked column shows into the place of each mention of it."""
        overlay = self.overlay(source.table)
        if overlay is None or not overlay.covered:
            return
        real = {next(iter(self.folded([name]))): name for name in overlay.covered}
        changed = []
        for mention in scope.mentions:
            name = real.get(mention.name)
            if name is None or mention.qualifier not in (None, source.alias):
                continue
            last = mention.at if mention.qualifier is None else mention.at + 2
            if mention.at in self.uncertain or self.tokens[last + 1].key == ".":
                self.refuse(
                    f"It is not certain whether {name!r} is the column that rules mask",
                    mention.at,
                    value=name,
                    hint="Write the table's name before it",
                )
            if mention.at in self.conflict_names:
                self.refuse(
                    f"ON CONFLICT on {name!r}, which rules mask",
                    mention.at,
                    value=name,
                    hint="Use the table's key",
                )
            returned = self.returning_at is not None and mention.at >= self.returning_at
            by = self.returned_by(source) if returned else source.alias_text
            instead = self.shown(source.table, name, by)
            self.replace(self.tokens[mention.at].start, self.tokens[last].end, f"({instead})")
            changed.append((mention.at, name))
        for first, last in self.unlabelled:
            inside = [name for at, name in changed if first <= at <= last]
            if not inside:
                continue
            end = self.tokens[last].end
            if self.is_column(first, last):
                self.insert(end, f" AS {self.quote(inside[0])}")
            elif self.sqlite and not any(s == e == end and t.startswith(" AS ") for s, e, t in self.edits):
                self.insert(end, f" AS {self.quote(self.source_text(first, last))}")

    def check_mention(
        self,
        source: Source,
        columns: frozenset[str],
        scope: Scope,
        qualifier: str | None,
        name: str,
        at: int,
        excluded: bool,
    ) -> None:
        if qualifier == source.alias or (excluded and qualifier == "excluded"):
            self.check_column(source, name, at)
        elif qualifier is None and name not in columns:
            if name in ROW_ADDRESSES[self.dialect] and not self.tells_insert(name, at):
                self.refuse_address(name, at)
            rows = {source.alias, *(("excluded",) if excluded else ())}
            if not self.sqlite and self.returning_at is not None and at >= self.returning_at:
                rows |= {"old", "new"} - {other.alias for other in scope.sources}  # since PostgreSQL 18
            if name in rows:
                self.refuse(
                    "The whole row of a table",
                    at,
                    value=name,
                    hint="Name the columns",
                )
        elif qualifier in ("old", "new") and name == "*":
            self.refuse("All columns of the table at once", at, hint="Name the columns")
        elif qualifier in ("old", "new") and name in ROW_ADDRESSES[self.dialect]:
            self.refuse_address(name, at)

    def tells_insert(self, name: str, at: int) -> bool:
        """Whether this is ``xmax = 0``, by which an upsert's RETURNING tells new rows from changed ones."""
        if name != "xmax" or not is_op(self.tokens[at + 1], "="):
            return False
        number = self.tokens[at + 2]
        return self.text[number.start : number.end] == "0"

    def conflict_way(self) -> bool:
        """Step over SQLite's ``OR REPLACE`` and the like; return whether rows that are in the way are deleted."""
        if not self.sqlite or not self.accept("OR"):
            return False
        way = self.identifier("a way to resolve conflicts")
        self.conceal(self.i - 2, self.i - 1)
        return way.key == "REPLACE"

    def keeps_rows(self, source: Source, replaces: bool) -> None:
        """Refuse to delete, by the way, rows that a filter takes away."""
        overlay = self.overlay(source.table) if replaces else None
        if overlay is not None and overlay.filtered:
            raise replaced(source.table.name)

    # ---- UPDATE and DELETE
    def update_statement(self) -> None:
        scope = self.scope
        self.bare = True
        self.i += 1
        replaces = self.conflict_way()
        if not self.sqlite and self.accept("ONLY"):
            self.conceal(self.i - 1, self.i - 1)
        source = self.target()
        self.keeps_rows(source, replaces)
        if not self.sqlite and is_op(self.token, "*"):
            self.conceal(self.i, self.i)
            self.i += 1
        self.target_alias(source, "SET")
        self.index_hint()
        self.expect("SET")
        self.assignments()
        if self.accept("FROM"):
            self.from_list(scope)
        self.where(source)
        if self.sqlite:
            self.tail()
        self.returning(source, scope.sources)
        self.close_write(source, scope)

    def assignments(self) -> None:
        """Step over ``a = 1, (b, c) = (2, 3)``."""
        while True:
            if is_op(self.token, "("):
                self.name_list()
            else:
                self.identifier("a column")
                while self.key == "." or self.key == "[":
                    if self.key == "[":
                        self.subscript()
                    else:
                        self.i += 1
                        self.identifier("a field")
            self.expect("=")
            self.expression()
            if not self.accept(","):
                return

    def delete_statement(self) -> None:
        scope = self.scope
        self.bare = True
        self.i += 1
        self.expect("FROM")
        if not self.sqlite and self.accept("ONLY"):
            self.conceal(self.i - 1, self.i - 1)
        source = self.target()
        if not self.sqlite and is_op(self.token, "*"):
            self.conceal(self.i, self.i)
            self.i += 1
        self.target_alias(source)
        self.index_hint()
        if not self.sqlite and self.accept("USING"):
            self.from_list(scope)
        self.where(source)
        if self.sqlite:
            self.tail()
        self.returning(source, scope.sources)
        self.close_write(source, scope)

    # ---- INSERT
    def insert_statement(self) -> None:
        scope = self.scope
        first = self.token
        self.i += 1
        replaces = first.key == "REPLACE"
        if replaces:
            self.blanks.append((first.start, first.end, "INSERT "))
        else:
            replaces = self.conflict_way()
        self.expect("INTO")
        source = self.target()
        self.keeps_rows(source, replaces)
        view = source.table
        if self.token.key == "AS":
            self.target_alias(source)
            self.conceal(self.i - 2, self.i - 1)
        after_name = self.tokens[self.i - 1].end
        columns: list[str] | None = None
        close = -1
        if is_op(self.token, "(") and not self.starts_query(self.i):
            columns = []
            self.i += 1
            while True:
                columns.append(self.identifier("a column").name)
                while self.key in (".", "["):
                    self.refuse("A part of a column", hint="Set the whole column")
                if not self.accept(","):
                    break
            close = self.i
            self.expect(")")
        for name in columns or ():
            if not view.shared and name not in self.folded(view.columns):
                if name in ROW_ADDRESSES[self.dialect]:
                    self.refuse_address(name, close)
                self.refuse(f"Table {view.name!r} has no column {name!r}", close, value=name)
        if not self.sqlite and self.accept("OVERRIDING"):
            if self.key not in ("SYSTEM", "USER"):
                self.unexpected()
            self.i += 1
            self.expect("VALUE")
            self.conceal(self.i - 3, self.i - 1)
        query: Query | None = None
        default_at = self.i
        if self.accept("DEFAULT", "VALUES"):
            if columns is not None:
                self.unexpected()
        else:
            query = self.query()
            scope.mentions.clear()  # the source of the rows does not see the table they go to
        self.bare = True
        if not view.shared:
            self.stamp_rows(source, columns, close, after_name, query, default_at)
        excluded = self.conflicts(source)
        self.returning(source, [])
        self.close_write(source, scope, excluded=excluded)

    def conflicts(self, source: Source) -> bool:
        """Step over ON CONFLICT; return whether ``excluded`` may be named."""
        view = source.table
        found = False
        while self.key == "ON":
            self.expect("ON", "CONFLICT")
            if is_op(self.token, "("):
                if not view.shared:
                    self.insert(self.token.end, self.quote(self.setup.column) + ", ")
                self.i += 1
                first = self.i
                self.order_list()
                self.expect(")")
                if self.accept("WHERE"):
                    self.expression(_DO)  # an ordinary name elsewhere, on SQLite
                self.conflict_names.update(range(first, self.i))
            elif self.accept("ON", "CONSTRAINT"):
                self.identifier("a constraint")
            self.expect("DO")
            if self.accept("NOTHING"):
                continue
            found = self.upsert = True
            self.expect("UPDATE", "SET")
            self.assignments()
            self.where(source, met=True)
        return found
