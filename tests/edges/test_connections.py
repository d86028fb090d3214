"""Connections that outlive their tenant: applications that do not want to end, and directories that cannot be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flask_tenant import connections as module
from flask_tenant.connections import Connections
from flask_tenant.errors import TenantClosedError
from flask_tenant.model import Refusal, Tenant

ACME, BELLA = Tenant(1, "acme", "Acme"), Tenant(2, "bella", "Bella")
STATUS = {Refusal.SUSPENDED: 403, Refusal.UNKNOWN: 404}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


class World:
    """A directory, and what one client has got."""

    def __init__(self) -> None:
        self.refused: dict[int, Refusal] = {}
        self.asked = 0
        self.broken = False
        self.sent: list[Any] = []
        self.begun = asyncio.Event()
        self._mine = len(asyncio.all_tasks())
        self.connections = Connections(self.unserved, STATUS.__getitem__)

    def unserved(self, tenant: Tenant) -> Refusal | None:
        self.asked += 1
        if self.broken:
            raise OSError("no database")
        return self.refused.get(tenant.id)

    async def receive(self) -> Any:
        return await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def serve(self, app: Any, tenant: Tenant = ACME, kind: str = "websocket") -> Awaitable[None]:
        return self.connections.serve(app, tenant, {"type": kind}, self.receive, self.send)

    def tasks(self) -> int:
        return len(asyncio.all_tasks()) - self._mine


def run(story: Callable[[World], Awaitable[None]]) -> World:
    async def main() -> World:
        world = World()
        await story(world)
        return world

    return asyncio.run(asyncio.wait_for(main(), 20))


def test_one_that_waits_ends_and_others_go_on() -> None:
    async def story(world: World) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            world.begun.set()
            await receive()

        hers = asyncio.ensure_future(world.serve(app, BELLA))
        his = asyncio.ensure_future(world.serve(app, ACME))
        await world.begun.wait()
        world.refused[ACME.id] = Refusal.SUSPENDED
        await his
        assert world.sent == [{"type": "websocket.close", "code": 4403, "reason": "tenant-suspended"}]
        asked = world.asked
        while world.asked < asked + 3:
            await asyncio.sleep(0)
        assert not hers.done()
        hers.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hers
        while world.tasks():
            await asyncio.sleep(0.001)  # nothing is open: nobody looks any more

    run(story)


def test_one_that_does_not_want_to_end() -> None:
    """Its task's cancellation is caught: then it hears that the client has gone, and what it sends is refused."""
    heard: list[Any] = []

    async def story(world: World) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            world.refused[ACME.id] = Refusal.SUSPENDED
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                heard.append(await receive())
                await send({"type": "websocket.send", "text": "once more"})

        await world.serve(app)

    assert run(story).sent == [{"type": "websocket.close", "code": 4403, "reason": "tenant-suspended"}]
    assert heard == [{"type": "websocket.disconnect"}]


def test_a_response_in_pieces_is_broken_off() -> None:
    async def story(world: World) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200})
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                world.refused[ACME.id] = Refusal.SUSPENDED
                await asyncio.sleep(0)

        await world.serve(app, kind="http")

    sent = run(story).sent
    assert len(sent) > 1
    assert all(message.get("more_body", True) for message in sent), "no last piece"


def test_a_response_in_one_piece_is_finished() -> None:
    async def story(world: World) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            world.refused[ACME.id] = Refusal.SUSPENDED
            await send({"type": "http.response.start", "status": 200})
            for _ in range(20):
                await asyncio.sleep(0.002)
            await send({"type": "http.response.body", "body": b"x"})

        await world.serve(app, kind="http")
        assert world.tasks() == world.asked == 0, "nobody looks for the sake of a short request"

    assert [message["type"] for message in run(story).sent] == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_applications_own_errors_are_its_own(kind: str) -> None:
    async def story(world: World) -> None:
        for error in (TimeoutError, ZeroDivisionError, TenantClosedError):

            async def app(scope: Any, receive: Any, send: Any, error: Any = error) -> None:
                raise error("mine")

            with pytest.raises(error, match="mine"):
                await world.serve(app, kind=kind)

    assert run(story).sent == []


def test_a_directory_that_cannot_be_asked_ends_them(caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: World) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            world.broken = True
            await receive()

        await world.serve(app)

    assert [message["code"] for message in run(story).sent] == [4404]
    assert "its connections are ended" in caplog.text


def test_one_that_closes_itself_is_not_closed_again() -> None:
    async def story(world: World) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.close", "code": 1000})
            world.refused[ACME.id] = Refusal.SUSPENDED
            await asyncio.Event().wait()

        await world.serve(app)

    assert [message["code"] for message in run(story).sent] == [1000]
