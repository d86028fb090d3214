"""Real servers, with requests of several tenants in flight and clients that hang up: each response carries its own
tenant's canary, and every stay in a tenant ends."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.edges.site import make_site
from tests.extension.processes import PATIENCE, environment, until

ROOT = Path(__file__).parents[2]
SLUGS = ("acme", "bella")
SERVERS = {
    "gunicorn sync": ["gunicorn", "--worker-class", "sync", "--workers", "2", "--bind"],
    "gunicorn gthread": [
        "gunicorn",
        "--worker-class",
        "gthread",
        "--workers",
        "1",
        "--threads",
        "6",
        "--bind",
    ],
    "gunicorn gevent": ["gunicorn", "--worker-class", "gevent", "--workers", "1", "--bind"],
    "uvicorn": ["uvicorn", "--log-level", "warning", "--port"],
}
if "TENANCY_FULL" in os.environ:
    SERVERS["hypercorn"] = ["hypercorn", "--bind"]


@contextmanager
def serving(folder: Path, name: str) -> Iterator[int]:
    """Run a server on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    program, *options = SERVERS[name]
    where = str(port) if program == "uvicorn" else f"127.0.0.1:{port}"
    target = "tests.edges.served:" + ("app" if program == "gunicorn" else "asgi")
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", program, *options, where, target],
            cwd=ROOT,
            env=environment(SITE=str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return get(port, "localhost", "/about")[0] == 200
        except OSError:
            return False

    try:
        until(answers, f"{name} answers")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


folders: dict[int, Path] = {}
"""Where the data of the server at a port is."""


@pytest.fixture(scope="module", params=SERVERS)
def server(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("served")
    make_site(folder)  # its tables and tenants are there before workers start side by side
    with serving(folder, request.param) as port:
        folders[port] = folder
        yield request.param, port


def get(port: int, host: str, path: str, hang_up_after: int | None = None, **headers: str) -> tuple[int, str]:
    """Send a request; read it all, or a few bytes and then reset the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if hang_up_after is not None:
            got = connection.recv(hang_up_after) if hang_up_after else b""
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return 0, got.decode()
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = _joined(body)
    return int(head.split()[1]), body.decode()


def _joined(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return found


def stays(port: int) -> dict[int, tuple[int, int, int]]:
    """Per worker process: stays begun, stays ended, and requests that found somebody else's."""
    found = {}
    for _ in range(6):
        answer = json.loads(get(port, "localhost", "/stays")[1])
        found[answer["pid"]] = (answer["entered"], answer["left"], answer["unclean"])
    return found


def check(slug: str, path: str, status: int, text: str) -> None:
    """An answer carries its own tenant's canary, and no other's."""
    other = SLUGS[1 - SLUGS.index(slug)]
    assert other not in text, (slug, path, text[:200])
    if path.startswith("/stream"):
        count = int(path.partition("=")[2])
        assert status == 200
        assert text.count("\n") == text.count(f"{slug}:canary-{slug}:") == count
    elif path in ("/fail", "/?gate=1"):
        assert status == (500 if path == "/fail" else 418)
    elif path != "/late-fail":
        assert status == 200
        found = json.loads(text)
        assert (found["tenant"], found["canary"]) == (slug, f"canary-{slug}")
        assert found.get("bare") is None, "a thread of the application's own has no tenant"


def test_mixed_tenants_in_flight(server: tuple[str, int]) -> None:
    name, port = server
    paths = ["/", "/stream?n=20", "/pool", "/spawn", "/fail", "/?gate=1", "/late-fail"]
    wanted = [(slug, path, None) for slug in SLUGS for path in paths for _ in range(5)]
    wanted += [(slug, "/stream?n=300", bytes_) for slug in SLUGS for bytes_ in (0, 1, 5000) for _ in range(3)]
    random.Random(3).shuffle(wanted)

    def serve(request: tuple[str, str, int | None]) -> tuple[int, str]:
        slug, path, hang_up = request
        return get(port, f"{slug}.example.com", path, hang_up)

    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(serve, wanted))
    assert len(answers) == 88
    for (slug, path, hang_up), (status, text) in zip(wanted, answers, strict=True):
        if hang_up is None:
            check(slug, path, status, text)
        else:
            assert SLUGS[1 - SLUGS.index(slug)] not in text

    found: dict[int, tuple[int, int, int]] = {}

    def all_ended() -> bool:
        found.update(stays(port))  # of the workers that happened to answer: all of them, by and by
        begun = sum(entered for entered, _, _ in found.values())
        return begun >= 80 and all(entered == left for entered, left, _ in found.values())

    until(all_ended, f"{name}: every stay has ended")
    assert [unclean for _, _, unclean in found.values()] == [0] * len(found)
    assert get(port, "nobody.example.com", "/")[0] == 404
    assert get(port, "localhost", "/")[0] == 404


@pytest.mark.parametrize(
    "host", ["bella.example.com\0", "x@bella.example.com", "bella.example.com,acme.example.com", ""]
)
def test_hosts_on_the_wire(server: tuple[str, int], host: str) -> None:
    _, port = server
    status, text = get(port, host, "/")
    assert status in (400, 404), text
    assert "canary" not in text


def test_two_hosts_in_one_request(server: tuple[str, int]) -> None:
    """Servers refuse, or pass on one or both: in no case somebody's data for a host that is none."""
    _, port = server
    status, text = get(port, "acme.example.com\r\nHost: bella.example.com", "/")
    assert status in (400, 404), (status, text)
    assert "canary" not in text


asgi_only = pytest.mark.parametrize(
    "server", [name for name in SERVERS if "gunicorn" not in name], indirect=True, scope="module"
)


@asgi_only
def test_an_asgi_application_on_an_async_engine(server: tuple[str, int]) -> None:
    _, port = server
    wanted = [(slug, None) for slug in SLUGS for _ in range(10)]
    wanted += [(slug, bytes_) for slug in SLUGS for bytes_ in (0, 3000)]
    random.Random(3).shuffle(wanted)
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda w: get(port, f"{w[0]}.example.com", "/pure?20", w[1]), wanted))
    for (slug, hang_up), (status, text) in zip(wanted, answers, strict=True):
        assert SLUGS[1 - SLUGS.index(slug)] not in text
        if hang_up is None:
            assert status == 200
            assert text.count(f"{slug}:canary-{slug}:") == 20
    until(lambda: all(e == left for e, left, _ in stays(port).values()), "every stay has ended")
    for host, accept in (("nobody.example.com", "text/html"), ("localhost", "application/json")):
        status, text = get(port, host, "/pure", Accept=accept)
        assert status == 404
        assert ("Nobody lives here" in text) == (accept == "text/html")


