"""The ASGI edge: Flask itself under an ASGI server, and any other ASGI application beside it.

:func:`asgi_app` serves a Flask application with Tenancy: the WSGI edge inside it does what it always does.
:class:`TenantASGIMiddleware` wraps an application that is ASGI through and through, on SQLAlchemy's asynchronous
engine, web sockets included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from asgiref.wsgi import WsgiToAsgi, WsgiToAsgiInstance
from flask import Flask

from .connections import Connections
from .errors import ConfigurationError
from .model import Answer, Refusal, RequestFacts, Resolution
from .wsgi import in_wsgi

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RESOLUTION = "flask_tenant.resolution"
"""Key of the connection's :class:`~flask_tenant.model.Resolution` in the ASGI scope."""

UNKNOWN_TENANT = 4404
"""Close code of a web socket that is not served; the last digits are the HTTP status."""

_DENIAL = "websocket.http.response"


class _Headers(Mapping[str, str]):
    """An ASGI scope's headers. What comes several times is joined, as WSGI servers do."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = tuple(pairs)

    def __getitem__(self, name: str) -> str:
        wanted = name.encode("latin-1")
        found = [value for key, value in self._pairs if key.lower() == wanted]
        if not found:
            raise KeyError(name)
        return (b"; " if wanted == b"cookie" else b",").join(found).decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1").lower() for key, _ in self._pairs))

    def __len__(self) -> int:
        return len(list(iter(self)))


def facts_of(scope: Scope) -> RequestFacts:
    """Return what an edge may know of a request."""
    headers = _Headers(scope.get("headers", ()))
    server = scope.get("server") or ("", None)
    mount = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if mount and path.startswith(f"{mount}/"):
        path = path[len(mount) :]  # a scope's path starts with its mount point
    sent: str = scope.get("scheme", "http")
    scheme = {"ws": "http", "wss": "https"}.get(sent, sent)
    raw = scope.get("raw_path") or b""
    return RequestFacts(
        headers.get("host") or server[0] or "",
        path.encode().decode("latin-1") or "/",
        scheme,
        headers,
        (scope.get("client") or ("",))[0] or "",
        mount,
        scope.get("query_string", b"").decode("latin-1"),
        raw.decode("latin-1"),
    )


class TenantASGIMiddleware:
    """Enters the tenant of each HTTP request and web socket of an ASGI application.

    Put it outside of everything that touches tenants' data, and inside of what talks to the server.

    :param app: the ASGI application
    :param flask_app: the Flask application that has Tenancy, and with it the engines, the directory and the settings
    :param central: paths that are served where no tenant is named; one that ends in ``/`` stands for all below it
    :raises ConfigurationError: when the Flask application has no Tenancy
    """

    def __init__(self, app: App, flask_app: Flask, *, central: Collection[str] = ()) -> None:
        state = flask_app.extensions.get("tenancy")
        if state is None:
            raise ConfigurationError(
                f"Tenancy is not registered with {flask_app.name!r}", hint="Tenancy().init_app(app)"
            )
        self._app = app
        self._flask_app = flask_app
        self._admission: Any = state.admission
        self._admit: Callable[[RequestFacts], Resolution | Answer] = state.admit
        self._enter: Callable[[Resolution], AbstractContextManager[Any]] = state.enter_request
        self._connections = Connections(state.unserved, state.admission.status)
        self._central = tuple(central)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, web socket or lifespan."""
        if scope["type"] not in ("http", "websocket"):
            with self._enter(Resolution(None)):  # the server's own start and end belong to nobody
                await self._app(scope, receive, send)
            return
        facts = facts_of(scope)
        found: Resolution | Answer | None = self._admission.known(
            facts.host, facts.path, {in_wsgi(name) for name in facts.headers}
        )
        if found is None:
            # The directory may have to ask Redis or the database: that must not hold up the event loop.
            found = await asyncio.to_thread(self._admit, facts)
        if isinstance(found, Resolution) and found.tenant is None and not self._serves_nobody(facts.path):
            found = self._admission.answer(Resolution(None, refused=Refusal.NOBODY), facts)
        if isinstance(found, Answer):
            await (_refuse if scope["type"] == "websocket" else _send)(found, scope, receive, send)
            return
        scope = {**scope, RESOLUTION: found}
        if found.script_name:
            scope["root_path"] = scope.get("root_path", "").rstrip("/") + found.script_name
        with self._enter(found):
            if found.tenant is None:
                await self._app(scope, receive, send)
            else:
                await self._connections.serve(self._app, found.tenant, scope, receive, send)

    def _serves_nobody(self, path: str) -> bool:
        return any(
            path == known or (known.endswith("/") and path.startswith(known)) for known in self._central
        )


async def _send(answer: Answer, scope: Scope, receive: Receive, send: Send, prefix: str = "http") -> None:
    headers = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in answer.headers]
    await send({"type": f"{prefix}.response.start", "status": answer.status, "headers": headers})
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{prefix}.response.body", "body": body})


async def _refuse(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Turn a web socket away: with the page where the server can send one, else with a close code."""
    await receive()  # the request to connect
    if _DENIAL in (scope.get("extensions") or {}):
        await _send(answer, scope, receive, send, "websocket.http")
    else:
        await send({"type": "websocket.close", "code": 4000 + answer.status, "reason": ""})


# ---- Flask under an ASGI server
def asgi_app(app: Flask) -> App:
    """Return a Flask application as an ASGI application.

    Requests run in threads, each response is closed whatever becomes of its client, and the server's lifespan
    messages are answered. Web sockets, which Flask does not serve, are closed.

    :param app: has Tenancy, or has not
    """
    wrapped = _FlaskToAsgi(_Closing(app))

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await wrapped(cast(Any, scope), receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": UNKNOWN_TENANT, "reason": ""})

    return serve


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class _Closing:
    """A WSGI application whose responses are closed at their end: asgiref leaves that to the garbage collector."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        application: WSGIApplication = self._app.wsgi_app
        body = application(environ, start_response)
        try:
            yield from body
        finally:
            close: Any = getattr(body, "close", None)
            if close is not None:
                close()


class _Instance(WsgiToAsgiInstance):
    """One request. In a thread of its own, not in the one that asgiref shares between all."""

    run_wsgi_app = sync_to_async(vars(WsgiToAsgiInstance)["run_wsgi_app"].func, thread_sensitive=False)

    def build_environ(self, scope: Any, body: Any) -> Any:
        environ: Any = super().build_environ(scope, body)
        raw = scope.get("raw_path")
        if raw:
            environ["RAW_URI"] = raw.decode("latin-1")
        return environ


class _FlaskToAsgi(WsgiToAsgi):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await _Instance(self.wsgi_application, self.duplicate_header_limit)(scope, receive, send)
