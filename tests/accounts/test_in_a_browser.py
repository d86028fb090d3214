"""Every page in a real browser: without barriers, by keyboard alone, light and dark, narrow, enlarged."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from flask_tenant.accounts.pages import serving
from flask_tenant.accounts.pages.serving import _MODULES
from flask_tenant.accounts.pages.visit import Visit
from tests.accounts.site import (
    ANNA,
    BERT,
    OLGA,
    PASSWORD,
    Browser,
    accounts_of,
    box_of,
    empty_box,
    make_site,
)
from tests.services.browser import barriers, served

pytestmark = pytest.mark.usefixtures("chromium")

TEMPLATES = Path(serving.__file__).with_name("templates") / "tenancy"
FRAMES = {"base", "account_base", "_banner", "_banner_alone", "_brand", "_forms", "_top"}
"""Those that are parts of others."""


class Site:
    """The served application.

    :param port: on 127.0.0.1
    """

    def __init__(self, app: Flask, port: int) -> None:
        self.app, self.port = app, port

    def url(self, path: str, host: str = "acme") -> str:
        return f"http://{host + '.' if host else ''}localhost:{self.port}/_tenant{path}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    app = make_site(
        tmp_path_factory.mktemp("browser"),
        TENANT_SIGNUP="open",
        TENANT_LOGIN_LIMITS={"login.account": "1000 per hour"},
    )
    people = accounts_of(app).people
    inviter = people.by_email(ANNA)
    people.suspend(1, people.by_email(BERT).id)
    people.resume(1, people.by_email(BERT).id)
    people.invite(1, "ida@mail.example", ["agent"], inviter)
    with served(app) as port:
        yield Site(app, port)


@pytest.fixture
def visitor(chromium: Any) -> Iterator[Any]:
    """A page in a browser of its own."""
    context = chromium.new_context(viewport={"width": 1100, "height": 800})
    yield context.new_page()
    context.close()


def log_in(page: Any, site: Site, email: str = ANNA, host: str = "acme") -> None:
    page.goto(site.url("/login", host))
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def pages_of(site: Site) -> dict[str, list[tuple[str, str]]]:
    """Every page there is, by who looks at it, as (host, path)."""
    accounts = accounts_of(site.app)
    bert = accounts.people.by_email(BERT)
    _, invitation = accounts.people.invite(1, "jan@mail.example", ["agent"], bert)
    since = str(accounts.people.password_since(bert.id))
    reset = accounts.tickets.issue("reset", 1, {"person": bert.id, "since": since}, 600)
    arrive = accounts.tickets.issue("hand-over", 1, {"person": bert.id, "from": 0}, 600)
    empty_box(site.app)
    signup = accounts.signups.request(
        email=f"{secrets.token_hex(3)}@mail.example",
        person_name="Mia",
        slug=f"mia-{secrets.token_hex(3)}",
        tenant_name="Mia's Shop",
    )
    accounts.signups.machine.go_on(signup.id)
    (mail,) = box_of(site.app).mails
    verify = mail["url"].rpartition("/")[2]
    return {
        "nobody": [
            ("acme", "/login"),
            ("acme", "/login/local"),
            ("acme", "/callback/local?error=x"),
            ("acme", "/reset"),
            ("acme", f"/reset/{reset}"),
            ("acme", "/reset/gone"),
            ("acme", f"/invitation/{invitation}"),
            ("acme", "/invitation/gone"),
            ("acme", f"/arrive/{arrive}"),
            ("acme", "/logged-out"),
            ("acme", "/nowhere"),
            ("", "/login"),
            ("", "/logged-out"),
            ("", "/find"),
            ("", "/sign-up"),
            ("", f"/sign-up/verify/{verify}"),
        ],
        ANNA: [("acme", path) for path in ("/", "/sessions", "/members", "/tenants", "/logout")],
        OLGA: [("", path) for path in ("/", "/sessions", "/tenants", "/impersonate", "/logout")],
    }


def given(answer: str) -> Callable[[Any], None]:
    """Let a browser have this page."""
    return lambda route: route.fulfill(body=answer, content_type="text/html")


def answers_of(site: Site) -> list[tuple[str, str]]:
    """What forms are answered with: the address at which it is shown, and the page."""
    central, nobody, anna = (
        Browser(site.app, f"{host}localhost:{site.port}") for host in ("", "acme.", "acme.")
    )
    anna.log_in()
    long = {"tenant_name": "Mia", "slug": "www", "person_name": "Mia", "email": "mia@mail.example"}
    answered = [
        (nobody, "/login/local", "/login", {"username": "x", "password": "y"}),
        (nobody, "/reset", "/reset", {"email": "nobody@mail.example"}),
        (nobody, "/reset", "/reset", {"email": "nobody"}),
        (central, "/find", "/find", {"email": "nobody@mail.example"}),
        (central, "/find", "/find", {"email": "nobody"}),
        (central, "/sign-up", "/sign-up", long),
        (central, "/sign-up", "/sign-up", {**long, "slug": f"mia-{secrets.token_hex(3)}"}),
        (anna, "/members/invite", "/members", {"email": "nobody"}),
        (anna, "/members/1/suspend", "/members", {}),
        (anna, "/tenants", "/tenants", {"tenant": "bella"}),
    ]
    return [
        (f"{browser.base}/_tenant{path}", browser.post(path, page=page, **fields).text)
        for browser, path, page, fields in answered
    ]


def test_every_page_is_among_them(site: Site) -> None:
    """Or else a new page would be looked at by nobody."""
    shown = {path.split("?")[0] for pages in pages_of(site).values() for _, path in pages}
    for module in _MODULES:
        for page in module.all:
            if page.method == "GET":
                pattern = re.sub(r"<[^>]*>", "[^/]+", page.path)
                assert any(re.fullmatch(pattern, path) for path in shown), page.path


def test_no_page_has_barriers(site: Site, chromium: Any, axe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page once, and what forms are answered with: by keyboard, light and dark, 320 pixels wide, text at 200 %,
    and sizes of what is pressed."""
    seen, pressed = 0, 0
    found: list[str] = []
    shown: set[str] = set()
    show = Visit.show

    def noted(visit: Visit, template: str, /, *args: Any, **values: Any) -> Response:
        shown.add(template)
        return show(visit, template, *args, **values)

    monkeypatch.setattr(Visit, "show", noted)
    answers = answers_of(site)
    to_look_at: dict[str, list[tuple[str, str | None]]] = {
        who: [(site.url(path, host), None) for host, path in pages] for who, pages in pages_of(site).items()
    }
    for who, addresses in {**to_look_at, "a form": answers}.items():
        context = chromium.new_context(viewport={"width": 1100, "height": 800}, reduced_motion="reduce")
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        if "@" in who:
            log_in(page, site, who, "acme" if "acme" in addresses[0][0] else "")
        for url, answer in addresses:
            if answer is not None:
                page.route(url, given(answer))
            page.goto(url)
            page.unroute(url)
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            found += barriers(page, axe)
            found += not_by_keyboard(page)
            page.emulate_media(color_scheme="dark")
            found += barriers(page, axe, "color-contrast")
            page.emulate_media(color_scheme="light")
            # 320 CSS pixels are 1280 at 400 % (WCAG 1.4.10).
            page.set_viewport_size({"width": 320, "height": 640})
            found += [f"{page.url}, narrow: {html}" for html in page.evaluate(TOO_WIDE)]
            sizes = page.evaluate(SIZES)
            found += [f"{page.url}, small: {size}" for size in sizes if min(size[:2]) < 24]  # WCAG 2.2, 2.5.8
            page.set_viewport_size({"width": 1100, "height": 800})
            page.evaluate("document.documentElement.style.fontSize = '200%'")  # WCAG 1.4.4
            found += [f"{page.url}, enlarged: {html}" for html in page.evaluate(TOO_WIDE)]
            pressed += len(sizes)
            seen += 1
        context.close()
        found += [text for text in said if "Content Security Policy" in text]
    assert not found, "\n".join(found)
    assert seen > 30
    assert pressed > 60
    # Or else a new one would be looked at by nobody.
    assert shown == {path.stem for path in TEMPLATES.glob("*.html")} - FRAMES


