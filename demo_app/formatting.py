"""Amounts, numbers and dates as the company's locale writes them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from flask import Flask

from demo_app.settings import company


def locale() -> Locale:
    """The company's locale; one that is not known falls back to British English."""
    try:
        return Locale.parse(company().locale)
    except (ValueError, UnknownLocaleError):
        return Locale("en", "GB")


def money(value: Decimal, currency: str | None = None) -> str:
    """An amount with its currency, e.g. ``£1,234.50``."""
    return format_currency(value, currency or company().currency, locale=locale())


def round_money(value: Decimal) -> str:
    """An amount without its cents, for charts and axes."""
    return format_currency(
        value, company().currency, format="¤#,##0", locale=locale(), currency_digits=False
    )


def number(value: Decimal) -> str:
    """A plain number with as many places as it needs."""
    return format_decimal(value, locale=locale())


def percent(value: Decimal) -> str:
    """A percentage: ``19`` becomes ``19 %`` or ``19%``."""
    return f"{format_decimal(value, locale=locale())} %"


def day(value: date) -> str:
    return format_date(value, "medium", locale=locale())


def moment(value: datetime) -> str:
    return format_datetime(value, "medium", locale=locale())


def month(value: str) -> str:
    """``2026-03`` as ``Mar 2026``."""
    return format_date(date.fromisoformat(f"{value}-01"), "LLL yyyy", locale=Locale("en", "GB"))


def init_app(app: Flask) -> None:
    for function in (money, round_money, number, percent, day, moment, month):
        app.add_template_filter(function)
