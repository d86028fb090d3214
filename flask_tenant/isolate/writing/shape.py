"""What a statement writes, and where its RETURNING stands: of our compiler's statements, and of SQL text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy.sql.dml import Delete, Insert, Update, UpdateBase
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import TableClause

from ..compiler.plan import table_below
from ..rawsql.lexer import NAME, OP, QUOTED, Dialect, Placeholders, Token, scan

if TYPE_CHECKING:
    from ..rawsql import RawSql

Verb = Literal["insert", "update", "delete"]

_VERBS: dict[str, Verb] = {"INSERT": "insert", "REPLACE": "insert", "UPDATE": "update", "DELETE": "delete"}
_NO_ALIAS = frozenset({
    "SET", "USING", "WHERE", "RETURNING", "FROM", "VALUES", "SELECT", "DEFAULT", "INDEXED", "NOT", "ORDER", "LIMIT",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """What one statement writes.

    :param verb: what its outermost part does, ``None`` when that only reads
    :param table: the table's name as the statement has it
    :param qualifier: by which the statement itself calls the table, quoted where it has to be
    :param end: offset in the text behind its last word, ``None`` for the end of the text
    :param returning: whether it has a RETURNING
    :param upsert: whether it has ON CONFLICT DO UPDATE
    :param replaces: whether rows that are in its way are deleted without a word
    :param assigned: columns that UPDATE, or ON CONFLICT DO UPDATE, names
    :param named: columns that INSERT gives values, ``None`` for all of them
    :param inner: (verb, table) of what is written within it, by common table expressions
    """

    verb: Verb | None = None
    table: str = ""
    schema: str | None = None
    qualifier: str = ""
    end: int | None = None
    returning: bool = False
    upsert: bool = False
    replaces: bool = False
    assigned: frozenset[str] = frozenset()
    named: frozenset[str] | None = None
    inner: tuple[tuple[Verb, str], ...] = ()

    @property
    def written(self) -> tuple[tuple[Verb, str], ...]:
        """(verb, table) of all that it writes."""
        mine: list[tuple[Verb, str]] = [(self.verb, self.table)] if self.verb is not None else []
        if self.upsert:
            mine.append(("update", self.table))
        return (*mine, *self.inner)

    def returns(self, text: str, columns: str) -> str:
        """Return the statement with more columns in its RETURNING."""
        at = len(text) if self.end is None else self.end
        return f"{text[:at]}{', ' if self.returning else ' RETURNING '}{columns}{text[at:]}"


READS = Shape()


# ---- statements of our compiler
def shape_of(compiled: Any, text: str, raw: RawSql) -> Shape:
    """Return what a compiled statement writes.

    :param text: as it goes to the driver
    """
    statement = compiled.statement
    while not isinstance(statement, (UpdateBase, TextClause)) and hasattr(statement, "element"):
        statement = statement.element
    if isinstance(statement, TextClause):
        return shape_of_text(text, raw.dialect, "qmark" if raw.dialect == "sqlite" else "format")
    known = compiled.__dict__.get("ft_shape")
    if known is None:
        known = compiled.__dict__["ft_shape"] = _of_compiled(compiled, statement)
    return cast(Shape, known)


def _of_compiled(compiled: Any, statement: Any) -> Shape:
    inner = [
        (_verb(cte.element), _table(cte.element).name)
        for cte in getattr(compiled, "ctes", None) or ()
        if isinstance(cte.element, UpdateBase)
    ]
    if not isinstance(statement, UpdateBase):
        return Shape(inner=tuple(inner)) if inner else READS
    table = _table(statement)
    target: Any = statement.table
    clause = getattr(statement, "_post_values_clause", None)
    upsert = getattr(clause, "__visit_name__", "") == "on_conflict_do_update"
    assigned: set[str] = set()
    if upsert:
        assigned = {str(getattr(k, "name", k)) for k in dict(clause.update_values_to_set)}  # type: ignore[union-attr]
    elif isinstance(statement, Update):
        values = getattr(compiled.compile_state, "_dict_parameters", None) or {}
        names = [getattr(k, "key", k) for k in values] or list(compiled.column_keys or ())
        assigned = {str(table.c[k].name) if k in table.c else str(k) for k in names}
    words = {str(word).upper() for word, _ in getattr(statement, "_prefixes", ())}
    named = _named(compiled, statement, table) if isinstance(statement, Insert) else None
    return Shape(
        verb=_verb(statement),
        table=table.name,
        schema=compiled.preparer.schema_for_object(table),
        qualifier=compiled.preparer.quote(target.name) if not isinstance(statement, Insert) else "",
        returning=bool(compiled.effective_returning),
        upsert=upsert,
        replaces=any("REPLACE" in word for word in words),
        assigned=frozenset(assigned),
        named=named,
        inner=tuple(inner),
    )


def _named(compiled: Any, statement: Insert, table: TableClause) -> frozenset[str]:
    """The columns that the application gives values; others get what the table has for them."""
    keys: set[Any] = {*(compiled.column_keys or ()), *(statement._select_names or ())}
    several: Any = statement._multi_values or ()
    for values in (statement._values or (), *(row for rows in several for row in rows)):
        keys.update(values if isinstance(values, Mapping) else table.c.keys()[: len(values)])
    names = (getattr(key, "key", key) for key in keys)
    return frozenset(str(table.c[k].name) if k in table.c else str(k) for k in names)


def _verb(statement: UpdateBase) -> Verb:
    return (
        "delete" if isinstance(statement, Delete) else "update" if isinstance(statement, Update) else "insert"
    )


def _table(statement: Any) -> TableClause:
    target = statement.table
    found = table_below(getattr(target, "ft_table", target))
    return cast(TableClause, found)  # the compiler has refused anything else


# ---- SQL text
@lru_cache(1024)
def shape_of_text(text: str, dialect: Dialect, placeholders: Placeholders) -> Shape:
    """Return what a statement writes that the wall has rewritten, and so understood."""
    return _Reader(text, dialect, placeholders).read()


class _Reader:
    """Reads the few words that matter; everything else the wall has read before."""

    def __init__(self, text: str, dialect: Dialect, placeholders: Placeholders) -> None:
        lexed = scan(text, dialect, placeholders, None)
        self.text, self.tokens = text, lexed.tokens
        self.outer: list[int] = []  # indexes of the tokens outside all parentheses
        self.inner: list[tuple[Verb, str]] = []
        depth = 0
        for at, token in enumerate(lexed.tokens[:-1]):
            if token.kind == OP and token.key in "([":
                depth += 1
            elif token.kind == OP and token.key in ")]":
                depth -= 1
            elif not depth:
                self.outer.append(at)
            elif token.key in _VERBS and self._begins(at):
                self.inner.append((_VERBS[token.key], self._name(at)[1]))

    def _begins(self, at: int) -> bool:
        """Whether a word in parentheses begins a statement that writes: it is no function, and no FOR UPDATE."""
        before, behind = self.tokens[at - 1].key, self.tokens[at + 1]
        return before not in ("FOR", "DO", ".", "OR") and (behind.kind in (NAME, QUOTED))

    def _name(self, at: int) -> tuple[str | None, str, int]:
        """Schema and name of the table behind a verb, and where they end."""
        at += 1
        while self.tokens[at].kind == NAME and self.tokens[at].key in ("INTO", "FROM", "ONLY", "OR"):
            at += 2 if self.tokens[at].key == "OR" else 1
        schema = None
        if self.tokens[at + 1].key == ".":
            schema, at = self.tokens[at].name, at + 2
        return schema, self.tokens[at].name, at

    def read(self) -> Shape:
        first = next(
            (
                n
                for n, at in enumerate(self.outer)
                if self.tokens[at].key in _VERBS
                and (at == 0 or self.tokens[at - 1].key not in ("FOR", "KEY"))
            ),
            None,
        )
        head = self.tokens[0].key
        if first is None or head not in (*_VERBS, "WITH"):
            return Shape(inner=tuple(self.inner)) if self.inner else READS
        at = self.outer[first]
        verb = _VERBS[self.tokens[at].key]
        schema, table, last = self._name(at)
        qualifier = self._source(self.tokens[last])
        behind = self.tokens[last + 1]
        if behind.key == "*":
            last, behind = last + 1, self.tokens[last + 2]
        if behind.key == "AS":
            qualifier = self._source(self.tokens[last + 2])
        elif verb != "insert" and (
            behind.kind == QUOTED or (behind.kind == NAME and behind.key not in _NO_ALIAS)
        ):
            qualifier = self._source(behind)
        words = [self.tokens[n].key for n in self.outer[first:]]
        end = len(self.outer) - 1
        while end >= 0 and self.tokens[self.outer[end]].key == ";":
            end -= 1
        pairs = list(pairwise(words))
        return Shape(
            verb=verb,
            table=table,
            schema=schema,
            qualifier="" if verb == "insert" and behind.key != "AS" else qualifier,
            end=self._end(end),
            returning="RETURNING" in words,
            upsert=("DO", "UPDATE") in pairs,
            replaces=words[0] == "REPLACE" or ("OR", "REPLACE") in pairs[:2],
            assigned=self._assigned(first) if verb == "update" or ("DO", "UPDATE") in pairs else frozenset(),
            named=self._named(last + (3 if behind.key == "AS" else 1)) if verb == "insert" else None,
            inner=tuple(self.inner),
        )

    def _named(self, at: int) -> frozenset[str] | None:
        """Names in the parentheses behind the table that an INSERT writes, ``None`` without any."""
        if self.tokens[at].key != "(" or self.tokens[at + 1].key in ("SELECT", "WITH", "VALUES", "("):
            return None
        names: set[str] = set()
        while self.tokens[at].key in ("(", ","):
            names.add(self.tokens[at + 1].name)
            at += 2
        return frozenset(names)

    def _end(self, last: int) -> int:
        """Offset behind the last word: parentheses close behind the last of the outer tokens."""
        tokens = [t for t in self.tokens[:-1] if t.key != ";" or t.kind != OP]
        return tokens[-1].end if tokens else last

    def _source(self, token: Token) -> str:
        return self.text[token.start : token.end]

    def _assigned(self, first: int) -> frozenset[str]:
        """Names on the left of ``=`` behind SET, also those of ``(a, b) = (1, 2)``."""
        outer = self.outer[first:]
        begin = next((n for n, at in enumerate(outer) if self.tokens[at].key == "SET"), len(outer))
        names: set[str] = set()
        for at in outer[begin:]:
            token = self.tokens[at]
            # Not at FROM: IS DISTINCT FROM may be part of a value, and a name too many does no harm.
            if token.key == "WHERE" or (token.key == "RETURNING" and self.tokens[at + 1].key != "="):
                break
            if token.key not in ("SET", ","):
                continue
            at += 1  # a name, or names in parentheses
            names.add(self.tokens[at].name)
            while self.tokens[at].key in ("(", ",") and self.tokens[at + 1].kind in (NAME, QUOTED):
                names.add(self.tokens[at + 1].name)
                at += 2
        return frozenset(names)
