"""How tenants and tokens are written in Redis: the version first, so that Redis itself can compare, then JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ..model import Tenant, TenantState, Token
from .store import frozen


def encode(tenant: Tenant) -> str:
    """Write a tenant."""
    made = tenant.created_at.isoformat() if tenant.created_at else None
    fields = [
        tenant.id, tenant.slug, tenant.name, tenant.state.value, made, list(tenant.domains), dict(tenant.config)
    ]  # fmt: skip
    return f"{tenant.version} {_dumps(fields)}"


def decode(text: bytes) -> Tenant:
    """Read a tenant.

    :raises ValueError: for what :func:`encode` has not written
    """
    version, _, rest = text.partition(b" ")
    try:
        number, slug, name, state, made, domains, config = json.loads(rest)
        return Tenant(
            int(number),
            str(slug),
            str(name),
            TenantState(state),
            _time(made),
            tuple(domains),
            frozen(config),
            int(version),
        )
    except (TypeError, AttributeError) as error:
        raise ValueError(f"no tenant: {error}") from None


def encode_token(token: Token, version: int) -> str:
    """Write a token as a key that leads to its tenant."""
    times = [at.isoformat() if at else None for at in (token.created_at, token.expires_at, token.revoked_at)]
    scopes = None if token.scopes is None else sorted(token.scopes)
    return f"{token.tenant_id}:{version} {_dumps([token.id, token.name, *times, scopes])}"


def decode_token(text: bytes) -> tuple[Token, int]:
    """Read a token, and the version that its tenant has to have.

    :raises ValueError: for what :func:`encode_token` has not written
    """
    head, _, rest = text.partition(b" ")
    tenant_id, _, version = head.partition(b":")
    try:
        number, name, *times, scopes = json.loads(rest)
        created, expires, revoked = map(_time, times)
        good_for = None if scopes is None else frozenset(scopes)
        return Token(int(number), int(tenant_id), str(name), created, expires, revoked, good_for), int(
            version
        )
    except TypeError as error:
        raise ValueError(f"no token: {error}") from None


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
