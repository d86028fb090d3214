"""Providers of the kind ``ldap`` on a real slapd, and servers that are none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from flask_tenant.identity import Attempt, Identified, Provider
from flask_tenant.login.ldap import Ldap
from tests.services.authority import CertificateAuthority
from tests.services.slapd import ACME, BELLA, READER_PASSWORD, Slapd, password_of

ATTEMPT = Attempt("https://acme.localhost/_tenant/callback/directory")


def provider_of(url: str, authority: CertificateAuthority, suffix: str = ACME, **settings: Any) -> Provider:
    """A tenant's directory; the password of the service account is ``bind_password``."""
    known = {
        "url": url,
        "base": f"ou=people,{suffix}",
        "bind_dn": f"cn=reader,{suffix}",
        "ca_file": str(authority.file),
        **settings,
    }
    secrets = {"bind_password": known.pop("bind_password", READER_PASSWORD)}
    number = [ACME, BELLA].index(suffix) + 1
    given = {name: value for name, value in known.items() if value is not None}
    return Provider(
        number, number, "directory", "ldap", "Directory", f"ldap:{number}/directory", given, secrets
    )


LogIn = Callable[..., Identified]
MakeProvider = Callable[..., Provider]


@pytest.fixture(scope="session", autouse=True)
def _python_ldap() -> None:
    pytest.importorskip("ldap")


@pytest.fixture
def make_provider(slapd: Slapd, authority: CertificateAuthority) -> MakeProvider:
    """Make a provider that works, but for the settings that are given."""

    def make(suffix: str = ACME, **settings: Any) -> Provider:
        url = settings.pop("url", slapd.url("127.0.0.1", tls=True))
        return provider_of(url, authority, suffix, **settings)

    return make


@pytest.fixture
def log_in(make_provider: MakeProvider) -> LogIn:
    """Log in, with the right password unless another is given."""

    def log_in(username: str, password: str | None = None, suffix: str = ACME, **settings: Any) -> Identified:
        typed = {"username": username, "password": password_of(username) if password is None else password}
        return Ldap().open(make_provider(suffix, **settings)).finish(ATTEMPT, typed)

    return log_in


class Impostor:
    """Accepts connections, keeps what is said, answers with a fixed text, and then falls silent.

    :param answer: sent after the first that is said
    """

    def __init__(self, answer: bytes = b"") -> None:
        self.heard: list[bytes] = []
        self.callers = 0
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.callers += 1
                self._open.append(connection)
                threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        first = True
        with suppress(OSError):
            while said := connection.recv(65536):
                self.heard.append(said)
                if first and self._answer:
                    connection.sendall(self._answer)
                first = False

    def close(self) -> None:
        """Hang up on everybody."""
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class Slow:
    """Passes on what is said between clients and a server, each piece of the server's after a while.

    :param port: the server's
    :param seconds: how long it takes
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._server, self._seconds = port, seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                for pair in ((client, server, 0.0), (server, client, self._seconds)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket, seconds: float) -> None:
        with suppress(OSError), here, there:
            while (said := here.recv(65536)) and not self._over.wait(seconds):
                there.sendall(said)

    def close(self) -> None:
        """Hang up."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def impostor() -> Iterator[Callable[..., Impostor]]:
    """Make servers that are none."""
    made: list[Impostor] = []

    def make(answer: bytes = b"") -> Impostor:
        made.append(Impostor(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()
