"""Tries an OpenID provider out, without logging anybody in, and says precisely what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from ...errors import LoginRefusedError, ProviderError, ProviderUnavailableError
from ...identity import Finding, Provider
from ..breaker import Breaker
from .client import SECONDS, auth_method
from .issuer import faults, keys_of, read
from .settings import OidcSettings
from .tokens import LEEWAY_SECONDS
from .transport import Line, Reply

_NOBODYS = "a-code-that-nobody-was-given"


def examine(provider: Provider, clock: Callable[[], float]) -> Iterator[Finding]:
    """Yield what is found, in the order in which a log-in would come by it.

    :param clock: seconds since 1970
    """
    try:
        settings = OidcSettings.of(provider)
    except ProviderError as error:
        yield Finding("settings", False, str(error))
        return
    yield Finding("settings", True, f"we are {settings.client_id!r} at {settings.issuer}")
    breaker = Breaker(f"The provider {provider.name!r}")

    def get(url: str) -> Reply:
        def work() -> Reply:
            with Line(settings, SECONDS) as line:
                return line.get(url)

        return breaker.call(work, SECONDS)

    try:
        reply = get(settings.discovery)
        reply.raise_for_status()
        document = reply.object()
    except ProviderUnavailableError as error:
        yield Finding("discovery", False, str(error))
        return
    wrong = faults(document, settings.issuer)
    for fault in wrong:
        yield Finding("discovery", False, fault)
    if wrong:
        return
    yield Finding("discovery", True, settings.discovery)
    yield _clock(reply, clock())
    yield from _offers(document, settings)
    metadata = read(document, settings.issuer)
    try:
        keys_reply = get(metadata.jwks_uri)
        keys_reply.raise_for_status()
        keys = keys_of(keys_reply.object(), metadata.jwks_uri)
        yield Finding("keys", True, f"{len(keys.keys)} at {metadata.jwks_uri}")
    except ProviderUnavailableError as error:
        yield Finding("keys", False, str(error))
    method = auth_method(settings, metadata)

    def redeem() -> None:
        with Line(settings, SECONDS) as line:
            line.redeem(metadata.token_endpoint, _NOBODYS, "x" * 64, "https://localhost/", method)

    try:
        breaker.call(redeem, SECONDS)
        yield Finding("client", False, f"{metadata.token_endpoint} gave tokens for a code that it never made")
    except LoginRefusedError as error:
        # RFC 6749, section 5.2: who we are is looked at first, the code after it.
        known = error.value == "invalid_grant"
        detail = f"{settings.client_id!r} is known there ({method})" if known else str(error)
        yield Finding("client", known, detail)
    except ProviderUnavailableError as error:
        yield Finding("client", False, str(error))


def _clock(reply: Reply, now: float) -> Finding:
    try:
        theirs = parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", True, "the provider does not tell the time")
    apart = theirs - now
    ok = abs(apart) <= LEEWAY_SECONDS
    detail = f"the provider's is {abs(apart):.0f} seconds {'ahead of' if apart > 0 else 'behind'} ours"
    return Finding("clock", ok, detail if ok else f"{detail}; up to {LEEWAY_SECONDS} are put up with")


def _offers(document: dict[str, Any], settings: OidcSettings) -> Iterator[Finding]:
    """Compare what the provider says it can with what a log-in needs (Discovery 1.0, section 3)."""

    def listed(name: str) -> list[Any] | None:
        value = document.get(name)
        return value if isinstance(value, list) else None

    types = listed("response_types_supported")
    yield Finding("code flow", types is None or "code" in types, f"response_types_supported is {types!r}")
    pkce = listed("code_challenge_methods_supported")
    if pkce is None:
        yield Finding("PKCE", True, "the provider does not say whether it checks; we send it")
    else:
        yield Finding("PKCE", "S256" in pkce, f"code_challenge_methods_supported is {pkce!r}")
    scopes = listed("scopes_supported")
    if scopes is not None:
        missing = [scope for scope in settings.scopes if scope not in scopes]
        detail = f"not in scopes_supported: {', '.join(missing)}" if missing else " ".join(settings.scopes)
        yield Finding("scopes", not missing, detail)
    methods = listed("token_endpoint_auth_methods_supported")
    if settings.auth_method and methods is not None and settings.auth_method not in methods:
        yield Finding("auth_method", False, f"{settings.auth_method} is not among {methods!r}")
    ends = "end_session_endpoint" in document
    yield Finding("log-out", True, "there too" if ends else "here only: there is no end_session_endpoint")
    told = document.get("backchannel_logout_supported") is True
    yield Finding(
        "back-channel log-out", True, "the provider tells us" if told else "the provider does not tell us"
    )
