"""SELECT, VALUES, TABLE, WITH and set operations."""

from __future__ import annotations

from .cursor import is_op
from .grouping import Grouping
from .lexer import END, NAME, NUMBER, PARAM, QUOTED, STRING
from .nodes import Arm, Item, Query, Scope
from .words import SET_OPERATORS

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE"})


class Queries(Grouping):
    """Reads queries."""

    def write_statement(self) -> None:
        """Read INSERT, UPDATE or DELETE; see :class:`~.writes.Writes`."""
        raise NotImplementedError

    # ---- the whole
    def query(self) -> Query:
        """Step over a query. It ends where nothing of a query follows."""
        frames = len(self.frames)
        first = self.i
        if self.key == "WITH":
            self.with_clause()
        query = self.query_body(first)
        del self.frames[frames:]
        return query

    def query_body(self, first: int) -> Query:
        """Step over a query behind its WITH."""
        parent = self.scope
        query = Query(first)
        while True:
            arm = self.arm()
            query.arms.append(arm)
            if arm.kind == "values" and (len(query.arms) > 1 or self.key in SET_OPERATORS):
                token = self.tokens[arm.first]
                self.blanks.append((token.start, token.end, "SELECT"))  # sqlglot lacks VALUES beside UNION
            if self.key not in SET_OPERATORS:
                break
            self.finish(arm, parent)
            self.i += 1
            if self.key in ("ALL", "DISTINCT"):
                self.i += 1
        single = len(query.arms) == 1
        if not single:
            self.finish(arm, parent)
            self.scope = Scope()
        elif arm.kind == "nested":
            self.scope = Scope()
        tail = self.scope
        self.tail()
        query.last = self.i - 1
        if single and arm.kind != "nested":
            self.finish(arm, parent)
        else:
            self.resolve_mentions(tail, parent)
        self.scope = parent
        return query

    def finish(self, arm: Arm, parent: Scope) -> None:
        """Close an arm's names and filter its tables."""
        if arm.kind in ("select", "table"):
            if not self.sqlite and not self.central:
                self.refuse_whole_rows(arm)
                if arm.group is not None:
                    self.group_by_key(arm)
            self.arm_in_hand = arm
            self.close(arm.scope, parent)
        elif arm.kind == "values":
            parent.mentions += arm.scope.mentions
        self.scope = parent

    def tail(self) -> None:
        """Step over ORDER BY, LIMIT, OFFSET, FETCH and FOR."""
        if self.key == "ORDER":
            self.expect("ORDER", "BY")
            self.order_list()
        while True:
            key = self.key
            if key == "LIMIT":
                self.i += 1
                self.expression(frozenset({"OFFSET"}))
                if self.accept(","):
                    self.expression(frozenset({"OFFSET"}))
            elif key == "OFFSET":
                self.i += 1
                self.expression(frozenset({"ROW", "ROWS"}))
                if self.key in ("ROW", "ROWS"):
                    self.conceal(self.i, self.i)
                    self.i += 1
            elif key == "FETCH" and not self.sqlite:
                self.fetch()
            elif key == "FOR" and not self.sqlite:
                self.locking()
            else:
                return

    def fetch(self) -> None:
        first = self.i
        self.i += 1
        if self.key not in ("FIRST", "NEXT"):
            self.unexpected()
        self.i += 1
        if self.token.kind in (NUMBER, PARAM):
            self.i += 1
        elif is_op(self.token, "("):
            self.group()
        if self.key not in ("ROW", "ROWS"):
            self.unexpected()
        self.i += 1
        if not self.accept("ONLY"):
            self.expect("WITH", "TIES")
        self.conceal(first, self.i - 1)

    def locking(self) -> None:
        """FOR UPDATE and its kin. Locks on a derived table are taken on the rows below it."""
        first = self.i
        self.i += 1
        if not (
            self.accept("UPDATE")
            or self.accept("NO", "KEY", "UPDATE")
            or self.accept("SHARE")
            or self.accept("KEY", "SHARE")
        ):
            self.unexpected()
        if self.accept("OF"):
            self.identifier("a table")
            while self.accept(","):
                self.identifier("a table")
        _ = self.accept("NOWAIT") or self.accept("SKIP", "LOCKED")
        self.conceal(first, self.i - 1)

    # ---- WITH
    def with_clause(self) -> None:
        """Step over WITH, and keep its names in a new frame."""
        self.i += 1
        recursive = self.key == "RECURSIVE" and self.tokens[self.i + 1].kind in (NAME, QUOTED)
        # AS is a name to the lexer: WITH recursive AS (...) names a table "recursive"
        if recursive and self.peek() == "AS" and self.peek(2) in ("(", "NOT", "MATERIALIZED"):
            recursive = False
        if recursive:
            self.i += 1
        frame: set[str] = set()
        self.frames.append(frame)
        if self.sqlite or recursive:
            # SQLite shows every name to every body; PostgreSQL only with RECURSIVE
            frame.update(self.names_ahead())
        while True:
            name = self.identifier("a name").name
            if is_op(self.token, "("):
                self.name_list()
            self.expect("AS")
            first = self.i
            if self.accept("NOT"):
                self.expect("MATERIALIZED")
            else:
                self.accept("MATERIALIZED")
            if self.i > first:
                self.conceal(first, self.i - 1)
            self.expect("(")
            if self.key in _WRITES and not self.sqlite:
                self.write_statement()
            else:
                self.query()
            self.expect(")")
            frame.add(name)
            if not self.sqlite:
                self.search_and_cycle()
            if not self.accept(","):
                return

    def search_and_cycle(self) -> None:
        first = self.i
        if self.accept("SEARCH"):
            if self.key not in ("DEPTH", "BREADTH"):
                self.unexpected()
            self.i += 1
            self.expect("FIRST", "BY")
            self.cycle_names()
            self.expect("SET")
            self.identifier("a column")
        if self.accept("CYCLE"):
            self.cycle_names()
            self.expect("SET")
            self.identifier("a column")
            if self.accept("TO"):
                self.refuse("CYCLE with values of its own", hint="Leave TO ... DEFAULT ... out")
            self.expect("USING")
            self.identifier("a column")
        if self.i > first:
            self.conceal(first, self.i - 1)

    def cycle_names(self) -> None:
        self.identifier("a column")
        while self.accept(","):
            self.identifier("a column")

    def names_ahead(self) -> list[str]:
        """The names of a WITH whose first name is in hand."""
        at, found = self.i, []
        tokens, mates = self.tokens, self.lexed.mates
        while tokens[at].kind in (NAME, QUOTED):
            found.append(tokens[at].name)
            at += 1
            if is_op(tokens[at], "("):
                at = mates[at] + 1
            if tokens[at].key != "AS":
                break
            at += 1
            while tokens[at].key in ("NOT", "MATERIALIZED"):
                at += 1
            if not is_op(tokens[at], "("):
                break
            at = mates[at] + 1
            # SEARCH and CYCLE
            while (
                not is_op(tokens[at], ",")
                and tokens[at].key not in ("SELECT", "VALUES", "TABLE", "(", "INSERT", "UPDATE", "DELETE")
                and tokens[at].kind != END
            ):
                at += 1
            if not is_op(tokens[at], ","):
                break
            at += 1
        return found

    # ---- arms
    def arm(self) -> Arm:
        """Step over one arm; its scope stays in hand."""
        key = self.key
        arm = Arm("select", Scope(), self.i)
        if is_op(self.token, "("):
            arm.kind = "nested"
            self.i += 1
            arm.query = self.query()
            self.expect(")")
            return arm
        self.scope = arm.scope
        if key == "SELECT":
            self.select(arm)
        elif key == "VALUES":
            arm.kind = "values"
            self.values(arm)
        elif key == "TABLE" and not self.sqlite:
            self.bare_table(arm)
        else:
            self.unexpected("SELECT was expected")
        return arm

    def bare_table(self, arm: Arm) -> None:
        """``TABLE t`` is ``SELECT * FROM t``."""
        arm.kind = "table"
        self.i += 1
        only = self.accept("ONLY")
        source = self.resolve(self.chain())
        arm.scope.sources.append(source)
        token = self.tokens[arm.first]
        self.replace(token.start, token.end, "SELECT * FROM")
        arm.items.append(Item(arm.first, arm.first, True))
        arm.scope.stars = True
        if only:
            source.before = "ONLY "
            dropped = self.tokens[arm.first + 1]
            self.replace(dropped.start, dropped.end, " ")
        if is_op(self.token, "*"):
            self.drop(self.i, self.i, source)
            self.i += 1

    def values(self, arm: Arm) -> None:
        """Step over the rows of VALUES."""
        self.i += 1
        while True:
            opening = self.i
            self.expect("(")
            cells = []
            while True:
                first = self.i
                self.expression()
                cells.append((first, self.i - 1))
                if not self.accept(","):
                    break
            self.expect(")")
            arm.rows.append((opening, cells))
            if not self.accept(","):
                return

    def select(self, arm: Arm) -> None:
        """Step over a SELECT up to what may follow its HAVING and WINDOW."""
        scope = arm.scope
        self.i += 1
        if self.accept("DISTINCT"):
            arm.distinct = True
            if not self.sqlite and self.key == "ON":
                self.i += 1
                self.group()
        elif self.key == "ALL":
            self.i += 1
        self.select_list(arm)
        arm.last = arm.where_at = self.i - 1
        if self.accept("FROM"):
            self.from_list(scope)
            arm.where_at = self.i - 1
        if self.key == "WHERE":
            where = self.i
            self.i += 1
            self.expression()
            arm.where = (where, self.i - 1)
        if self.key == "GROUP":
            self.expect("GROUP", "BY")
            first = self.i
            if self.key in ("ALL", "DISTINCT"):
                self.i += 1
            self.expressions()
            arm.group = (first, self.i - 1)
        if self.accept("HAVING"):
            self.expression()
        if self.key == "WINDOW":
            self.i += 1
            while True:
                self.identifier("a window's name")
                self.expect("AS")
                self.window()
                if not self.accept(","):
                    break

    def select_list(self, arm: Arm) -> None:
        """Step over the expressions of a SELECT."""
        scope = arm.scope
        if not self.sqlite and (self.key in ("FROM", "WHERE", ")") or self.token.kind == END):
            return  # EXISTS (SELECT FROM t ...)
        while True:
            first = self.i
            edits = len(self.edits)
            if is_op(self.token, "*"):
                self.i += 1
                item = Item(first, first, True)
            else:
                self.expression()
                item = Item(first, self.i - 1, is_op(self.tokens[self.i - 1], "*"))
                if self.is_labelled(first, self.i - 1):
                    item.label = self.tokens[self.i - 1].name
                    self.labels.add(item.label)
                if self.sqlite and self.key != "AS":
                    self.keep_heading(first, edits)
                if self.accept("AS"):
                    token = self.token
                    if token.kind not in (NAME, QUOTED) and not (self.sqlite and token.kind == STRING):
                        self.unexpected("a name was expected")
                    item.label = token.name
                    self.labels.add(token.name)
                    if token.kind == NAME:
                        # sqlglot need not know which words the database takes for names
                        self.blanks.append((token.start, token.end, "z" * (token.end - token.start)))
                    self.i += 1
            scope.stars = scope.stars or item.star
            arm.items.append(item)
            if not self.accept(","):
                return
