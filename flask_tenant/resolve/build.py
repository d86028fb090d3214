"""Makes the strategies that the configuration names, in its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Flask
from itsdangerous import BadSignature

from ..errors import ConfigurationError
from ..protocols import Strategy
from ..settings import Settings
from .domain import Domain
from .header import Header, TrustedPeers
from .hosts import InvalidHostError, split_port, typed_name
from .jwt import Verifier
from .lookups import Lookups
from .path import Path
from .session import Session
from .subdomain import Subdomain
from .token import Token


class Hosts:
    """The host names of the configuration, normalised.

    :raises ConfigurationError: when one of them is no host name
    """

    def __init__(self, settings: Settings) -> None:
        base = settings.base_domain
        self.base = _host("TENANT_BASE_DOMAIN", base) if base else None
        self.central = frozenset(_host("TENANT_CENTRAL_HOSTS", host) for host in settings.central_hosts)


def _host(key: str, text: str) -> str:
    try:
        return typed_name(text if text.startswith("[") else split_port(text)[0])
    except InvalidHostError as error:
        raise ConfigurationError(
            f"{key}: {error}", value=text, hint="Use a name such as 'example.com'"
        ) from None


def trusted(settings: Settings) -> TrustedPeers:
    """The configured proxies.

    :raises ConfigurationError: for what is no address
    """
    try:
        return TrustedPeers(settings.trusted_proxies)
    except ValueError as error:
        raise ConfigurationError(
            f"TENANT_TRUSTED_PROXIES: {error}", hint="Use addresses, networks such as '10.0.0.0/8', or 'unix'"
        ) from None


def build(settings: Settings, tenants: Lookups, app: Callable[[], Flask]) -> tuple[Strategy, ...]:
    """Return the strategies in their order.

    :raises ConfigurationError: when one lacks what it needs
    """
    hosts = Hosts(settings)

    def verifier() -> Verifier | None:
        if settings.jwt_key is None:
            return None
        return Verifier(
            settings.jwt_key,
            sorted(settings.jwt_algorithms),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            claim=settings.jwt_claim,
        )

    def header() -> Header:
        if not settings.trusted_proxies:
            raise ConfigurationError(
                "The strategy 'header' needs TENANT_TRUSTED_PROXIES", hint="Whom else should it believe?"
            )
        return Header(tenants, settings.header, trusted(settings))

    makers: dict[str, Callable[[], Strategy]] = {
        "domain": lambda: Domain(tenants, hosts.base, hosts.central),
        "subdomain": lambda: Subdomain(tenants, hosts.base, hosts.central),
        "path": lambda: Path(tenants, settings.path_prefix),
        "token": lambda: Token(tenants, verifier()),
        "header": header,
        "session": lambda: Session(tenants, lambda: _cookie(app()), lambda value: _opened(app(), value)),
    }
    unknown = [name for name in settings.strategies if name not in makers]
    if unknown or not settings.strategies:
        raise ConfigurationError(
            f"TENANT_STRATEGIES is {settings.strategies!r}",
            value=settings.strategies,
            hint=f"Choose from {', '.join(makers)}",
        )
    return tuple(makers[name]() for name in dict.fromkeys(settings.strategies))


def _cookie(app: Flask) -> str:
    return app.session_interface.get_cookie_name(app)


def _opened(app: Flask, value: str) -> Mapping[str, Any] | None:
    make: Any = getattr(app.session_interface, "get_signing_serializer", None)
    if make is None:
        raise ConfigurationError(
            f"The strategy 'session' cannot read the sessions of {type(app.session_interface).__name__}",
            hint="It reads Flask's own signed cookie; take 'session' out of TENANT_STRATEGIES",
        )
    serializer = make(app)
    if serializer is None:
        return None  # without a SECRET_KEY there are no sessions
    try:
        found = serializer.loads(value, max_age=int(app.permanent_session_lifetime.total_seconds()))
    except BadSignature:
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else None
