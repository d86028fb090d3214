"""What in a statement may raise an error, or tell of the values that it is given.

A database evaluates conditions in any order it likes. So ``1 / (x - 5) > 0`` beside a rule's filter may be worked out
for rows that the filter takes away, and its error tells that such a row is there. A statement with anything but total
operators and functions therefore gets its filtered tables fenced: nothing of it is worked out before the filter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.sql import operators as op
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import (
    BinaryExpression,
    ColumnClause,
    TextClause,
    UnaryExpression,
)
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Join, ScalarSelect

from ..rawsql.lexer import NAME, OP, QUOTED, Token
from ..rawsql.words import words

TOTAL = words(
    """avg char_length coalesce count dense_rank length lower max min now nullif rank row_number sum upper"""
)
"""Functions that give an answer for every value."""

_TOTAL_OPERATORS = frozenset({
    op.eq, op.ne, op.lt, op.le, op.gt, op.ge, op.is_, op.is_not, op.is_distinct_from, op.is_not_distinct_from,
    op.in_op, op.not_in_op, op.between_op, op.not_between_op, op.and_, op.or_, op.comma_op,
})  # fmt: skip
_TOTAL_UNARY = frozenset(
    {op.inv, op.exists, op.distinct_op, op.is_true, op.is_false, op.asc_op, op.desc_op, None}
)
_TOTAL_NODES = frozenset({
    "binary", "unary", "column", "bindparam", "clauselist", "expression_clauselist", "grouping", "null", "true",
    "false", "label", "case", "select", "select_statement_grouping", "compound_select", "table", "alias", "subquery",
    "cte", "join", "tuple", "asbool", "function", "label_reference", "textual_label_reference", "lateral",
    "annotated", "from_grouping", "select_label_style", "label_style",
})  # fmt: skip


def conditions(statement: Any) -> Iterable[Any]:
    """Yield every condition of a statement, those of the statements within it included."""
    for element in visitors.iterate(statement):
        yield from getattr(element, "_where_criteria", ())
        yield from getattr(element, "_having_criteria", ())
        if isinstance(element, Join) and element.onclause is not None:
            yield element.onclause
        for step in getattr(element, "_setup_joins", ()):
            if step[1] is not None:
                yield step[1]


def may_tell(condition: Any) -> bool:
    """Whether a condition may raise an error, or tell of its values otherwise."""
    return any(map(_tells, visitors.iterate(condition)))


def _tells(element: Any) -> bool:
    if isinstance(element, BinaryExpression):
        return element.operator not in _TOTAL_OPERATORS
    if isinstance(element, UnaryExpression):
        return element.operator not in _TOTAL_UNARY or element.modifier not in _TOTAL_UNARY
    if isinstance(element, FunctionElement):
        return ".".join((*getattr(element, "packagenames", ()), getattr(element, "name", ""))) not in TOTAL
    if isinstance(element, ColumnClause):
        return element.is_literal
    if isinstance(element, TextClause | ScalarSelect):
        return True  # more rows than one are an error
    return getattr(element, "__visit_name__", "") not in _TOTAL_NODES


# ---- raw SQL
_SYMBOLS = frozenset({"=", "<>", "!=", "==", "<", ">", "<=", ">=", "(", ")", ",", ".", ";"})
_TELLING = words(
    """ALL ANY ARRAY AT CAST ESCAPE GLOB ILIKE INTERVAL LIKE MATCH OPERATOR OVERLAPS REGEXP ROW SIMILAR SOME"""
)
_BRACKETS = words(
    """AND AS BETWEEN BY CASE CONFLICT DISTINCT ELSE EXCEPT EXISTS FILTER FROM HAVING IN INTERSECT INTO IS JOIN
    LATERAL LIMIT MATERIALIZED NOT OFFSET ON OR OVER RETURNING SELECT SET THEN UNION USING VALUES WHEN WHERE WITH"""
)


def tokens_may_tell(tokens: list[Token]) -> bool:
    """Whether SQL text holds anything but total operators and functions."""
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else token
        behind = tokens[at + 1] if at + 1 < len(tokens) else token
        if token.kind == OP:
            if token.key == "*":
                star = before.key in ("(", ",", ".", "SELECT", "DISTINCT", "RETURNING")
                if not star:
                    return True
            elif token.key not in _SYMBOLS or (
                token.key not in ("(", ",", ")")
                and behind.key == "("
                and tokens[at + 2].key in ("SELECT", "WITH")
            ):
                return True
        elif token.kind in (NAME, QUOTED):
            if token.key in _TELLING:
                return True
            called = behind.kind == OP and behind.key == "("
            named = before.key in (
                "INTO",
                "AS",
                "WITH",
                ",",
                "RECURSIVE",
            )  # a table, or a CTE, with its columns
            if (
                called
                and token.key not in _BRACKETS
                and token.name.lower() not in TOTAL
                and not (named and _is_list(tokens, at + 1))
            ):
                return True
    return False


def _is_list(tokens: list[Token], at: int) -> bool:
    """Whether a bracket holds nothing but names."""
    at += 1
    while tokens[at].kind in (NAME, QUOTED):
        if tokens[at + 1].key == ")":
            return tokens[at + 2].key in ("AS", "VALUES", "SELECT", "OVERRIDING", "WITH")
        if tokens[at + 1].key != ",":
            return False
        at += 2
    return False
