"""Amounts, numbers, dates and times as people write them where the company is."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import flask_babel
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from flask import Flask

from demo_app.models import Country
from demo_app.settings import company


def company_locale() -> str:
    """The locale that the owner has chosen; one that is not known falls back to British English."""
    try:
        return str(Locale.parse(company().locale))
    except (ValueError, UnknownLocaleError):
        return "en_GB"


def locale() -> Locale:
    """The locale in which this page is written."""
    return flask_babel.get_locale() or Locale("en", "GB")


def language() -> str:
    """The page's language, as HTML names it."""
    return locale().language


def money(value: Decimal, currency: str | None = None) -> str:
    """An amount with its currency, e.g. ``£1,234.50``."""
    return format_currency(value, currency or company().currency, locale=locale())


def round_money(value: Decimal) -> str:
    """An amount without its cents, for charts and axes."""
    pattern = locale().currency_formats["standard"].pattern.replace("0.00", "0")
    return format_currency(value, company().currency, pattern, locale(), currency_digits=False)


def number(value: Decimal) -> str:
    """A plain number with as many places as it needs."""
    return format_decimal(value, locale=locale())


def percent(value: Decimal) -> str:
    """A percentage: ``19`` becomes ``19 %`` in German and ``19%`` in English."""
    return format_percent(value / 100, locale=locale(), decimal_quantization=False)


def day(value: date) -> str:
    return format_date(value, "medium", locale=locale())


def moment(value: datetime) -> str:
    """A day and a time where the company is, to the minute.

    :param value: in UTC, without a zone, as timestamps are stored
    """
    value = flask_babel.to_user_timezone(value)
    return f"{day(value.date())}, {format_time(value.time(), 'short', locale=locale())}"


def month(value: str) -> str:
    """``2026-03`` as ``Mar 2026``."""
    return format_date(date.fromisoformat(f"{value}-01"), "LLL yyyy", locale=locale())


def short_month(value: str) -> str:
    """``2026-03`` as ``Mar``, and a January with its year: for the axis of a chart."""
    pattern = "LLL ’yy" if value.endswith("-01") else "LLL"
    return format_date(date.fromisoformat(f"{value}-01"), pattern, locale=locale())


def country(value: Country) -> str:
    """A country's name in the page's language."""
    return str(locale().territories.get(value.code, value.name))


def locale_name(name: str) -> str:
    """``de_DE`` as ``German (Germany)``, in the page's language."""
    return Locale.parse(name).get_display_name(locale()) or name


def init_app(app: Flask) -> None:
    app.jinja_env.globals["language"] = language
    for function in (money, round_money, number, percent, day, moment, month, country):
        app.add_template_filter(function)
