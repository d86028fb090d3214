"""What the servers of these tests serve: Flask for WSGI and ASGI, and an application that is ASGI all through.

Every answer carries its tenant's canary. `/stays` says how many stays in tenants have begun and not ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import abort, request
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from flask_tenant import TenantThreadPoolExecutor, central_route, current_tenant, in_tenant, signals
from flask_tenant.asgi import TenantASGIMiddleware, asgi_app
from flask_tenant.context import current_scope
from tests.edges.site import make_site

folder = Path(os.environ["SITE"])
app = make_site(folder, TENANT_BASE_DOMAIN="example.com", TENANT_CENTRAL_HOSTS=["localhost", "127.0.0.1"])
canary = app.extensions["canary"]
pool = TenantThreadPoolExecutor(2)

lock = threading.Lock()
stays = {"entered": 0, "left": 0, "unclean": 0}


@signals.tenant_entered.connect
def entered(sender: Any, scope: Any) -> None:
    with lock:
        stays["entered"] += 1


@signals.tenant_left.connect
def left(sender: Any, scope: Any) -> None:
    with lock:
        stays["left"] += 1


@app.before_request
def gate() -> None:
    if request.args.get("gate"):
        abort(418)


@app.get("/stays")
@central_route(reason="the test asks")
def show_stays() -> dict[str, int]:
    if current_scope() is not None:
        stays["unclean"] += 1
    return {**stays, "pid": os.getpid()}


@app.get("/stream")
def stream() -> Any:
    count = int(request.args["n"])

    def lines() -> Iterator[str]:
        with app.app_context():
            for _ in range(count):
                # Another greenlet's turn; a stream without end leaves SQLite's lock to those who write.
                time.sleep(0.02 if count > 1_000_000 else 0)
                yield f"{current_tenant().slug}:{canary()}:{'.' * 2000}\n"

    return app.response_class(lines(), mimetype="text/plain")


@app.get("/fail")
def fail() -> str:
    canary()
    raise ZeroDivisionError


@app.get("/late-fail")
def late_fail() -> Any:
    def lines() -> Iterator[str]:
        yield f"{current_tenant().slug}\n"
        raise ZeroDivisionError

    return app.response_class(lines(), mimetype="text/plain")


@app.get("/pool")
def pooled() -> dict[str, str]:
    return {
        "canary": pool.submit(canary).result(),
        "tenant": pool.submit(lambda: current_tenant().slug).result(),
    }


@app.get("/spawn")
def spawned() -> dict[str, Any]:
    """Work begun by hand, in a greenlet under gevent: with our helper, and without."""
    found: dict[str, Any] = {}

    def bare() -> None:
        scope = current_scope()
        found["bare"] = scope.tenant.slug if scope is not None and scope.tenant is not None else None

    def work() -> None:
        found["canary"], found["tenant"] = canary(), current_tenant().slug

    for target in (in_tenant(work), bare):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    return found


# ---- ASGI all through
engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'site.db'}", poolclass=NullPool)


async def _canary() -> str:
    async with engine.connect() as connection:
        return str((await connection.execute(sa.text("SELECT text FROM note"))).scalar())


async def _pure(scope: Any, receive: Any, send: Any) -> None:
    """HTTP: the canary, in as many pieces as asked for. Web sockets: the canary for each message."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "http":
        count = int(scope["query_string"] or b"1") if scope["path"] != "/pure/wait" else 1
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        for _ in range(count):
            line = f"{current_tenant().slug}:{await _canary()}:{'.' * 2000}\n".encode()
            await send({"type": "http.response.body", "body": line, "more_body": True})
            await asyncio.sleep(0.02 if count > 1_000_000 else 0)
        if scope["path"] == "/pure/wait":
            await asyncio.Event().wait()
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = json.dumps(
            {"canary": await _canary(), "tenant": current_tenant().slug, "echo": message.get("text")}
        )
        await send({"type": "websocket.send", "text": text})


pure = TenantASGIMiddleware(_pure, app)
flask_asgi = asgi_app(app)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Both, side by side."""
    ours = scope["type"] == "websocket" or scope.get("path", "").startswith("/pure")
    await (pure if ours else flask_asgi)(scope, receive, send)
