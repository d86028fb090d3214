"""Stylesheets, logos and fonts over HTTP: whose, how long, and nothing else."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from flask_tenant.application import Application
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from tests.theme.conftest import PNG, SVG, Write, get


def accent(css: str) -> str:
    found = re.search(r"--theme-accent:(#[0-9a-f]{6})", css)
    assert found
    return found.group(1)


@pytest.fixture
def two(write: Write) -> None:
    write("tenants/acme/theme.yaml", "colours: {accent: brick}\nlogo: {light: logo.svg}\n")
    write("tenants/acme/logo.svg", SVG)
    write("tenants/bella/theme.yaml", "colours: {accent: rose}\n")


def test_each_tenant_has_its_own(app: Flask, two: None) -> None:
    acme, bella = (get(app, slug, "/_theme/style.css") for slug in ("acme", "bella"))
    assert (acme.status_code, acme.mimetype) == (200, "text/css")
    assert accent(acme.text) == "#b3400f"
    assert accent(bella.text) == "#be185d"
    assert acme.headers["ETag"] != bella.headers["ETag"]


def test_a_page_links_to_what_browsers_may_keep(app: Flask, two: None) -> None:
    link, logo, colour = get(app, "acme", "/link").text.split("|")
    href = re.fullmatch(r'<link rel="stylesheet" href="([^"]+)">', link).group(1)
    css = get(app, "acme", href)
    assert css.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert accent(css.text) == colour == "#b3400f"
    image = get(app, "acme", logo)
    assert (image.status_code, image.mimetype, image.data) == (200, "image/svg+xml", SVG)
    assert "default-src 'none'" in image.headers["Content-Security-Policy"]
    assert image.headers["X-Content-Type-Options"] == "nosniff"


def test_no_address_lets_a_cache_keep_what_is_somebody_elses(app: Flask, two: None) -> None:
    """Asked with another tenant's version, or none, the answer is asked for again each time."""
    other = get(app, "bella", "/link").text
    version = re.search(r"v=(\w+)", other).group(1)
    for query in ("", f"?v={version}", "?v=", "?v=x&v=y", "?v[]=1"):
        css = get(app, "acme", f"/_theme/style.css{query}")
        assert css.headers["Cache-Control"] == "private, no-cache"
        assert accent(css.text) == "#b3400f"


