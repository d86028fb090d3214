"""Expressions as SQL text: one renderer for each function of :data:`~flask_tenant.expressions.FUNCTIONS`.

The text means exactly what :mod:`flask_tenant.evaluation` works out: logic is three-valued, texts are compared letter
by letter whatever the column's collation, timestamps are in UTC. It holds no percent sign, colon or backslash outside
of names, so that no driver and no ``text()`` takes a part of it for a placeholder.

On PostgreSQL every timestamp is a ``timestamp`` in UTC while an expression is worked out. On SQLite a date is the
text ``YYYY-MM-DD`` and a timestamp ``YYYY-MM-DD HH.MM.SS.ffffff`` (colons for the first two points), as SQLAlchemy
stores them. A duration is a whole number of microseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from ...errors import RuleEngineError
from ...expressions import Call, Column, Constant, Expression, Fact, Kind, Slot

Dialect = Literal["sqlite", "postgresql"]

_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_ .,;@/#()+=<>*!-]*\Z")
_DAY = 86_400_000_000
_SECOND = 1_000_000
_MICROSECOND = timedelta(microseconds=1)

PG_TYPES = {
    Kind.BOOL: "boolean",
    Kind.INT: "bigint",
    Kind.NUMBER: "numeric",
    Kind.TEXT: "text",
    Kind.DATE: "date",
    Kind.TIME: "timestamp",
    Kind.DURATION: "bigint",
    Kind.TEXTS: "text[]",
    Kind.INTS: "bigint[]",
}
LOCAL_DAY = "ft_local_day"
"""What SQLite calls :func:`~flask_tenant.evaluation.zones.day_of_text`; PostgreSQL knows time zones itself."""
_PG_TEXT = ("text", "character varying", "varchar")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression is rendered.

    :param column: renders a column of the row in question, qualified
    :param slot: renders the place of a value
    :param type_of: the type of a column as the database declares it, in lower case
    """

    dialect: Dialect
    column: Callable[[str], str]
    slot: Callable[[Slot], str]
    type_of: Callable[[str], str]


def render(expression: Expression, place: Place) -> str:
    """Return an expression as SQL that can stand anywhere: in parentheses where it needs them.

    :raises RuleEngineError: for what has no meaning in SQL
    """
    if isinstance(expression, Constant):
        return literal(expression.kind, expression.value, place.dialect)
    if isinstance(expression, Slot):
        return _slot(expression, place)
    if isinstance(expression, Column):
        return _column(expression, place)
    if isinstance(expression, Fact):
        raise RuleEngineError(
            f"The fact {expression.name!r} stands where rows are compared", value=expression.name
        )
    try:
        renderer = RENDERERS[expression.function]
    except KeyError:
        raise RuleEngineError(
            f"There is no function {expression.function!r}", value=expression.function
        ) from None
    return renderer(expression, place)


def truth(expression: Expression, place: Place) -> str:
    """Return a condition as it stands beside others in WHERE, where unknown and false are the same.

    ``IS TRUE`` is left out where it says nothing, so that the database can use an index.
    """
    if isinstance(expression, Call):
        if expression.function == "is_true":
            return truth(expression.arguments[0], place)
        if expression.function in ("&&", "||"):
            word = " AND " if expression.function == "&&" else " OR "
            return f"({word.join(truth(a, place) for a in expression.arguments)})"
    return render(expression, place)


# ---- leaves
def literal(kind: Kind, value: Any, dialect: Dialect) -> str:
    """Return a value as SQL text that needs no knowledge of quoting rules to be safe.

    Numbers and dates are digits; a text of anything but plain letters is written as hexadecimal digits on PostgreSQL,
    whose literals depend on settings and whose drivers read percent signs.
    """
    if value is None:
        return "NULL" if dialect == "sqlite" else f"CAST(NULL AS {PG_TYPES[kind]})"
    if kind in (Kind.TEXTS, Kind.INTS):
        return _literal_list(kind, value, dialect)
    value = plain(kind, value, dialect)
    if isinstance(value, str):
        return text_literal(value, dialect)
    if dialect == "sqlite":
        return _number(value)
    if kind is Kind.BOOL:
        return "TRUE" if value else "FALSE"
    if kind in (Kind.INT, Kind.NUMBER, Kind.DURATION):
        return _number(value)
    if kind is Kind.DATE:
        return f"DATE '{_iso(value)}'"
    if kind is Kind.TIME:
        when = f"{_iso(value)} {value.hour} hours {value.minute} minutes {value.second}.{value.microsecond:06} seconds"
        day, _, rest = when.partition(" ")
        return f"(TIMESTAMP '{day}' + INTERVAL '{rest}')"
    raise RuleEngineError(f"A value of kind {kind.value} has no place in SQL", value=value)


