"""A DNS server on loopback that knows a few TXT records, over UDP as DNS is."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class Names:
    """The server.

    :param texts: by name, without final dot
    :param silent: answers nobody
    :param failing: says that something is wrong with it
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.silent = self.failing = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            if not self.silent:
                self._socket.sendto(self._answer(data), peer)

    def _answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        name = query.question[0].name
        plain = name.to_text(omit_final_dot=True)
        self.asked.append(plain)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif plain not in self.texts:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif self.texts[plain]:
            pieces = [
                " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) or '""'
                for text in self.texts[plain]
            ]
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *pieces))
        return reply.to_wire()

    def close(self) -> None:
        """Stop it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def names_running() -> Iterator[Names]:
    """Run a server for the length of the block."""
    names = Names()
    try:
        yield names
    finally:
        names.close()
