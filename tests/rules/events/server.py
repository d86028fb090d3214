"""Another server's process: a shop with the lockout, asked through standard input.

``python -m tests.rules.events.server DATABASE [REDIS]``; each line is a JSON list: event, times, user. The answer is
how often the account was locked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_tenant.rules.model import CallHook
from tests.rules.events.world import Shop, event_rule, three_in

RULES = (
    event_rule("lockout", "login.failed", CallHook("lock_account"), count=three_in(300)),
    event_rule("many", "knocked", CallHook("lock_account"), count=three_in(300, at_least=20)),
    event_rule("quota", "usage.changed", CallHook("lock_account"), once="month"),
    event_rule("renewal", "plan.renewed", CallHook("lock_account"), once="month"),
)


class Process:
    """A server."""

    def __init__(self, database: str, redis_url: str | None = None) -> None:
        path = os.pathsep.join(p for p in sys.path if p)
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, database, *([redis_url] if redis_url else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._answer() == "ready"

    def begin(self, event: str, times: int = 1, user: int = 7) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([event, times, user]) + "\n")
        self.process.stdin.flush()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> int:
        return int(self._answer())

    def send(self, event: str, times: int = 1, user: int = 7) -> int:
        self.begin(event, times, user)
        return self.end()

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def servers(database: str, redis_url: str | None, number: int = 2) -> Iterator[list[Process]]:
    """Run some servers until the block ends."""
    found: list[Process] = []
    try:
        for _ in range(number):
            found.append(Process(database, redis_url))
        yield found
    finally:
        for process in found:
            process.kill()


def main(database: str, redis_url: str | None = None) -> None:
    """Answer until standard input ends."""
    shop = Shop(database, TENANT_REDIS_URL=redis_url).begin(*RULES)
    print(json.dumps("ready"), flush=True)  # noqa: T201
    for line in sys.stdin:
        event, times, user = json.loads(line)
        print(json.dumps(shop.send(event, times, user__id=user)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
