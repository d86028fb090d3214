"""Runs programs beside the tests: servers, other workers, other people's test suites."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0
"""Seconds on a busy machine."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with what it can import."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "NO_COLOR": "1", **more}


def python(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end, with nobody at the keyboard."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def until(done: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Wait for something, and return how many seconds it took."""
    start = time.monotonic()
    while not done():
        if time.monotonic() - start > patience:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.01)  # between two looks
    return time.monotonic() - start


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[int]:
    """Run a server on a free port, which is added to the arguments, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    log = folder / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments, "--port", str(port)],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers, f"a server: {arguments}")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def ask(port: int, slug: str, path: str, method: str = "GET") -> tuple[int, str]:
    """Send a request to a tenant's host, and return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers={"Host": f"{slug}.localhost:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
