"""Real OpenID providers: npm's `oidc-provider`, which is certified, each a process with a port of its own on 127.0.0.1;
they can be stopped, frozen and started again, with other keys too.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin

import pytest
import requests
from joserfc.jwk import ECKey, KeySet, RSAKey

from tests.services.availability import missing
from tests.services.redis import free_port

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "node" / "provider.mjs"
START_SECONDS = 60

ACCOUNTS: dict[str, dict[str, Any]] = {
    "anna": {
        "sub": "anna-1",
        "name": "Anna Adler",
        "email": "anna@example.com",
        "email_verified": True,
        "groups": ["staff", "bosses"],
    },
    "bert": {"sub": "bert-2", "name": "Bert Busch", "email": "bert@example.com", "email_verified": False},
}
"""Who may log in: the account's name, and its claims. Any password will do."""


def modules() -> Path:
    """The folder that npm has installed into (`tools/provision.py npm`); the test is skipped without it."""
    folder = Path(os.environ.get("TENANCY_BUILD", ROOT / ".build")) / "node" / "node_modules"
    if not (folder / "oidc-provider").is_dir() or shutil.which("node") is None:
        missing("oidc-provider", "apt-get install nodejs npm; python3 tools/provision.py npm")
    return folder


def make_keys(kind: str, name: str) -> dict[str, Any]:
    """Make a key set for signing tokens.

    :param kind: RS256 or ES256
    :param name: the key's
    """
    parameters: Any = {"kid": name, "use": "sig", "alg": kind}
    if kind == "RS256":
        return dict(KeySet([RSAKey.generate_key(2048, parameters)]).as_dict(private=True))
    return dict(KeySet([ECKey.generate_key("P-256", parameters)]).as_dict(private=True))


class OidcServer:
    """A provider that keeps its port when it is started again.

    :param name: part of its cookies' names
    :param kind: what it signs with: RS256 or ES256
    :param userinfo: whether claims but `sub` are to be had at the userinfo endpoint only
    """

    def __init__(self, name: str, log: Path, *, kind: str = "ES256", userinfo: bool = False) -> None:
        self.name = name
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.accounts = dict(ACCOUNTS)
        self.clients: dict[str, dict[str, Any]] = {}
        self.keys = make_keys(kind, f"{name}-1")
        self._kind = kind
        self._userinfo = userinfo
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def register(self, client_id: str, secret: str, callback: str, **more: Any) -> None:
        """Let an application in.

        :param callback: to which browsers are sent back
        :param more: what else OpenID Connect Dynamic Client Registration 1.0 knows of a client
        """
        self.clients[client_id] = {
            "client_id": client_id,
            "client_secret": secret,
            "redirect_uris": [callback],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "id_token_signed_response_alg": self._kind,
            **more,
        }
        if self._process is not None:
            done = requests.put(f"{self.issuer}/test-client", json=self.clients[client_id], timeout=10)
            assert done.status_code == 204, done.text

    def change_keys(self, name: str) -> None:
        """Start again with other keys; the old ones are dropped."""
        self.stop()
        self.keys = make_keys(self._kind, name)
        self.start()

    def restart(self) -> None:
        """Start it again: it has forgotten who was logged in, and knows accounts that have come since."""
        self.stop()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Begin to start it."""
        settings = {
            "name": self.name,
            "port": self.port,
            "issuer": self.issuer,
            "jwks": self.keys,
            "clients": list(self.clients.values()),
            "accounts": self.accounts,
            "userinfo": self._userinfo,
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "node", str(SCRIPT), str(modules())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(settings).encode())
        self._process.stdin.close()

    def wait(self) -> None:
        """Wait until it answers."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=5).ok:
                    return
            time.sleep(0.02)
        raise RuntimeError(self._log.read_text())

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

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class Visitor:
    """Somebody with a browser that keeps cookies and knows forms, as far as a provider's pages need it."""

    def __init__(self) -> None:
        self.session = requests.Session()

    def go(self, url: str, server: OidcServer, **fields: str) -> str:
        """Go to a URL at the provider, and fill in the forms on the way.

        :returns: the URL to which the provider sends the browser away
        """
        reply = self.session.get(url, allow_redirects=False, timeout=10)
        for _ in range(12):
            if reply.is_redirect:
                url = urljoin(reply.url, reply.headers["Location"])
                if not url.startswith(server.issuer):
                    return url
                reply = self.session.get(url, allow_redirects=False, timeout=10)
                continue
            action = re.search(r'<form[^>]*action="([^"]*)"', reply.text)
            if reply.status_code != 200 or action is None:
                break
            hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', reply.text)
            data = {**{name: unescape(value) for name, value in hidden}, **fields}
            where = urljoin(reply.url, unescape(action[1]))
            reply = self.session.post(where, data=data, allow_redirects=False, timeout=10)
        raise AssertionError(f"the provider stops at {reply.url} with {reply.status_code}: {reply.text}")


class Listener:
    """What a provider's server calls when somebody has logged out there, in place of ours."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                listener.tokens.append(parse_qs(body)["logout_token"][0])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        serve = self._server.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def token(self) -> str:
        """The logout token that has come, or comes now."""
        deadline = time.monotonic() + 10
        while not self.tokens:
            if time.monotonic() > deadline:
                raise RuntimeError("the provider has not called")
            time.sleep(0.01)
        return self.tokens.pop()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def oidc_running(*servers: tuple[str, str, bool]) -> Iterator[list[OidcServer]]:
    """Run providers for the length of the block: name, what each signs with, whether claims are at userinfo."""
    modules()
    folder = Path(tempfile.mkdtemp(prefix=f"flask-tenant-oidc-{os.getpid()}-"))
    made: list[OidcServer] = []
    try:
        for name, kind, userinfo in servers:
            made.append(OidcServer(name, folder / f"{name}.log", kind=kind, userinfo=userinfo))
            made[-1].launch()
        for server in made:
            server.wait()
        yield made
    finally:
        for server in made:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def oidc_servers() -> Iterator[list[OidcServer]]:
    """Two providers: `north` signs with RS256 and says all in the ID token, `south` with ES256 and at userinfo."""
    with oidc_running(("north", "RS256", False), ("south", "ES256", True)) as servers:
        yield servers