CONTROLS = """
[...document.querySelectorAll('a[href], button, select, textarea, input:not([type=hidden]), summary')]
.filter(e => e.getClientRects().length && !e.disabled)
.map((e, i) => { e.dataset.n = i; return e.outerHTML.slice(0, 80) })
"""


def not_by_keyboard(page: Any) -> list[str]:
    """What the tabulator does not reach in the order of reading, or without anybody seeing where it is."""
    wanted = page.evaluate(CONTROLS)
    page.evaluate("scrollTo(0, 0); document.body.tabIndex = -1; document.body.focus()")
    found = []
    for number, html in enumerate(wanted):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.n") != str(number):
            return [f"{page.url}, by keyboard: {html} does not come at its place"]
        if not _ring(page):
            found.append(f"{page.url}, by keyboard: nothing shows that {html} has the focus")
    return found if wanted else [f"{page.url}: nothing to go to by keyboard"]


TOO_WIDE = """
[...document.querySelectorAll('body *')]
.filter(e => !e.closest('.hidden, .skip'))
.filter(e => { const r = e.getBoundingClientRect(); return r.right > innerWidth + 1 || r.left < -1 })
.map(e => e.outerHTML.slice(0, 120))
"""
SIZES = """
[...document.querySelectorAll('button, .button, summary, select, input:not([type=hidden])')].map(e => {
  const r = (e.closest('label') || e).getBoundingClientRect(); return [r.width, r.height, e.outerHTML.slice(0, 99)] })
"""


