"""The application's own SQL inside a statement: ``text()``, ``literal_column``, operators, functions, hints.

Whole statements and fragments go to the raw SQL enforcer; what has no business holding SQL is held to a short list.
"""

from __future__ import annotations

import re
from typing import Any, cast

from sqlalchemy.sql import text as sql_text
from sqlalchemy.sql.elements import BindParameter, ColumnClause, TextClause
from sqlalchemy.sql.functions import (
    FunctionElement,
    aggregate_strings,
    char_length,
    cube,
    grouping_sets,
    localtimestamp,
    next_value,
    now,
    rollup,
)
from sqlalchemy.sql.operators import exists
from sqlalchemy.sql.selectable import TextualSelect

from ...errors import DdlRefusedError, StatementRefusedError
from ...expressions import Slot
from ..functions import HINTS, SAFE
from ..hidden import WHERE, folded
from ..rawsql import Fragment, Place, Placeholders, Spliced
from .base import hidden_column
from .mentions import MentionsMixin

_TRANSLATED = (aggregate_strings, char_length, cube, grouping_sets, localtimestamp, now, rollup)
"""Functions that SQLAlchemy writes in each database's own words, which need not be a function's name there."""

_KEYWORDS = frozenset(["all", "any", "distinct", "some"])
"""Words of SQL with brackets behind them, which SQLAlchemy takes for functions: ``func.count(func.distinct(c))``."""

_SYMBOLS = re.compile(r"[!#%&*+/<=>?@^|~:.-]+\Z")
_WORD_OPERATORS = frozenset(
    [
        "AND",
        "OR",
        "XOR",
        "NOT",
        "IN",
        "NOT IN",
        "IS",
        "IS NOT",
        "IS DISTINCT FROM",
        "IS NOT DISTINCT FROM",
        "LIKE",
        "NOT LIKE",
        "ILIKE",
        "NOT ILIKE",
        "GLOB",
        "NOT GLOB",
        "MATCH",
        "NOT MATCH",
        "REGEXP",
        "NOT REGEXP",
        "RLIKE",
        "SIMILAR TO",
        "NOT SIMILAR TO",
        "BETWEEN",
        "DIV",
        "MOD",
        "OVERLAPS",
        "COLLATE",
        "AT TIME ZONE",
        "ESCAPE",
    ]
)
_PREFIXES = frozenset(
    [
        "DISTINCT",
        "ALL",
        "OR REPLACE",
        "OR IGNORE",
        "OR ABORT",
        "OR FAIL",
        "OR ROLLBACK",
        "MATERIALIZED",
        "NOT MATERIALIZED",
        "ONLY",
        "FOR UPDATE",
        "FOR SHARE",
        "FOR NO KEY UPDATE",
        "FOR KEY SHARE",
        "NOWAIT",
        "SKIP LOCKED",
    ]
)
_SAMPLES = frozenset({"bernoulli", "system"})
_COMMENT = re.compile(r"/\*(?:(?!\*/|/\*).)*\*/\Z", re.DOTALL)
_QUERY = re.compile(r"\s*(?:SELECT|VALUES|WITH)\b", re.IGNORECASE)
_FIELD = re.compile(r"\w+\Z")


