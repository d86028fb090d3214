"""Finding one's workspace at the central host, as visitors see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests.accounts.site import ANNA, Browser, accounts_of, box_of, make_site


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return make_site(tmp_path, TENANT_LOGIN_LIMITS={"discovery.account": "3 per hour"})


def test_only_the_owner_of_an_address_is_told(app: Flask) -> None:
    central = Browser(app, "localhost")
    assert 'href="/_tenant/find"' in central.get("/login").text
    answers = {
        central.post("/find", page="/find", email=email).text for email in (ANNA, "nobody@mail.example")
    }
    assert len(answers) == 1, "the same for every address"
    assert "acme" not in answers.pop().lower()
    known, unknown = box_of(app).mails
    assert (known["to"], known["template"]) == (ANNA, "realms")
    assert "http://acme.localhost/_tenant/login" in [place["url"] for place in known["places"]]
    assert (unknown["to"], unknown["places"]) == ("nobody@mail.example", [])


def test_the_address_that_a_visitor_claims_to_have_asked_is_not_mailed(app: Flask) -> None:
    central = Browser(app, "localhost")
    token = central.csrf("/find")
    answer = central.client.post(
        "/_tenant/find",
        data={"csrf": token, "email": ANNA},
        base_url=central.base,
        headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
    )
    assert answer.status_code == 200
    assert "evil" not in str(box_of(app).mails)


def test_whoever_is_nowhere_finds_the_way_to_it(app: Flask) -> None:
    lost = Browser(app, "localhost").client.get("/", base_url="http://localhost")
    assert lost.status_code == 404
    assert 'href="/_tenant/find"' in lost.text
    below = app.test_client().get(
        "/", base_url="http://localhost", environ_overrides={"SCRIPT_NAME": "//evil"}
    )
    assert 'href="/evil/_tenant/find"' in below.text
    unknown = app.test_client().get("/", base_url="http://nobody.localhost")
    assert "_tenant/find" not in unknown.text, "that page is not served there"


def test_what_is_no_address_and_too_many(app: Flask) -> None:
    central = Browser(app, "localhost")
    assert central.post("/find", page="/find", email="anna").status_code == 400
    spelt = (
        ANNA,
        " Anna@Mail.example",
        "anna+1@mail.example",
        "an.na@mail.example",
        "a.nna+x+y@mail.example",
    )
    found = [central.post("/find", page="/find", email=email).status_code for email in spelt]
    assert found == [200, 200, 200, 429, 429]
    assert len(box_of(app).mails) == 3


def test_it_is_no_tenants_page(app: Flask) -> None:
    assert Browser(app, "acme.localhost").get("/find").status_code == 404
    assert accounts_of(app).realms.find(ANNA) != []
