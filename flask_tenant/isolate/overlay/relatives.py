"""Tables whose rows are another table's too: PostgreSQL's partitions, and tables that inherit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ...decision import Decision
from ...errors import StatementRefusedError
from ..live import LiveSchema


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


def check_relatives(
    tables: Iterable[str], decision: Decision, relatives: Mapping[str, frozenset[str]]
) -> None:
    """Refuse to reach a table's rows by another one's name, under which other rules hold.

    :raises StatementRefusedError: for a partition whose whole table rules are about, and the other way round
    """
    for table in tables:
        mine = _rules(decision, table)
        for other in sorted(relatives.get(table, ())):
            theirs = _rules(decision, other)
            if any(theirs) and theirs != mine:
                raise StatementRefusedError(
                    f"Tables {table!r} and {other!r} share rows, and the rules about the two are not the same",
                    value=table,
                    hint="Use the table that rules are about, or let them name both",
                )


def _rules(decision: Decision, table: str) -> tuple[object, ...]:
    by_verb = (decision.writes.get((table, verb)) for verb in ("insert", "update", "delete"))
    every = (decision.overlays, decision.reads, decision.caps, decision.results)
    return (*(rules.get(table) for rules in every), *by_verb)
