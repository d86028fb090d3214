"""Signs webhooks as https://www.standardwebhooks.com says, for which receivers find libraries in most languages.

Each webhook of each tenant has a secret of its own, made from the application's ``SECRET_KEY``: nothing is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from ....errors import ConfigurationError


def secret_of(secret_key: str | bytes | None, tenant_id: int, name: str) -> bytes:
    """Return the secret that one tenant's webhook is signed with.

    :param secret_key: the application's
    :raises ConfigurationError: without one
    """
    if not secret_key:
        raise ConfigurationError(
            "Webhooks cannot be signed without a SECRET_KEY", hint="Set it in the application's configuration"
        )
    key = secret_key.encode() if isinstance(secret_key, str) else secret_key
    return hmac.digest(key, f"flask_tenant.webhook\0{tenant_id}\0{name}".encode(), hashlib.sha256)


def shown(secret: bytes) -> str:
    """Return a secret as receivers' libraries want it."""
    return "whsec_" + base64.b64encode(secret).decode()


def headers_of(secret: bytes, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who has sent a body, and when.

    :param message: the message's id, the same each time that it is sent
    :param timestamp: seconds since 1970
    """
    signed = b".".join((message.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
