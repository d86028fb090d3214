"""Words with a meaning in the grammar, and names that the databases give a meaning of their own."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


_CLAUSES = words(
    """AS CROSS EXCEPT FROM FULL GROUP HAVING INNER INTERSECT INTO JOIN LEFT LIMIT NATURAL ON ORDER
    OUTER RETURNING RIGHT SELECT TABLE UNION USING WHERE"""
)

STOPS = {
    "sqlite": _CLAUSES | {"VALUES", "SET", "INDEXED"},
    "postgresql": _CLAUSES
    | {"WINDOW", "OFFSET", "FETCH", "FOR", "WITH", "ONLY", "LATERAL", "TABLESAMPLE", "DO"},
}
"""An expression ends before these: what follows is its caller's business."""

NOT_ALIAS = {
    "sqlite": STOPS["sqlite"] | {"NOT", "WINDOW", "OFFSET", "DEFAULT"},
    "postgresql": STOPS["postgresql"] | {"SET", "VALUES", "DEFAULT", "OVERRIDING", "WHEN", "NOT"},
}
"""A table's alias without AS is none of these."""

NOT_FUNCTION = {
    "sqlite": words("ALL AND BETWEEN CASE DISTINCT ELSE ESCAPE EXISTS IN IS NOT OR THEN WHEN"),
    "postgresql": words(
        """ALL AND ANY ARRAY BETWEEN BOTH CASE DISTINCT ELSE EXISTS ILIKE IN IS LEADING NOT OR ROW
        SIMILAR SOME SYMMETRIC THEN TO TRAILING VARIADIC WHEN ESCAPE PLACING CUBE ROLLUP"""
    ),
}
"""Words before an opening bracket that call nothing."""

OPERATOR_WORDS = words("LIKE GLOB MATCH REGEXP")
"""Operators that are functions too."""

SET_OPERATORS = words("UNION INTERSECT EXCEPT")
QUERY_STARTS = words("SELECT VALUES WITH TABLE")

ROW_ADDRESSES = {
    "sqlite": words("rowid _rowid_ oid"),
    "postgresql": words("ctid tableoid xmin xmax cmin cmax"),
}

REG_TYPES = words(
    "regclass regcollation regdatabase regnamespace regoper regoperator regproc regprocedure regrole regtype"
)
"""Types whose input looks a name up in the catalogue."""

EXPRESSION_WORDS = words(
    """ALL AND ANY ARRAY ASC BETWEEN BOTH BY CASE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT
    DESC DISTINCT ELSE END ESCAPE EXISTS FALSE FIRST GLOB ILIKE IN IS ISNULL LAST LEADING LIKE
    LOCALTIME LOCALTIMESTAMP NOT NOTNULL NULL NULLS OR REGEXP ROW SIMILAR SOME SYMMETRIC THEN TO
    TRAILING TRUE UNKNOWN WHEN"""
)
"""Words in an expression that are no column, table or type."""

JOINS = words("CROSS FULL INNER JOIN LEFT NATURAL RIGHT")
