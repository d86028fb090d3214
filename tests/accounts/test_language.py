"""Our pages, our mails, and what is answered in place of the application: in the tenant's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from flask import Flask

from flask_tenant.mail import Mail
from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.accounts.site import ANNA, BERT, OLGA, Browser, accounts_of, make_site
from tools.translations import extracted


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Acme is German, bella has said nothing; and there is a language in which what we say stands in brackets."""
    folder = tmp_path_factory.mktemp("languages")
    (folder / "themes" / "tenants" / "acme").mkdir(parents=True)
    (folder / "themes" / "tenants" / "acme" / "theme.yaml").write_text(
        "language: de_DE\ntimezone: Europe/Berlin\n"
    )
    catalog = Catalog()
    for message in extracted():
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            said = tuple(f"⟦{form}⟧" for form in forms)
            catalog.add(message.id, said if len(said) > 1 else said[0])
    catalog.add("agent", "⟦agent⟧")  # a role of the application's own
    path = folder / "translations" / "eo" / "LC_MESSAGES" / "flask_tenant.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalog)
    app = make_site(folder, TENANT_SIGNUP="open", TENANT_LOGIN_LIMITS={"login.account": "1000 per hour"})
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_a_tenants_pages_speak_its_language(app: Flask) -> None:
    browser = Browser(app)
    page = browser.get("/login", headers={"Accept-Language": "fr"})
    assert '<html lang="de-DE">' in page.text
    assert "Passwort vergessen?" in page.text
    assert page.headers["Content-Language"] == "de-DE"
    assert page.headers["Cache-Control"] == "no-store"
    wrong = browser.log_in(password="wrong")
    assert (wrong.status_code, "Das hat nicht geklappt." in wrong.text) == (403, True)
    assert "Das ist keine E-Mail-Adresse." in browser.post("/reset", page="/reset", email="x").text
    browser.log_in(ANNA)
    sessions = browser.get("/sessions").text
    assert re.search(r"\d+ Sitzung(en)?</h2>", sessions)
    assert re.search(r"seit <time[^>]*>\d\d\.\d\d\.\d{4}, \d\d:\d\d ME(S)?Z</time>", sessions)
    done = browser.post("/members/2/suspend", page="/members")
    assert done.status_code == 303
    members = browser.get("/members").text
    assert "Das Mitglied kann sich nicht mehr anmelden" in members
    assert ">gesperrt<" in members
    assert ">Administration<" in members
    browser.post("/members/2/resume", page="/members")
    refused = browser.post("/members/1/roles", page="/members").text
    assert "Jemand muss für die Administration zuständig sein." in refused
    # A role is kept by its name, whatever it is called on pages.
    assert 'value="administrator"' in members


def test_where_nobody_has_said_a_language_the_browser_does(app: Flask) -> None:
    browser = Browser(app, "bella.localhost")
    for header, tag, text in (
        ("fr-CA, en;q=0.5", "fr", "Mot de passe oublié"),
        ("de", "de", "Passwort vergessen?"),
        ("ja", "en", "Forgotten your password?"),
    ):
        page = browser.get("/login", headers={"Accept-Language": header})
        assert f'<html lang="{tag}">' in page.text
        assert text in page.text
        assert "Accept-Language" in page.headers["Vary"]
    assert '<html lang="en">' in browser.get("/login").text


def test_who_is_not_served_is_told_so_in_the_tenants_language(app: Flask) -> None:
    state = state_of(app)
    with app.app_context():
        state.directory.set_state(state.directory.get("acme"), TenantState.SUSPENDED)
    try:
        page = Browser(app).get("//", headers={"Accept-Language": "fr"})
    finally:
        with app.app_context():
            state.directory.set_state(state.directory.get("acme"), TenantState.ACTIVE)
    assert (page.status_code, page.headers["Content-Language"]) == (403, "de-DE")
    assert "Dieser Arbeitsbereich ist gesperrt" in page.text
    assert '<html lang="de-DE">' in page.text
    unknown = Browser(app, "<b>.localhost").get("//", headers={"Accept-Language": "fr"})
    assert "<code>&lt;b&gt;.localhost</code>" in unknown.text
    unknown = Browser(app, "nobody.localhost").get("//", headers={"Accept-Language": "fr"})
    assert "Personne n’habite ici" in unknown.text
    assert unknown.headers["Vary"] == "Accept, Accept-Language"
    program = Browser(app, "nobody.localhost").get("//", headers={"Accept": "application/json"})
    assert program.json is not None
    assert program.json["title"] == "No such tenant"


