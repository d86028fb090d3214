"""A temporary Redis server: own folder, own port on 127.0.0.1, gone when the tests are; it can be stopped, frozen
and started again. Sentinels too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.availability import missing

PREFIX = "flask-tenant-redis-"
START_SECONDS = 30


class RedisServer:
    """A server that keeps its port when it is started again.

    :param folder: its own
    :param arguments: more of its command line
    """

    def __init__(self, folder: Path, *arguments: str, sentinel: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self._arguments = arguments
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: int = 0) -> str:
        """What TENANT_REDIS_URL takes."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = self.folder / f"{self.port}.conf"
        if not settings.exists():
            lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {self.folder}", *self._arguments]
            if not self._sentinel:
                lines += ['save ""', "appendonly no", "repl-diskless-sync-delay 0"]
            settings.write_text("\n".join(lines) + "\n")
        command = ["setpriv", "--pdeathsig", "KILL", "redis-server", str(settings)]
        with (self.folder / f"{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command + (["--sentinel"] if self._sentinel else []),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.command("PING").startswith(b"+PONG"):
                    return
            time.sleep(0.01)
        raise RuntimeError((self.folder / f"{self.port}.log").read_text())

    def command(self, *words: str) -> bytes:
        """Send a command, and return the beginning of its raw answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(
                b"*%d\r\n" % len(words)
                + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
            )
            return connection.recv(65536)

    def freeze(self) -> None:
        """Let it answer nobody, while its connections stay."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def stop(self) -> None:
        """End it at once, with all that it holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """End it, and start it again on the same port."""
        self.stop()
        self.start()

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def free_port() -> int:
    """Return a port that nobody listens on, of those for which Redis has another one 10,000 above."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port <= 55_535:
            return port


def need() -> None:
    """Skip, or fail in CI, without Redis."""
    if shutil.which("redis-server") is None or shutil.which("setpriv") is None:
        missing("Redis", "apt-get install --no-install-recommends redis-server")
    # Test processes that were killed could not tidy up.
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(PREFIX).partition("-")[0]).exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis_running(*arguments: str) -> Iterator[RedisServer]:
    """Run a temporary server for the length of the block."""
    need()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    server = RedisServer(folder, *arguments)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Sentinels:
    """A master, a replica, and three sentinels that watch them."""

    service = "tenants"

    def __init__(self, folder: Path) -> None:
        self.master = RedisServer(folder)
        self.master.start()
        self.replica = RedisServer(folder, f"replicaof 127.0.0.1 {self.master.port}")
        self.replica.start()
        deadline = time.monotonic() + START_SECONDS
        # Sentinels look for replicas every ten seconds.
        while b"state=online" not in self.master.command("INFO", "replication"):
            if time.monotonic() > deadline:
                raise RuntimeError("the replica does not come online")
            time.sleep(0.02)
        self.watchers = []
        for _ in range(3):
            watcher = RedisServer(
                folder,
                f"sentinel monitor {self.service} 127.0.0.1 {self.master.port} 2",
                f"sentinel down-after-milliseconds {self.service} 500",
                f"sentinel failover-timeout {self.service} 3000",
                sentinel=True,
            )
            watcher.start()
            self.watchers.append(watcher)

    def url(self) -> str:
        """What TENANT_REDIS_URL takes."""
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in self.watchers)
        return f"redis+sentinel://{hosts}/{self.service}/0"

    def ready(self) -> bool:
        """Whether all know each other, so that a fail-over can succeed."""
        states = [watcher.command("SENTINEL", "MASTER", self.service) for watcher in self.watchers]
        return all(
            b"num-slaves\r\n$1\r\n1" in state and b"num-other-sentinels\r\n$1\r\n2" in state
            for state in states
        )

    def stop(self) -> None:
        """End all of them."""
        for server in (*self.watchers, self.replica, self.master):
            server.stop()


@contextlib.contextmanager
def sentinels_running() -> Iterator[Sentinels]:
    """Run a watched pair of servers for the length of the block."""
    need()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    found = None
    try:
        found = Sentinels(folder)
        yield found
    finally:
        if found is not None:
            found.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A temporary server; one for each worker. Tests leave it running."""
    with redis_running() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    redis_server.command("FLUSHALL")
    return redis_server.url()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server of this test's own, to stop and to freeze."""
    with redis_running() as server:
        yield server
