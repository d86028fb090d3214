"""What hands mail over: an SMTP server, or the console while developing."""

from __future__ import annotations

import smtplib
import ssl
import sys
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TextIO
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import ConfigurationError, MailError
from ..protocols import Sender

SECONDS = 10.0
"""How long a server may take to answer each time."""

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})

_HINT = (
    "Use smtp+starttls://user:password@mail.example.com, smtps://…, smtp://… (without password, or on this machine), "
    "or console:"
)


def sender_of(url: str | None) -> Sender:
    """Return what sends mail.

    :param url: ``TENANT_MAIL_URL``; never told in errors: it may hold a password
    :raises ConfigurationError: for a URL that makes no sense
    """
    if url is None:
        return NoSender()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError("TENANT_MAIL_URL cannot be read", hint=_HINT) from error
    if parts.scheme == "console":
        return ConsoleSender()
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        raise ConfigurationError(
            f"TENANT_MAIL_URL begins with {parts.scheme!r}", value=parts.scheme, hint=_HINT
        )
    options = parse_qs(parts.query)
    if options.keys() - {"ca"}:
        raise ConfigurationError(
            f"TENANT_MAIL_URL has {', '.join(sorted(options.keys() - {'ca'}))}",
            hint="Known is ca=/path/of/ca.pem",
        )
    if parts.scheme == "smtp" and parts.username and parts.hostname not in _HERE:
        raise ConfigurationError(
            f"TENANT_MAIL_URL would send a password to {parts.hostname} for all to read",
            value=parts.hostname,
            hint="Use smtp+starttls:// or smtps://",
        )
    return SmtpSender(
        parts.hostname,
        port or _PORTS[parts.scheme],
        parts.scheme,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        options.get("ca", [""])[0],
    )


@dataclass(frozen=True)
class SmtpSender:
    """Hands mail over to an SMTP server (RFC 5321), each on a connection of its own.

    :param tls: ``smtps`` from the first byte (RFC 8314), ``smtp+starttls`` before anything is said (RFC 3207), or
        ``smtp`` for none. Certificates are verified, and no server can talk us out of TLS
    :param ca: file of the authority, where it is not one of the system's
    """

    host: str
    port: int
    tls: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    seconds: float = SECONDS

    def send(self, message: EmailMessage) -> None:
        """Hand a message over.

        :raises MailError: when it was not taken
        """
        try:
            with self._connected() as server:
                if self.tls == "smtp+starttls":
                    server.starttls(context=self._context())
                if self.username:
                    server.login(self.username, self.password)
                server.send_message(message)
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            # What a server says of a recipient is for the log: it may be anybody's address.
            raise MailError(
                f"{self.host}:{self.port} has not taken a mail: {type(error).__name__}: {error}",
                value=f"{self.host}:{self.port}",
                hint="It can be sent again; 'flask tenant mail test ADDRESS' tries it out",
            ) from error

    def close(self) -> None:
        """Nothing is kept open."""

    def _connected(self) -> smtplib.SMTP:
        if self.tls == "smtps":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.seconds, context=self._context())
        return smtplib.SMTP(self.host, self.port, timeout=self.seconds)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca or None)


class ConsoleSender:
    """Shows mail instead of sending it, for development.

    :param out: where; by default standard error
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def send(self, message: EmailMessage) -> None:
        """Show a message."""
        out = self._out if self._out is not None else sys.stderr
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        out.write(f"--- mail to {message['To']}: {message['Subject']}\n{text.rstrip()}\n---\n")
        out.flush()

    def close(self) -> None:
        """Nothing is kept open."""


class NoSender:
    """An installation that cannot send mail."""

    def send(self, message: EmailMessage) -> None:
        """Refuse.

        :raises MailError: always
        """
        raise MailError(
            "A mail was not sent: no sender is configured",
            hint="Set TENANT_MAIL_URL, to console: while developing",
        )

    def close(self) -> None:
        """Nothing is kept open."""
