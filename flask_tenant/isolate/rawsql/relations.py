"""FROM: finds every relation, and puts the tenant's view of it in its place."""

from __future__ import annotations

from .cursor import is_op
from .expressions import Expressions
from .lexer import NAME, NUMBER, OP, PARAM, QUOTED, STRING
from .nodes import Scope, Source
from .words import EXPRESSION_WORDS, JOINS, NOT_ALIAS, ROW_ADDRESSES

_ENDS = frozenset({"END", "NULL", "ISNULL", "NOTNULL", "TRUE", "FALSE"})
_BEFORE_OPERAND = (EXPRESSION_WORDS | {"COLLATE", "MATCH", "OVER", "AND"}) - _ENDS

MANY_SOURCES = 8
"""From so many joined tables on, SQLite takes too long to plan derived tables."""


class Relations(Expressions):
    """Reads FROM clauses and resolves names."""

    def from_list(self, scope: Scope, *, nested: bool = False) -> None:
        """Step over relations with commas between them, adding them to ``scope``."""
        while True:
            self.joined(scope, nested)
            if not self.accept(","):
                return

    def joined(self, scope: Scope, nested: bool) -> None:
        """Step over one relation and what is joined to it."""
        waiting: list[tuple[int, int]] = []  # joins whose condition has not come yet
        self.primary(scope, nested)
        while True:
            key = self.key
            if key == "ON" and self.peek() == "CONFLICT" and self.peek(2) in ("(", "DO", "ON"):
                break
            if key == "ON":
                if len(waiting) > MANY_SOURCES:
                    self.refuse("Too many nested joins", hint="Put each ON behind its JOIN")
                self.i += 1
                self.expression()
                del waiting[-1:]
            elif key == "USING":
                first = self.i
                scope.merging = True
                self.i += 1
                self.name_list()
                if self.accept("AS"):
                    self.identifier("a name")
                self.conceal(first, self.i - 1, "ON 1")
                del waiting[-1:]
            elif key in JOINS:
                self.join(scope, nested, waiting)
            else:
                break
        # sqlglot's time doubles with each join that has no condition; a comma names the same relations
        for first, last in waiting:
            self.conceal(first, last, ",")

    def join(self, scope: Scope, nested: bool, waiting: list[tuple[int, int]]) -> None:
        words = []
        start = self.i
        while self.key in JOINS or self.key == "OUTER":
            words.append(self.key)
            self.i += 1
            if words[-1] == "JOIN":
                break
        if words[-1] != "JOIN":
            self.unexpected("JOIN was expected")
        if "NATURAL" in words:
            scope.merging = True
        if "RIGHT" in words or "FULL" in words:
            scope.right_joins = True
        if "CROSS" not in words and "NATURAL" not in words:
            waiting.append((start, self.i - 1))
        before = len(scope.sources)
        self.primary(scope, nested)
        if "LEFT" in words:
            for source in scope.sources[before:]:
                source.nullable = True

    def name_list(self) -> None:
        """Step over bracketed names."""
        self.expect("(")
        while True:
            self.labels.add(self.identifier("a name").name)
            if not self.accept(","):
                break
        self.expect(")")

    def primary(self, scope: Scope, nested: bool) -> None:
        """Step over one element of FROM."""
        if not self.sqlite and self.key == "LATERAL":
            self.i += 1
        only = not self.sqlite and self.accept("ONLY")
        token = self.token
        if is_op(token, "(") and not only:
            if self.starts_query(self.i):
                self.i += 1
                self.query()
                self.expect(")")
                source = Source("query")
                scope.sources.append(source)
                self.alias(source)
                return
            self.i += 1
            members, mentions = len(scope.sources), len(scope.mentions)
            self.from_list(scope, nested=True)
            self.expect(")")
            source = Source("query", nested=True)
            self.alias(source)
            if source.alias:
                scope.right_joins = True  # its members are behind another name now
                inner = Scope(scope.sources[members:], scope.mentions[mentions:])
                del scope.mentions[mentions:]
                self.resolve_mentions(inner, scope)
                for member in inner.sources:
                    member.behind = True
                scope.sources.append(source)
            return
        if not self.sqlite and token.key == "ROWS" and self.peek() == "FROM" and self.peek(2) == "(":
            self.refuse("ROWS FROM", hint="Join the functions")
        first = self.i
        chain = self.chain()
        if is_op(self.token, "("):
            self.call(chain)
            source = Source("function")
            scope.sources.append(source)
            if not self.sqlite and self.key == "WITH":
                self.i += 1
                if self.token.key != "ORDINALITY":
                    self.unexpected("ORDINALITY was expected")
                self.i += 1
                self.conceal(self.i - 2, self.i - 1)
            self.alias(source, definitions=True)
            if not source.alias:
                source.alias = self.tokens[chain[-1]].name
            return
        source = self.resolve(chain)
        source.nested = nested
        scope.sources.append(source)
        if only and source.kind == "table":
            source.before = "ONLY "
            self.replace(self.tokens[first - 1].start, self.tokens[first].start, " ")
        self.decorated(source)

    def resolve(self, chain: list[int]) -> Source:
        """Make a source of a relation's name."""
        name = self.tokens[chain[-1]]
        self.relations.add(name.start)
        source = Source(
            "cte",
            alias=name.name,
            alias_text=self.text[name.start : name.end],
            name=(self.tokens[chain[0]].start, name.end),
        )
        if len(chain) == 1 and self.is_cte(name.name):
            return source
        view = self.table(chain)
        self.reads.add(view)
        source.view = view
        source.kind = "shared" if view.shared else "table"
        if len(chain) > 1:
            source.schema = self.tokens[chain[0]].name
        return source

    def decorated(self, source: Source) -> None:
        """Step over ``*``, the alias, TABLESAMPLE and index hints, which move to the table's place."""
        if not self.sqlite and is_op(self.token, "*"):
            self.drop(self.i, self.i, source)
            self.i += 1
        self.alias(source)
        first = self.i
        if self.sqlite and (self.key == "INDEXED" or (self.key == "NOT" and self.peek() == "INDEXED")):
            if self.accept("INDEXED"):
                self.expect("BY")
                self.identifier("an index")
            else:
                self.i += 2
        elif not self.sqlite and self.accept("TABLESAMPLE"):
            if self.key not in ("BERNOULLI", "SYSTEM"):
                self.unexpected("BERNOULLI or SYSTEM was expected")
            self.i += 1
            self.constant()
            if self.accept("REPEATABLE"):
                self.constant()
        else:
            return
        source.inner = " " + self.source_text(first, self.i - 1)
        self.conceal(first, self.i - 1)
        if source.kind == "table":
            self.replace(self.tokens[first].start, self.tokens[self.i - 1].end, " ")

    def drop(self, first: int, last: int, source: Source) -> None:
        if source.kind == "table":
            self.replace(self.tokens[first].start, self.tokens[last].end, " ")

    def constant(self) -> None:
        """Step over a bracketed number or placeholder."""
        self.expect("(")
        if self.token.kind not in (NUMBER, PARAM):
            self.unexpected("a number was expected")
        self.i += 1
        self.expect(")")

    def alias(self, source: Source, *, definitions: bool = False) -> None:
        """Step over an alias and its columns.

        :param definitions: whether types may follow the columns' names
        """
        token = self.token
        if token.key == "AS" and token.kind == NAME:
            self.i += 1
            if definitions and is_op(self.token, "("):
                self.column_definitions()
                return
            token = self.token
            if token.kind not in (NAME, QUOTED):
                self.unexpected("a name was expected")
        elif token.kind == QUOTED or (token.kind == NAME and token.key not in NOT_ALIAS[self.dialect]):
            pass
        else:
            if token.kind == STRING:
                self.unexpected("a name was expected")
            return
        self.i += 1
        source.alias = token.name
        source.alias_text = self.text[token.start : token.end]
        source.aliased = True
        if is_op(self.token, "("):
            if definitions:
                self.column_definitions()
            else:
                self.name_list()
                source.renamed = True

    def column_definitions(self) -> None:
        self.expect("(")
        while True:
            self.labels.add(self.identifier("a column").name)
            if self.key not in (",", ")"):
                self.type_name()
                if self.accept("COLLATE"):
                    self.chain()
            if not self.accept(","):
                break
        self.expect(")")

    def member_table(self) -> None:
        """``x IN name`` on SQLite: the whole table."""
        token = self.token
        if not self.sqlite or token.kind not in (NAME, QUOTED):
            self.unexpected("'(' was expected")
        chain = self.chain()
        if is_op(self.token, "("):
            self.call(chain)
            return
        source = self.resolve(chain)
        at = self.tokens[chain[-1]].start
        self.relations.discard(at)
        self.members.add(at)
        if source.kind == "table":
            self.replace(*source.name, f"({self.filtered(source)})")

    # ---- SQLite: the heading of an expression without a label is its text
    def keep_heading(self, first: int, edits: int) -> None:
        """Label an expression of a SELECT's list that will be changed with its own text.

        :param first: index of its first token; the last one is before the token in hand
        :param edits: how many changes there were before it
        """
        last = self.i - 1
        if len(self.edits) == edits or self.is_labelled(first, last) or self.is_column(first, last):
            return
        start = self.tokens[first].start
        heading = []
        at = start
        for token in self.tokens[first : last + 1]:
            if token.kind == PARAM and self.placeholders == "text":
                heading += [self.text[at : token.start].replace("\x5c:", ":"), "?"]  # as SQLAlchemy sends it
                at = token.end
        # SQLite takes all up to the next token, comments included
        rest = self.text[at : self.tokens[last + 1].start].rstrip(" \t\n\f\r")
        heading.append(rest.replace("\x5c:", ":") if self.placeholders == "text" else rest)
        self.insert(self.tokens[last].end, f" AS {self.quote(''.join(heading))}")

    def is_labelled(self, first: int, last: int) -> bool:
        """Whether an expression ends with a label that has no AS before it."""
        if first == last or self.tokens[last].kind not in (NAME, QUOTED, STRING):
            return False
        if self.tokens[last].key in _ENDS:
            return False
        before = self.tokens[last - 1]
        if before.kind == OP:
            return before.key == ")"
        return before.kind != NAME or before.key in _ENDS or before.key not in _BEFORE_OPERAND

    def is_column(self, first: int, last: int) -> bool:
        """Whether an expression is but the name of a column."""
        while is_op(self.tokens[first], "(") and self.lexed.mates[first] == last:
            first, last = first + 1, last - 1
        names, dots = self.tokens[first : last + 1 : 2], self.tokens[first + 1 : last + 1 : 2]
        return all(t.kind in (NAME, QUOTED) for t in names) and all(t.key == "." for t in dots)

    # ---- when a level of names is complete
    def close(self, scope: Scope, parent: Scope) -> None:
        """Resolve what ``scope`` mentions, hand the rest to ``parent``, and filter its tables."""
        self.resolve_mentions(scope, parent)
        bare = self.bare_sources(scope)
        for source in scope.sources:
            if source.kind == "table" and source not in bare:
                name = "" if source.aliased else f" AS {source.alias_text}"
                self.replace(*source.name, f"({self.filtered(source)}){name}")

    def resolve_mentions(self, scope: Scope, parent: Scope) -> None:
        if self.central:
            return
        in_reach = [source for source in scope.sources if not source.behind]
        sources = {source.alias: source for source in in_reach}
        addresses = ROW_ADDRESSES[self.dialect]
        unsure = any(s.renamed or s.kind in ("query", "cte", "function") for s in in_reach)
        known: frozenset[str] = frozenset()
        for source in in_reach:
            if source.view is not None and not source.renamed:
                known |= self.folded(source.view.columns)
        for mention in scope.mentions:
            qualifier, name = mention.qualifier, mention.name
            if qualifier is not None:
                owner = sources.get(qualifier)
                if owner is None:
                    parent.mentions.append(mention)
                elif name != "*" and owner.kind == "table":
                    self.check_column(owner, name, mention.at)
            elif name in addresses:
                # A label may come from anywhere in the statement. What it is not about is a derived table's column,
                # which has no address; a bare table's has.
                if name in known or (name in self.labels and not self.bare):
                    continue
                if scope.sources and all(source.kind != "shared" for source in scope.sources):
                    self.refuse_address(name, mention.at)
                parent.mentions.append(mention)
            elif name not in known and name not in sources:
                parent.mentions.append(mention)
                if unsure:
                    self.uncertain.add(mention.at)  # perhaps it is theirs

    def check_column(self, source: Source, name: str, at: int) -> None:
        """Refuse a qualified column that the table lacks: it is a row address, or a function in disguise."""
        if source.view is None or name in self.folded(source.view.columns):
            return
        if name in ROW_ADDRESSES[self.dialect]:
            self.refuse_address(name, at)
        if source.aliased and source.kind == "table":
            return  # perhaps one of the alias's own column names; the derived table has nothing else to show
        self.refuse(
            f"Table {source.view.name!r} has no column {name!r}",
            at,
            value=name,
            hint="Name a column of the table",
        )

    def refuse_address(self, name: str, at: int) -> None:
        """Refuse the address of a row."""
        self.refuse(
            f"{name!r} is the address of a row in a table that all tenants share",
            at,
            value=name,
            hint="Use the table's primary key",
        )

    def bare_sources(self, scope: Scope) -> list[Source]:
        """The tables of a SELECT that are better filtered by a predicate; see :class:`~.queries.Queries`."""
        return []
