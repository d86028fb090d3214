"""Flask-Babel speaks the tenant's language, also where one context works for several tenants in turn."""

from __future__ import annotations

from datetime import UTC, datetime

import flask_babel
import pytest
from flask import Flask
from flask_babel import Babel, force_locale, format_datetime, get_locale, get_timezone

from flask_tenant import tenant_context
from tests.theme.conftest import Write, get

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def app(fresh_app: Flask) -> Flask:
    return fresh_app


@pytest.fixture
def babel(app: Flask, write: Write) -> Babel:
    write("tenants/acme/theme.yaml", "language: de_DE\ntimezone: Europe/Berlin\n")
    write("tenants/bella/theme.yaml", "timezone: America/New_York\n")
    babel = Babel(app, locale_selector=lambda: "fr", timezone_selector=None)

    @app.get("/now")
    def now() -> str:
        return f"{get_locale()} {get_timezone()} {format_datetime(NOON, 'EEEE HH:mm')}"

    return babel


def test_requests(app: Flask, babel: Babel) -> None:
    assert get(app, "acme", "/now").text == "de_DE Europe/Berlin Sonntag 13:00"
    assert (
        get(app, "bella", "/now").text == "fr America/New_York dimanche 07:00"
    )  # its own choice of language
    assert get(app, "acme", "/now").text == "de_DE Europe/Berlin Sonntag 13:00"


def test_one_context_for_several_tenants(app: Flask, babel: Babel) -> None:
    with app.app_context():
        with tenant_context("acme"):
            assert str(get_locale()) == "de_DE"
            with tenant_context("bella"):
                assert (str(get_locale()), str(get_timezone())) == ("fr", "America/New_York")
            assert (str(get_locale()), str(get_timezone())) == ("de_DE", "Europe/Berlin")
        with force_locale("sv"):
            with tenant_context("acme"):
                assert str(get_locale()) == "de_DE"
            assert str(get_locale()) == "sv"


def test_flask_babel_remembers_what_we_make_it_forget(app: Flask, babel: Babel) -> None:
    """The names are Flask-Babel's own: another release may call them otherwise."""
    with app.app_context(), tenant_context("acme"):
        get_locale(), get_timezone()
        assert {"babel_locale", "babel_tzinfo"} <= vars(flask_babel._get_current_context()).keys()
