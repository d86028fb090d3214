"""Clients: what they ask for, and what is wrong with the answers."""

from __future__ import annotations

import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from bench.soak.site import ROWS

CANARY = re.compile(rb"canary=([a-z0-9-]+);")
PATHS = ("/row", "/rows", "/write", "/stream", "/hang-up", "/injected")
WEIGHTS = (60, 15, 5, 10, 7, 3)
PATIENCE = 60.0
KEPT = 20
"""How many wrong answers are remembered word by word."""


@dataclass
class Tally:
    """What clients have seen.

    :param seen: kind of answer -> how many
    :param refused: slug of a suspended tenant -> how many were refused as such
    :param leaks: answers that carried somebody else's canary
    :param wrong: other answers that should not have been
    """

    seen: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def note(self, kind: str) -> None:
        """Count an answer."""
        with self.lock:
            self.seen[kind] += 1

    def bad(self, found: list[str], kind: str, text: str) -> None:
        """Count an answer that should not have been."""
        with self.lock:
            self.seen[kind] += 1
            if len(found) < KEPT:
                found.append(text)


@dataclass(frozen=True)
class Client:
    """Sends requests until it is told to stop.

    :param may_be_closed: whether a tenant may be suspended about now
    :param must_be_closed: whether it has been for so long that every server has to know
    """

    ports: Sequence[int]
    slugs: Sequence[str]
    may_be_closed: Callable[[str], bool]
    must_be_closed: Callable[[str], bool]
    tally: Tally
    stop: Event

    def run(self, seed: int) -> None:
        """Send requests."""
        choice = random.Random(seed)
        while not self.stop.is_set():
            slug, (path,) = choice.choice(self.slugs), choice.choices(PATHS, WEIGHTS)
            closable, closed = self.may_be_closed(slug), self.must_be_closed(slug)
            try:
                status, body = ask(choice.choice(self.ports), slug, path)
            except OSError as error:
                self.tally.bad(
                    self.tally.wrong, "no answer", f"{slug} {path}: {type(error).__name__}: {error}"
                )
                continue
            self.judge(slug, path, status, body, closable or self.may_be_closed(slug), closed)

    def judge(
        self, slug: str, path: str, status: int, body: bytes, closable: bool, closed: bool = False
    ) -> None:
        """Look for what is wrong with an answer."""
        tally = self.tally
        canaries = CANARY.findall(body)
        others = {found.decode() for found in canaries} - {slug}
        what = f"{slug} {path}: {status}: {body[:200]!r}"
        if others:
            tally.bad(tally.leaks, "leak", what)
        elif path == "/hang-up" and not (closed and canaries):
            tally.note("hung up")
        elif path == "/injected" and status == 503 and not closed:
            tally.note("injected")
        elif status == 403 and closable and not canaries:
            tally.note("suspended")
            with tally.lock:
                tally.refused[slug] += 1
        elif closed:
            tally.bad(tally.wrong, "served although suspended", what)
        elif status != 200:
            tally.bad(tally.wrong, f"status {status}", what)
        elif len(canaries) != {"/row": 1, "/write": 1}.get(path, ROWS):
            tally.bad(tally.wrong, "incomplete", what)
        else:
            tally.note("right")


def ask(port: int, slug: str, path: str) -> tuple[int, bytes]:
    """Send a request, and return status and body, as far as it was waited for."""
    hang_up = path == "/hang-up"
    method, path = ("POST" if path == "/write" else "GET"), ("/stream" if hang_up else path)
    request = f"{method} {path} HTTP/1.0\r\nHost: {slug}.example.com\r\nContent-Length: 0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request.encode())
        if hang_up:
            body = connection.recv(500)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return 0, body
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError("the server has closed the connection without an answer")
    return int(head.split()[1]), body
