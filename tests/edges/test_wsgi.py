"""The WSGI edge by itself: when a stay begins and ends, whatever becomes of the response."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from flask_tenant import current_tenant, in_tenant, signals, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.errors import NoTenantError
from flask_tenant.registry import state_of
from flask_tenant.threads import TenantThreadPoolExecutor
from tests.edges.site import make_site


@pytest.fixture
def site(tmp_path: Path) -> Flask:
    return make_site(tmp_path)


@pytest.fixture
def stays(site: Flask) -> Iterator[list[str]]:
    """What began and ended, in order."""
    seen: list[str] = []

    def entered(sender: Any, scope: Any) -> None:
        seen.append(f"in {scope.tenant}")

    def left(sender: Any, scope: Any) -> None:
        seen.append(f"out {scope.tenant}")

    tenancy = state_of(site).tenancy
    with (
        signals.tenant_entered.connected_to(entered, tenancy),
        signals.tenant_left.connected_to(left, tenancy),
    ):
        yield seen


def call(site: Flask, path: str = "/", slug: str = "acme") -> Any:
    """The response's body, neither read nor closed."""
    environ = EnvironBuilder(path=path, base_url=f"http://{slug}.example.com/").get_environ()
    return site.wsgi_app(environ, lambda status, headers, exc=None: lambda data: None)


def test_a_stay_ends_when_the_response_is_closed(site: Flask, stays: list[str]) -> None:
    body = call(site)
    assert stays == ["in acme"]
    assert current_scope() is None
    assert b"canary-acme" in b"".join(body)
    assert stays == ["in acme"]
    body.close()
    assert stays == ["in acme", "out acme"]
    body.close()
    assert stays == ["in acme", "out acme"]


def test_a_response_that_nobody_closes(site: Flask, stays: list[str]) -> None:
    body = call(site)
    next(iter(body))
    del body
    gc.collect()
    assert stays == ["in acme", "out acme"]
    assert current_scope() is None


def test_an_error_in_the_application(site: Flask, stays: list[str]) -> None:
    site.config["PROPAGATE_EXCEPTIONS"] = True
    site.view_functions["index"] = lambda **_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        call(site)
    assert stays == ["in acme", "out acme"]
    assert current_scope() is None


def test_an_error_while_streaming(site: Flask, stays: list[str]) -> None:
    def lines() -> Iterator[str]:
        yield current_tenant().slug
        raise ZeroDivisionError

    site.view_functions["index"] = lambda **_: site.response_class(lines())
    body = call(site)
    chunks = iter(body)
    assert next(chunks) == b"acme"
    with pytest.raises(ZeroDivisionError):
        next(chunks)
    body.close()
    assert stays == ["in acme", "out acme"]


def test_an_error_while_closing(site: Flask, stays: list[str]) -> None:
    def fail() -> None:
        stays.append(f"closing for {current_tenant()}")
        raise ZeroDivisionError

    def index(**_: Any) -> Any:
        response = site.response_class("x")
        response.call_on_close(fail)
        return response

    site.view_functions["index"] = index
    body = call(site)
    with pytest.raises(ZeroDivisionError):
        body.close()
    assert stays == ["in acme", "closing for acme", "out acme"]
    assert current_scope() is None


def test_closed_by_another_thread(site: Flask, stays: list[str]) -> None:
    body = call(site)
    chunks = iter(body)
    next(chunks)
    thread = threading.Thread(target=body.close)
    thread.start()
    thread.join()
    assert stays == ["in acme", "out acme"]


def test_a_receiver_that_fails_leaves_nobody_inside(site: Flask) -> None:
    def fail(sender: Any, scope: Any) -> None:
        raise ZeroDivisionError

    with signals.tenant_entered.connected_to(fail), pytest.raises(ZeroDivisionError):
        call(site)
    assert current_scope() is None
    assert b"canary-acme" in b"".join(call(site))


def test_the_next_request_starts_clean(site: Flask) -> None:
    """Even when the server's thread was left in a tenant by somebody's mistake, and in a context of its own."""
    with tenant_context("bella", site):
        body = call(site)
        assert b"canary-acme" in b"".join(body)
        body.close()
        assert current_tenant().slug == "bella"
    context = copy_context()
    for slug in ("acme", "bella"):
        assert f"canary-{slug}".encode() in b"".join(context.run(call, site, "/", slug))


# ---- threads
def test_work_in_a_thread_keeps_its_tenant(site: Flask, stays: list[str]) -> None:
    found: list[str] = []

    def work() -> None:
        found.append(f"{current_tenant()} {site.extensions['canary']()}")

    with pytest.raises(NoTenantError):
        in_tenant(work)
    with site.app_context(), tenant_context("acme"):
        taken = in_tenant(work)
    with site.app_context(), tenant_context("bella"):
        taken()
        assert current_tenant().slug == "bella"
    thread = threading.Thread(target=taken)
    thread.start()
    thread.join()
    assert found == ["acme canary-acme"] * 2
    assert stays.count("in acme") == stays.count("out acme") == 3
    assert current_scope() is None


def test_work_that_is_taken_along_is_a_stay_of_its_own(site: Flask) -> None:
    """It may outlive the code that began it, and so must not share its sessions."""

    def key() -> object:
        scope = current_scope()
        return scope.key if scope is not None else None

    with site.app_context(), tenant_context("acme") as scope:
        assert key() is scope.key
        with tenant_context("acme"):
            assert key() is scope.key, "the control: a stay within the same tenant shares"
        assert in_tenant(key)() not in (None, scope.key)
        assert key() is scope.key


def test_a_pools_threads_are_reused_clean(site: Flask) -> None:
    def who() -> str:
        scope = current_scope()
        return f"{scope.tenant} {site.extensions['canary']()}" if scope is not None else "nobody"

    with TenantThreadPoolExecutor(1) as pool:
        found = []
        for slug in ("acme", None, "bella", None):
            if slug is None:
                found.append(pool.submit(who).result())
                continue
            with site.app_context(), tenant_context(slug):
                found.append(pool.submit(who).result())
                found += pool.map(lambda _: who(), [1])
                with pytest.raises(ZeroDivisionError):
                    pool.submit(lambda: 1 / 0).result()
    assert found == ["acme canary-acme"] * 2 + ["nobody"] + ["bella canary-bella"] * 2 + ["nobody"]