def test_the_etag_changes_with_the_theme_and_with_nothing_else(app: Flask, two: None, write: Write) -> None:
    first = get(app, "acme", "/_theme/style.css")
    again = get(app, "acme", "/_theme/style.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    write("tenants/acme/theme.yaml", "colours: {accent: teal}\nlogo: {light: logo.svg}\n")
    changed = get(app, "acme", "/_theme/style.css", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert accent(changed.text) == "#0f766e"
    write("tenants/acme/logo.svg", SVG.replace(b"#b3400f", b"#b3400e"))
    with_logo = get(app, "acme", "/_theme/style.css")
    assert with_logo.headers["ETag"] != changed.headers["ETag"]
    assert with_logo.text == changed.text


def test_only_two_methods_and_a_few_names_are_answered(app: Flask, two: None) -> None:
    assert get(app, "acme", "/_theme/logo-light").status_code == 200
    for path in (
        "/_theme/logo-dark",
        "/_theme/font-body",
        "/_theme/",
        "/_theme",
        "/_theme/../login",
        "/_theme/tenants/bella/theme.yaml",
        "/_theme/theme.yaml",
        "/_theme/style.css/",
        "/_theme/a/b/style.css",
        "/_theme/%2e%2e/style.css",
        "/_theme/..%2fbella/logo-light",
        "/_themes/style.css",
    ):
        assert get(app, "acme", path).status_code == 404, path
    assert app.test_client().post("/_theme/style.css", base_url="http://acme.localhost").status_code == 404
    head = app.test_client().head("/_theme/style.css", base_url="http://acme.localhost")
    assert (head.status_code, head.data) == (200, b"")
    assert get(app, "nobody", "/_theme/style.css").status_code == 404  # no such tenant


def test_central_pages_have_the_looks_of_everybody(fresh_app: Flask, two: None, write: Write) -> None:
    app = fresh_app
    write("default.yaml", "colours: {accent: olive}\n")
    page = app.test_client().get("/central", base_url="http://localhost")
    css = app.test_client().get(page.text, base_url="http://localhost")
    assert (css.status_code, accent(css.text)) == (200, "#4d6410")


def test_an_application_that_asks_everybody_to_log_in_has_its_looks(fresh_app: Flask, two: None) -> None:
    app = fresh_app
    app.before_request_funcs.setdefault(None, []).append(lambda: ("log in", 401))
    assert get(app, "acme", "/login").status_code == 401
    assert get(app, "acme", "/_theme/style.css").status_code == 200


def test_fonts_are_declared_and_served(app: Flask, write: Write) -> None:
    font = b"wOF2" + bytes(64)
    write("tenants/acme/theme.yaml", "font: {body: own.woff2, heading: slab}\n")
    write("tenants/acme/own.woff2", font)
    css = get(app, "acme", "/_theme/style.css").text
    address = re.search(r'@font-face\{font-family:"theme-body";font-display:swap;src:url\("([^"]+)"\)', css)
    served = get(app, "acme", f"/_theme/{address.group(1)}")
    assert (served.status_code, served.mimetype, served.data) == (200, "font/woff2", font)
    assert "immutable" in served.headers["Cache-Control"]


def test_who_says_the_tenant_in_a_header_is_named_in_vary(tmp_path) -> None:
    from flask_sqlalchemy import SQLAlchemy

    from flask_tenant import Tenancy

    app = Flask("headers", root_path=str(tmp_path))
    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/h.sqlite",
        TENANT_STRATEGIES=["header"],
        TENANT_TRUSTED_PROXIES=["127.0.0.1"],
        TENANT_THEME_PATH="/look",
    )
    db = SQLAlchemy(app)
    Tenancy(app)
    with app.app_context():
        db.create_all()
        state_of(app).create("acme", "Acme")
    found = app.test_client().get("/look/style.css", headers={"X-Tenant": "acme"})
    assert (found.status_code, found.headers["Vary"]) == (200, "X-Tenant")
    with app.app_context():
        db.engine.dispose()


# ---- files
@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("logo.png", b"GIF89a", "is no png file"),
        ("logo.png", SVG, "is no png file"),
        ("logo.webp", b"RIFF\0\0\0\0WAVE", "is no webp file"),
        ("logo.png", PNG + bytes(200 * 1024), "larger than 200 KiB"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "'script'"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "'onload'"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><style>@import url(//x)</style></svg>", "'style'"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><a href='javascript:x'/></svg>", "'a'"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><use href='//x/y#z'/></svg>", "outside itself"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><g fill='url(//x)'/></svg>", "outside itself"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><g fill='u\\72l(//x)'/></svg>", "has a \\ in it"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><foreignObject/></svg>", "'foreignObject'"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='//x'/></svg>", "'image'"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><animate/></svg>", "'animate'"),
        ("logo.svg", b"<!DOCTYPE x [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'/>", "document type"),
        ("logo.svg", b"<?xml-stylesheet href='//x'?><svg xmlns='http://www.w3.org/2000/svg'/>", "instruction"),
        ("logo.svg", b"<html><body/></html>", "not allowed"),
        ("logo.svg", b"<svg/>", "not allowed"),
        ("logo.svg", b"<svg", "no XML"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"<g>" * 40 + b"</g>" * 40 + b"</svg>", "deeply"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://x'><use x:href='//x'/></svg>", "'href'"),
        ("logo.svg", b"\xff\xfe<\0s\0", "no XML"),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)  # fmt: skip
def test_no_file_does_more_than_it_should(
    app: Flask, state: Application, acme: Tenant, write: Write, name: str, content: bytes, problem: str
) -> None:
    write("tenants/acme/theme.yaml", f"logo: {{light: {name}}}\n")
    write(f"tenants/acme/{name}", content)
    (finding,) = state.theming.store.check(acme)
    assert finding.startswith("themes/tenants/acme/theme.yaml:1:15: logo.light: ")
    assert problem in finding
    assert get(app, "acme", "/_theme/logo-light").status_code == 404


def test_no_file_of_another_tenant_is_reached(
    app: Flask, state: Application, acme: Tenant, write: Write, themes
) -> None:
    write("tenants/bella/logo.svg", SVG)
    (themes / "tenants" / "acme").mkdir()
    (themes / "tenants" / "acme" / "logo.svg").symlink_to(themes / "tenants" / "bella" / "logo.svg")
    write("tenants/acme/theme.yaml", "logo: {light: logo.svg}\n")
    assert "leads out of its folder" in state.theming.store.check(acme)[0]
    assert get(app, "acme", "/_theme/logo-light").status_code == 404
    for name in ("../bella/logo.svg", "/etc/passwd", "..\\bella\\logo.svg"):
        write("tenants/acme/theme.yaml", f"logo: {{light: '{name}'}}\n")
        assert "the bare name of a" in state.theming.store.check(acme)[0]


def test_an_image_that_is_one_is_served(app: Flask, write: Write) -> None:
    write("tenants/acme/theme.yaml", "logo: {light: logo.png, dark: dark.svg}\n")
    write("tenants/acme/logo.png", PNG)
    write("tenants/acme/dark.svg", SVG)
    assert get(app, "acme", "/_theme/logo-light").data == PNG
    assert get(app, "acme", "/_theme/logo-dark").data == SVG
