"""Where a derived table is not quite a table: keys in GROUP BY, rows as values, and SQLite's planner."""

from __future__ import annotations

from .cursor import is_op
from .lexer import NAME, NUMBER, QUOTED
from .nodes import Arm, Item, Scope, Source
from .relations import MANY_SOURCES, Relations
from .words import ROW_ADDRESSES, words

_GIVE_ARGUMENTS = words(
    """any_value array_agg coalesce first_value greatest json_populate_record jsonb_populate_record lag last_value
    lead least nth_value nullif pg_typeof"""
)
"""Functions that give what they got, a list of it, or its type."""


class Grouping(Relations):
    """Makes up for what a SELECT loses when its tables are derived ones."""

    def refuse_whole_rows(self, arm: Arm) -> None:
        """Refuse rows as values of the answer: they would be of type ``record``, not of the table's type."""
        whole = {
            s.alias
            for s in arm.scope.sources
            if s.kind == "table" and not s.behind and (s.renamed or s.alias not in s.columns)
        }
        for mention in arm.scope.mentions:
            if mention.qualifier is not None or mention.name not in whole or mention.at > arm.last:
                continue
            following = self.tokens[mention.at + 1].key
            field = following == ")" and self.tokens[mention.at + 2].key == "."
            tested = following == "IS" and self.tokens[mention.at + 2].key in ("NULL", "NOT", "DISTINCT")
            plain = not mention.function and not field and not tested and following != "::"
            if plain or mention.function in _GIVE_ARGUMENTS:
                self.refuse(
                    "A whole row as a value",
                    mention.at,
                    value=mention.name,
                    hint="Name the columns, or use row_to_json()",
                )

    # ---- PostgreSQL: GROUP BY a primary key lets the table's other columns be selected
    def group_by_key(self, arm: Arm) -> None:
        """Add the other columns that are used to a GROUP BY that names a table's key.

        The key of the derived table is not known to PostgreSQL; in the tenant's rows the other columns depend
        on it, so the groups stay the same.
        """
        items = self.group_items(arm)
        if items is None or arm.group is None:
            return
        scope = arm.scope
        added = []
        for source in scope.sources:
            if source.kind != "table" or source.view is None or not source.view.primary_key:
                continue
            if source.behind or source.renamed:
                continue
            columns = source.view.columns
            others = {c for other in scope.sources if other is not source for c in other.columns}
            grouped = {
                name
                for qualifier, name in items
                if name in columns
                and (qualifier == source.alias or (qualifier is None and name not in others))
            }
            if not set(source.view.primary_key) <= grouped:
                continue
            used: set[str] = set()
            for mention in scope.mentions:
                if arm.last < mention.at <= arm.group[1] or (mention.grouped and mention.name != "*"):
                    continue
                if mention.name == "*" and mention.qualifier == source.alias and not mention.grouped:
                    used.update(columns)
                elif mention.name in columns and mention.qualifier in (None, source.alias):
                    used.add(mention.name)
            if any(item.star and item.first == item.last for item in arm.items):
                used.update(columns)
            added += [f"{source.alias_text}.{self.quote(c)}" for c in columns if c in used - grouped]
        if added:
            self.insert(self.tokens[arm.group[1]].end, ", " + ", ".join(added))

    def group_items(self, arm: Arm) -> list[tuple[str | None, str]] | None:
        """The plain columns that a GROUP BY names, ``None`` when it is more than a list."""
        if arm.group is None:
            return None
        first, last = arm.group
        tokens = self.tokens
        if tokens[first].key in ("ALL", "DISTINCT"):
            return None
        found: list[tuple[str | None, str]] = []
        at = first
        while at <= last:
            start = at
            while at <= last and not is_op(tokens[at], ","):
                if is_op(tokens[at], "("):
                    if tokens[at - 1].key in ("SETS", "ROLLUP", "CUBE"):
                        return None
                    at = self.lexed.mates[at]
                at += 1
            item = self.plain_column(start, at - 1)
            if item is None and at == start + 1 and tokens[start].kind == NUMBER:
                text = self.text[tokens[start].start : tokens[start].end]
                if text.isdigit() and 1 <= int(text) <= len(arm.items):
                    chosen = arm.items[int(text) - 1]
                    item = self.item_column(chosen)
            if item is not None:
                found.append(item)
                if item[0] is None:  # perhaps an item's label
                    for chosen in arm.items:
                        if chosen.label == item[1]:
                            labelled = self.item_column(chosen)
                            if labelled is not None:
                                found.append(labelled)
            at += 1
        return found

    def item_column(self, item: Item) -> tuple[str | None, str] | None:
        """The column that an item of a SELECT consists of, its label aside."""
        labelled = self.is_labelled(item.first, item.last)
        return self.plain_column(item.first, item.last - labelled)

    def plain_column(self, first: int, last: int) -> tuple[str | None, str] | None:
        """The column that a range of tokens consists of."""
        tokens = self.tokens
        if is_op(tokens[first], "(") and self.lexed.mates.get(first) == last:
            return self.plain_column(first + 1, last - 1)
        if tokens[first].kind not in (NAME, QUOTED):
            return None
        if first == last:
            return None, tokens[first].name
        if last == first + 2 and is_op(tokens[first + 1], ".") and tokens[last].kind in (NAME, QUOTED):
            return tokens[first].name, tokens[last].name
        return None

    # ---- SQLite: many tables
    arm_in_hand: Arm | None = None

    def bare_sources(self, scope: Scope) -> list[Source]:
        """Of many joined tables on SQLite, those that a predicate in WHERE filters as well."""
        arm = self.arm_in_hand
        if not self.sqlite or arm is None or arm.scope is not scope or len(scope.sources) <= MANY_SOURCES:
            return []
        if scope.stars or scope.merging or scope.right_joins or arm.kind != "select":
            return []
        addresses = ROW_ADDRESSES[self.dialect]
        if any(mention.name in addresses for mention in scope.mentions):
            return []
        bare = [
            s
            for s in scope.sources
            if s.kind == "table" and not s.nullable and not s.nested and self.may_be_bare(s)
        ]
        if not bare:
            return []
        predicates = " AND ".join(self.visible(source.table, source.alias_text) for source in bare)
        for source in bare:
            self.replace(
                *source.name,
                self.table_name(source.table, source.schema)
                + source.inner
                + ("" if source.aliased else f" AS {source.alias_text}"),
            )
        if arm.where is None:
            self.insert(self.tokens[arm.where_at].end, f" WHERE {predicates}")
        else:
            self.insert(self.tokens[arm.where[0]].end, f" {predicates} AND (")
            self.insert(self.tokens[arm.where[1]].end, ")")
        return bare

    def may_be_bare(self, source: Source) -> bool:
        """Whether a predicate says all that the table's view says."""
        overlay = self.overlay(source.table)
        return overlay is None or not (overlay.covered or (overlay.filtered and self.fenced))