def text_literal(value: str, dialect: Dialect) -> str:
    """Return a text as SQL."""
    if _PLAIN_TEXT.match(value):
        return f"'{value}'"
    if dialect == "postgresql":
        return f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
    return f"CAST(x'{value.encode().hex()}' AS TEXT)"


def _number(value: Any) -> str:
    if isinstance(value, Decimal):
        text = format(value, "f")
    elif isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
    else:
        text = str(int(value))
    return f"({text})" if text.startswith("-") else text


def _iso(value: date) -> str:
    return f"{value.year:04}-{value.month:02}-{value.day:02}"


def _literal_list(kind: Kind, value: Iterable[Any], dialect: Dialect) -> str:
    item = Kind.TEXT if kind is Kind.TEXTS else Kind.INT
    items = [literal(item, one, dialect) for one in value]
    if dialect == "sqlite":
        return f"json_array({', '.join(items)})"
    return f"CAST(ARRAY[{', '.join(items)}] AS {PG_TYPES[kind]})"


def plain(kind: Kind, value: Any, dialect: Dialect) -> Any:
    """Return a typed value as the database's driver takes it."""
    if value is None:
        return None
    if kind is Kind.DURATION:
        return value // _MICROSECOND
    if kind is Kind.TIME:
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    if dialect == "postgresql":
        return list(value) if kind in (Kind.TEXTS, Kind.INTS) else value
    if kind is Kind.DATE:
        return _iso(value)
    if kind is Kind.TIME:
        return _sqlite_time(value)
    if kind is Kind.BOOL:
        return int(value)
    if kind is Kind.NUMBER:
        whole = int(value)
        return whole if whole == value and abs(whole) < 2**63 else float(value)
    if kind in (Kind.TEXTS, Kind.INTS):
        return json.dumps(list(value))
    return value


def _sqlite_time(value: datetime) -> str:
    return f"{_iso(value)} {value.hour:02}:{value.minute:02}:{value.second:02}.{value.microsecond:06}"


def _slot(slot: Slot, place: Place) -> str:
    text = place.slot(slot)
    return text if place.dialect == "sqlite" else f"CAST({text} AS {PG_TYPES[slot.kind]})"


def _column(column: Column, place: Place) -> str:
    text, declared = place.column(column.name), place.type_of(column.name)
    if place.dialect == "sqlite":
        if column.kind is Kind.DURATION:
            raise RuleEngineError(
                f"The column {column.name!r} is a duration, which SQLite cannot compare", value=column.name
            )
        return text
    if column.kind is Kind.TEXT and not declared.startswith(_PG_TEXT):
        return f"CAST({text} AS text)"
    if column.kind is Kind.BOOL and declared != "boolean":
        return f"({text} <> 0)"
    if column.kind is Kind.DATE and declared != "date":
        return f"CAST({text} AS date)"
    if column.kind is Kind.TIME and declared.endswith("with time zone") and "without" not in declared:
        return f"({text} AT TIME ZONE 'UTC')"
    if column.kind is Kind.DURATION:
        return f"CAST(extract(epoch FROM {text}) * {_SECOND} AS bigint)"
    return text


# ---- functions
def _arguments(call: Call, place: Place) -> list[str]:
    return [render(argument, place) for argument in call.arguments]


def _joined(word: str) -> Renderer:
    return lambda call, place: f"({f' {word} '.join(_arguments(call, place))})"


def _behind(words: str) -> Renderer:
    return lambda call, place: f"({render(call.arguments[0], place)} {words})"


