"""Open connections end with their tenant: web sockets and streamed responses of an ASGI application.

A request finds a suspended tenant shut, but what was let in before may stay open for hours. So each event loop looks
from time to time whether the tenants of its open connections are still served, and ends the connections of those that
are not: the application's task is cancelled, as when a client goes away, and whatever it sends after that is refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary

from .errors import TenantClosedError
from .model import Refusal, Tenant
from .wsgi import LOOK_SECONDS

log = logging.getLogger("flask_tenant")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

CLOSE = 4000
"""Added to the HTTP status of a refusal, it is the close code of a web socket: 4403 for a suspended tenant."""


class Connection:
    """One connection, from the application's call to its end.

    :param kind: ``http`` or ``websocket``
    """

    __slots__ = ("_receive", "_send", "closed", "kind", "limit", "refused", "tenant", "watch")

    def __init__(
        self, tenant: Tenant, kind: str, receive: Receive, send: Send, watch: Callable[[Connection], None]
    ) -> None:
        self.tenant = tenant
        self.kind = kind
        self.watch = watch
        self.refused: Refusal | None = None
        self.closed = False
        self.limit = asyncio.timeout(None)
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Return what the client sends; once the connection is ended, that it has gone away."""
        if self.refused is not None:
            return {"type": f"{self.kind}.disconnect"}
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.closed = True
        return message

    async def send(self, message: Message) -> None:
        """Send what the application sends.

        :raises TenantClosedError: once the connection is ended
        """
        if self.refused is not None:
            raise TenantClosedError(
                f"The tenant {self.tenant.slug} is not served any more ({self.refused})",
                value=self.tenant.slug,
                hint="Nothing is wrong with the application: let the error end the connection",
            )
        if message["type"] == "websocket.close":
            self.closed = True
        elif message.get("more_body"):
            self.watch(self)  # a response that comes in pieces may go on for long
        await self._send(message)

    def end(self, why: Refusal) -> None:
        """Cancel the application's task."""
        self.refused = why
        self.limit.reschedule(asyncio.get_running_loop().time())


class Connections:
    """The open connections of one ASGI application.

    :param unserved: why a tenant is not served now, ``None`` if it is; it may ask the directory, so it runs in a thread
    :param status: the HTTP status of a refusal
    """

    def __init__(
        self, unserved: Callable[[Tenant], Refusal | None], status: Callable[[Refusal], int]
    ) -> None:
        self._unserved = unserved
        self._status = status
        self._open: WeakKeyDictionary[asyncio.AbstractEventLoop, set[Connection]] = WeakKeyDictionary()
        self._watching: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    async def serve(
        self, app: App, tenant: Tenant, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Let the application serve a connection of a tenant, as long as that is served."""
        connection = Connection(tenant, scope["type"], receive, send, self._watch)
        if connection.kind == "websocket":
            self._watch(connection)
        try:
            async with connection.limit:
                await app(scope, connection.receive, connection.send)
        except Exception as error:
            if connection.refused is None:
                raise
            if not isinstance(error, TimeoutError | TenantClosedError):
                log.warning("A connection that was ended has failed: %s: %s", type(error).__name__, error)
        finally:
            self._open.get(asyncio.get_running_loop(), set()).discard(connection)
        # A response that is not complete is one that a server breaks off: nobody takes it for the whole.
        if connection.refused is not None and connection.kind == "websocket" and not connection.closed:
            with suppress(OSError, RuntimeError):  # the client went away at the same moment
                code = CLOSE + self._status(connection.refused)
                await send({"type": "websocket.close", "code": code, "reason": str(connection.refused)})

    def _watch(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connections = self._open.setdefault(loop, set())
        connections.add(connection)
        task = self._watching.get(loop)
        if task is None or task.done():
            # In a context of its own: it works for no tenant.
            self._watching[loop] = loop.create_task(self._look(connections), context=Context())

    async def _look(self, connections: set[Connection]) -> None:
        """End what has to end, again and again while anything is open."""
        while connections:
            await asyncio.sleep(LOOK_SECONDS)
            tenants = {each.tenant.id: each.tenant for each in connections}
            refused = await asyncio.to_thread(self._refused, list(tenants.values()))
            for each in list(connections):
                why = refused.get(each.tenant.id)
                if why is not None and each.refused is None:
                    log.info("A connection of %s is ended: %s", each.tenant, why)
                    each.end(why)

    def _refused(self, tenants: list[Tenant]) -> dict[int, Refusal]:
        found = {}
        for tenant in tenants:
            try:
                why = self._unserved(tenant)
            except Exception:
                # What was known of it has run out: nobody can say that it may still be served.
                log.exception("Whether %s is still served cannot be told: its connections are ended", tenant)
                why = Refusal.UNKNOWN
            if why is not None:
                found[tenant.id] = why
        return found
