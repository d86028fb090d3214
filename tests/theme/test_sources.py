"""Where themes come from: files, configuration, plans, rules. Mistakes are told with their place."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask

from flask_tenant import Tenancy, tenant_context
from flask_tenant.application import Application
from flask_tenant.decision import Decision, Ruling
from flask_tenant.errors import RuleEngineError
from flask_tenant.model import Tenant
from tests.theme.conftest import Write, get


def accent(app: Flask, slug: str) -> str:
    return get(app, slug, "/link").text.split("|")[2]


def test_tenant_before_plan_before_default(
    app: Flask, state: Application, acme: Tenant, write: Write
) -> None:
    assert accent(app, "acme") == "#1d4ed8"
    write("default.yaml", "colours: {accent: slate}\n")
    assert accent(app, "acme") == accent(app, "bella") == "#475569"
    write("plans/starter.yaml", "colours: {accent: olive}\n")
    state.directory.set_config(acme, "plan", "starter")
    assert (accent(app, "acme"), accent(app, "bella")) == ("#4d6410", "#475569")
    write("tenants/acme/theme.yaml", "colours: {accent: brick}\n")
    assert accent(app, "acme") == "#b3400f"
    state.directory.set_config(acme, "theme", {"colours": {"accent": "plum"}})
    assert (accent(app, "acme"), accent(app, "bella")) == ("#86198f", "#475569")
    write("winter.yaml", "colours: {accent: sky}\n")
    state.directory.set_config(acme, "theme", "winter")
    assert (accent(app, "acme"), accent(app, "bella")) == ("#0369a1", "#475569")


@pytest.mark.parametrize("plan", ["../tenants/bella", "..", "a/b", "", 5, None, "starter\0", "STARTER"])
def test_a_plan_leads_nowhere_else(
    app: Flask, state: Application, acme: Tenant, write: Write, plan: object
) -> None:
    write("tenants/bella.yaml", "colours: {accent: olive}\n")
    write("plans/starter.yaml", "colours: {accent: olive}\n")
    state.directory.set_config(acme, "plan", plan)
    assert accent(app, "acme") == "#1d4ed8"


@pytest.mark.parametrize("slug", ["..", "../bella", "bella/../bella", ".", "", "BELLA", "bella\0"])
def test_a_slug_leads_nowhere_else(state: Application, write: Write, slug: str) -> None:
    """The directory admits no such slug; the store does not rely on it."""
    write("tenants/bella/theme.yaml", "colours: {accent: olive}\n")
    write("tenants/theme.yaml", "colours: {accent: olive}\n")
    write("theme.yaml", "colours: {accent: olive}\n")
    made = Tenant(id=77, slug=slug, name="x")
    assert str(state.theming.store.theme(made).colours["light"]["accent"]) == "#1d4ed8"


class Chooses:
    """Rules that always choose one theme."""

    def __init__(self, theme: str | None) -> None:
        self.theme = theme

    def ruling(self) -> Ruling | None:
        if self.theme == "broken":
            raise RuleEngineError("the engine is gone")
        return Ruling(Decision(theme=self.theme))


def test_a_rule_chooses_a_theme(app: Flask, state: Application, tenancy: Tenancy, write: Write) -> None:
    write("tenants/acme/theme.yaml", "colours: {accent: brick}\nlanguage: de_DE\n")
    write("winter.yaml", "colours: {accent: sky}\n")
    state.theming.ruling = Chooses("winter").ruling
    link, _, colour = get(app, "acme", "/link").text.split("|")
    assert colour == "#0369a1"
    href = link.split('"')[3]
    assert href.startswith("/_theme/winter/style.css?v=")
    css = get(app, "acme", href)
    assert "--theme-accent:#0369a1" in css.text
    assert "immutable" in css.headers["Cache-Control"]
    with app.app_context(), tenant_context("acme"):
        assert tenancy.theme.name == "winter"
        assert tenancy.theme.value("language") == "de_DE"  # what it does not say, it leaves


@pytest.mark.parametrize("theme", [None, "broken", "summer", "../tenants/bella/theme", "default"])
def test_a_rule_that_cannot_leaves_the_tenants_own(
    app: Flask, state: Application, write: Write, theme: str | None
) -> None:
    write("tenants/acme/theme.yaml", "colours: {accent: brick}\n")
    write("tenants/bella/theme.yaml", "colours: {accent: rose}\n")
    write("default.yaml", "colours: {accent: rose}\n")
    state.theming.ruling = Chooses(theme).ruling
    assert accent(app, "acme") == "#b3400f"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("colours:\n  light:\n    accent: gold\n", "themes/winter.yaml:3:13: colours.light.accent: accent #fbbf24 on"),
        ("colours:\n  accent: #b3400f\n", "themes/winter.yaml:2:3: colours.accent: None is not a colour"),
        ("colours: [1]\n", "themes/winter.yaml:1:10: colours: [1] stands where names"),
        ("shape: {radius: 5, radius: 6}\n", "themes/winter.yaml:1:20: 'radius' stands twice"),
        ("a: &x 1\nb: *x\n", "themes/winter.yaml:2:4: an alias"),
        ("shape: {radius: 5\n", "themes/winter.yaml:2:1: "),
        ("shape: !!python/object/apply:os.system [true]\n", "themes/winter.yaml:1:8: shape: [True] stands where"),
        ("? [1]\n: 2\n", "themes/winter.yaml:1:3: a name was expected"),
        ("language: yes\n", "themes/winter.yaml:1:11: language: 'yes' is not a language"),
        ("language: no\n", ""),  # Norwegian, and not a Boolean: YAML 1.2
        ("- " * 30 + "1\n", "themes/winter.yaml:1:"),
        ("[" * 5000, "themes/winter.yaml"),
        ("x: " + "y" * 70_000, "themes/winter.yaml: it is larger than 64 KiB"),
        ("", ""),
    ],
    ids=range(14),
)  # fmt: skip
def test_mistakes_in_files_have_a_place(
    state: Application, acme: Tenant, write: Write, text: str, finding: str
) -> None:
    write("winter.yaml", text)
    before = time.monotonic()
    found = state.theming.store.check(acme, "winter")
    assert len(found) == 0 if not finding else found[0].startswith(finding), found
    assert all(len(f) < 800 for f in found)
    assert time.monotonic() - before < 10, "a file that costs its reader much"


def test_what_is_no_text_is_told(state: Application, acme: Tenant, write: Write) -> None:
    write("tenants/acme/theme.yaml", b"\xff\xfe")
    assert state.theming.store.check(acme) == ("themes/tenants/acme/theme.yaml: it is not UTF-8: byte 0",)


def test_a_broken_file_leaves_what_it_said_before(app: Flask, write: Write) -> None:
    write("tenants/acme/theme.yaml", "colours: {accent: brick}\n")
    assert accent(app, "acme") == "#b3400f"
    write("tenants/acme/theme.yaml", "colours: {accent: brick\n")
    assert accent(app, "acme") == "#b3400f"
    write("tenants/acme/theme.yaml", "colours: {accent: teal}\n")
    assert accent(app, "acme") == "#0f766e"


def test_what_is_wrong_is_logged_once(app: Flask, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("tenants/acme/theme.yaml", "colours: {accent: 5}\n")
    for _ in range(3):
        assert accent(app, "acme") == "#1d4ed8"
    told = [r for r in caplog.records if "A part of a theme is left out" in r.message]
    assert len(told) == 1


def test_two_tenants_in_threads_never_have_each_others_theme(
    app: Flask, state: Application, write: Write
) -> None:
    expected = {"acme": "#b3400f", "bella": "#be185d"}
    write("tenants/acme/theme.yaml", "colours: {accent: brick}\n")
    write("tenants/bella/theme.yaml", "colours: {accent: rose}\n")
    seen: list[tuple[str, str]] = []
    gate = threading.Barrier(4)

    def ask(slugs: list[str]) -> None:
        gate.wait(10)
        for slug in slugs * 25:
            seen.append((slug, accent(app, slug)))

    threads = [
        threading.Thread(target=ask, args=(order,)) for order in (["acme", "bella"], ["bella", "acme"]) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 200
    assert {slug: {c for s, c in seen if s == slug} for slug in expected} == {
        slug: {colour} for slug, colour in expected.items()
    }


def test_names(state: Application, write: Write) -> None:
    assert state.theming.store.names() == []
    for name in (
        "winter.yaml",
        "default.yaml",
        "Big.yaml",
        "summer.yaml",
        "tenants/acme/theme.yaml",
        "x.yml",
    ):
        write(name, "")
    assert state.theming.store.names() == ["summer", "winter"]
