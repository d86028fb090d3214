"""Which language is taken, and what is said in it."""

from __future__ import annotations

import pickle
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from jinja2 import Environment

from flask_tenant.translations import (
    Catalogues,
    Message,
    dates,
    gettext,
    language,
    ngettext,
    speaking,
    translated,
)
from flask_tenant.translations.templates import install

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def write(folder: Path, name: str, **messages: str) -> None:
    """Write a catalogue of an application's own; blanks are written as underscores."""
    catalog = Catalog()
    for message, text in messages.items():
        catalog.add(message.replace("_", " "), text)
    path = folder / name / "LC_MESSAGES" / "flask_tenant.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalog)


@pytest.fixture
def ours(tmp_path: Path) -> Catalogues:
    return Catalogues(tmp_path / "none")


@pytest.mark.parametrize(
    ("locale", "header", "tag", "text"),
    [
        ("", None, "en", "Log in"),
        ("", "", "en", "Log in"),
        ("de_DE", "fr", "de-DE", "Anmelden"),
        ("en_US", "de", "en-US", "Log in"),
        ("", "de-AT, en;q=0.8", "de", "Anmelden"),
        ("", "en-GB, de;q=0.9", "en", "Log in"),
        ("", "ja, fr;q=0.2, de;q=0.1", "fr", "Se connecter"),
        ("", "de;q=0, fr;q=0.1", "fr", "Se connecter"),
        ("", "*", "en", "Log in"),
        ("ja", "de", "de", "Anmelden"),
        ("ja", None, "en", "Log in"),
        ("", "../../etc, \x00, " + "x" * 5000, "en", "Log in"),
        ("", ",".join(["ja"] * 1000) + ",de", "en", "Log in"),
    ],
)
def test_which_language(ours: Catalogues, locale: str, header: str | None, tag: str, text: str) -> None:
    chosen = ours.choose(locale, header)
    with speaking(chosen):
        assert (language().tag, gettext("Log in")) == (tag, text)
    assert gettext("Log in") == "Log in"


def test_values_and_numbers(ours: Catalogues) -> None:
    with speaking(ours.choose("de", None)):
        assert gettext("%(email)s is invited.", email="100 %s") == "100 %s ist eingeladen."
        forms = ("There were too many attempts. Try again in %(num)d minute.", "… %(num)d minutes.")
        assert ngettext(*forms, 1).endswith("in 1 Minute noch einmal.")
        assert ngettext(*forms, 2).endswith("in 2 Minuten noch einmal.")
    assert ngettext("%(num)d cat", "%(num)d cats", 0) == "0 cats"


def test_a_message_is_english_until_it_is_said(ours: Catalogues) -> None:
    message = Message("%(email)s is invited.", email="a@b")
    with speaking(ours.choose("de", None)):
        assert (str(message), f"{message}!") == ("a@b is invited.", "a@b is invited.!")
        assert translated(message) == "a@b ist eingeladen."
        assert translated("Log in") == "Log in", "plain text stays as it is: somebody may be called so"
        again = pickle.loads(pickle.dumps(message))
        assert translated(again) == "a@b ist eingeladen."


def test_an_application_adds_and_overrides(tmp_path: Path) -> None:
    write(tmp_path, "es", Log_in="Entrar")
    write(tmp_path, "de", Log_in="Rein da")
    write(tmp_path, "en", Log_in="Sign in")
    write(tmp_path, "de_CH", Members="Mitgliederinnen")
    catalogues = Catalogues(tmp_path)
    said = {}
    for locale in ("es_MX", "de_AT", "de_CH", "en_GB", "fr"):
        with speaking(catalogues.choose(locale, None)):
            said[locale] = (gettext("Log in"), gettext("Log out"), gettext("Members"))
    assert said == {
        "es_MX": ("Entrar", "Log out", "Members"),
        "de_AT": ("Rein da", "Abmelden", "Mitglieder"),
        "de_CH": ("Rein da", "Abmelden", "Mitgliederinnen"),
        "en_GB": ("Sign in", "Log out", "Members"),
        "fr": ("Se connecter", "Se déconnecter", "Membres"),
    }


def test_a_translation_that_wants_other_values_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = ("Hola %(nmae)s", "Hola %s", "Hola 100 %", "Hola %(name)", "%(name)x")
    catalogues = []
    for number, text in enumerate(wrong):
        write(tmp_path / str(number), "es", **{"Hi_%(name)s": text})
        catalogues.append(Catalogues(tmp_path / str(number)))
    for each, text in zip(catalogues, wrong, strict=True):
        with speaking(each.choose("es", None)):
            assert gettext("Hi %(name)s", name="Ana") == "Hi Ana", text
    assert len(caplog.records) == len(wrong)


def test_values_are_escaped_and_translations_are_not(tmp_path: Path) -> None:
    write(tmp_path, "es", **{"Hi_<b>%(name)s</b>": "Hola <b>%(name)s</b>"})
    environment = Environment(autoescape=True)
    install(environment)
    templates = (
        "{% trans %}Hi <b>{{ name }}</b>{% endtrans %}",
        '{{ _("Hi <b>%(name)s</b>", name=name) }}',
    )
    with speaking(Catalogues(tmp_path).choose("es", None)):
        for template in templates:
            said = environment.from_string(template).render(name="<script>%(x)s")
            assert said == "Hola <b>&lt;script&gt;%(x)s</b>"


@pytest.mark.parametrize(
    ("locale", "zone", "day", "moment"),
    [
        ("", "", "22 November 2026", "22 Nov 2026, 23:30 UTC"),
        ("", "Europe/Berlin", "23 November 2026", "23 Nov 2026, 00:30 CET"),
        ("de_DE", "Europe/Berlin", "23. November 2026", "23.11.2026, 00:30 MEZ"),
        ("fr", "Europe/Paris", "23 novembre 2026", "23 nov. 2026, 00:30 CET"),
        ("en_US", "America/Chicago", "November 22, 2026", "Nov 22, 2026, 5:30\u202fPM CST"),
    ],
)
def test_dates(ours: Catalogues, locale: str, zone: str, day: str, moment: str) -> None:
    with speaking(ours.choose(locale, None)):
        assert (dates.day(AT, zone), dates.moment(AT, zone)) == (day, moment)


def test_dates_without_babel(ours: Catalogues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel", None)
    dates._locale.cache_clear()
    try:
        with speaking(ours.choose("de", None)):
            assert (dates.day(AT, "Europe/Berlin"), dates.moment(AT, "")) == (
                "2026-11-23",
                "2026-11-22 23:30 UTC",
            )
        assert dates.day(AT, "") == "22 November 2026"
    finally:
        dates._locale.cache_clear()
