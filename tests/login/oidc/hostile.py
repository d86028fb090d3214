"""An OpenID provider of our own that forges what a certified one will not emit.

It begins as an honest one; each test bends one thing. What it was asked is kept in `asked`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from flask_tenant.errors import LoginRefusedError
from flask_tenant.identity import Attempt, GoTo, Provider
from tests.services.authority import Certificate

CLIENT, SECRET = "app", "a secret: with %signs+"
CALLBACK = "https://acme.example.com/_tenant/callback/corp"
SUBJECT = "somebody-1"


class _Ascii(json.JSONEncoder):
    """Escapes all else: JSON may say half a character, which no encoding has."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": True})


class Hostile:
    """The provider, on a port of its own.

    :param certificate: for TLS
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
        self.reset()
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hostile.serve(self, "")

            def do_POST(self) -> None:
                hostile.serve(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()

    def reset(self) -> None:
        """Become honest again."""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.keys = KeySet([self.key]).as_dict()
        self.discovery: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = self.honestly
        self.tokens: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {"sub": SUBJECT}
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        """What to do in place of answering, by the URL's path."""
        self.nonce = ""

    def honestly(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Sign with the key that everybody knows."""
        return jwt.encode(header, claims, self.key, algorithms=["ES256"], encoder_cls=_Ascii)

    def document(self) -> dict[str, Any]:
        """What it says of itself; `None` in `discovery` leaves something out."""
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
            "end_session_endpoint": f"{self.issuer}/leave",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            "authorization_response_iss_parameter_supported": True,
            **self.discovery,
        }
        return {name: value for name, value in found.items() if value is not None}

    def id_token(self) -> str:
        """Make the ID token, as bent as the test wants it."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": SUBJECT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "name": "Some Body",
            "email": "somebody@example.com",
            "email_verified": True,
            "groups": ["staff"],
            **self.claims,
        }
        header = {"alg": "ES256", "kid": "one", **self.header}
        return self.sign(header, {name: value for name, value in claims.items() if value is not None})

    def logout_token(self, **bent: Any) -> str:
        """Make a logout token; `None` leaves a claim out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": SUBJECT,
            "sid": "session-1",
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_hex(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **bent,
        }
        header = {"alg": "ES256", "kid": "one", "typ": "logout+jwt", **self.header}
        return self.sign(header, {name: value for name, value in claims.items() if value is not None})

    def serve(self, handler: BaseHTTPRequestHandler, body: str) -> None:
        """Answer a request."""
        path = urlsplit(handler.path).path
        self.asked.append((path, body, dict(handler.headers)))
        if path in self.answers:
            self.answers[path](handler)
            return
        found: dict[str, Any] = {}
        if path == "/.well-known/openid-configuration":
            found = self.document()
        elif path == "/keys":
            found = dict(self.keys)
        elif path == "/token":
            found = {
                "access_token": "access",
                "token_type": "Bearer",
                "expires_in": 300,
                "id_token": self.id_token(),
                **self.tokens,
            }
            found = {name: value for name, value in found.items() if value is not None}
        elif path == "/me":
            found = self.userinfo
        reply(handler, 200, json.dumps(found).encode())

    def provider(self, **more: Any) -> Provider:
        """The tenant's row about it."""
        settings = {"issuer": self.issuer, "client_id": CLIENT, **more.pop("settings", {})}
        values = {
            "id": 7,
            "tenant_id": 1,
            "name": "corp",
            "kind": "oidc",
            "label": "Corp",
            "authority": self.issuer,
            "settings": settings,
            "secrets": {"client_secret": SECRET},
            **more,
        }
        return Provider(**values)


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """Send an answer."""
    handler.send_response(status)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


class Login:
    """A log-in at the hostile provider, step by step."""

    def __init__(self, hostile: Hostile, client: Any) -> None:
        self.hostile = hostile
        self.client = client
        to = client.begin(Attempt(CALLBACK))
        assert isinstance(to, GoTo)
        self.url = to.url
        self.sent = {name: value[0] for name, value in parse_qs(urlsplit(to.url).query).items()}
        self.memory = dict(to.memory)
        hostile.nonce = self.sent["nonce"]
        self.answer = {"code": "c0de", "state": self.sent["state"], "iss": hostile.issuer}

    def finish(self, callback: str = CALLBACK, client: Any = None) -> Any:
        """Come back."""
        return (client or self.client).finish(Attempt(callback, self.memory), self.answer)


def half_hash(text: str) -> str:
    """`at_hash`, for SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


def refuse(login: Login, reason: str, **how: Any) -> LoginRefusedError:
    """Make sure that a log-in is refused, and for what."""
    with pytest.raises(LoginRefusedError) as refused:
        login.finish(**how)
    assert refused.value.reason == reason, str(refused.value)
    return refused.value


class In(int):
    """So many seconds from when a test runs: tables of cases are made long before."""


def said(claims: dict[str, Any], hostile: Hostile) -> dict[str, Any]:
    """Fill in a row of a table: times, and ``{issuer}``."""
    now = int(time.time())
    times = {name: now + value if isinstance(value, In) else value for name, value in claims.items()}
    found: dict[str, Any] = json.loads(json.dumps(times).replace("{issuer}", hostile.issuer))
    return found