def _comparison(symbol: str) -> Renderer:
    def renderer(call: Call, place: Place) -> str:
        left, right = _arguments(call, place)
        kinds = {argument.kind for argument in call.arguments}
        if kinds & {Kind.TEXTS, Kind.INTS}:
            raise RuleEngineError("Lists are compared where rows are", value=symbol)
        if kinds == {Kind.TEXT}:
            if place.dialect == "sqlite":
                right = f"({right} COLLATE BINARY)"
            elif symbol not in ("=", "<>"):
                right = f'({right} COLLATE "C")'
        return f"({left} {symbol} {right})"

    return renderer


def _in(call: Call, place: Place) -> str:
    value, items = call.arguments
    left = render(value, place)
    if isinstance(items, Constant) and isinstance(items.value, tuple) and items.value:
        kind = Kind.TEXT if items.kind is Kind.TEXTS else Kind.INT
        listed = ", ".join(literal(kind, one, place.dialect) for one in items.value)
        if place.dialect == "sqlite" and kind is Kind.TEXT:
            left = f"({left} COLLATE BINARY)"
        return f"({left} IN ({listed}))"
    right = render(items, place)
    if place.dialect == "sqlite":
        inside = f"{left} COLLATE BINARY IN (SELECT ft_item.value FROM json_each({right}) AS ft_item)"
    else:
        inside = f"{left} = ANY({right})"
    return f"(CASE WHEN {known(left, place.dialect)} AND {known(right, place.dialect)} THEN {inside} END)"


def known(text: str, dialect: Dialect) -> str:
    """Return the question whether a value is not NULL.

    SQLite 3.40 answers ``column IS NOT NULL`` in RETURNING with true wherever the table's first column is NOT NULL.
    """
    return f"typeof({text}) <> 'null'" if dialect == "sqlite" else f"{text} IS NOT NULL"


def _days(duration: Expression, place: Place) -> str:
    """Whole days of a duration, rounded down, as Python's ``timedelta.days``."""
    if isinstance(duration, Constant) and isinstance(duration.value, timedelta):
        return _number(duration.value.days)
    text = render(duration, place)
    if place.dialect == "postgresql":
        return f"CAST(floor({text} / {_DAY}.0) AS integer)"
    return _floor(text, _DAY)


def _floor(text: str, unit: int) -> str:
    # SQLite rounds towards zero, and modulo would bring in a percent sign
    return f"(({text}) / {unit} - (({text}) < 0 AND ({text}) / {unit} * {unit} <> ({text})))"


def _moved(sign: str) -> Renderer:
    """A date or timestamp, moved by a duration."""

    def renderer(call: Call, place: Place) -> str:
        when, by = call.arguments
        if when.kind is Kind.DURATION:
            when, by = by, when
        text = render(when, place)
        if when.kind is Kind.DATE:
            days = _days(by, place)
            if place.dialect == "postgresql":
                return f"({text} {sign} {days})"
            return f"date({text}, (({days}) * {sign}1) || ' days')"
        moved = render(by, place)
        if place.dialect == "postgresql":
            return f"({text} {sign} {moved} * INTERVAL '1 microsecond')"
        fraction = "CAST(substr(ft_v.t, 21, 6) AS INTEGER) + ft_v.u"
        seconds = _floor(fraction, _SECOND)
        rest = f"({fraction}) - ({seconds}) * {_SECOND}"
        return (
            f"(SELECT datetime(substr(ft_v.t, 1, 19), ({seconds}) || ' seconds') || '.' || "
            f"substr('000000' || ({rest}), -6) FROM (SELECT {text} AS t, {sign}({moved}) AS u) AS ft_v)"
        )

    return renderer


def _arithmetic(symbol: str) -> Renderer:
    moved = _moved(symbol) if symbol != "*" else None

    def renderer(call: Call, place: Place) -> str:
        kinds = [argument.kind for argument in call.arguments]
        if Kind.DURATION in kinds and moved is not None:
            return moved(call, place)
        texts = _arguments(call, place)
        if call.kind is Kind.TEXT:
            return f"({' || '.join(texts)})"
        if place.dialect == "postgresql":  # which raises an error when an integer overflows
            texts = [f"CAST({text} AS numeric)" for text in texts]
        return f"({f' {symbol} '.join(texts)})"

    return renderer


