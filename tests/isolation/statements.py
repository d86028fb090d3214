"""Statements made up by hypothesis: SELECT trees and writes, put together at random from what always has one answer.

Left out is what no database answers in one way only: LIMIT without a total order, sums of floating point numbers,
scalar subqueries of several rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite

from tests.isolation import schema as s

Draw = Any
MODELS = (
    s.Customer, s.Invoice, s.Line, s.Product, s.Category, s.Setting, s.Payment, s.Club, s.Country, s.Person, s.Document, s.Odd,
)  # fmt: skip
TABLES: tuple[sa.Table, ...] = (*(m.__table__ for m in MODELS), s.membership, s.event_log)  # type: ignore[misc]
NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 8, 12, 99])
WORDS = st.sampled_from(["Bern", "a1", "b2", "2024-003", "title", "", "red", "x"])
FRAGMENTS = {
    "customer": (
        "customer.id > 2 OR customer.active",
        "1 = 1 OR 1 = 1",
        "customer.city = 'Bern' OR customer.boss_id IS NULL",
    ),
    "invoice": ("invoice.paid OR invoice.id = 1", "invoice.total > 90 OR invoice.note IS NOT NULL"),
    "line": ("line.qty > 2 OR line.position = 1",),
    "category": ("category.parent_id IS NULL OR category.id > 4",),
}


def kind(column: Any) -> str | None:
    """The sort of a column's type, ``None`` for those that are left alone."""
    type_ = column.type
    if isinstance(type_, sa.Boolean):
        return "boolean"
    if isinstance(type_, (sa.Integer, sa.BigInteger)):
        return "number"
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        return "word"
    return None


@dataclass
class Source:
    """Something to select from."""

    element: Any
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for column in self.element.c:
            found = kind(column)
            if found is not None:
                self.columns.setdefault(found, []).append(column)


