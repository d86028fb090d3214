"""Where the tenant's predicate of each FROM element goes: beside the others in WHERE, in a join's ON, or nowhere.

An element that the plan does not claim is rendered as a derived table that filters by itself. Claiming is for where
the predicate is equal and cheaper: PostgreSQL needs the bare table for GROUP BY on a primary key, and SQLite takes
seconds to plan joins of many derived tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias, FromClause, FromGrouping, Join, TableClause, TableSample


@dataclass(slots=True)
class Plan:
    """What to add where.

    :param where: predicates for the statement's WHERE
    :param on: predicates for a join's ON, by ``id()`` of the join
    :param claimed: ``id()`` of every table or alias whose predicate is in ``where`` or ``on``
    :param required: the FROM elements behind ``where``, whose rows are never null-extended
    """

    where: list[ColumnElement[bool]] = field(default_factory=list)
    on: dict[int, list[ColumnElement[bool]]] = field(default_factory=dict)
    claimed: set[int] = field(default_factory=set)
    required: list[FromClause] = field(default_factory=list)


def table_below(element: object) -> TableClause | None:
    """Return the table that an alias or sample stands for, ``None`` for anything that is no table."""
    while isinstance(element, (Alias, TableSample, FromGrouping)):
        element = element.element
    return element if isinstance(element, TableClause) else None


def plan(
    froms: Iterable[FromClause],
    is_tenant: Callable[[TableClause], bool],
    belongs: Callable[[FromClause], ColumnElement[bool]],
) -> Plan:
    """Place the predicates for one SELECT, UPDATE or DELETE.

    :param froms: the elements that the statement itself displays in FROM
    :param is_tenant: whether a table's rows belong to tenants
    :param belongs: makes the predicate of a table or alias
    """
    result = Plan()

    def claim(element: FromClause) -> list[FromClause]:
        """Claim what can be filtered above ``element``; put the rest into ON as it goes. Returns the claimed."""
        if isinstance(element, FromGrouping):
            return claim(element.element)
        if isinstance(element, Join):
            if element.full:
                # Filtered above, a full join would lose the rows that it null-extends: both sides filter themselves.
                return []
            above = claim(element.left)
            right = claim(element.right)
            if right:
                result.on[id(element)] = [belongs(r) for r in right]
                if not element.isouter:
                    result.required.extend(right)
            return above
        table = table_below(element)
        if table is None or not is_tenant(table):
            return []
        inner: object = element
        while isinstance(inner, (Alias, TableSample, FromGrouping)):
            result.claimed.add(id(inner))
            inner = inner.element
        result.claimed.add(id(element))
        return [element]

    for element in froms:
        above = claim(element)
        result.where.extend(belongs(f) for f in above)
        result.required.extend(above)
    return result
