"""Encrypts what has to be told to others later and so cannot be kept as a hash, such as a provider's client secret.

Fernet (AES-128-CBC with HMAC-SHA256) of ``cryptography``, and several keys at a time: the newest one encrypts, all of
them decrypt. What was encrypted says where it belongs: a row's secret copied into another row is of no use there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_PURPOSE = b"flask_tenant.secrets"


class Secrets:
    """Encrypts and decrypts.

    :param keys: ``TENANT_SECRET_KEYS``, the newest first
    :param secret_keys: the application's ``SECRET_KEY`` and its fallbacks, the newest first: keys derived from them
        decrypt after all others, and encrypt where there are no others
    """

    def __init__(self, keys: Sequence[str] = (), secret_keys: Sequence[str | bytes] = ()) -> None:
        self._keys = [*keys, *(_derived(key) for key in secret_keys if key)]

    @cached_property
    def _fernet(self) -> MultiFernet:
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError as error:
            raise ConfigurationError(
                f"Secrets cannot be encrypted: {error}", hint="pip install 'flask-tenant[login]'"
            ) from None
        if not self._keys:
            raise ConfigurationError(
                "Secrets cannot be encrypted without a key",
                hint="Set SECRET_KEY or TENANT_SECRET_KEYS in the application's configuration",
            )
        return MultiFernet([Fernet(key) for key in self._keys])

    def seal(self, text: str, place: str) -> str:
        """Encrypt a text with the newest key.

        :param place: where it belongs, such as the row's own key
        """
        return self._fernet.encrypt(json.dumps([place, text]).encode()).decode("ascii")

    def open(self, sealed: str, place: str) -> str:
        """Decrypt a text.

        :param place: where it was found
        :raises ConfigurationError: when no key fits, or it was made for another place
        """
        from cryptography.fernet import InvalidToken

        try:
            belongs, text = json.loads(self._fernet.decrypt(sealed.encode("ascii", "replace")))
        except InvalidToken:
            raise ConfigurationError(
                f"The secret of {place} cannot be decrypted with any key",
                value=place,
                hint="Put the key that it was encrypted with at the end of TENANT_SECRET_KEYS, or set the secret anew",
            ) from None
        if belongs != place:
            raise ConfigurationError(
                f"The secret of {place} was made for {belongs}: somebody has copied it",
                value=place,
                hint="Set the secret anew, and find out who writes into the database",
            )
        return str(text)

    def rotate(self, sealed: str) -> str:
        """Encrypt anew, with the newest key, what any of the keys has encrypted.

        :raises ConfigurationError: when no key fits
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.rotate(sealed.encode("ascii", "replace")).decode("ascii")
        except InvalidToken:
            raise ConfigurationError(
                "A secret cannot be decrypted with any key",
                hint="Put the key that it was encrypted with at the end of TENANT_SECRET_KEYS",
            ) from None


def _derived(secret_key: str | bytes) -> str:
    """Return a key of Fernet's form that is good for nothing else that the application's key is used for."""
    key = secret_key.encode() if isinstance(secret_key, str) else secret_key
    return base64.urlsafe_b64encode(hmac.digest(key, _PURPOSE, hashlib.sha256)).decode("ascii")
