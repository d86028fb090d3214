"""Whole rows: ``*`` and, on PostgreSQL, the name of a FROM element where a column could stand.

Both show what the table physically has. Where they are met before the statement's FROM is rendered, its tables are
rendered as derived tables, which hide the column by themselves. Where it is too late for that, they are refused;
``RETURNING *`` is spelt out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

from sqlalchemy.sql.selectable import FromClause, Join, TableClause

from ...errors import StatementRefusedError
from .base import Base
from .plan import Plan, table_below

_STAR = re.compile(r"\s*(?:(\w+|\"(?:[^\"]|\"\")*\")\s*\.\s*)?\*\s*\Z")
_QUALIFIER = re.compile(r"(\w+|\"(?:[^\"]|\"\")*\")\s*\.\s*\*")


class MentionsMixin(Base):
    """Notes who is mentioned as a whole row, and sees to it that the row has the application's columns only."""

    def _ft_mention(self, names: Iterable[str]) -> None:
        """Note names that stand where a column could: each may be a whole row of this statement or one around it."""
        if self.dialect.name != "postgresql":
            return
        for entry in reversed(cast("list[dict[str, Any]]", self.stack)):
            if not self._ft_planned(entry):
                entry["ft_names"] = entry.get("ft_names", frozenset()) | frozenset(names)
                continue
            elements = self._ft_elements(entry)
            names = [n for n in names if not any(n in e.c for e in elements)]
            self._ft_too_late(set(names) & set(self._ft_rows(entry)))

    def _ft_star(self, text: str) -> None:
        """Note a ``*`` within a fragment."""
        qualifiers = {name.strip('"').replace('""', '"') for name in _QUALIFIER.findall(text)}
        entries = list(reversed(cast("list[dict[str, Any]]", self.stack)))
        for entry in entries if qualifiers else entries[:1]:
            if not self._ft_planned(entry):
                entry["ft_star"] = True
                continue
            rows = set(self._ft_rows(entry))
            self._ft_too_late(rows & qualifiers if qualifiers else rows)

    def _ft_planned(self, entry: dict[str, Any]) -> bool:
        return "ft_plan" in entry or not hasattr(entry["selectable"], "_group_by_clauses")

    def _ft_elements(self, entry: dict[str, Any]) -> list[FromClause]:
        """What the statement displays in FROM, or writes."""
        if "ft_froms" in entry:
            return list(_leaves(entry["ft_froms"]))
        target = getattr(entry["selectable"], "table", None)
        written = getattr(target, "ft_table", target)
        return (
            [written, *_leaves(getattr(entry["selectable"], "ft_extra", ()))] if written is not None else []
        )

    def _ft_rows(self, entry: dict[str, Any]) -> Iterator[str]:
        """The names of those that are rendered bare."""
        plan: Plan | None = entry.get("ft_plan")
        if plan is None or plan.claimed:
            for element in self._ft_elements(entry):
                below = table_below(element)
                if below is not None and self._ft_is_tenant(below):
                    yield str(element.name)  # type: ignore[attr-defined]

    def _ft_too_late(self, rows: set[str]) -> None:
        for name in sorted(rows):
            self._ft_refused(
                StatementRefusedError(
                    f"A whole row of {name!r}, which would show the tenant column",
                    value=name,
                    hint="Name the columns",
                )
            )

    def _ft_returned(self, text: str) -> str | None:
        """Spell ``RETURNING *`` out.

        :returns: ``None`` for anything else
        """
        entry = cast("dict[str, Any]", self.stack[-1])
        if not hasattr(entry["selectable"], "_returning"):
            return None
        star = _STAR.match(text)
        if star is None:
            return None
        wanted = star.group(1) and star.group(1).strip('"').replace('""', '"')
        elements = self._ft_elements(entry)
        if self.dialect.name == "sqlite":
            elements = elements[:1]
        quote = self.preparer.quote
        names = []
        for element in elements:
            name = str(element.name)  # type: ignore[attr-defined]
            if wanted in (None, name):
                prefix = f"{quote(name)}." if len(elements) > 1 else ""
                names += [prefix + quote(column) for column in self._ft_columns(element)]
        return ", ".join(names) or None

    def _ft_columns(self, element: FromClause) -> list[str]:
        """The application's columns of a FROM element, as the database has them."""
        below = table_below(element)
        if below is None:
            return [str(column.name) for column in element.c]
        view = self.wall.views.find(below.name, cast("str | None", self.preparer.schema_for_object(below)))  # type: ignore[arg-type]
        names = list(view.columns) if view is not None else []
        return names or [str(column.name) for column in below.c]


def _leaves(froms: Iterable[FromClause]) -> Iterator[FromClause]:
    for element in froms:
        if isinstance(element, Join):
            yield from _leaves((element.left, element.right))
        elif hasattr(element, "name") or isinstance(element, TableClause):
            yield element
