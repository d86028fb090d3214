"""Another server's process: a directory of its own, asked through standard input.

``python -m tests.directory.peer``; each line is a JSON list: a method, then its arguments. ``open`` opens a directory
in place of the one before, ``close`` goes back to that: starting a process takes longer than most tests.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from flask_tenant.directory import Directory, own_database
from flask_tenant.model import Tenant, TenantState


class Server:
    """What a server does with its directory."""

    def __init__(self, database: str, redis_url: str | None, **settings: Any) -> None:
        self.engine = sa.create_engine(database)
        self.directory = Directory(own_database(self.engine), redis_url=redis_url, **settings)
        self.directory.prepare()
        self.queries = 0

        @event.listens_for(self.engine, "before_cursor_execute")
        def count(*_: Any) -> None:
            self.queries += 1

    def close(self) -> None:
        """Let go of all connections."""
        self.directory.close()
        self.engine.dispose()

    @property
    def trusts(self) -> bool:
        """Whether it uses Redis."""
        link = self.directory._lookup.link
        return link is not None and link.trusted

    def create(self, slug: str) -> int:
        """Create a tenant."""
        return self.directory.create(slug, slug.title(), lambda *_: None).id

    def ask(self, slug: str) -> tuple[str | None, str, float]:
        """Look a tenant up as a request does: its name, where from, and in how many seconds."""

        def request() -> tuple[str | None, str, float]:
            start = time.perf_counter()
            found = self.directory.find(slug)
            return found and found.name, self.directory.source, time.perf_counter() - start

        return copy_context().run(request)

    def set_name(self, slug: str, name: str) -> float:
        """Rename for people; when that was committed and announced, by the clock on the wall."""
        self.directory.set_name(self._tenant(slug), name)
        return time.time()

    def suspend(self, slug: str) -> None:
        """Change its state."""
        self.directory.set_state(self._tenant(slug), TenantState.SUSPENDED)

    def until_named(self, slug: str, name: str, patience: float = 20) -> float:
        """Look until the name is this one; when that was, by the clock on the wall."""
        deadline = time.monotonic() + patience
        while (found := self.directory.find(slug)) is None or found.name != name:
            if time.monotonic() > deadline:
                raise AssertionError(f"after {patience} s it is still {found}")
            time.sleep(0.0005)
        return time.time()

    def until_trusting(self, wanted: bool = True, patience: float = 20) -> float:
        """Look until Redis is used, or is not; how many seconds that took."""
        start = time.monotonic()
        while self.trusts is not wanted:
            self.directory.find("nobody-of-this-name")
            if time.monotonic() > start + patience:
                raise AssertionError(f"after {patience} s Redis is {'not ' if wanted else ''}trusted")
            time.sleep(0.002)
        return time.monotonic() - start

    def forget(self) -> None:
        """Begin with an empty memory."""
        self.directory.forget()

    def count_queries(self) -> int:
        """How many statements were sent to SQL so far."""
        return self.queries

    def _tenant(self, slug: str) -> Tenant:
        answer = self.directory._store.find("slug", slug).tenant
        assert answer is not None
        return answer


class Peer:
    """A process that runs :class:`Server`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, method: str, *arguments: Any) -> None:
        """Ask, and do not wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        kind, value = json.loads(line) if line else ("error", "the process has ended")
        assert kind == "ok", value
        return value

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.send(method, *arguments)
            return self.answer()

        return call

    @contextmanager
    def on(self, database: str, redis_url: str | None) -> Iterator[Peer]:
        """Let it work on another directory, or without Redis, for the length of a block."""
        call: Any = self
        call.open(database, redis_url)
        try:
            yield self
        finally:
            call.close()


@contextmanager
def peers(number: int) -> Iterator[list[Peer]]:
    """Run some processes."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.directory.peer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        for _ in range(number)
    ]
    try:
        yield [Peer(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def main() -> None:
    """Answer until standard input ends."""
    logging.basicConfig(level=logging.WARNING)
    servers: list[Server] = []
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        answer: tuple[str, Any] = ("ok", None)
        try:
            if method == "open":
                servers.append(Server(*arguments))
            elif method == "close":
                servers.pop().close()
            else:
                answer = ("ok", getattr(servers[-1], method)(*arguments))
        except BaseException as error:
            answer = ("error", f"{type(error).__name__}: {error}")
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