def test_german_pages_have_no_barriers_either(site: Site, chromium: Any, axe: str) -> None:
    """Words are longer there: at 320 pixels, too."""
    context = chromium.new_context(viewport={"width": 320, "height": 640}, locale="de-DE")
    page = context.new_page()
    for host, path, heading in (("acme", "/login", "Anmelden"), ("", "/sign-up", "Registrieren")):
        page.goto(site.url(path, host))
        assert page.get_by_role("heading").inner_text() == heading
        assert page.locator("html").get_attribute("lang") == "de"
        assert barriers(page, axe) + page.evaluate(TOO_WIDE) == []
    context.close()


def test_axe_would_find_barriers(site: Site, visitor: Any, axe: str) -> None:
    visitor.goto(site.url("/login"))
    visitor.evaluate(
        "document.querySelector('label').remove(); document.documentElement.removeAttribute('lang')"
    )
    found = "\n".join(barriers(visitor, axe))
    assert "label" in found
    assert "html-has-lang" in found


def test_what_the_keyboard_does_not_reach_would_be_found(site: Site, visitor: Any) -> None:
    visitor.goto(site.url("/login"))
    assert not_by_keyboard(visitor) == []
    visitor.evaluate("document.querySelector('button').tabIndex = -1")
    assert "does not come at its place" in not_by_keyboard(visitor)[0]
    visitor.goto(site.url("/login"))
    visitor.evaluate("document.querySelector('button').style.outline = 'none'")
    assert "has the focus" in not_by_keyboard(visitor)[0]


def test_what_is_too_wide_or_too_small_would_be_found(site: Site, visitor: Any) -> None:
    visitor.goto(site.url("/login"))
    assert visitor.evaluate(TOO_WIDE) == []
    visitor.evaluate("document.querySelector('h1').textContent = 'x'.repeat(400)")
    visitor.evaluate("document.querySelector('h1').style.overflowWrap = 'normal'")
    visitor.evaluate(
        "document.querySelector('button').style.cssText = 'min-height: 0; padding: 0; height: 9px'"
    )
    visitor.evaluate("document.querySelector('.card').style.width = '2000px'")
    assert visitor.evaluate(TOO_WIDE)
    assert min(min(size[:2]) for size in visitor.evaluate(SIZES)) < 24


# ---- by keyboard alone
def _focused(page: Any) -> str:
    return str(
        page.evaluate(
            "(() => { const e = document.activeElement; return e.innerText || e.getAttribute('aria-label') ||"
            " (e.labels && e.labels[0] && e.labels[0].innerText) || e.tagName })()"
        )
    ).strip()


def _ring(page: Any) -> bool:
    """Whether what the keyboard is at can be seen to be."""
    return bool(
        page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 })()"
        )
    )


def test_logging_in_and_out_by_keyboard(site: Site, visitor: Any) -> None:
    visitor.goto(site.url("/login"))
    assert _focused(visitor) == "E-mail address"
    visitor.keyboard.type(ANNA)
    visitor.keyboard.press("Tab")
    assert (_focused(visitor), _ring(visitor)) == ("Password", True)
    visitor.keyboard.type(PASSWORD)
    visitor.keyboard.press("Enter")
    visitor.wait_for_url(f"**:{site.port}/")
    visitor.goto(site.url("/logout"))
    visitor.keyboard.press("Tab")
    assert (_focused(visitor), _ring(visitor)) == ("Skip to the content", True)
    visitor.keyboard.press("Enter")
    assert visitor.evaluate("document.activeElement.id") == "main"
    visitor.keyboard.press("Tab")
    assert _focused(visitor) == "Log out"
    visitor.keyboard.press("Enter")
    visitor.wait_for_url("**/logged-out")