class Post:
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[object] = []

    def send(self, message: object) -> None:
        self.messages.append(message)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("host", "header", "tag", "subject", "text"),
    [
        ("acme", "fr", "de-DE", "Neues Passwort für Acme Tools wählen", "30 Minuten lang"),
        (
            "bella",
            "fr",
            "fr",
            "Choisissez un nouveau mot de passe pour Bella Bakery",
            "pendant 30\xa0minutes",
        ),
        ("bella", "ja", "en", "Choose a new password for Bella Bakery", "for 30 minutes"),
    ],
)
def test_mails(
    app: Flask, monkeypatch: pytest.MonkeyPatch, host: str, header: str, tag: str, subject: str, text: str
) -> None:
    """Also those that are sent after the answer, when there is no request any more."""
    post, state = Post(), state_of(app)
    with app.app_context():
        composer = type(state).mail.func(state).composer  # type: ignore[attr-defined]
    monkeypatch.setitem(state.__dict__, "mail", Mail(composer, post))  # type: ignore[arg-type]
    client = Browser(app, f"{host}.localhost")
    token = client.csrf("/reset")
    client.raw("/reset", {"csrf": token, "email": ANNA}, Origin=client.base, **{"Accept-Language": header})
    (message,) = post.messages
    assert message["Subject"] == subject  # type: ignore[index]
    assert message["Content-Language"] == tag  # type: ignore[index]
    assert text.replace("\xa0", " ") in message.get_content().replace("\xa0", " ")  # type: ignore[attr-defined]


def outside(page: str) -> set[str]:
    """Words of a page that nobody has translated."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    read_out = " ".join(re.findall(r'(?:aria-label|alt|placeholder)="([^"]*)"', page))
    text = unescape(re.sub(r"<[^>]*>", " ", page) + read_out)
    while "⟦" in text:
        text, before = re.sub(r"⟦[^⟦⟧]*⟧", " ", text), text
        assert text != before, text
    return set(re.findall(r"[^\W\d_]\w+", text))


def test_nothing_on_a_page_is_left_in_english(app: Flask) -> None:
    """In a language that puts all it says into brackets, only names, addresses and roles stand outside."""
    known = {"Site", "Bella", "Bakery", "Acme", "Tools", "Anna", "Bert", "Carl", "Olga"}
    known |= {"anna", "bert", "carl", "olga", "mail", "example", "localhost"}
    headers = {"Accept-Language": "eo"}
    accounts = accounts_of(app)
    carl = accounts.people.by_email("carl@mail.example")
    assert carl is not None
    _, invitation = accounts.people.invite(2, "ida@mail.example", ["agent"], carl)
    reset = accounts.tickets.issue("reset", 2, {"person": carl.id}, 600)
    arrive = accounts.tickets.issue("hand-over", 2, {"person": carl.id, "from": 0}, 600)
    visits = {
        ("bella", ""): f"/login /reset /reset/{reset} /reset/x /invitation/{invitation} /invitation/x "
        f"/arrive/{arrive} /logged-out /nowhere",
        ("", ""): "/login /find /sign-up /sign-up/verify/x",
        ("bella", "carl@mail.example"): "/ /sessions /members /tenants /logout",
        ("", OLGA): "/ /sessions /tenants /impersonate",
    }
    seen = 0
    for (host, who), paths in visits.items():
        browser = Browser(app, f"{host}.localhost" if host else "localhost")
        if who:
            assert browser.log_in(who).status_code == 303
        for path in paths.split():
            page = browser.get(path, headers=headers)
            assert '<html lang="eo">' in page.text, path
            assert page.text.count("⟦") > 2, path
            assert outside(page.text) <= known | {"ida"}, path
            seen += 1
    assert seen > 20
    assert outside("<p>⟦Hello ⟦you⟧⟧ there</p>") == {"there"}


def test_refusals_tell_as_little_in_every_language(app: Flask) -> None:
    """The same answer for an address that is known and for one that is not."""
    for header in ("de", "fr", "ja"):
        texts = set()
        for email in (BERT, "nobody@mail.example"):
            browser = Browser(app, "localhost")
            token = browser.csrf("/reset")
            answer = browser.raw(
                "/reset",
                {"csrf": token, "email": email},
                Origin=browser.base,
                **{"Accept-Language": header},
            )
            assert answer.status_code == 200
            texts.add(answer.text)
        assert len(texts) == 1
