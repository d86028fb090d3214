"""The banner is on every page of the application, however that is made; and on nothing else."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from flask import Blueprint, Flask, Response, request, send_file

from flask_tenant.accounts.pages.banner import with_banner
from tests.accounts.site import BERT, Browser, act_as, make_site

PAGE = b"<!doctype html><html><head></head><body>the page"


@pytest.fixture(scope="module")
def acting(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """A browser in which an operator acts as Bert."""
    folder = tmp_path_factory.mktemp("banner")
    app: Flask = make_site(folder)
    (folder / "page.html").write_bytes(PAGE)
    squeezed = Blueprint("squeezed", __name__)

    @squeezed.get("/polite")
    def polite() -> bytes:
        return PAGE

    @squeezed.after_request
    def compress(response: Response) -> Response:
        """Before what the application does with its responses, ours among it."""
        if "gzip" in request.accept_encodings:
            response.set_data(gzip.compress(response.get_data()))
            response.headers["Content-Encoding"] = "gzip"
        return response

    app.register_blueprint(squeezed)

    @app.get("/packed/<encoding>")
    def packed(encoding: str) -> Response:
        packs = {"gzip": gzip.compress, "deflate": zlib.compress}
        data = packs.get(encoding, lambda page: page[::-1])(PAGE)
        body = [data[:7], data[7:]] if request.args else data
        return Response(body, mimetype="text/html", headers={"Content-Encoding": encoding})

    @app.get("/file")
    def file() -> Response:
        return send_file(Path(folder / "page.html"), conditional=True, etag=True)

    @app.get("/bare")
    def bare() -> str:
        return "<h1>Hello</h1>"

    @app.get("/fails")
    def fails() -> None:
        raise LookupError

    @app.get("/api.json")
    def api() -> dict[str, str]:
        return {"page": "<body>"}

    app.config["PROPAGATE_EXCEPTIONS"] = False
    return act_as(app, BERT)


@pytest.mark.parametrize(
    "path",
    ["/polite", "/packed/gzip", "/packed/deflate", "/packed/gzip?in=parts", "/file", "/nowhere", "/fails"],
)
def test_pages_of_every_kind(acting: Browser, path: str) -> None:
    answer = acting.get(f"/{path}", headers={"Accept-Encoding": "gzip, br"})
    assert answer.data.count(b'class="tenancy-banner"') == 1, answer.data
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert path in ("/nowhere", "/fails") or b"the page" in answer.data


def test_what_nobody_can_unpack_is_not_shown(acting: Browser) -> None:
    answer = acting.get("//packed/br")
    assert b'class="tenancy-banner"' in answer.data
    assert PAGE[::-1] not in answer.data
    assert "Content-Encoding" not in answer.headers


def test_no_page_from_before_is_shown_instead(acting: Browser) -> None:
    """The browser has it, without a banner, and asks whether it is still the same."""
    for headers in ({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, {"Range": "bytes=20-"}):
        answer = acting.get("//file", headers=headers)
        assert answer.status_code == 200
        assert b"tenancy-banner" in answer.data


def test_what_looks_like_a_part_is_a_page_when_the_browser_says_so(acting: Browser) -> None:
    assert b"tenancy-banner" in acting.get("//bare", headers={"Sec-Fetch-Dest": "document"}).data
    assert acting.get("//bare", headers={"Sec-Fetch-Dest": "empty"}).data == b"<h1>Hello</h1>"


def test_what_is_no_page_stays_as_it_is(acting: Browser) -> None:
    assert acting.get("//api.json").json == {"page": "<body>"}


def test_others_get_compressed_pages(acting: Browser) -> None:
    bert = Browser(acting.app)
    bert.log_in(BERT)
    answer = bert.get("//polite", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.data) == PAGE
    same = bert.get("//file", headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert same.status_code == 304


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<!-- <body> --><body>x", b"<!-- <body> --><body>!x"),
        (
            b"<!--[if IE]><body class=ie><![endif]--><body>x",
            b"<!--[if IE]><body class=ie><![endif]--><body>!x",
        ),
        (b"<!--><body>x-->", b"<!--><body>!x-->"),
        (b"<head><script>'<body>'</script></head><body>x", b"<head><script>'<body>'</script></head><body>!x"),
        (b"<title><body></title><body>x", b"<title><body></title><body>!x"),
        (b"<head><style></head></style></head>x", b"<head><style></head></style></head>!x"),
        (b"<!doctype html><script>'<body>'", b"<!doctype html><script>'<body>'!"),
    ],
)
def test_it_stands_where_it_is_seen(page: bytes, expected: bytes) -> None:
    """And not in a comment, or a script, which speak of tags."""
    assert with_banner(page, b"!") == expected


def test_a_large_page_takes_no_long_time() -> None:
    for part in (b"<!--", b"<script>", b'<body "', b"<body '", b"<body", b"<style", b"</head"):
        assert with_banner(b"<!doctype html>" + part * 20_000, b"!").endswith(b"!")
    part = b"<!---->" * 20_000 + b"<li>"
    assert with_banner(part, b"!") == part
