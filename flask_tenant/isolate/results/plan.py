"""What the rules say of one result: from the tables that its statement reads, and where its columns come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...decision import Decision, ResultRules, Ruling
from ...evaluation import evaluate
from ...expressions import Call, Constant, Expression, Slot, walk
from ..compiler.plan import table_below

AHEAD = 10_000
"""Up to how many rows are looked at before the first is given, where a rule asks how many there are."""

_PLAIN = frozenset({"&&", "||", "!", "is_true", "not_false", "is_known", "==", "!=", "<", "<=", ">", ">="})
"""With anything else in it, such as a product, a condition may change its mind at any number of rows."""

Origins = Sequence[frozenset[tuple[str, str]] | None]
"""For each column of a result the (table, column) that it shows, ``None`` where nobody knows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one result.

    :param cap: (rows, table, rule), the smallest one
    :param rules: (table, rules) of those that it reads
    :param origins: by position; ``None`` for SQL text, whose columns are known by their names alone
    """

    ruling: Ruling
    cap: tuple[int, str, str] | None
    rules: tuple[tuple[str, ResultRules], ...]
    origins: Origins | None = None

    def applies(self, condition: Expression | None, rows: int | None) -> bool:
        """Whether a rule holds for a result of so many rows: it does in doubt.

        :param rows: ``None`` when that is not known
        """
        if condition is None:
            return True
        return evaluate(condition, facts={"rows": rows}, values=self.ruling.values) is not False

    def ahead(self) -> int:
        """How many rows have to be seen to know what holds for all of them; 0 when nothing depends on it."""
        conditions = [
            c for _, rules in self.rules for _, c in (*rules.redact, *rules.transform) if c is not None
        ]
        return min(AHEAD, max((_largest(c, self.ruling.values) for c in conditions), default=-1) + 1)

    def places(self, table: str, names: Sequence[str]) -> list[tuple[int, str]]:
        """Return position and column name of what a result shows of a table.

        :param names: of the result's columns
        """
        found = []
        known = self.origins if self.origins is not None and len(self.origins) == len(names) else None
        for at, name in enumerate(names):
            origin = known[at] if known is not None else None
            if origin is None:
                found.append((at, name))
            else:
                found += [(at, column) for owner, column in sorted(origin) if owner == table]
        return found


def _largest(condition: Expression, values: Sequence[Any]) -> int:
    """A number of rows beyond which the condition comes out alike: beyond all that it compares with."""
    parts = list(walk(condition))
    if any(isinstance(e, Call) and e.function not in _PLAIN for e in parts):
        return AHEAD
    given: list[Any] = [e.value for e in parts if isinstance(e, Constant)]
    given += [values[e.index] for e in parts if isinstance(e, Slot)]
    return sum(abs(int(n)) + 1 for n in given if isinstance(n, int | Decimal)) + 1


def governs(decision: Decision) -> bool:
    """Whether any result could be under rules."""
    return bool(decision.caps or decision.results)


def plan_for(ruling: Ruling, tables: Iterable[str], origins: Origins | None = None) -> Plan | None:
    """Return what happens to the result of a statement, ``None`` when nothing does.

    :param tables: that it reads
    """
    decision = ruling.decision
    read = sorted(set(tables))
    caps = [(*decision.caps[name], name) for name in read if name in decision.caps]
    rules = tuple((name, decision.results[name]) for name in read if name in decision.results)
    if not caps and not rules:
        return None
    rows, rule, table = min(caps) if caps else (0, "", "")
    return Plan(ruling, (rows, table, rule) if caps else None, rules, origins)


def origins_of(compiled: Any) -> Origins | None:
    """Return where the columns of a compiled statement come from."""
    known = compiled.__dict__.get("ft_origins", compiled)
    if known is compiled:
        known = None
        if not compiled.isplaintext:
            known = [_origin(entry) for entry in compiled._result_columns]
        compiled.__dict__["ft_origins"] = known
    found: Origins | None = known
    return found


def _origin(entry: Any) -> frozenset[tuple[str, str]] | None:
    found = set()
    expression = False
    for shown in entry.objects:
        for column in getattr(shown, "base_columns", ()):
            table = table_below(getattr(column, "table", None))
            if table is not None and not getattr(column, "is_literal", False):
                found.add((table.name, column.name))
            elif not getattr(column, "is_literal", False):
                expression = True
    if found:
        return frozenset(found)
    return frozenset() if expression else None
