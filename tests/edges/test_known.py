"""What a host has come to is remembered: until the directory hears of a change, if the host alone decides."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_tenant.admission import Admission
from flask_tenant.asgi import TenantASGIMiddleware, asgi_app
from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.edges.site import ask, make_site
from tests.edges.test_asgi import run, scope_of

ACME = "acme.example.com"


def admission(app: Flask) -> Admission:
    return state_of(app).admission


def known(app: Flask, host: str = ACME, path: str = "/", *headers: str) -> str | None:
    found = admission(app).known(host, path, set(headers))
    return found.tenant.slug if found is not None and found.tenant is not None else None


@pytest.fixture
def site(tmp_path: Path) -> Flask:
    return make_site(tmp_path)


def warm(app: Flask, host: str = ACME, **more: Any) -> Any:
    """Ask twice: nothing is kept before the directory was asked the first time."""
    ask(app, host, **more)
    found = ask(app, host, **more)
    state_of(app).directory._memory.fresh_until = time.monotonic() + 60  # a slow machine changes nothing
    return found


def test_the_second_request_walks_no_pipeline(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known(site) is None
    warm(site)
    assert known(site) == "acme"

    def never(*_: Any) -> Any:
        raise AssertionError("the pipeline was walked")

    monkeypatch.setattr("flask_tenant.pipeline.admit", never)
    found = ask(site)
    assert found.json["canary"] == "canary-acme"
    assert found.json["strategy"] == "subdomain"
    with pytest.raises(AssertionError):
        ask(site, "bella.example.com")


def test_spellings_are_different_hosts_of_one_tenant(site: Flask) -> None:
    for host in (ACME, "ACME.example.com:8000", "acme.example.com."):
        assert warm(site, host).json["tenant"] == known(site, host) == "acme"
    assert known(site, "acme.example.com.:1") is None


@pytest.mark.parametrize(
    ("state", "status"),
    [(TenantState.SUSPENDED, 403), (TenantState.ARCHIVED, 410), (TenantState.MAINTENANCE, 503)],
)
def test_a_change_ends_it(site: Flask, state: TenantState, status: int) -> None:
    directory = state_of(site).directory
    warm(site)
    directory.set_state(directory.get("acme"), state)
    assert known(site) is None
    assert warm(site).status == status
    assert known(site) is None, "who is not served is not kept"
    directory.set_state(directory.get("acme"), TenantState.ACTIVE)
    assert warm(site).status == 200


def test_so_does_a_change_of_anybody(site: Flask) -> None:
    """It may be a name that led to nobody before: of that, too, something was made."""
    app, directory = site, state_of(site).directory
    warm(app)
    assert known(app) == "acme"
    directory.set_name(directory.get("bella"), "Bella")
    assert known(app) is None


def test_a_domain_that_is_confirmed_later_wins(tmp_path: Path) -> None:
    """Without a base domain `acme.shop.com` is tenant acme, until it becomes bella's own domain."""
    app = make_site(tmp_path, TENANT_BASE_DOMAIN=None)
    directory = state_of(app).directory
    assert warm(app, "acme.shop.com").json["tenant"] == known(app, "acme.shop.com") == "acme"
    directory.add_domain(directory.get("bella"), "acme.shop.com")
    directory.confirm_domain("acme.shop.com")
    assert warm(app, "acme.shop.com").json["tenant"] == "bella"


