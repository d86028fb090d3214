"""What a provider says of itself (OpenID Connect Discovery 1.0), and its keys (RFC 7517)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from ...errors import ProviderUnavailableError
from .settings import OidcSettings, is_inside, is_loopback, url_fault
from .transport import Reply

Get = Callable[[str], Reply]

DISCOVERY_SECONDS = 300.0
KEYS_SECONDS = 60.0
"""How long a key that the provider has dropped may still count."""

ANEW_SECONDS = 5.0
"""Forged tokens with keys that nobody knows do not make us ask the provider more often than that."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Of signatures. None with a key that both sides know: a client's secret signs nothing."""

_KEY_TYPES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "RSA": (RSAKey, ("kty", "kid", "alg", "use", "n", "e")),
    "EC": (ECKey, ("kty", "kid", "alg", "use", "crv", "x", "y")),
}
_RSA_DIGITS = 2048 // 6  # of base64
_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we use of a discovery document.

    :param algorithms: with which it may sign, of those that we accept
    :param auth_methods: how a client's secret may be shown
    :param names_itself: whether it says in each answer who it is (RFC 9207)
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    algorithms: tuple[str, ...]
    auth_methods: tuple[str, ...]
    names_itself: bool


def faults(document: Mapping[str, Any], issuer: str) -> list[str]:
    """Return everything for which a discovery document cannot be used."""
    found = []
    if document.get("issuer") != issuer:
        # Section 4.3: or one provider could speak for another.
        found.append(f"it is the document of the issuer {document.get('issuer')!r}, not of {issuer!r}")
    for name in _REQUIRED + tuple(name for name in _OPTIONAL if name in document):
        fault = _endpoint_fault(document.get(name), issuer)
        if fault:
            found.append(f"{name} is {document.get(name)!r}: {fault}")
    if not _algorithms(document):
        signs = document.get("id_token_signing_alg_values_supported")
        found.append(f"it signs with {signs!r}, of which we accept none ({', '.join(ALGORITHMS)})")
    return found


def _endpoint_fault(url: Any, issuer: str) -> str:
    """Say why nothing is sent to a place that a provider names, or nothing."""
    home = urlsplit(issuer).hostname or ""
    fault = url_fault(url, loopback=is_loopback(home))
    if not fault and not is_inside(home) and is_inside(urlsplit(url).hostname or ""):
        # Whoever runs a provider would have us knock where only we can (server-side request forgery).
        return "It leads to the inside of a network"
    return fault


def read(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Read a discovery document.

    :raises ProviderUnavailableError: when it cannot be used
    """
    wrong = faults(document, issuer)
    if wrong:
        raise ProviderUnavailableError(
            f"The discovery document of {issuer} cannot be used: {'; '.join(wrong)}", value=issuer
        )
    return Metadata(
        document["authorization_endpoint"],
        document["token_endpoint"],
        document["jwks_uri"],
        document.get("userinfo_endpoint", ""),
        document.get("end_session_endpoint", ""),
        _algorithms(document),
        _texts(document, "token_endpoint_auth_methods_supported") or ("client_secret_basic",),
        document.get("authorization_response_iss_parameter_supported") is True,
    )


def _algorithms(document: Mapping[str, Any]) -> tuple[str, ...]:
    supported = _texts(document, "id_token_signing_alg_values_supported") or ("RS256",)
    return tuple(name for name in ALGORITHMS if name in supported)


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name)
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def keys_of(document: Mapping[str, Any], url: str) -> KeySet:
    """Return the public keys in a key set that may sign tokens; what is none of them is passed over.

    :raises ProviderUnavailableError: when there is none
    """
    entries = document.get("keys")
    keys = [key for entry in (entries if isinstance(entries, list) else ()) if (key := _key(entry))]
    if not keys:
        raise ProviderUnavailableError(f"{url} holds no key that could have signed a token", value=url)
    return KeySet(keys)


def _key(entry: Any) -> Any:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kind, members = _KEY_TYPES.get(str(entry.get("kty")), (None, ()))
    if kind is None or (kind is RSAKey and len(str(entry.get("n"))) < _RSA_DIGITS):
        return None
    try:
        return kind.import_key({name: entry[name] for name in members if name in entry})
    except (JoseError, ValueError, TypeError, KeyError):
        return None


class Issuer:
    """What is known of one provider just now. Each thread may ask it.

    :param ticks: seconds, as :func:`time.monotonic` counts them
    """

    def __init__(self, settings: OidcSettings, ticks: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._ticks = ticks
        self._lock = threading.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._anew_after = 0.0

    def metadata(self, get: Get) -> Metadata:
        """Return what it says of itself.

        :param get: fetches a document, if that is needed
        :raises ProviderUnavailableError: when it does not answer, or nothing that could be used
        """
        kept = self._metadata
        if kept is not None and self._ticks() < kept[0]:
            return kept[1]
        reply = get(self._settings.discovery)
        reply.raise_for_status()
        found = read(reply.object(), self._settings.issuer)
        self._metadata = (self._ticks() + DISCOVERY_SECONDS, found)
        return found

    def doubt(self) -> None:
        """Ask it anew what it says of itself: it may have moved."""
        kept = self._metadata
        if kept is not None:
            self._metadata = (0.0, kept[1])

    def last_metadata(self) -> Metadata | None:
        """Return what it said last, however long ago."""
        return self._metadata[1] if self._metadata is not None else None

    def keys(self, get: Get, *, anew: bool = False) -> KeySet:
        """Return its keys.

        :param get: fetches a document, if that is needed
        :param anew: whether those that are kept did not do
        :raises ProviderUnavailableError: when it does not answer, or nothing that could be used
        """
        now = self._ticks()
        with self._lock:
            kept = self._keys
            again = anew and now >= self._anew_after
            if again:
                self._anew_after = now + ANEW_SECONDS
        if kept is not None and now < kept[0] and not again:
            return kept[1]
        url = self.metadata(get).jwks_uri
        reply = get(url)
        reply.raise_for_status()
        found = keys_of(reply.object(), url)
        self._keys = (self._ticks() + KEYS_SECONDS, found)
        return found