@dataclass
class Maker:
    """Draws statements for one database."""

    draw: Draw
    dialect: str
    names: int = 0

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def maybe(self, of: int = 2) -> bool:
        return self.draw(st.integers(1, of)) == 1

    def columns(self, sources: list[Source], sort: str) -> list[Any]:
        return [c for source in sources for c in source.columns.get(sort, ())]

    def keys(self, sources: list[Source]) -> list[Any]:
        """Columns to join on, whose values meet."""
        return [
            c
            for c in self.columns(sources, "number")
            if c.name not in ("born", "version", "revision", "percent", "100%")
        ]

    # ---- expressions
    def number(self, sources: list[Source], depth: int) -> Any:
        known = self.columns(sources, "number")
        choices = [
            "literal",
            *(["column"] * 4 if known else []),
            *(["sum", "negative", "modulo", "coalesce"] if known else []),
        ]
        choices += ["length"] if self.columns(sources, "word") else []
        choices += ["subquery", "case"] if depth else []
        chosen = self.one(*choices)
        if chosen == "literal":
            return sa.literal(self.draw(NUMBERS))
        if chosen == "length":
            return func.length(self.one(*self.columns(sources, "word")))
        if chosen == "subquery":
            return self.scalar(sources, depth - 1)
        if chosen == "case":
            return sa.case(
                (self.condition(sources, depth - 1), self.number(sources, 0)), else_=self.number(sources, 0)
            )
        column = self.one(*known)
        return {
            "column": lambda: column, "sum": lambda: column + self.draw(NUMBERS), "negative": lambda: -column,
            "modulo": lambda: column % 3, "coalesce": lambda: func.coalesce(column, self.draw(NUMBERS)),
        }[chosen]()  # fmt: skip

    def word(self, sources: list[Source], depth: int) -> Any:
        known = self.columns(sources, "word")
        if not known:
            return sa.literal(self.draw(WORDS))
        column = self.one(*known)
        return self.one(
            column, column, func.lower(column), column + "!", func.coalesce(column, "none"), sa.literal("w")
        )

    def condition(self, sources: list[Source], depth: int) -> Any:
        choices = ["compare", "in", "null", "like", "fragment", "most", "most"]  # enough rows must pass
        choices += ["and", "or", "not", "exists", "in query"] if depth else []
        chosen = self.one(*choices)
        if chosen in ("and", "or"):
            parts = [self.condition(sources, depth - 1) for _ in range(2)]
            return sa.and_(*parts) if chosen == "and" else sa.or_(*parts)
        if chosen == "not":
            return sa.not_(sa.and_(self.condition(sources, depth - 1), sa.literal(1) == 1))
        if chosen == "exists":
            inner = self.select(depth - 1, outer=sources, sorts=("number",))
            return inner.exists() if self.maybe() else ~inner.exists()
        if chosen == "in query":
            return self.number(sources, 0).in_(self.select(depth - 1, outer=sources, sorts=("number",)))
        if chosen == "most":
            return self.one(
                self.number(sources, 0) >= 0, self.number(sources, 0) != 3, self.word(sources, 0) != "Bern"
            )
        if chosen == "in":
            return self.number(sources, 0).in_(self.draw(st.lists(NUMBERS, max_size=3)))
        if chosen == "like":
            return self.word(sources, 0).like(self.one("%1", "a%", "%e%", "_"))
        if chosen == "null":
            nullable = [c for source in sources for known in source.columns.values() for c in known]
            column = self.one(*nullable) if nullable else sa.literal(1)
            return self.one(column.is_(None), column.is_not(None), column.is_not(None))
        if chosen == "fragment":
            bare = [
                f.element.name
                for f in sources
                if isinstance(f.element, sa.Table) and f.element.name in FRAGMENTS
            ]
            if bare:
                return sa.text(self.one(*FRAGMENTS[self.one(*bare)]))
        booleans = self.columns(sources, "boolean")
        if booleans and self.maybe(3):
            return self.one(*booleans)
        left, right = self.number(sources, 0), self.number(sources, max(depth - 1, 0))
        return self.one(left == right, left < right, left >= right, left != right)

    def expression(self, sort: str, sources: list[Source], depth: int) -> Any:
        return self.number(sources, depth) if sort == "number" else self.word(sources, depth)

    def scalar(self, outer: list[Source], depth: int) -> Any:
        source = Source(self.table(()))
        query = sa.select(self.aggregate([source])).select_from(source.element)
        if self.maybe():
            query = query.where(self.condition([source, *outer], depth))
        return query.correlate(*(f.element for f in outer)).scalar_subquery()

    def aggregate(self, sources: list[Source]) -> Any:
        known = self.columns(sources, "number")
        if not known:
            return func.count()
        column = self.one(*known)
        found = self.one(
            func.count(),
            func.count(column),
            func.min(column),
            func.max(column),
            func.count(sa.distinct(column)),
            func.sum(column),
        )
        return sa.cast(found, sa.Integer)

    # ---- sources
    def table(self, taken: Any) -> Any:
        table = self.one(*TABLES)
        if any(table is t for t in taken) or self.maybe(3):
            self.names += 1
            return table.alias(f"t{self.names}")
        return table

    def source(self, depth: int, taken: list[Any]) -> Source:
        if depth and self.maybe(4):
            self.names += 1
            name = f"s{self.names}"
            query = (
                self.select(depth - 1, sorts=("number", "word")) if self.maybe() else self.compound(depth - 1)
            )
            return Source(query.subquery(name) if self.maybe() else query.cte(name))
        return Source(self.table(taken))

    def joined(self, depth: int, taken: list[Any]) -> tuple[Any, list[Source]]:
        """A join of one to three sources."""
        first = self.source(depth, taken)
        sources, element = [first], first.element
        taken = [*taken, element]
        for _ in range(self.draw(st.integers(0, 2))):
            following = self.source(depth, taken)
            taken.append(following.element)
            left, right = self.keys(sources), self.keys([following])
            how = self.one("inner", "inner", "left", "left", "full")
            if left and right:
                on = self.one(*left) == self.one(*right)
                if how == "inner" and self.maybe(3):
                    on = sa.and_(on, self.condition([*sources, following], 0))
            else:
                on, how = sa.literal(1) == 1, "inner"
            swap = self.maybe(3)
            element = sa.join(
                *((following.element, element) if swap else (element, following.element)),
                on, isouter=how == "left", full=how == "full",
            )  # fmt: skip
            sources.append(following)
        return element, sources

    # ---- statements
    def select(
        self,
        depth: int,
        *,
        outer: list[Source] | None = None,
        sorts: tuple[str, ...] = ("number", "word", "number"),
    ) -> Any:
        element, sources = self.joined(depth, [f.element for f in outer or ()])
        scope = [*sources, *(outer or ())]
        grouped = self.maybe(4) and outer is None
        if grouped:
            keys = [
                self.one(*(self.columns(sources, sort) or [None])) for sort in sorts if sort == "word"
            ] or []
            keys = [k for k in keys if k is not None]
            shown = [
                keys[0]
                if sort == "word" and keys
                else sa.literal("w")
                if sort == "word"
                else self.aggregate(sources)
                for sort in sorts
            ]
        else:
            shown = [self.expression(sort, scope if outer else sources, depth) for sort in sorts]
        query = sa.select(*(e.label(f"x{n}") for n, e in enumerate(shown))).select_from(element)
        for _ in range(self.one(0, 0, 1, 1, 2)):
            query = query.where(self.condition(scope, depth))
        if grouped:
            query = query.group_by(*keys)
            if self.maybe():
                query = query.having(func.count() > self.one(0, 1, 2))
        elif self.maybe(5):
            query = query.distinct()
        if outer:
            return query.correlate(*(f.element for f in outer))
        return self.limited(query, len(sorts)) if self.maybe(3) else query

    def limited(self, query: Any, width: int) -> Any:
        """In total order, and perhaps a part of it."""
        query = query.order_by(*(sa.desc(f"x{n}") if self.maybe(3) else f"x{n}" for n in range(width)))
        return query.limit(self.one(None, 1, 3, 10)).offset(self.one(None, None, 1))

    def compound(self, depth: int) -> Any:
        """A set operation."""
        combine = self.one(sa.union, sa.union_all, sa.union_all, sa.except_, sa.intersect)
        parts = [
            self.select(depth, sorts=("number", "word")).order_by(None).limit(None).offset(None)
            for _ in range(2)
        ]
        found = combine(*parts)
        return self.limited(found, 2) if self.maybe() else found

    def query(self) -> Any:
        depth = self.one(0, 1, 2)
        return self.compound(depth) if self.maybe(5) else self.select(depth)

    def write(self) -> Any:
        """An INSERT, UPDATE or DELETE, often with RETURNING."""
        found = self.one(self.update, self.update, self.delete, self.insert)()
        return found.returning(*found.table.c) if self.maybe() else found

    def update(self) -> Any:
        table, column = self.one(
            (s.Customer, "city"), (s.Invoice, "note"), (s.Line, "qty"), (s.Product, "stock"), (s.Category, "name"), (s.Setting, "value"), (s.Odd, "chosen")
        )  # fmt: skip
        source = Source(table.__table__)
        element = source.element
        value = self.expression(kind(element.c[column]) or "word", [source], 1)
        if column in ("qty", "stock", "name"):
            value = func.coalesce(value, 1 if column != "name" else "none")
        found = sa.update(element).values({column: value}).where(self.condition([source], 2))
        if self.maybe(3):
            other = Source(self.table([element]))
            names = (self.columns([source], "number"), self.columns([other], "number"))
            if all(names):
                found = found.where(self.one(*names[0]) == self.one(*names[1]))
        return found

    def delete(self) -> Any:
        source = Source(
            self.one(s.Payment.__table__, s.membership, s.event_log, s.Odd.__table__, s.Setting.__table__)
        )
        return sa.delete(source.element).where(self.condition([source], 2))

    def insert(self) -> Any:
        how = self.one("select", "values", "conflict")
        setting = s.Setting.__table__
        if how == "values":
            rows = [{"name": f"made {n}"} for n in range(self.draw(st.integers(1, 4)))]
            return sa.insert(s.Club.__table__).values(rows)
        query = self.select(1, sorts=("word", "word")).limit(None).offset(None).order_by(None).subquery()
        named = sa.select(func.coalesce(query.c.x0, "none").label("k"), query.c.x1.label("v")).subquery()
        keys = sa.select(named.c.k, func.max(named.c.v).label("v")).group_by(named.c.k)  # no key twice
        if how == "select":
            return sa.insert(s.event_log).from_select(["message"], sa.select(keys.subquery().c.k))
        insert: Any = (postgresql if self.dialect == "postgresql" else sqlite).insert(setting)
        insert = insert.from_select(["key", "value"], keys.order_by("k").where(sa.true()))
        if self.maybe():
            return insert.on_conflict_do_nothing()
        where = self.one(
            None, setting.c.value.is_not(None), sa.text("setting.value IS NULL OR setting.key = 'title'")
        )
        return insert.on_conflict_do_update(
            index_elements=["key"], set_={"value": insert.excluded.value}, where=where
        )


def statements(dialect: str, *, writes: bool) -> st.SearchStrategy[Any]:
    """Statements for a database."""

    @st.composite
    def made(draw: Draw) -> Any:
        maker = Maker(draw, dialect)
        return maker.write() if writes else maker.query()

    return made()
