"""What a provider's row says, checked."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import ProviderError
from ...identity import Provider

AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
SCOPES = ("openid", "email", "profile")
_LONGEST = 255  # the column of the identity's authority


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """What we are registered as at an OpenID provider.

    :param issuer: its URL, exactly as it calls itself in its tokens
    :param client_id: what it calls us
    :param client_secret: how we prove it; empty for a public client, which PKCE alone protects
    :param scopes: what is asked for; ``openid`` is always
    :param groups_claim: which claim names groups; a dot leads into an object (``realm_access.roles``)
    :param auth_method: how the secret is shown; empty for what the provider's discovery says
    :param prompt: as in OpenID Connect Core 3.1.2.1, such as ``login`` or ``select_account``
    :param max_age: after how many seconds the provider has to ask for the password again
    :param userinfo: whether to ask the userinfo endpoint for what the ID token does not say
    :param ca_file: certificates of authorities that may vouch for the server, in place of the public ones
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = SCOPES
    groups_claim: str = "groups"
    auth_method: str = ""
    prompt: str = ""
    max_age: int | None = None
    userinfo: bool = True
    ca_file: str = ""

    @classmethod
    def of(cls, provider: Provider) -> OidcSettings:
        """Read a provider's row.

        :raises ProviderError: for settings that make no sense
        """
        wrong = Wrong(provider)
        known = set(cls.__dataclass_fields__) - {"client_secret"}
        unknown = set(provider.settings) - known
        if unknown:
            raise wrong("settings", sorted(unknown), f"Known are: {', '.join(sorted(known))}")
        if set(provider.secrets) - {"client_secret"}:
            raise wrong("secrets", sorted(provider.secrets), "Known is: client_secret")
        values = {**provider.settings, **provider.secrets}
        for name in ("issuer", "client_id", "client_secret", "groups_claim", "prompt", "ca_file"):
            value = values.get(name, "")
            if not isinstance(value, str) or any(not c.isprintable() for c in value):
                raise wrong(name, "…" if name == "client_secret" else value, "Use text")
        for name in ("issuer", "client_id"):
            if not values.get(name):
                raise wrong(name, values.get(name), "It is required")
        scopes = values.get("scopes", SCOPES)
        if isinstance(scopes, str):
            scopes = scopes.split()
        if not isinstance(scopes, list | tuple) or not all(isinstance(s, str) and s for s in scopes):
            raise wrong("scopes", scopes, "Use a list such as ['openid', 'email', 'profile']")
        values["scopes"] = tuple(dict.fromkeys(("openid", *scopes)))
        if values.get("auth_method", "") not in ("", *AUTH_METHODS):
            raise wrong("auth_method", values["auth_method"], f"Known are: {', '.join(AUTH_METHODS)}")
        max_age = values.get("max_age")
        if max_age is not None and (type(max_age) is not int or max_age < 0):
            raise wrong("max_age", max_age, "Use whole seconds")
        if not isinstance(values.get("userinfo", True), bool):
            raise wrong("userinfo", values["userinfo"], "Use true or false")
        made = cls(**values)
        made._check(provider, wrong)
        return made

    def _check(self, provider: Provider, wrong: Wrong) -> None:
        fault = issuer_fault(self.issuer)
        if fault:
            raise wrong("issuer", self.issuer, fault)
        if provider.authority != self.issuer:
            raise wrong("authority", provider.authority, f"It has to be the issuer, {self.issuer!r}")
        if self.auth_method not in ("", "none") and not self.client_secret:
            raise wrong("auth_method", self.auth_method, "It needs a client_secret")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise wrong("ca_file", self.ca_file, "There is no such file")

    @property
    def discovery(self) -> str:
        """Where the provider describes itself (OpenID Connect Discovery 1.0, section 4)."""
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"


class Wrong:
    """Makes the errors about a provider's row."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, name: str, value: object, hint: str) -> ProviderError:
        return ProviderError(
            f"{name} of the provider {self._provider.name!r} is {value!r}", value=value, hint=hint
        )


def issuer_fault(issuer: str) -> str:
    """Say what is wrong with an issuer's URL (OpenID Connect Discovery 1.0, section 3), or nothing."""
    if "?" in issuer or "#" in issuer:
        return "It has a query or a fragment"
    if len(issuer) > _LONGEST:
        return f"It is longer than {_LONGEST} characters"
    return url_fault(issuer, loopback=True)


def url_fault(url: object, *, loopback: bool) -> str:
    """Say why nothing is sent to a URL, or nothing.

    :param loopback: whether it may lead to this machine, without TLS
    """
    if not isinstance(url, str) or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        return "It is no URL"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "It is no URL"
    if not host:
        return "It is no URL"
    if parts.username is not None or parts.password is not None:
        return "It carries a user name"
    if parts.scheme == "https" or (parts.scheme == "http" and loopback and is_loopback(host)):
        return ""
    return "It has to begin with https://"


def is_inside(host: str) -> bool:
    """Whether a host is the number of a machine that is not on the public net, or this very machine."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever a name server says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
