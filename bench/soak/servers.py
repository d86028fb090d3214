"""The servers: processes of their own, and how much memory they take."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 240  # on a busy machine
GUNICORN = [
    "gunicorn",
    "--worker-class",
    "gthread",
    "--workers",
    "2",
    "--threads",
    "8",
    "--log-level",
    "warning",
]


@contextmanager
def serving(folder: Path, program: str, database: str, redis_url: str) -> Iterator[tuple[int, int]]:
    """Run a server until the block ends; its process id and its port.

    :param program: ``gunicorn`` or ``uvicorn``
    """
    port = free_port()
    command = [*GUNICORN, "--bind", f"127.0.0.1:{port}", "bench.soak.site:app"]
    if program == "uvicorn":
        command = ["uvicorn", "--log-level", "warning", "--port", str(port), "bench.soak.site:asgi"]
    environment = {**os.environ, "SOAK_DATABASE": database, "SOAK_REDIS": redis_url}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with (folder / f"{program}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _up(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{program} does not start: {(folder / f'{program}.log').read_text()}")
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _up(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /up HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    return False


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident(pid: int) -> int:
    """Return how many bytes a process and its children hold in memory."""
    total = 0
    for each in (pid, *_children(pid)):
        with suppress(OSError, ProcessLookupError):
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return total


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
