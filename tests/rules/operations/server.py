"""Another server's process, asked through standard input: ``python -m tests.rules.operations.server``.

Each line is a JSON list: a method, then its arguments; each answer is a JSON list: ``ok`` or ``error``, and a value.
``open`` opens a directory in place of the one before: starting a process takes longer than most tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from flask_tenant.directory import Directory, own_database
from flask_tenant.rules.store import Activations, RuleBook, RuleFile
from tests.rules.operations.language import compile_, dump, ids, restore

RULES = 40
"""How many rules a version of :meth:`Server.hammer` has; all of them carry its number."""


class Server:
    """What a server does with rules."""

    def __init__(self, database: str, redis_url: str | None) -> None:
        self.database = database
        self.engine = sa.create_engine(database)
        self.directory = Directory(own_database(self.engine), redis_url=redis_url)
        self.directory.prepare()
        self.activations = Activations(self.directory, compile_, dump, self.directory.all)
        self.book = RuleBook(self.directory, compile_, restore)

    def seen(self, slug: str) -> list[str]:
        """What a request of the tenant has to obey."""
        tenant = self.directory.get(slug)
        self.book.enter(tenant)
        return ids(self.book.active(tenant))

    def activate(self, name: str, scope: str, text: str) -> float:
        """Activate a file; when that was done, by the clock on the wall."""
        self.activations.activate([RuleFile(name, scope, text)], author="olga")
        return time.time()

    def hammer(self, first: int) -> int:
        """Start a process that activates one version after the other, two files each; its id."""
        child = os.fork()
        if child:
            return child
        try:
            writer = Server(self.database, None)
            for number in range(first, first + 100_000):
                writer.activations.activate(versions(number), author="olga")
        finally:
            os._exit(1)

    def kill(self, child: int) -> None:
        """Kill that process, wherever it is."""
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "it has ended by itself"

    def until(self, slug: str, wanted: list[str], patience: float = 20) -> float:
        """Look until a tenant has to obey these; when that was, by the clock on the wall."""
        deadline = time.monotonic() + patience
        while (found := self.seen(slug)) != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"after {patience} s it is still {found}")
            time.sleep(0.0005)
        return time.time()

    def trusts(self) -> bool:
        """Whether it uses Redis."""
        self.directory.find("nobody-of-this-name")
        link = self.directory._lookup.link
        return link is not None and link.trusted

    def close(self) -> None:
        """Let go of all connections."""
        self.directory.close()
        self.engine.dispose()


def versions(number: int) -> list[RuleFile]:
    """Two files whose rules all carry a number."""
    return [
        RuleFile(name, scope, " ".join(f"{prefix}{i}-{number}" for i in range(RULES)))
        for name, scope, prefix in (("_all.yaml", "all", "a"), ("acme.yaml", "tenant:acme", "t"))
    ]


class Peer:
    """A process that runs :class:`Server`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def send(self, method: str, *arguments: Any) -> None:
        """Ask, and do not wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([method, *arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        kind, value = json.loads(line) if line else ("error", "the process has ended")
        assert kind == "ok", value
        return value

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.send(method, *arguments)
            return self.answer()

        return call


@contextmanager
def servers(number: int) -> Iterator[list[Peer]]:
    """Run some processes."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", __name__],
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
    server: Server | None = None
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        answer: tuple[str, Any] = ("ok", None)
        try:
            if method == "open":
                if server is not None:
                    server.close()
                server = Server(*arguments)
            else:
                answer = ("ok", getattr(server, method)(*arguments))
        except BaseException as error:
            answer = ("error", f"{type(error).__name__}: {error}")
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
