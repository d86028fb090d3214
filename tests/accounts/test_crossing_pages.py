"""From host to host: people with several tenants, and operators who act as somebody."""

from __future__ import annotations

import re

import pytest
from flask import Flask, Response, stream_with_context

from flask_tenant.accounts.pages.banner import with_banner
from tests.accounts.site import BERT, OLGA, Browser, accounts_of, make_site


def _onward(page: str) -> str:
    found = re.search(r'<a class="button main" href="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def test_somebody_goes_on_at_another_tenant_of_theirs(app: Flask, anna: Browser) -> None:
    answer = anna.post("/tenants", page="/tenants", tenant="bella")
    url = _onward(answer.text)
    assert answer.headers["Refresh"] == f"0; url={url}"
    assert url.startswith("http://bella.localhost/_tenant/arrive/")
    path = url.removeprefix("http://bella.localhost/_tenant")
    assert Browser(app).get(path).status_code == 303  # it is good at bella only
    bella = anna.at("bella.localhost")
    page = bella.get(path)
    assert "You go on as <strong>Anna</strong>" in page.text
    assert bella.get("//").status_code == 401  # looking is not going on
    assert bella.post(path, page=path).headers["Location"] == "/"
    assert "Hello Anna" in bella.get("//").text
    assert (
        Browser(app, "bella.localhost").post(path).headers["Location"] == "/_tenant/login"
    )  # it was good once


def test_nobody_goes_on_where_they_do_not_belong(app: Flask) -> None:
    bert = Browser(app)
    bert.log_in(BERT)
    assert "Bella" not in bert.get("/tenants").text
    assert bert.post("/tenants", page="/logout", tenant="bella").headers["Location"] == "/_tenant/tenants"


def _act_as_bert(app: Flask, reason: str = "Ticket 4711: <invoice>") -> Browser:
    olga = Browser(app, "localhost")
    olga.log_in(OLGA)
    answer = olga.post("/impersonate", page="/impersonate", tenant="acme", member=BERT, reason=reason)
    path = _onward(answer.text).removeprefix("http://acme.localhost/_tenant")
    acme = olga.at("acme.localhost")
    assert "&lt;invoice&gt;" in acme.get(path).text
    begun = acme.post(path, page=path)
    assert begun.headers["Clear-Site-Data"] == '"cache"'
    return acme


def test_an_operator_acts_as_somebody_under_a_banner(app: Flask, anna: Browser) -> None:
    acme = _act_as_bert(app)
    page = acme.get("//")
    assert "Hello Bert" in page.text
    assert re.search(r"<body><link[^>]+banner\.css[^>]+><div class=\"tenancy-banner\"", page.text)
    assert page.headers["Cache-Control"] == "no-store"
    for path in ("/", "/sessions", "/logout"):
        text = acme.get(path).text
        assert 'class="tenancy-banner"' in text
        assert "You act as <strong>Bert</strong>" in text
    assert "Ticket 4711: &lt;invoice&gt;" in anna.get("/sessions").text  # the tenant sees it
    assert acme.get("/members").status_code == 403  # Bert's rights, no more
    assert acme.post("/sessions/end-mine", page="/sessions").status_code == 403
    assert "Workspaces" not in acme.get("/").text
    assert acme.post("/impersonation/end", page="/").headers["Location"] == "/_tenant/logged-out"
    assert acme.get("//").status_code == 401


def test_nobody_else_gets_a_banner(app: Flask, anna: Browser) -> None:
    page = anna.get("//")
    assert "Hello Anna" in page.text
    assert "tenancy-banner" not in page.text
    assert page.headers.get("Cache-Control") != "no-store"


def test_only_operators_act_as_somebody_and_only_with_a_reason(app: Flask) -> None:
    anna = Browser(app, "localhost")
    anna.log_in()
    assert anna.get("/impersonate").status_code == 403
    fields = {"tenant": "acme", "member": BERT, "reason": "curious"}
    assert anna.post("/impersonate", page="/logout", **fields).status_code == 403
    olga = Browser(app, "localhost")
    olga.log_in(OLGA)
    for wrong in ({"reason": " "}, {"tenant": "nowhere"}, {"member": "nobody@mail.example"}):
        assert olga.post("/impersonate", page="/impersonate", **{**fields, **wrong}).status_code == 400
    assert Browser(app).log_in(OLGA).status_code == 403  # an operator is no member


def test_the_banner_is_on_pages_of_every_kind(tmp_path_factory: pytest.TempPathFactory) -> None:
    app = make_site(tmp_path_factory.mktemp("pages"))

    @app.get("/stream")
    def stream() -> Response:
        parts = ["<!doctype html><ht", "ml><head></head><bo", 'dy data-x="a>b">', "tail", "end"]
        return Response(stream_with_context(iter(parts)), mimetype="text/html")

    @app.get("/bare")
    def bare() -> str:
        return "<!doctype html><title>Bare</title><p>text"

    @app.get("/part")
    def part() -> str:
        return "<li>one more</li>"

    @app.get("/data")
    def data() -> dict[str, str]:
        return {"body": "<body>"}

    @app.get("/kept")
    def kept() -> Response:
        response = Response("<html><body>kept")
        response.set_etag("x")
        response.headers["Cache-Control"] = "public, max-age=600"
        return response

    @app.after_request
    def compress(response: Response) -> Response:  # as compressors do, which would leave nothing to find
        if response.mimetype == "text/html" and not response.is_streamed:
            response.set_data(response.get_data().hex().encode())
        return response

    acme = _act_as_bert(app)

    def seen(path: str) -> str:
        text = acme.get(f"//{path}").text
        return bytes.fromhex(text).decode() if re.fullmatch(r"[0-9a-f]+", text) else text

    assert re.search(r'<body data-x="a>b"><link.*tenancy-banner.*tailend$', seen("stream"), re.DOTALL)
    assert "tenancy-banner" in seen("bare")
    assert "tenancy-banner" in seen("kept")
    assert seen("part") == "<li>one more</li>"
    assert "tenancy" not in seen("data")
    headers = acme.get("//kept").headers
    assert (headers["Cache-Control"], headers.get("ETag")) == ("no-store", None)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<body>x", b"<body>!x"),
        (b"<BODY class='a>b'>x", b"<BODY class='a>b'>!x"),
        (b"<html><head></head>x", b"<html><head></head>!x"),
        (b"<!-- c -->\n<!DOCTYPE html><p>x", b"<!-- c -->\n<!DOCTYPE html><p>x!"),
        (b"<tbody><tr></tr></tbody>", b"<tbody><tr></tr></tbody>"),
    ],
)
def test_where_the_banner_goes(page: bytes, expected: bytes) -> None:
    assert with_banner(page, b"!") == expected


def test_impersonation_ends_by_itself(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = _act_as_bert(app)
    assert acme.get("//").status_code == 200
    sessions = accounts_of(app).sessions
    (found,) = [s for s in sessions.of(1) if s.impersonator_id is not None and s.reason.startswith("Ticket")][
        :1
    ]
    assert (found.expires_at - found.opened_at).total_seconds() == 1800
    monkeypatch.setattr(sessions, "_clock", lambda: found.expires_at)
    assert acme.get("//").status_code == 401