def test_a_change_that_comes_in_between(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was looked up before a change, and ends after it, leaves nothing behind."""
    from flask_tenant import pipeline

    directory, original = state_of(site).directory, pipeline.admit
    ask(site)

    def slowly(*given: Any) -> Any:
        found = original(*given)
        directory.set_state(directory.get("acme"), TenantState.SUSPENDED)
        return found

    monkeypatch.setattr(pipeline, "admit", slowly)
    assert ask(site).status == 200
    monkeypatch.undo()
    assert known(site) is None
    assert ask(site).status == 403


def test_whatever_a_header_says_is_heard(tmp_path: Path) -> None:
    strategies = ["subdomain", "token", "session", "header"]
    app = make_site(
        tmp_path, TENANT_STRATEGIES=strategies, TENANT_TRUSTED_PROXIES=["10.0.0.1"], TENANT_HEADER="X-Of"
    )
    directory = state_of(app).directory
    warm(app)
    assert known(app) == "acme"
    for name in ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_X_OF"):
        assert known(app, ACME, "/", name) is None, name
    _, secret = directory.create_token(directory.get("bella"), "robot")
    warm(app)
    assert ask(app, Authorization=f"Bearer {secret}").status == 403
    assert ask(app, peer="10.0.0.1", X_Of="bella").status == 403
    assert ask(app, Authorization="Bearer ft_wrong").status == 401
    assert ask(app).status == 200
    headers = [(b"host", ACME.encode()), (b"Authorization", f"Bearer {secret}".encode())]
    sent = run(TenantASGIMiddleware(asgi_app(app), app), scope_of(headers=headers))
    assert sent[0]["status"] == 403


@pytest.mark.parametrize("strategies", [["path", "subdomain"], ["token", "path", "domain", "subdomain"]])
def test_a_path_that_is_asked_first_is_always_asked(tmp_path: Path, strategies: list[str]) -> None:
    app = make_site(tmp_path, TENANT_STRATEGIES=strategies)
    assert warm(app).json["tenant"] == "acme"
    assert known(app) is None
    assert warm(app, path="/t/bella/x").json["tenant"] == "bella"


def test_a_header_called_host_is_believed_from_proxies_only(tmp_path: Path) -> None:
    """Nobody should configure it; if somebody does, what a proxy said is not remembered for everybody."""
    app = make_site(
        tmp_path,
        TENANT_BASE_DOMAIN=None,
        TENANT_STRATEGIES=["header"],
        TENANT_TRUSTED_PROXIES=["10.0.0.1"],
        TENANT_HEADER="Host",
    )
    assert warm(app, "acme", peer="10.0.0.1").json["tenant"] == "acme"
    assert known(app, "acme") is None
    assert known(app, "acme", "/", "HTTP_HOST") is None
    assert ask(app, "acme", peer="203.0.113.9").status == 404


def test_a_redirect_to_the_primary_domain_is_not_skipped(tmp_path: Path) -> None:
    app = make_site(tmp_path, TENANT_REDIRECT_TO_PRIMARY=True)
    directory = state_of(app).directory
    warm(app)
    directory.add_domain(directory.get("acme"), "acme.shop")
    directory.confirm_domain("acme.shop")
    assert warm(app).status == 308
    assert warm(app, "acme.shop").status == 200


def test_the_certificates_question_is_answered(tmp_path: Path) -> None:
    app = make_site(tmp_path, TENANT_ASK_PATH="/ask")
    warm(app)
    assert known(app, ACME, "/ask") is None
    assert ask(app, path="/ask?domain=acme.example.com", peer="127.0.0.1").text == "yes\n"
    assert ask(app, path="/ask?domain=nobody.example.com", peer="127.0.0.1").text == "no\n"


def test_its_memory_is_bounded(tmp_path: Path) -> None:
    app = make_site(tmp_path, TENANT_CACHE_SIZE=3)
    for port in range(1, 9):
        warm(app, f"{ACME}:{port}")
    kept = [port for port in range(1, 9) if known(app, f"{ACME}:{port}")]
    assert kept == [6, 7, 8]


def test_it_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flask_tenant.directory import memory

    app = make_site(tmp_path, TENANT_CACHE_SECONDS=30)
    warm(app)
    now = memory.time.monotonic()
    assert known(app) == "acme"

    class Later:
        @staticmethod
        def monotonic() -> float:
            return now + 31

    monkeypatch.setattr(memory, "time", Later)
    assert known(app) is None


def test_forgetting_forgets_it(site: Flask) -> None:
    warm(site)
    state_of(site).directory.forget()
    assert known(site) is None