@asgi_only
def test_web_sockets(server: tuple[str, int]) -> None:
    _, port = server

    async def talk(slug: str) -> None:
        async with connect(f"ws://{slug}.example.com/socket", host="127.0.0.1", port=port) as socket:
            for number in range(10):
                await socket.send(str(number))
                found = json.loads(await socket.recv())
                assert found == {"canary": f"canary-{slug}", "tenant": slug, "echo": str(number)}

    async def refused(host: str) -> int:
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"ws://{host}/socket", host="127.0.0.1", port=port)
        return raised.value.response.status_code

    async def all_at_once() -> list[int]:
        await asyncio.gather(*(talk(slug) for slug in SLUGS for _ in range(4)))
        return [await refused("nobody.example.com"), await refused("localhost")]

    assert asyncio.run(all_at_once()) == [404, 404]
    until(lambda: all(e == left for e, left, _ in stays(port).values()), "every stay has ended")


def _change(port: int, slug: str, state: TenantState) -> None:
    """Change a tenant's state as another process does."""
    directory = state_of(make_site(folders[port], TENANT_BASE_DOMAIN="example.com")).directory
    directory.set_state(directory.get(slug), state)


@asgi_only
@pytest.mark.parametrize("state", [TenantState.SUSPENDED, TenantState.ARCHIVED])
def test_open_connections_end_with_their_tenant(server: tuple[str, int], state: TenantState) -> None:
    """A web socket that waits, one that talks, a stream that waits, one that flows, and one of Flask's."""
    _, port = server
    host = {"host": "127.0.0.1", "port": port}

    async def stream(slug: str, path: str, began: asyncio.Event) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {slug}.example.com\r\n\r\n".encode())
        got, tail = b"", b""
        while part := await reader.read(65536):
            got, tail = got or part, (tail + part)[-20:]
            began.set()
        writer.close()
        assert got.startswith(b"HTTP/1.1 200"), got[:100]
        assert b"chunked" in got.lower()
        return tail

    async def talk(socket: Any) -> None:
        while True:
            await socket.send("x")
            await socket.recv()
            await asyncio.sleep(0.02)

    async def main() -> None:
        paths = ("/pure/wait", "/pure?100000000", "/stream?n=100000000")
        began = {path: asyncio.Event() for path in paths}
        async with (
            connect("ws://acme.example.com/socket", **host) as waiting,
            connect("ws://acme.example.com/socket", **host) as talking,
            connect("ws://bella.example.com/socket", **host) as hers,
        ):
            talk_on = asyncio.create_task(talk(talking))
            streams = [asyncio.create_task(stream("acme", path, began[path])) for path in paths]
            for each in began.values():
                await asyncio.wait_for(each.wait(), PATIENCE)
            await asyncio.to_thread(_change, port, "acme", state)
            start = time.monotonic()
            for socket in (waiting, talking):
                await asyncio.wait_for(socket.wait_closed(), PATIENCE)
                code = {TenantState.SUSPENDED: 4403, TenantState.ARCHIVED: 4410}[state]
                assert (socket.close_code, socket.close_reason) == (code, f"tenant-{state}")
            with pytest.raises(ConnectionClosed):
                await talk_on
            tails = await asyncio.wait_for(asyncio.gather(*streams), PATIENCE)
            assert [tail.endswith(b"0\r\n\r\n") for tail in tails] == [False] * 3, "broken off, not ended"
            assert time.monotonic() - start < PATIENCE / 2
            await hers.send("still there")
            assert json.loads(await hers.recv())["canary"] == "canary-bella"

    try:
        asyncio.run(main())
    finally:
        _change(port, "acme", TenantState.ACTIVE)
    until(lambda: all(e == left for e, left, _ in stays(port).values()), "every stay has ended")
    until(lambda: get(port, "acme.example.com", "/")[0] == 200, "acme is served again")
