"""What INSERT adds to each row: the tenant, and on SQLite the automatic id."""

from __future__ import annotations

from ...model import TableView
from .cursor import TENANT
from .lexer import NUMBER
from .nodes import Arm, Query, Source
from .queries import Queries

_SOURCE = "ft_source"


class Stamping(Queries):
    """Adds values to the rows of an INSERT."""

    insert_id: TableView | None = None

    def stamp_rows(
        self,
        source: Source,
        columns: list[str] | None,
        close: int,
        after_name: int,
        query: Query | None,
        default_at: int,
    ) -> None:
        """Add the tenant, and on SQLite the automatic id, to what is inserted."""
        view = source.table
        auto = view.auto_id if self.sqlite else None
        listed = columns
        if listed is None:
            listed = list(self.folded_list(view.columns))
            if query is None:
                listed = []
            else:
                width = self.width(query)
                if width is not None and width < len(listed):
                    if self.sqlite:
                        self.refuse(
                            f"Table {view.name!r} has {len(listed)} columns, and {width} values are given",
                            query.first,
                        )
                    listed = listed[:width]
        elif self.sqlite and query is not None and self.width(query) not in (None, len(listed)):
            # the database would count our columns too, and say so
            self.refuse(f"{self.width(query)} values are given for {len(listed)} columns", query.first)
        folded_auto = self.folded([auto]) if auto else frozenset()
        at_auto = next((k for k, name in enumerate(listed) if name in folded_auto), None)
        added = [self.setup.column]
        if auto is not None and at_auto is None:
            added.append(auto)
        if auto is not None:
            table = self.table_name(view, source.schema)
            largest = f"coalesce(max({self.quote(auto)}), 0)"
            everybody = self.setup.template
            if view.never_reused:
                of_table = f"ft_kept.name = {self.literal(view.name)}"
                if not everybody:
                    of_table += f" AND ft_kept.tenant = {TENANT}"
                kept = f"FROM main.{self.setup.prefix}sequence AS ft_kept WHERE {of_table}"
                largest = f"max({largest}, (SELECT coalesce(max(ft_kept.number), 0) {kept}))"
            where = "" if everybody else f" WHERE {self.belongs('ft_ids')}"
            next_id = f"(SELECT {largest} FROM {table} AS ft_ids{where})"
        else:
            next_id = ""
        # the column list
        if columns is not None:
            self.insert(self.tokens[close].start, ", " + self.names(added))
        elif listed:
            real = dict(zip(self.folded_list(view.columns), view.columns, strict=True))
            self.insert(after_name, f" ({self.names([*(real[name] for name in listed), *added])})")
        else:
            self.insert(after_name, f" ({self.names(added)})")
        # the rows
        if query is None:
            value = f"VALUES ({self.stamp()}{f', {next_id}+1' if auto else ''})"
            self.replace(self.tokens[default_at].start, self.tokens[default_at + 1].end, value)
            self.insert_id = view if auto else self.insert_id
            return
        only_values = len(query.arms) == 1 and query.arms[0].kind == "values"
        if auto is None:
            self.stamp_query(query)
        elif only_values and self.tokens[query.first].key == "VALUES" and self.values_only(query):
            self.number_rows(query.arms[0], at_auto, next_id, view)
        else:
            self.number_query(query, listed, at_auto, next_id)
            self.insert_id = view

    def folded_list(self, names: tuple[str, ...]) -> list[str]:
        """Names of the schema, folded, in order."""
        return [next(iter(self.folded([name]))) for name in names]

    def values_only(self, query: Query) -> bool:
        """Whether nothing follows the rows of VALUES."""
        opening, _ = query.arms[0].rows[-1]
        return self.lexed.mates[opening] == query.last

    def width(self, query: Query) -> int | None:
        """How many columns a query gives, ``None`` if that is not known."""
        arm = query.arms[0]
        if arm.query is not None:
            return self.width(arm.query)
        if arm.kind == "values":
            return len(arm.rows[0][1])
        total = 0
        for item in arm.items:
            if not item.star:
                total += 1
                continue
            if item.first != item.last and item.last != item.first + 2:
                return None
            owner = None if item.first == item.last else self.tokens[item.first].name
            for source in arm.scope.sources:
                if owner is None or owner == source.alias:
                    if source.view is None or arm.scope.merging:
                        return None
                    total += len(source.view.columns)
        return total

    def stamp_query(self, query: Query) -> None:
        """Add the tenant as the last column of every arm."""
        for arm in query.arms:
            if arm.query is not None:
                self.stamp_query(arm.query)
            elif arm.kind == "values":
                for opening, _ in arm.rows:
                    self.insert(self.tokens[self.lexed.mates[opening]].start, f", {self.stamp()}")
            elif arm.kind == "table":
                self.refuse("INSERT from TABLE", arm.first, hint="Write SELECT * FROM")
            elif not arm.items:
                self.refuse("A SELECT without columns", arm.first)
            else:
                self.insert(self.tokens[arm.last].end, f", {self.stamp()}")

    def number_rows(self, arm: Arm, at_auto: int | None, next_id: str, view: TableView) -> None:
        """Add the tenant and the id to the rows of VALUES on SQLite."""
        kinds = set()
        for number, (opening, cells) in enumerate(arm.rows, 1):
            end = self.tokens[self.lexed.mates[opening]].start
            following = f"{next_id}+{number}"
            if at_auto is None:
                self.insert(end, f", {TENANT}, {following}")
                self.insert_id = view
                continue
            if at_auto >= len(cells):
                self.refuse("A row has fewer values than columns are named", opening)
            first, last = cells[at_auto]
            one = self.tokens[first]
            if first == last and one.kind == NUMBER:
                kinds.add("given")
            elif first == last and one.key == "NULL":
                kinds.add("automatic")
                self.replace(one.start, one.end, following)
                self.insert_id = view
            else:
                kinds.add("either")
                self.insert(one.start, "coalesce(")
                self.insert(self.tokens[last].end, f", {following})")
                self.insert_id = view
            self.insert(end, f", {TENANT}")
        if {"given", "automatic"} <= kinds:
            self.refuse(
                "Some rows give their id and some leave it to the database",
                arm.first,
                hint="Insert them by two statements",
            )

    def number_query(self, query: Query, listed: list[str], at_auto: int | None, next_id: str) -> None:
        """Wrap a query, so that its rows are counted in its own order, on SQLite."""
        last = query.arms[-1]
        if self.key == "ON" and last.where_at == query.last and last.scope.sources:
            self.unexpected("SQLite needs a WHERE before ON CONFLICT, such as WHERE true")
        count = f"{next_id}+row_number() OVER ()"
        names = [f"c{k}" for k in range(len(listed))]
        shown = [f"{_SOURCE}.{name}" for name in names]
        if at_auto is not None:
            shown[at_auto] = f"coalesce({shown[at_auto]}, {count})"
        shown.append(TENANT)
        if at_auto is None:
            shown.append(count)
        self.insert(self.tokens[query.first].start, f"WITH {_SOURCE}({', '.join(names)}) AS (")
        upsert = " WHERE true" if self.key == "ON" else ""
        self.insert(self.tokens[query.last].end, f") SELECT {', '.join(shown)} FROM {_SOURCE}{upsert}")
