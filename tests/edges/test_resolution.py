"""Who a request is for: each strategy, their order, and what they must agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_tenant import tenant_context
from flask_tenant.errors import ConfigurationError, TenantError
from flask_tenant.model import RequestFacts, TenantState
from flask_tenant.registry import state_of
from flask_tenant.resolve import Subdomain
from tests.edges.site import ask, make_site

ALL = ["domain", "subdomain", "path", "token", "header", "session"]
PROXY = "10.1.2.3"
API = "api.example.com"


@pytest.fixture
def site(tmp_path: Path) -> Flask:
    """All strategies, in the usual order."""
    return make_site(
        tmp_path, TENANT_STRATEGIES=ALL, TENANT_TRUSTED_PROXIES=["10.0.0.0/8"], TENANT_CENTRAL_HOSTS=[API]
    )


def directory(app: Flask) -> Any:
    return state_of(app).directory


def token_of(app: Flask, slug: str) -> str:
    return directory(app).create_token(directory(app).get(slug), "test")[1]


def cookie_of(app: Flask, slug: str) -> str:
    found = ask(app, f"{slug}.example.com", "/login").headers["Set-Cookie"]
    return str(found).partition(";")[0]


def test_subdomain(site: Flask) -> None:
    found = ask(site, "ACME.example.com.:8000").json
    assert (found["tenant"], found["canary"], found["strategy"]) == ("acme", "canary-acme", "subdomain")
    of_any_domain = Subdomain(directory(site))
    assert of_any_domain.identify(RequestFacts("acme.test")) == "acme"
    for address in ("10.0.0.1", "10.0.0.1:80", "[::1]"):
        assert of_any_domain.identify(RequestFacts(address)) is None, "an address is no tenant called 10"


def test_confirmed_domain(site: Flask) -> None:
    bella = directory(site).get("bella")
    directory(site).add_domain(bella, "shop.bella.test")
    assert ask(site, "shop.bella.test").status == 404, "not confirmed yet"
    directory(site).confirm_domain("shop.bella.test")
    found = ask(site, "Shop.Bella.test:443").json
    assert (found["canary"], found["strategy"]) == ("canary-bella", "domain")
    directory(site).remove_domain("shop.bella.test")
    assert ask(site, "shop.bella.test").status == 404
    directory(site).add_domain(bella, "acme.example.com")
    directory(site).confirm_domain("acme.example.com")
    assert ask(site, "acme.example.com").json["canary"] == "canary-acme", (
        "what is below the base domain is nobody's own"
    )


def test_a_domain_beyond_ascii(site: Flask) -> None:
    directory(site).add_domain(directory(site).get("bella"), "bücher.test")
    directory(site).confirm_domain("bücher.test")
    assert ask(site, "XN--bcher-kva.test").json["canary"] == "canary-bella"
    assert ask(site, "b\xfccher.test").status == 404


def test_path(site: Flask) -> None:
    found = ask(site, "example.com", "/t/bella/some/page?x=1").json
    assert found == {
        "canary": "canary-bella",
        "tenant": "bella",
        "path": "/some/page",
        "url": "/t/bella/x",
        "strategy": "path",
    }
    assert ask(site, "example.com", "/t/bella/away").headers["Location"] == "/t/bella/"


def test_a_tenants_root_ends_in_a_slash(site: Flask) -> None:
    found = ask(site, "example.com", "/t/bella?x=1")
    assert (found.status, found.headers["Location"]) == (308, "/t/bella/?x=1")


def test_paths_are_the_applications_own_at_a_tenants_host(site: Flask) -> None:
    found = ask(site, "acme.example.com", "/t/bella/").json
    assert (found["canary"], found["path"]) == ("canary-acme", "/t/bella/")


def test_token(site: Flask) -> None:
    found = ask(site, API, Authorization=f"Bearer {token_of(site, 'bella')}").json
    assert (found["canary"], found["strategy"]) == ("canary-bella", "token")


def test_header_of_a_trusted_proxy(site: Flask) -> None:
    found = ask(site, API, peer=PROXY, X_Tenant="bella").json
    assert (found["canary"], found["strategy"]) == ("canary-bella", "header")
    assert ask(site, API, peer=f"::ffff:{PROXY}", X_Tenant="bella").status == 200
    for value in ("nobody", "", "acme,bella", "Bella", " bella", "1"):
        assert ask(site, API, peer=PROXY, X_Tenant=value).status == 404


def test_session(site: Flask) -> None:
    found = ask(site, API, Cookie=cookie_of(site, "bella")).json
    assert (found["canary"], found["strategy"]) == ("canary-bella", "session")


def test_order(tmp_path: Path) -> None:
    site = make_site(tmp_path, TENANT_STRATEGIES=["path", "subdomain"])
    found = ask(site, "acme.example.com", "/t/bella/").json
    assert (found["canary"], found["strategy"]) == ("canary-bella", "path")
    assert ask(site, "acme.example.com", "/").json["canary"] == "canary-acme"


@pytest.mark.parametrize("order", [ALL, ALL[::-1]], ids=["host first", "host last"])
@pytest.mark.parametrize("claim", ["token", "header", "session"])
def test_claims_must_agree_with_the_host(tmp_path: Path, order: list[str], claim: str) -> None:
    site = make_site(
        tmp_path, TENANT_STRATEGIES=order, TENANT_TRUSTED_PROXIES=[PROXY], TENANT_CENTRAL_HOSTS=[API]
    )
    sent = {
        "token": {"Authorization": f"Bearer {token_of(site, 'bella')}"},
        "header": {"X_Tenant": "bella"},
        "session": {"Cookie": cookie_of(site, "bella")},
    }[claim]
    for host, path, status in (
        (API, "/", 200),
        ("bella.example.com", "/", 200),
        ("acme.example.com", "/", 403),
        ("example.com", "/t/acme/", 403),
        ("example.com", "/t/bella/", 200),
        ("nobody.example.com", "/", 404),
        ("elsewhere.test", "/", 404),
    ):
        found = ask(site, host, path, peer=PROXY, Accept="application/json", **sent)
        assert found.status == status, (host, found.text)
        assert "canary-acme" not in found.text
        if status == 403:
            assert found.json["code"] == "tenant-conflict"


def test_two_claims_must_agree(site: Flask) -> None:
    found = ask(site, API, Authorization=f"Bearer {token_of(site, 'bella')}", Cookie=cookie_of(site, "acme"))
    assert found.status == 403
    assert "canary" not in found.text


def test_a_claim_of_somebody_who_is_gone(site: Flask) -> None:
    token, cookie = token_of(site, "bella"), cookie_of(site, "bella")
    directory(site).set_state(directory(site).get("bella"), TenantState.ARCHIVED)
    assert ask(site, API, Authorization=f"Bearer {token}").status in (401, 410)
    assert ask(site, API, Cookie=cookie).status == 410
    assert ask(site, "acme.example.com", Cookie=cookie).status == 403


def test_wrong_tokens_are_refused_and_not_passed_over(site: Flask) -> None:
    made, secret = directory(site).create_token(directory(site).get("acme"), "test")
    assert ask(site, "acme.example.com", Authorization=f"Bearer {secret}").status == 200
    directory(site).revoke_token(made.id)
    for wrong in (secret, "ft_", "ft_x", f"{token_of(site, 'acme')}x", "ft_\udcff", "ft_%00"):
        found = ask(site, "acme.example.com", Authorization=f"bearer {wrong}")
        assert found.status == 401, wrong
        assert found.headers["Content-Type"] == "application/problem+json"
        assert found.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert "canary" not in found.text
        assert wrong.strip("ft_") == "" or wrong not in found.text


@pytest.mark.parametrize(
    "value", ["Basic YTpi", "Bearer other", "Bearer", "", "Bearer  ", "ft_x", "Bearer a.b.c"]
)
def test_other_authorization_is_the_applications(site: Flask, value: str) -> None:
    assert ask(site, "acme.example.com", Authorization=value).status == 200
    assert ask(site, API, Authorization=value).status == 404


def test_states(site: Flask) -> None:
    acme = directory(site).get("acme")
    assert ask(site, "acme.example.com").status == 200
    for state, status, title in (
        (TenantState.SUSPENDED, 403, "suspended"),
        (TenantState.ARCHIVED, 410, "closed"),
        (TenantState.MAINTENANCE, 503, "Back in a moment"),
    ):
        directory(site).set_state(acme, state)
        page = ask(site, "acme.example.com", Accept="text/html,*/*;q=0.8")
        assert (page.status, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert title in page.text
        problem = ask(site, "acme.example.com", Accept="application/json")
        assert (problem.status, problem.headers["Content-Type"]) == (status, "application/problem+json")
        assert problem.json["status"] == status
        assert problem.json["code"] == f"tenant-{state.value}"
        assert problem.headers.get("Retry-After") == ("300" if status == 503 else None)
        for path in ("/about", "/outside/price"):
            assert ask(site, "acme.example.com", path).status == status, "central routes are no way in"
        assert ask(site, "bella.example.com").status == 200
    directory(site).set_state(acme, TenantState.ACTIVE)
    assert ask(site, "acme.example.com").status == 200


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("", "text/html; charset=utf-8"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json, text/html;q=0.5", "application/problem+json"),
        ("application/json;q=0.2, text/html", "text/html; charset=utf-8"),
        ("application/json, text/plain, */*", "text/html; charset=utf-8"),
        ("garbage;;;q=x", "text/html; charset=utf-8"),
    ],
)
def test_who_gets_a_page_and_who_a_problem(site: Flask, accept: str, kind: str) -> None:
    found = ask(site, "nobody.example.com", Accept=accept)
    assert (found.status, found.headers["Content-Type"], found.headers["Vary"]) == (
        404,
        kind,
        "Accept, Accept-Language",
    )


def test_pages_need_nothing_from_elsewhere(site: Flask) -> None:
    from flask_tenant import pages
    from flask_tenant.model import Refusal, RequestFacts, Resolution

    for refusal in Refusal:
        page = pages.answer(
            Resolution(None, refused=refusal, location='//x/"><script>'),
            RequestFacts("<script>&\"'", headers={"accept": "text/html"}),
            300,
        ).body.decode()
        assert "<script" not in page
        assert "http" not in page.replace("http-equiv", "")
        assert "url(" not in page
        assert "prefers-color-scheme: dark" in page
        assert page.startswith("<!doctype html>")


def test_renamed(site: Flask) -> None:
    directory(site).rename(directory(site).get("acme"), "apex")
    moved = ask(site, "acme.example.com:8000", "/a b/\xc3\xa4?q=1&r=%0d%0a&s=a+b")
    assert moved.status == 308
    assert moved.headers["Location"] == "//apex.example.com:8000/a%20b/%C3%A4?q=1&r=%0d%0a&s=a+b"
    assert ask(site, "example.com", "/t/acme/page?x=1").headers["Location"] == "/t/apex/page?x=1"
    assert ask(site, "apex.example.com").json["canary"] == "canary-acme"
    for path in ("//evil.test/", "/\r\nX-Evil: 1", "/\\evil.test"):
        location = ask(site, "acme.example.com", path).headers["Location"]
        assert location.startswith("//apex.example.com/")
        assert "\r" not in location
    location = ask(site, "acme.example.com", "/?a=\r\nX-Evil: 1").headers["Location"]
    assert location == "//apex.example.com/?a=%0D%0AX-Evil:%201"


def test_other_hosts_lead_to_the_primary_domain(tmp_path: Path) -> None:
    site = make_site(tmp_path, TENANT_REDIRECT_TO_PRIMARY=True)
    directory(site).add_domain(directory(site).get("acme"), "www.acme.test")
    directory(site).confirm_domain("www.acme.test")
    assert ask(site, "acme.example.com", "/a?b=c").headers["Location"] == "//www.acme.test/a?b=c"
    assert ask(site, "www.acme.test").json["canary"] == "canary-acme"
    assert ask(site, "bella.example.com").json["canary"] == "canary-bella"


def test_central_routes(site: Flask) -> None:
    for host in ("example.com", API):
        assert ask(site, host, "/about").text == "about, for nobody"
        assert ask(site, host, "/outside/price").text == "price"
        assert ask(site, host, "/outside/deep").text == "deep"
        assert ask(site, host, "/outside/slash").status == 308
        for path in ("/", "/anything", "/login", "/outside/nothing"):
            found = ask(site, host, path, Accept="application/json")
            assert (found.status, found.json["code"]) == (404, "tenant-missing"), path
    assert ask(site, "acme.example.com", "/about").text == "about, for acme"
    assert ask(site, "nobody.example.com", "/about").status == 404


def test_a_central_route_has_its_reason(site: Flask) -> None:
    from flask_tenant import central_route

    with pytest.raises(TenantError, match="without a reason"):
        central_route(reason=" ")
    with pytest.raises(TenantError, match="without a reason"):
        state_of(site).tenancy.central("index", reason="")
    assert state_of(site).tenancy.routes.reason(site, "about") == "for everybody"
    assert state_of(site).tenancy.routes.reason(site, "index") is None


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"TENANT_STRATEGIES": ["host"]}, "host"),
        ({"TENANT_STRATEGIES": []}, "TENANT_STRATEGIES"),
        ({"TENANT_STRATEGIES": "subdomain"}, "list of strings"),
        ({"TENANT_STRATEGIES": ["header"]}, "TENANT_TRUSTED_PROXIES"),
        ({"TENANT_TRUSTED_PROXIES": ["10.0.0.1/8"]}, "host bits"),
        ({"TENANT_TRUSTED_PROXIES": ["*"]}, "TENANT_TRUSTED_PROXIES"),
        ({"TENANT_BASE_DOMAIN": "exa mple.com"}, "TENANT_BASE_DOMAIN"),
        ({"TENANT_CENTRAL_HOSTS": ["a@b"]}, "TENANT_CENTRAL_HOSTS"),
        ({"TENANT_PATH_PREFIX": "/t/"}, "TENANT_PATH_PREFIX"),
        ({"TENANT_PATH_PREFIX": "//t"}, "TENANT_PATH_PREFIX"),
        ({"TENANT_PATH_PREFIX": "/.."}, "TENANT_PATH_PREFIX"),
        ({"TENANT_HEADER": "X Tenant"}, "TENANT_HEADER"),
        ({"TENANT_RETRY_AFTER": -1}, "TENANT_RETRY_AFTER"),
        ({"TENANT_LOGIN": True, "TENANT_SIGNUP": "open", "TENANT_BASE_DOMAIN": None}, "TENANT_SIGNUP"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make_site(tmp_path, **config)


def test_may_a_certificate_be_fetched(tmp_path: Path) -> None:
    site = make_site(tmp_path, TENANT_ASK_PATH="/.well-known/tenant-host", TENANT_CENTRAL_HOSTS=[API])
    known = directory(site)
    for host in ("shop.bella.test", "later.bella.test"):
        known.add_domain(known.get("bella"), host)
    known.confirm_domain("shop.bella.test")

    def asked(host: str, **more: Any) -> int:
        return ask(
            site, "localhost", f"/.well-known/tenant-host?domain={host}", **{"peer": "127.0.0.1", **more}
        ).status

    for host in ("acme.example.com", "shop.bella.test", "example.com", API, "ACME.example.com"):
        assert asked(host) == 200, host
    for host in (
        "nobody.example.com",
        "later.bella.test",
        "a.acme.example.com",
        "acme.evil.test",
        "",
        "127.0.0.1",
    ):
        assert asked(host) == 404, host
    known.rename(known.get("acme"), "apex")
    assert asked("acme.example.com") == 200, "its redirect needs a certificate too"
    known.set_state(known.get("bella"), TenantState.SUSPENDED)
    assert asked("bella.example.com") == 200
    known.set_state(known.get("bella"), TenantState.ARCHIVED)
    assert asked("bella.example.com") == 404
    # whoever is not the proxy gets what any unknown address gets, whatever host he asks for
    for more in ({"peer": "203.0.113.9"}, {"X_Forwarded_For": "203.0.113.9"}):
        assert {asked(host, **more) for host in ("apex.example.com", "nobody.example.com")} == {404}
        assert "yes" not in ask(site, "localhost", "/.well-known/tenant-host?domain=apex.example.com").text


def test_the_resolution_remembers(site: Flask) -> None:
    seen = []

    @site.before_request
    def look() -> None:
        from flask import request

        seen.append(request.environ["flask_tenant.resolution"])

    ask(site, "example.com", "/t/bella/")
    (found,) = seen
    assert (found.strategy, found.identifier, found.script_name) == ("path", "bella", "/t/bella")
    assert found.store in ("memory", "sql")
    with tenant_context("bella", site) as scope:
        assert found.tenant == scope.tenant
