"""Relations whose rows are a table's too: PostgreSQL's partitions, tables that inherit, and views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from ...decision import Decision
from ...errors import StatementRefusedError, TenancyError
from ..hidden import folded
from ..live import LiveObject, LiveSchema
from ..rawsql.lexer import NAME, QUOTED, scan

VIEWS = ("view", "materialized view")


def relatives_of(live: LiveSchema) -> dict[str, frozenset[str]]:
    """Return, for each table that shares rows with others, these: what is above it, and what is below."""
    above: dict[str, set[str]] = defaultdict(set)
    for table in live.tables:
        todo = list(table.parents)
        while todo:
            parent = todo.pop()
            if parent not in above[table.name]:
                above[table.name].add(parent)
                todo += [grand for t in live.tables if t.name == parent for grand in t.parents]
    found: dict[str, set[str]] = defaultdict(set)
    for child, parents in above.items():
        for parent in parents:
            found[child].add(parent)
            found[parent].add(child)
    return {name: frozenset(names) for name, names in found.items()}


def shown_by(
    live: LiveSchema, objects: Iterable[LiveObject], vouched: Collection[str]
) -> Mapping[str, frozenset[str]]:
    """Return the tables whose rows each view may show, by the view's name (on SQLite in small letters).

    What stands in its text counts, and what cannot be told counts as everything: a view that calls a function.

    :param objects: of the database
    :param vouched: names of views that rules need not look at
    """
    lite = live.dialect == "sqlite"
    views = [o for o in objects if o.kind in VIEWS and not {o.name, o.fullname} & set(vouched)]
    tables = {_folded(table.name, lite): table.name for table in live.tables}
    functions = {o.name for o in live.objects if o.kind == "function"}
    named = {_folded(view.name, lite): frozenset(_words(view, lite)) for view in views}

    def shown(name: str, seen: frozenset[str]) -> Iterator[str]:
        words = named[name]
        if not words or words & functions:
            yield from tables.values()
        for word in words:
            if word in named and word not in seen:
                yield from shown(word, seen | {word})
            elif word in tables:
                yield tables[word]

    return {name: frozenset(shown(name, frozenset({name}))) for name in named}


def _folded(name: str, lite: bool) -> str:
    return folded(name) if lite else name


def _words(view: LiveObject, lite: bool) -> Iterator[str]:
    """Every name in a view's text; none where it cannot be read."""
    try:
        tokens = scan(view.definition, "sqlite" if lite else "postgresql", "none", None).tokens
    except TenancyError:
        return
    for token in tokens:
        if token.kind in (NAME, QUOTED):
            yield _folded(token.name, lite)


def check_relatives(
    tables: Iterable[str], decision: Decision, relatives: Mapping[str, frozenset[str]]
) -> None:
    """Refuse to reach a table's rows by another one's name, under which other rules hold.

    :raises StatementRefusedError: for a partition whose whole table rules are about, and the other way round
    """
    for table in tables:
        mine = _rules(decision, table)
        others = relatives.get(table) or relatives.get(folded(table), frozenset())  # SQLite knows no case
        for other in sorted(others):
            theirs = _rules(decision, other)
            if any(theirs) and theirs != mine:
                raise StatementRefusedError(
                    f"Tables {table!r} and {other!r} share rows, and the rules about the two are not the same",
                    value=table,
                    hint="Use the table that rules are about, or let them name both; name a view in "
                    "TENANT_UNRULED_OBJECTS if rules need not look",
                )


def _rules(decision: Decision, table: str) -> tuple[object, ...]:
    by_verb = (decision.writes.get((table, verb)) for verb in ("insert", "update", "delete"))
    every = (decision.overlays, decision.reads, decision.caps, decision.results)
    return (*(rules.get(table) for rules in every), *by_verb)
