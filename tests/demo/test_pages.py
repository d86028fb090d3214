"""Every page answers, every link leads somewhere, and everybody can use them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient

from demo_app.branding import LIGHT_SURFACE, readable_on
from tests.demo.conftest import log_in, on_both

pytestmark = on_both

PAGES = (
    "/",
    "/customers/",
    "/customers/?q=roof",
    "/customers/1",
    "/customers/1/edit",
    "/customers/new",
    "/customers/import",
    "/products/",
    "/products/?all=1&q=saw",
    "/products/1/edit",
    "/products/new",
    "/products/import",
    "/invoices/",
    "/invoices/?page=2",
    "/invoices/?status=overdue&order=due",
    "/invoices/?status=open&order=total",
    "/invoices/?order=customer&q=AT-2026",
    "/invoices/1",
    "/invoices/new?customer=2",
    "/orders/",
    "/orders/?status=pending&q=tool",
    "/orders/1",
    "/orders/30/edit",
    "/orders/new?customer=2",
    "/tickets/",
    "/tickets/?state=mine",
    "/tickets/?state=open&q=drill",
    "/tickets/1",
    "/tickets/1/edit",
    "/tickets/new",
    "/reports/",
    "/reports/?months=6",
    "/search/?q=drill",
    "/settings/",
    "/settings/tax-rates",
    "/settings/users",
    "/settings/users/1",
    "/settings/users/new",
)


class Page(HTMLParser):
    """What the checks below want to know of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.sources: set[str] = set()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.counts: dict[str, int] = {}
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a" and found.get("href"):
            self.links.add(str(found["href"]))
        if found.get("src") or (tag == "link" and found.get("href")):
            self.sources.add(str(found.get("src") or found.get("href")))
        if tag == "label" and found.get("for"):
            self.labelled.add(str(found["for"]))
        if tag in ("input", "select", "textarea") and found.get("type") not in ("hidden", "submit"):
            self.fields.append(found)
        if "style" in found or tag == "style" or any(name.startswith("on") for name in found):
            self.inline.append(tag)


@pytest.mark.parametrize("path", PAGES)
def test_page(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200, path
    page = Page(response.text)
    assert page.counts["h1"] == 1
    assert page.counts["main"] == 1
    assert page.counts.get("caption", 0) == page.counts.get("table", 0)
    assert len(page.ids) == len(set(page.ids))
    assert "#main" in page.links
    assert page.inline == []
    assert all(source.startswith("/") for source in page.sources), page.sources
    for field in page.fields:
        assert field.get("id") in page.labelled or field.get("aria-label"), field


@pytest.mark.databases("sqlite")  # hundreds of requests; the pages themselves are opened on both
def test_every_link_leads_to_a_page(client: FlaskClient) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting and len(seen) < 400:
        path = waiting.pop()
        response = client.get(path, buffered=True)
        assert response.status_code in (200, 302), path
        if response.mimetype == "text/html":
            links = {link.partition("#")[0] for link in Page(response.text).links if link.startswith("/")}
            new = links - seen - set(waiting)
            waiting.extend(sorted(new))
        seen.add(path)
    assert len(seen) > 250


def test_dashboard_shows_the_company_and_its_chart(client: FlaskClient) -> None:
    html = client.get("/").text
    assert "Acme Tools" in html
    assert html.count('<g class="bar">') == 24
    assert re.search(r"<title>Jun, invoiced: \$[\d,.]+</title>", html)


def test_invoice_page_shows_lines_and_totals(client: FlaskClient) -> None:
    html = client.get("/invoices/1").text
    assert "AT-2024-0001" in html
    assert "Lines of invoice AT-2024-0001" in html
    assert re.search(r"<dt>Total</dt><dd>\$[\d,.]+</dd>", html)


def test_headers_allow_nothing_from_elsewhere(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_missing_things_get_the_404_page(client: FlaskClient) -> None:
    for path in ("/nowhere", "/invoices/999999", "/customers/999999", "/invoices/?page=999"):
        response = client.get(path)
        assert response.status_code == 404
        assert "Page not found" in response.text


def test_a_failure_gets_the_500_page_which_needs_no_database(app: Flask, client: FlaskClient) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.view_functions["reports.show"], view = (lambda: 1 / 0), app.view_functions["reports.show"]
    try:
        response = client.get("/reports/")
    finally:
        app.view_functions["reports.show"] = view
        app.config["PROPAGATE_EXCEPTIONS"] = None
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lakefront", "Lakefront Builders LLC"),  # customer, by part of the name, any case
        ("canada", "Maple Leaf Contractors"),  # customer, by the country's name
        ("GRD-45", "Angle grinder"),  # product, by SKU
        ("mitre saw", "AT-202"),  # invoices, by what a line says
        ("AT-2025-0003", "AT-2025-0003"),  # invoice, by number
    ],
)
def test_search(client: FlaskClient, text: str, found: str) -> None:
    html = client.get("/search/", query_string={"q": text}).text
    assert found in html.partition("<main")[2]


@pytest.mark.parametrize("text", ["%", "_", "100%", "no such thing", "'; DROP TABLE invoice; --"])
def test_search_takes_text_literally(client: FlaskClient, text: str) -> None:
    assert "Nothing found" in client.get("/search/", query_string={"q": text}).text


def test_pages_of_a_list(client: FlaskClient) -> None:
    first, second = client.get("/invoices/").text, client.get("/invoices/?page=2").text
    number = re.compile(r"AT-\d{4}-\d{4}")
    assert "1–20 of" in first
    assert len(set(number.findall(first))) == 20
    assert not set(number.findall(first)) & set(number.findall(second))


def test_empty_lists_say_what_to_do(client: FlaskClient) -> None:
    assert "Nobody found" in client.get("/customers/?q=zzzz").text
    assert "No such invoices" in client.get("/invoices/?q=zzzz").text


def test_look_follows_the_settings(app: Flask) -> None:
    owner = log_in(app)
    css = owner.get("/brand.css")
    assert readable_on("#c2410c", LIGHT_SURFACE) in css.text
    assert owner.get("/brand.css", headers={"If-None-Match": css.headers["ETag"]}).status_code == 304
    form = {
        "company_name": "Acme <Tools>",
        "currency": "USD",
        "locale": "en_US",
        "accent_colour": "#0f766e",
        "heading_font": "serif",
        "invoice_prefix": "AT",
        "payment_days": "30",
    }
    try:
        assert owner.post("/settings/", data=form).status_code == 302
        assert readable_on("#0f766e", LIGHT_SURFACE) in owner.get("/brand.css").text
        assert "Acme &lt;Tools&gt;" in owner.get("/").text
        assert "as #rrggbb" in owner.post("/settings/", data={**form, "accent_colour": "red;}"}).text
    finally:
        restored = {**form, "company_name": "Acme Tools", "accent_colour": "#c2410c", "heading_font": "sans"}
        owner.post("/settings/", data=restored)
