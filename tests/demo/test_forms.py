"""What is wrong with a form is said where it is, above it and in the title, and the first wrong field has the focus."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient

from demo_app.extensions import db
from demo_app.models import Setting
from tests.demo.conftest import log_in

pytestmark = pytest.mark.databases("sqlite")

LINE = {"lines-0-description": "Saw", "lines-0-quantity": "many", "lines-0-unit_price": "-1"}
WRONG = [
    ("/customers/new", {"name": "", "email": "nobody"}, ["name", "email"]),
    ("/products/new", {"name": "Saw", "unit": "pcs", "tax_rate_id": "1"}, ["sku", "unit_price"]),
    ("/orders/new", {"number": "X"}, ["customer_id", "description", "ordered_on", "total"]),
    ("/tickets/new", {"state": "open"}, ["subject"]),
    ("/settings/users/new", {"name": "Ann", "email": "x", "role": "member"}, ["email"]),
    ("/settings/tax-rates", {"name": "Odd", "percent": "101"}, ["percent"]),
    (
        "/invoices/new",
        {"customer_id": "1", "number": "X", "issued_on": "2026-06-15", "due_date": "2026-06-01", **LINE},
        ["due_date", "lines-0-quantity", "lines-0-unit_price"],
    ),
    ("/customers/import", {}, ["file"]),
]


class Form(HTMLParser):
    """What a page says of what is wrong."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.wrong: list[dict[str, str | None]] = []
        self.focused: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(str(found.get("id")))
        if found.get("aria-invalid") == "true":
            self.wrong.append(found)
        if "autofocus" in found:
            self.focused.append(found.get("id"))


@pytest.mark.parametrize(("path", "values", "wrong"), WRONG, ids=[path for path, _, _ in WRONG])
def test_what_is_wrong_is_said(
    client: FlaskClient, path: str, values: dict[str, str], wrong: list[str]
) -> None:
    html = client.post(path, data=values).text
    form = Form(html)
    assert [field["id"] for field in form.wrong] == wrong
    assert form.focused == wrong[:1]
    for field in form.wrong:
        assert f"{field['id']}-error" in str(field["aria-describedby"]).split()
        assert set(str(field["aria-describedby"]).split()) <= form.ids
        assert f'<li><a href="#{field["id"]}">' in html
    assert html.count('role="alert"') == 1
    assert "<title>Error: " in html


@pytest.mark.parametrize("path", [path for path, _, _ in WRONG])
def test_nothing_is_wrong_yet(client: FlaskClient, path: str) -> None:
    html = client.get(path).text
    assert (Form(html).wrong, Form(html).focused) == ([], [])
    assert "<title>Error" not in html
    assert 'role="alert"' not in html


@pytest.fixture
def german(app: Flask) -> Iterator[FlaskClient]:
    """A browser of the owner, whose company writes German."""
    with app.app_context():
        before = db.session.get_one(Setting, "locale").value
        db.session.merge(Setting(key="locale", value="de_DE"))
        db.session.commit()
    yield log_in(app)
    with app.app_context():
        db.session.merge(Setting(key="locale", value=before))
        db.session.commit()


def test_all_of_it_is_in_the_company_s_language(german: FlaskClient) -> None:
    wrong = german.post("/customers/new", data={"name": "", "email": "nobody"}).text
    assert "<title>Fehler: Neuer Kunde" in wrong
    assert "Bitte sehen Sie sich 2 Felder noch einmal an." in wrong
    assert '<a href="#name">Name</a>: Dieses Feld wird benötigt.' in wrong
    assert "Das sieht nicht nach einer E-Mail-Adresse aus." in wrong
    saved = german.post("/tickets/new", data={"subject": "Säge", "state": "open"}, follow_redirects=True)
    assert "Die Anfrage ist gespeichert." in saved.text
    assert "Seite nicht gefunden" in german.get("/nowhere").text
    assert "Österreich" in german.get("/customers/new").text
    assert "Deutsch (Deutschland)" in german.get("/settings/").text
