"""The ASGI edge by itself: cancelled requests, tasks, web sockets that are turned away, mount points."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_tenant import create_tenant_task, current_tenant, tenant_context
from flask_tenant.asgi import TenantASGIMiddleware, asgi_app, facts_of
from flask_tenant.context import current_scope
from flask_tenant.errors import ConfigurationError, NoTenantError
from tests.edges.site import make_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return make_site(tmp_path_factory.mktemp("asgi"), TENANT_STRATEGIES=["subdomain", "path"])


def scope_of(host: str = "acme.example.com", kind: str = "http", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "path": "/",
        "method": "GET",
        "query_string": b"",
        "headers": [(b"host", host.encode("latin-1"))],
        "client": ("203.0.113.9", 5),
        **more,
    }


class Wire:
    """What a server hands to an application, and what it gets back."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)


def run(app: Any, scope: dict[str, Any], *messages: dict[str, Any]) -> list[dict[str, Any]]:
    wire = Wire(*messages)
    asyncio.run(asyncio.wait_for(app(scope, wire.receive, wire.send), 20))
    return wire.sent


def wrap(site: Flask, inner: Callable[..., Any], **more: Any) -> TenantASGIMiddleware:
    return TenantASGIMiddleware(inner, site, **more)


def test_it_needs_tenancy() -> None:
    with pytest.raises(ConfigurationError, match="not registered"):
        TenantASGIMiddleware(None, Flask("bare"))  # type: ignore[arg-type]


def test_a_cancelled_request_ends_its_stay(site: Flask) -> None:
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        try:
            seen.append(current_tenant().slug)
            await asyncio.Event().wait()
        finally:
            seen.append(current_tenant().slug)

    async def main() -> None:
        async def request() -> None:
            try:
                await wrap(site, inner)(scope_of(), Wire().receive, Wire().send)
            finally:
                seen.append(current_scope())

        task = asyncio.create_task(request())
        while not seen:
            await asyncio.sleep(0)
        assert current_scope() is None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["acme", "acme", None]


def test_an_error_ends_the_stay(site: Flask) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError(current_tenant().slug)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError, match="acme"):
            await wrap(site, inner)(scope_of(), Wire().receive, Wire().send)
        assert current_scope() is None

    asyncio.run(main())


def test_a_task_may_outlive_the_request(site: Flask) -> None:
    async def main() -> list[str]:
        go, tasks = asyncio.Event(), []

        async def work() -> str:
            await go.wait()
            return current_tenant().slug

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            tasks.append(create_tenant_task(work(), name="work"))

        for slug in ("acme", "bella"):
            await wrap(site, inner)(scope_of(f"{slug}.example.com"), Wire().receive, Wire().send)
        with site.app_context(), pytest.raises(NoTenantError):
            create_tenant_task(work())
        tasks.append(tasks[0])
        go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == ["acme", "bella", "acme"]


def test_a_task_that_is_cancelled_before_it_begins(site: Flask) -> None:
    async def main() -> None:
        async def never() -> None:
            raise AssertionError

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            create_tenant_task(never()).cancel()

        await wrap(site, inner)(scope_of(), Wire().receive, Wire().send)
        await asyncio.sleep(0)

    asyncio.run(main())


async def never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the application was reached")


@pytest.mark.parametrize(
    "host", ["nobody.example.com", "example.com", "acme.example.com\0", "\xff.example.com", ""]
)
def test_web_sockets_of_nobody_are_turned_away(site: Flask, host: str) -> None:
    scope = scope_of(host, "websocket")
    assert run(wrap(site, never), scope, {"type": "websocket.connect"}) == [
        {"type": "websocket.close", "code": 4404, "reason": ""}
    ]
    scope["extensions"] = {"websocket.http.response": {}}
    start, body = run(wrap(site, never), scope, {"type": "websocket.connect"})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert b"Nobody lives here" in body["body"]


def test_hosts_that_come_twice(site: Flask) -> None:
    scope = scope_of()
    scope["headers"].append((b"host", b"bella.example.com"))
    assert run(wrap(site, never), scope)[0]["status"] == 404


def test_lifespan_is_nobodys(site: Flask) -> None:
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_scope())
        await send(await receive())

    with tenant_context("acme", site):  # whoever starts the server
        assert run(wrap(site, inner), {"type": "lifespan"}, {"type": "lifespan.startup"}) == [
            {"type": "lifespan.startup"}
        ]
    assert seen == [None]


def test_flask_answers_lifespan_and_refuses_web_sockets(site: Flask) -> None:
    app = asgi_app(site)
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    assert [m["type"] for m in run(app, {"type": "lifespan"}, *messages)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert run(app, scope_of(kind="websocket"), {"type": "websocket.connect"})[0]["code"] == 4404


def test_path_prefixes_become_the_mount_point(site: Flask) -> None:
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append((current_tenant().slug, scope["root_path"], scope["path"]))

    run(wrap(site, inner), scope_of("example.com", path="/t/bella/x", raw_path=b"/t/bella/x"))
    run(wrap(site, inner), scope_of("example.com", path="/app/t/bella/x", root_path="/app"))
    assert seen == [("bella", "/t/bella", "/t/bella/x"), ("bella", "/app/t/bella", "/app/t/bella/x")]
    for path, raw in (
        ("/t/acme/bella/", b"/t/acme%2fbella/"),
        ("/t/acme/../bella/", b""),
        ("//t/bella/", b""),
    ):
        assert run(wrap(site, never), scope_of("example.com", path=path, raw_path=raw))[0]["status"] == 404


def test_flask_under_a_path_prefix(site: Flask) -> None:
    scope = scope_of(
        "example.com", path="/t/bella/x", raw_path=b"/t/bella/x", http_version="1.1", server=("x", 80)
    )
    sent = run(asgi_app(site), scope, {"type": "http.request"})
    assert b'"url":"/t/bella/x"' in b"".join(message.get("body", b"") for message in sent).replace(b" ", b"")
    scope["raw_path"] = b"/t/b%65lla/x"
    assert run(asgi_app(site), scope, {"type": "http.request"})[0]["status"] == 404


def test_central_paths(site: Flask) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "scope": current_scope()})

    app = wrap(site, inner, central=["/health", "/public/"])
    for path, status in (
        ("/health", 200),
        ("/public/a", 200),
        ("/healthy", 404),
        ("/public", 404),
        ("/", 404),
    ):
        (first, *_) = run(app, scope_of("example.com", path=path))
        assert first["status"] == status, path
        assert first.get("scope") is None


def test_facts_are_the_same_as_wsgis() -> None:
    from flask_tenant.wsgi import facts_of as of_environ

    environ = {
        "HTTP_HOST": "acme.example.com",
        "PATH_INFO": "/\xc3\xa4",
        "QUERY_STRING": "a=b",
        "REMOTE_ADDR": "203.0.113.9",
        "HTTP_X_A": "1,2",
        "RAW_URI": "/%C3%A4",
        "wsgi.url_scheme": "https",
    }
    scope = scope_of(path="/ä", query_string=b"a=b", raw_path=b"/%C3%A4", scheme="wss")
    scope["headers"] += [(b"x-a", b"1"), (b"X-A", b"2")]
    one, other = of_environ(environ), facts_of(scope)
    assert one._replace(headers={}) == other._replace(headers={})
    assert dict(one.headers) == dict(other.headers)
