"""Exact decimal numbers: amounts, quantities and percentages with two places."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import BigInteger, Numeric
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def rounded(value: Decimal) -> Decimal:
    """Round to two places, halves away from zero, as invoices do."""
    return value.quantize(CENT, ROUND_HALF_UP)


def from_cents(cents: Any) -> Decimal:
    """Hundredths, as the database stores them, as a decimal number; ``None`` counts as nothing."""
    return Decimal(cents or 0).scaleb(-2).quantize(CENT)


class Hundredths(TypeDecorator[Decimal]):
    """A decimal with two places, stored as a whole number of hundredths.

    SQLite has no exact decimal type: sums of its floating point numbers would drift by a cent.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(rounded(Decimal(value)).scaleb(2))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_cents(value)


class Amount(TypeDecorator[Decimal]):
    """A decimal with two places, stored as such, where nothing is summed up by the database.

    People who write SQL find the amount itself: an order above ten thousand is ``total > 10000``.
    """

    impl = Numeric(12, 2, asdecimal=False)  # SQLAlchemy warns of decimals on SQLite; two places survive
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        exact = rounded(Decimal(value))
        return float(exact) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else rounded(Decimal(str(value)))