class TextMixin(MentionsMixin):
    """Lets the application's SQL through where it is proven to stay inside the tenant."""

    # ---- whole statements and fragments
    def visit_textclause(self, textclause: TextClause, add_to_result_map: Any = None, **kw: Any) -> str:
        if self._ft_own_work("text()"):
            return self._ft_text(textclause, add_to_result_map, kw)
        whole = not self.stack or isinstance(self.stack[-1]["selectable"], TextualSelect)
        found: Spliced = Fragment((textclause.text,))
        try:
            found = (
                self._ft_whole(textclause.text)
                if whole
                else self._ft_fragment(textclause.text, kw, add_to_result_map)
            )
        except DdlRefusedError:
            found = Fragment((self.wall.ddl_text(textclause.text),))
        except StatementRefusedError as refusal:
            if not whole:
                self._ft_refused(refusal)
            # It may be compiled to be looked at only, as Alembic does with defaults: refused when it is executed.
            self.ft_refusal = refusal
        if found.parts != (textclause.text,):
            binds = [self._ft_hole(hole) for hole in found.holes]
            changed = sql_text(found.filled([f":{bind.key}" for bind in binds]))
            changed._bindparams = {**textclause._bindparams, **{bind.key: bind for bind in binds}}
            textclause = changed
        return self._ft_text(textclause, add_to_result_map, kw)

    def _ft_text(self, textclause: TextClause, add_to_result_map: Any, kw: dict[str, Any]) -> str:
        return cast(str, super().visit_textclause(textclause, add_to_result_map=add_to_result_map, **kw))  # type: ignore[misc]

    def _ft_hole(self, slot: Slot | None) -> BindParameter[Any]:
        """Return what is bound in a hole of rewritten text: the tenant, or a value of the rules."""
        return WHERE if slot is None else self._ft_slot(slot)

    def _ft_slot(self, slot: Slot) -> BindParameter[Any]:
        raise AssertionError("a statement without rules asks for a value of theirs")

    def _ft_filled(self, found: Spliced) -> str:
        return found.filled([self.process(self._ft_hole(hole)) for hole in found.holes])

    def _ft_whole(self, text: str) -> Spliced:
        work_out = self.wall.raw.central if self.wall.shape == "central" else self.wall.raw.statement
        found = work_out(text, "text")
        self.ft_tables.update((v.schema, v.name) for v in (*found.reads, *found.writes) if not v.shared)
        self.ft_reads.update(found.looks_at())
        return found

    def _ft_fragment(
        self, text: str, kw: dict[str, Any], columns: Any, placeholders: Placeholders = "text"
    ) -> Spliced:
        if kw.get("asfrom"):
            place: Place = "from"
        elif columns is not None or kw.get("within_columns_clause"):
            place = "columns"
        else:
            place = "order_by"
        found = self.wall.raw.fragment(text, place, placeholders)
        self.ft_named.update(view.name for view in found.reads)
        if found.star and not (
            len(self.stack) in (self.ft_counting, self.ft_existing) and text.strip() == "*"
        ):
            spelt_out = self._ft_returned(text) if place == "columns" else None
            if spelt_out is not None:
                return Fragment((spelt_out,))
            self._ft_star(text)
        if found.names:
            self._ft_mention(found.names)
        self.ft_tables.update((v.schema, v.name) for v in found.reads if not v.shared)
        self.ft_reads.update(v.name for v in found.reads)
        return found

    def visit_grouping(self, grouping: Any, asfrom: bool = False, **kw: Any) -> str:
        inner = grouping.element
        if isinstance(inner, TextClause) and _QUERY.match(inner.text) and not self._ft_own_work("text()"):
            # in_(text("SELECT ...")): SQLAlchemy writes the brackets that make an expression of a query
            bracketed = TextClause(f"({inner.text})")
            bracketed._bindparams = inner._bindparams
            return cast(str, bracketed._compiler_dispatch(self, **kw))
        return cast(str, super().visit_grouping(grouping, asfrom=asfrom, **kw))  # type: ignore[misc]

    def visit_tstring(self, tstring: Any, **kw: Any) -> str:
        raise StatementRefusedError(
            "A template string as a statement", hint="Use text() with bound parameters, or Core constructs"
        )

    # ---- columns and labels
    def visit_column(self, column: ColumnClause[Any], *args: Any, **kw: Any) -> str:
        if column.is_literal and not self._ft_own_work("literal_column()"):
            return self._ft_literal(column, args, kw)
        name: Any = column.name
        if name is not None and folded(name) in self.dialect.ft_wall.reserved:  # type: ignore[attr-defined]
            self._ft_check_name(column)
        text: str = super().visit_column(column, *args, **kw)  # type: ignore[misc]
        table = column.table
        if table is None:
            if type(column) is ColumnClause:
                self._ft_mention((column.name,))
        elif getattr(table, "schema", None) is not None:
            return self._ft_unqualified(text, table)
        return text

    def _ft_literal(self, column: ColumnClause[Any], args: Any, kw: dict[str, Any]) -> str:
        found = self._ft_fragment(column.name, kw, kw.get("add_to_result_map"), "none")
        text = cast(str, super().visit_column(column, *args, **kw))  # type: ignore[misc]
        if found.parts == (column.name,):
            return text
        escaped = self.escape_literal_column
        filled = Spliced(tuple(escaped(part) for part in found.parts), found.holes)
        return text.replace(escaped(column.name), self._ft_filled(filled), 1)

    def _ft_unqualified(self, text: str, table: Any) -> str:
        """Return a column of a table that has a schema, as it is rendered here."""
        return text

    def visit_label(self, label: Any, *args: Any, **kw: Any) -> str:
        if isinstance(label.name, str) and folded(label.name) == self.wall.config.column.lower():
            self._ft_refused(hidden_column(label.name))  # GROUP BY and ORDER BY could mean either
        return cast(str, super().visit_label(label, *args, **kw))  # type: ignore[misc]

    # ---- types
    def visit_typeclause(self, typeclause: Any, **kw: Any) -> str:
        text = cast(str, super().visit_typeclause(typeclause, **kw))  # type: ignore[misc]
        self._ft_check_type(text)
        return text

    def render_bind_cast(self, type_: Any, dbapi_type: Any, sqltext: str) -> str:
        text = cast(str, super().render_bind_cast(type_, dbapi_type, sqltext))
        self._ft_check_type(text.removeprefix(f"{sqltext}::"))
        return text

    def _ft_check_type(self, text: str) -> None:
        """Refuse a type that is rendered as more than the name of one: it may be of the application's making."""
        if not self._ft_own_work("a type"):
            try:
                self.wall.raw.check_type(text)
            except StatementRefusedError as refusal:
                self._ft_refused(refusal)

    # ---- what must be a word or a sign
    def visit_function(self, func: Any, add_to_result_map: Any = None, **kw: Any) -> str:
        name = ".".join((*func.packagenames, func.name)).lower()
        bare = name.removeprefix("pg_catalog.")
        if isinstance(func, next_value):
            name = bare = "nextval"
        known = (
            bare in SAFE[self.dialect.name]
            or name in _KEYWORDS
            or name in self.wall.config.safe_functions
            or type(func) in _TRANSLATED
            or (bare in _SAMPLES and func is self.ft_sample_method)
        )
        if not known and not self._ft_own_work(f"{name}()"):
            default = "If it reads and writes nothing beyond its arguments, name it in TENANT_SAFE_FUNCTIONS"
            self._ft_refused(
                StatementRefusedError(
                    f"The function {name!r} is not known to be safe",
                    value=name,
                    hint=HINTS.get(bare, default),
                )
            )
        outer, self.ft_counting = self.ft_counting, len(self.stack) if bare == "count" else -1
        try:
            return cast(str, super().visit_function(func, add_to_result_map=add_to_result_map, **kw))  # type: ignore[misc]
        finally:
            self.ft_counting = outer

    ft_sample_method: Any = None
    """The method of the TABLESAMPLE that is being rendered."""

    def visit_tablesample(self, tablesample: Any, asfrom: bool = False, **kw: Any) -> str:
        self.ft_sample_method = tablesample._get_method()
        return cast(str, super().visit_tablesample(tablesample, asfrom=asfrom, **kw))  # type: ignore[misc]

    ft_counting = -1
    """Depth of the statement in whose ``count()`` we are: its ``*`` shows no columns."""

    ft_existing = -1
    """Depth of the statement that is asked for with EXISTS: nor does its ``*``."""

    def visit_unary(self, unary: Any, *args: Any, **kw: Any) -> str:
        if unary.operator is not exists:
            return cast(str, super().visit_unary(unary, *args, **kw))  # type: ignore[misc]
        outer, self.ft_existing = self.ft_existing, len(self.stack) + 1
        try:
            return cast(str, super().visit_unary(unary, *args, **kw))  # type: ignore[misc]
        finally:
            self.ft_existing = outer

    def visit_extract(self, extract: Any, **kw: Any) -> str:
        _plain(extract.field, _FIELD.match(extract.field), "The field of extract()")
        return cast(str, super().visit_extract(extract, **kw))  # type: ignore[misc]

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> str:
        _operator(operator.opstring)
        return cast(str, super().visit_custom_op_binary(element, operator, **kw))  # type: ignore[misc]

    def visit_custom_op_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        _operator(operator.opstring)
        return cast(str, super().visit_custom_op_unary_operator(element, operator, **kw))  # type: ignore[misc]

    def visit_custom_op_unary_modifier(self, element: Any, operator: Any, **kw: Any) -> str:
        _operator(operator.opstring)
        return cast(str, super().visit_custom_op_unary_modifier(element, operator, **kw))  # type: ignore[misc]

    def _generate_prefixes(self, stmt: Any, prefixes: Any, **kw: Any) -> str:
        for prefix, dialect_name in prefixes:
            if dialect_name in (None, "*", self.dialect.name):
                text = getattr(prefix, "text", None)
                known = text is not None and (
                    text.strip().upper() in _PREFIXES or _COMMENT.match(text.strip())
                )
                _plain(text, known, "A prefix or suffix")
        # The prefixes are known words now; their text must not be taken for a fragment.
        words = [p.text for p, name in prefixes if name in (None, "*", self.dialect.name)]
        return "".join(f"{word} " for word in words)

    def get_statement_hint_text(self, hint_texts: Any) -> str:
        for text in hint_texts:
            _plain(text, _COMMENT.match(text.strip()), "A statement hint")
        return cast(str, super().get_statement_hint_text(hint_texts))  # type: ignore[misc]

    def visit_table_valued_column(self, element: Any, **kw: Any) -> str:
        source = getattr(element, "scalar_alias", None)
        if not isinstance(getattr(source, "element", None), FunctionElement):
            self._ft_mention((element.name,))
        return cast(str, super().visit_table_valued_column(element, **kw))  # type: ignore[misc]


def _operator(text: str) -> None:
    text = text.strip()
    symbols = _SYMBOLS.match(text) and "--" not in text and "/*" not in text
    _plain(text, symbols or " ".join(text.upper().split()) in _WORD_OPERATORS, "An operator")


def _plain(text: object, known: object, what: str) -> None:
    if not known:
        raise StatementRefusedError(
            f"{what} that flask_tenant does not know: {text!r}",
            value=text,
            hint="Write it with SQLAlchemy's own constructs, or as a text() statement",
        )