def test_a_member_is_managed_by_keyboard(site: Site, visitor: Any) -> None:
    log_in(visitor, site)
    visitor.goto(site.url("/members"))
    visitor.get_by_label("E-mail address").focus()
    visitor.keyboard.type("key@mail.example")
    visitor.keyboard.press("Enter")
    visitor.wait_for_load_state()
    assert "key@mail.example is invited." in visitor.get_by_role("status").inner_text()
    assert box_of(site.app).mails[-1]["to"] == "key@mail.example"


def test_what_went_wrong_is_said_aloud_and_with_its_field(site: Site, visitor: Any) -> None:
    visitor.goto(site.url("/login"))
    visitor.get_by_label("E-mail address").fill(ANNA)
    visitor.get_by_label("Password").fill("wrong")
    visitor.get_by_role("button", name="Log in").click()
    assert "did not work" in visitor.get_by_role("alert").inner_text()
    _, secret = accounts_of(site.app).people.invite(1, "lee@mail.example", [])
    visitor.goto(site.url(f"/invitation/{secret}"))
    visitor.get_by_label("Your name").fill("Lee")
    visitor.get_by_label("Password").fill("short")
    visitor.get_by_role("button", name="Accept the invitation").click()
    field = visitor.get_by_label("Password")
    assert field.get_attribute("aria-invalid") == "true"
    described = field.get_attribute("aria-describedby").split()
    assert "12" in visitor.locator(f"#{described[-1]}").inner_text()


# ---- the policy, with a browser that keeps to it
def test_the_way_to_another_host_is_not_held_up_by_the_policy(site: Site, visitor: Any) -> None:
    """A redirect after a form to another host would be: form-action."""
    log_in(visitor, site)
    visitor.goto(site.url("/tenants"))
    visitor.get_by_role("button", name="Open Bella Bakery").click()
    visitor.wait_for_url(re.compile(r"http://bella\.localhost:\d+/_tenant/arrive/"))
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(f"http://bella.localhost:{site.port}/")
    assert "Hello Anna" in visitor.inner_text("h1")
    visitor.goto(site.url("/", "acme"))
    assert "Anna" in visitor.inner_text("main")  # side by side, and neither knows the other's cookie
    names = {(c["domain"], c["name"]) for c in visitor.context.cookies()}
    assert {("acme.localhost", "session"), ("bella.localhost", "session")} <= names


def test_another_sites_page_can_send_no_form(site: Site, visitor: Any) -> None:
    log_in(visitor, site)
    evil = f"http://evil.localhost:{site.port}/"
    form = (
        f'<form method="post" action="{site.url("/sessions/end-mine")}"><input name="csrf" value="guess"></form>'
        "<script>document.forms[0].submit()</script>"
    )
    visitor.route(evil, lambda route: route.fulfill(body=form, content_type="text/html"))
    visitor.goto(evil)
    visitor.wait_for_url(site.url("/sessions/end-mine"))
    assert "cannot be taken" in visitor.inner_text("main")
    visitor.goto(site.url("/"))
    assert "Anna" in visitor.inner_text("main")


def test_our_pages_stand_in_nobodys_frame(site: Site, visitor: Any) -> None:
    outside = f"http://evil.localhost:{site.port}/"
    body = f'<iframe src="{site.url("/login")}"></iframe>'
    visitor.route(outside, lambda route: route.fulfill(body=body, content_type="text/html"))
    visitor.goto(outside)
    visitor.wait_for_function("frames.length === 1")
    assert visitor.frames[-1].url.startswith("chrome-error:")
    assert "E-mail address" not in visitor.frames[-1].content()


def test_the_banner_stands_above_the_applications_own_pages(
    site: Site, visitor: Any, axe: str, tmp_path: Path
) -> None:
    log_in(visitor, site, OLGA, "")
    visitor.goto(site.url("/impersonate", ""))
    visitor.get_by_label("Workspace").fill("acme")
    visitor.get_by_label("Member").fill(BERT)
    visitor.get_by_label("Why").fill("Ticket 4711")
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(re.compile("/arrive/"))
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(f"http://acme.localhost:{site.port}/")
    region = visitor.get_by_role("region", name="Acting as somebody else")
    assert "You act as Bert" in region.inner_text()
    assert region.bounding_box()["y"] < 20
    assert region.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(254, 243, 199)"
    assert not barriers(visitor, axe)
    region.get_by_role("button", name="Stop").click()
    visitor.wait_for_url("**/logged-out")