def _starts(call: Call, place: Place) -> str:
    whole, part = _arguments(call, place)
    if place.dialect == "postgresql":
        return f"(left({whole}, char_length({part})) = {part})"
    return f"(substr({whole}, 1, length({part})) = {part} COLLATE BINARY)"


def _ends(call: Call, place: Place) -> str:
    whole, part = _arguments(call, place)
    if place.dialect == "postgresql":
        return f"(right({whole}, char_length({part})) = {part})"
    return (
        f"(length({part}) <= length({whole}) AND "
        f"substr({whole}, length({whole}) - length({part}) + 1) = {part} COLLATE BINARY)"
    )


def _contains(call: Call, place: Place) -> str:
    whole, part = _arguments(call, place)
    return f"({'strpos' if place.dialect == 'postgresql' else 'instr'}({whole}, {part}) > 0)"


def _size(call: Call, place: Place) -> str:
    (only,) = call.arguments
    text = render(only, place)
    if only.kind is Kind.TEXT:
        return f"{'char_length' if place.dialect == 'postgresql' else 'length'}({text})"
    return f"{'cardinality' if place.dialect == 'postgresql' else 'json_array_length'}({text})"


def _ascii(name: str) -> Renderer:
    def renderer(call: Call, place: Place) -> str:
        text = render(call.arguments[0], place)
        return f'{name}({text} COLLATE "C")' if place.dialect == "postgresql" else f"{name}({text})"

    return renderer


def _month_start(call: Call, place: Place) -> str:
    text = render(call.arguments[0], place)
    if place.dialect == "postgresql":
        return f"CAST(date_trunc('month', CAST({text} AS timestamp)) AS date)"
    return f"date({text}, 'start of month')"


def _month_end(call: Call, place: Place) -> str:
    text = render(call.arguments[0], place)
    if place.dialect == "postgresql":
        month = f"date_trunc('month', CAST({text} AS timestamp))"
        return f"CAST({month} + INTERVAL '1 month' - INTERVAL '1 day' AS date)"
    end = f"date({text}, 'start of month', '+1 month', '-1 day')"
    return f"(CASE WHEN substr({text}, 1, 7) = '9999-12' THEN '9999-12-31' ELSE {end} END)"


def _date(call: Call, place: Place) -> str:
    text, *zones = _arguments(call, place)
    if not zones:
        return text
    (zone,) = zones
    if place.dialect == "postgresql":
        return f"CAST((({text} AT TIME ZONE 'UTC') AT TIME ZONE {zone}) AS date)"
    return f"(CASE WHEN {zone} = 'UTC' THEN substr({text}, 1, 10) ELSE {LOCAL_DAY}({text}, {zone}) END)"


def _never(call: Call, place: Place) -> str:
    raise RuleEngineError(f"{call.function!r} is asked of the request, not of a row", value=call.function)


def _if(call: Call, place: Place) -> str:
    test, then, otherwise = _arguments(call, place)
    return f"(CASE WHEN {test} THEN {then} ELSE {otherwise} END)"


def _coalesce(call: Call, place: Place) -> str:
    texts = _arguments(call, place)
    return f"coalesce({', '.join(texts)})" if len(texts) > 1 else texts[0]


Renderer = Callable[[Call, Place], str]

RENDERERS: dict[str, Renderer] = {
    "&&": _joined("AND"),
    "||": _joined("OR"),
    "!": lambda call, place: f"(NOT {render(call.arguments[0], place)})",
    "==": _comparison("="),
    "!=": _comparison("<>"),
    "<": _comparison("<"),
    "<=": _comparison("<="),
    ">": _comparison(">"),
    ">=": _comparison(">="),
    "in": _in,
    "+": _arithmetic("+"),
    "-": _arithmetic("-"),
    "*": _arithmetic("*"),
    "startsWith": _starts,
    "endsWith": _ends,
    "contains": _contains,
    "size": _size,
    "lower": _ascii("lower"),
    "upper": _ascii("upper"),
    "month_start": _month_start,
    "month_end": _month_end,
    "date": _date,
    "day_start": _never,
    "day_end": _never,
    "if": _if,
    "coalesce": _coalesce,
    "is_true": _behind("IS TRUE"),
    "not_false": _behind("IS NOT FALSE"),
    "is_known": lambda call, place: f"({known(render(call.arguments[0], place), place.dialect)})",
}
