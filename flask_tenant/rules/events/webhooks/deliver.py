"""Delivers webhooks: outside any request, by ``flask tenant webhooks deliver``."""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Timer

from ....errors import TenancyError
from ....model import Tenant
from .address import Allowed, Target, target_of
from .outbox import Message, Outbox
from .signature import headers_of, secret_of

log = logging.getLogger("flask_tenant")

SECONDS = 10.0
"""How long one delivery may take in all."""

SETTING = "webhook."
"""What a tenant's configuration key for a webhook's URL begins with: ``webhook.ops``."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What has become of one message.

    :param error: ``""`` when it was delivered
    :param again_in: seconds, ``None`` when it is not sent again
    """

    message: Message
    error: str = ""
    again_in: float | None = None


class Deliverer:
    """Sends what is in the outbox.

    :param find: looks a tenant up by its id
    :param secret_key: the application's
    """

    def __init__(
        self,
        outbox: Outbox,
        find: Callable[[int], Tenant | None],
        secret_key: str | bytes | None,
        allowed: Allowed,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._outbox, self._find, self._secret_key, self._allowed = outbox, find, secret_key, allowed
        self._seconds = seconds

    def drain(self) -> Iterator[Attempt]:
        """Send all that is due. Those to a receiver that has failed wait for its next turn.

        :raises ConfigurationError: when the application has no ``SECRET_KEY``
        """
        secret_of(self._secret_key, 0, "")  # before anything is taken
        self._outbox.tidy()
        ill: dict[tuple[int, str], float] = {}
        while (message := self._outbox.take()) is not None:
            whose = message.tenant_id, message.name
            if whose in ill:
                self._outbox.put_back(message, ill[whose])
                continue
            attempt = self._attempt(message)
            if attempt.again_in is not None:
                ill[whose] = attempt.again_in
            yield attempt

    def _attempt(self, message: Message) -> Attempt:
        tenant = self._find(message.tenant_id)
        url = tenant.config.get(SETTING + message.name) if tenant is not None else None
        if not isinstance(url, str):
            error = f"its URL is not set: flask tenant config set {tenant and tenant.slug} {SETTING}{message.name} URL"
            return Attempt(message, error, self._outbox.failed(message, error))
        try:
            status = self._post(message, target_of(url, self._allowed))
        except TenancyError as error:
            text, final = str(error), True
        except (OSError, http.client.HTTPException) as error:
            text, final = f"{type(error).__name__}: {error}", False
        else:
            if 200 <= status < 300:
                self._outbox.delivered(message)
                return Attempt(message)
            # Redirects are not followed: they could lead anywhere.
            text, final = f"the receiver has answered {status}", status == 410
        again = self._outbox.failed(message, text, final=final)
        log.warning("Webhook %s (%s) could not be delivered: %s", message.name, message.message, text)
        return Attempt(message, text, again)

    def _post(self, message: Message, target: Target) -> int:
        body = message.body.encode()
        secret = secret_of(self._secret_key, message.tenant_id, message.name)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "flask_tenant",
            "Connection": "close",
            **headers_of(secret, message.message, int(time.time()), body),
        }
        connection = _Pinned(target, self._seconds)
        # Time-outs of sockets hold for each read; a receiver that answers in drips would keep us for long.
        with _deadline(connection, self._seconds):
            try:
                connection.request("POST", target.path, body, headers)
                return connection.getresponse().status
            finally:
                connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to the very address that was looked at, whatever the name leads to by now."""

    def __init__(self, target: Target, seconds: float) -> None:
        self.default_port = 443 if target.tls else 80
        super().__init__(target.host, target.port, timeout=seconds)
        self._target = target

    def connect(self) -> None:
        """Connect, and make sure who it is."""
        target = self._target
        self.sock = socket.create_connection((target.address, target.port), self.timeout)
        if target.tls:
            context = ssl.create_default_context()
            # Known as our socket before it shakes hands, so that the deadline holds for that too.
            tls = context.wrap_socket(self.sock, server_hostname=target.host, do_handshake_on_connect=False)
            self.sock = tls
            tls.do_handshake()


@contextlib.contextmanager
def _deadline(connection: _Pinned, seconds: float) -> Iterator[None]:
    over = False

    def end() -> None:
        nonlocal over
        over = True
        with contextlib.suppress(OSError, TypeError):
            # the plain socket's own method: TLS would want to say good-bye; None when nothing is connected
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    late = TimeoutError(f"the receiver took longer than {seconds:g} s")
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if over:
            raise late from error
        raise
    finally:
        timer.cancel()
    if over:  # half an answer would be taken for a whole one
        raise late
