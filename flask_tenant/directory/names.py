"""Which slugs, host names and configuration keys the directory accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import idna

from ..errors import DomainError, InvalidSlugError, TenantConfigError, TokenError

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}\Z")
_SCOPE = re.compile(r"[a-z][a-z0-9_.:-]{0,62}\Z")
_NUMBERS = re.compile(r"[0-9.]+\Z")
CONFIG_BYTES = 16_384
"""How long a configuration value may be, as JSON."""


def checked_slug(slug: str) -> str:
    """Return a slug that can be a host label.

    :raises InvalidSlugError: for any other
    """
    if not SLUG.match(slug):
        raise InvalidSlugError(
            f"{slug!r} cannot be part of a host name",
            value=slug,
            hint="Use up to 63 lower-case letters, digits and inner hyphens",
        )
    return slug


def checked_host(host: str) -> str:
    """Return a host name as certificates have it: lower-case, ``xn--`` for what is beyond ASCII, no final dot.

    :raises DomainError: for what is no host name: one label, an address, a port, a wildcard
    """
    bare = host.strip().rstrip(".")
    try:
        encoded = idna.encode(bare, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise _no_host(host, str(error)) from None
    if "." not in encoded or _NUMBERS.match(encoded) or len(encoded) > 253:
        raise _no_host(host, "it is an address, a single label or too long")
    return encoded


def _no_host(host: str, why: str) -> DomainError:
    return DomainError(
        f"{host!r} is no custom domain: {why}",
        value=host,
        hint="Use a full host name, such as shop.example.com",
    )


def checked_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return what a token is good for.

    :raises TokenError: for what cannot be the name of a scope
    """
    found = frozenset(scopes)
    for scope in found:
        if not _SCOPE.match(scope):
            raise TokenError(
                f"{scope!r} cannot be a scope",
                value=scope,
                hint="Small letters, digits and _ . : -, 63 at most, such as invoices:read",
            )
    return found


def checked_config(key: str, value: Any) -> str:
    """Return a configuration value as JSON.

    :raises TenantConfigError: for a key that is no name, and a value that is no JSON or too long
    """
    if not _KEY.match(key):
        raise TenantConfigError(
            f"{key!r} is no configuration key",
            value=key,
            hint="Use up to 100 letters, digits, '_', '.' and '-', beginning with a letter",
        )
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TenantConfigError(
            f"The value of {key!r} is no JSON: {error}",
            value=value,
            hint="Use text, numbers, lists and objects",
        ) from None
    if len(text.encode()) > CONFIG_BYTES:
        raise TenantConfigError(
            f"The value of {key!r} is longer than {CONFIG_BYTES} bytes of JSON",
            value=key,
            hint="Keep large things in the application's own tables",
        )
    return text
