"""A real SMTP server on loopback (aiosmtpd): it takes mail, with TLS and log-in where wanted, and keeps it."""

from __future__ import annotations

import contextlib
import email
import email.policy
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.services.redis import free_port

USER, PASSWORD = "shop", "let me send"


class Post:
    """A server, and what it was given.

    :param refuse: what it answers to each recipient, such as ``550 no such user``; ``""`` takes mail
    """

    def __init__(self, **kw: Any) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refuse = ""
        self._kw = kw
        self.port = free_port()
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """What TENANT_MAIL_URL takes, without TLS and log-in."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, on the same port each time."""
        context = self._kw.pop("ssl_context", None)
        made = Controller(self, hostname="127.0.0.1", port=self.port, ssl_context=context, **self._kw)
        made.start()
        self._controller = made

    def stop(self) -> None:
        """Stop it."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a message."""
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append(cast(EmailMessage, parsed))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"

    def text(self) -> str:
        """The text of the newest message."""
        body = self.messages[-1].get_body(("plain",))
        assert body is not None
        return str(body.get_content())


def authenticated(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """Let one user in."""
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=known, handled=False)


def tls_of(certificate: str, key: str) -> ssl.SSLContext:
    """Return what a server needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextlib.contextmanager
def post_running(**kw: Any) -> Iterator[Post]:
    """Run a server for the length of the block.

    :param kw: what aiosmtpd's Controller and SMTP take
    """
    post = Post(**kw)
    post.start()
    try:
        yield post
    finally:
        post.stop()


@pytest.fixture
def post() -> Iterator[Post]:
    """A server that takes mail for anybody."""
    with post_running() as server:
        yield server
