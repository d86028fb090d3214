"""JSON Web Tokens: believed after signature, issuer, audience and expiry, and not before.

The algorithms are those that the operator has listed, and each fits the kind of key: a public key is never taken for
the secret of an HMAC, and ``none`` is never an algorithm.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import ConfigurationError, CredentialRefusedError

_KINDS = {
    "HS256": "oct", "HS384": "oct", "HS512": "oct",
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "ES256K": "EC",
    "EdDSA": "OKP", "Ed25519": "OKP", "Ed448": "OKP",
}  # fmt: skip
"""Algorithms, and the kind of key that each takes."""

SHORTEST_SECRET = 32
"""Bytes of an HMAC's secret."""

LONGEST = 8192
"""Characters of a token that is looked at."""


class Verifier:
    """Says which tenant a JSON Web Token names.

    :param key: PEM text of a public key, a JWK or a JWK set (as text or mapping)
    :param algorithms: those that are accepted
    :param issuer: required value of ``iss``
    :param audience: a value that ``aud`` must contain
    :param claim: which claim names the tenant: its slug as a string, or its id as an integer
    :param leeway: seconds that clocks may differ
    :raises ConfigurationError: for keys and algorithms that do not fit, or a missing issuer or audience
    """

    def __init__(
        self,
        key: str | Mapping[str, Any],
        algorithms: Collection[str],
        *,
        issuer: str | None,
        audience: str | None,
        claim: str,
        leeway: int = 30,
    ) -> None:
        try:
            from joserfc import jwk, jwt
        except ImportError:
            raise ConfigurationError(
                "TENANT_JWT_KEY is set, and joserfc is not installed",
                hint="pip install 'flask-tenant[token]'",
            ) from None
        if not issuer or not audience:
            raise ConfigurationError(
                "TENANT_JWT_KEY is set without TENANT_JWT_ISSUER or TENANT_JWT_AUDIENCE",
                hint="A token counts only if it was made by that issuer, for this audience: name both",
            )
        keys = _keys(key)
        self._algorithms = list(algorithms)
        self._claim = claim
        _check_fit(self._algorithms, {each.key_type for each in keys})
        # A single key takes tokens whatever `kid` they carry; a set chooses by it.
        self._keys: Any = keys[0] if len(keys) == 1 else jwk.KeySet(keys)
        self._claims = jwt.JWTClaimsRegistry(
            leeway=leeway,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    def tenant(self, token: str) -> str | int:
        """Return the claim that names the tenant.

        :raises CredentialRefusedError: for a token that is forged, expired, meant for others, or names no tenant
        """
        from joserfc import jwt
        from joserfc.errors import JoseError

        if len(token) > LONGEST:
            raise CredentialRefusedError("The token is too long")
        try:
            found = jwt.decode(token, self._keys, algorithms=self._algorithms)
            self._claims.validate(found.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            # Whatever is wrong with it, the bearer is told the same.
            raise CredentialRefusedError("The token is not valid") from error
        value = found.claims.get(self._claim)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise CredentialRefusedError(f"The token's claim {self._claim!r} names no tenant")
        return value


def _keys(key: str | Mapping[str, Any]) -> list[Any]:
    from joserfc import jwk
    from joserfc.errors import JoseError

    try:
        if isinstance(key, str) and key.lstrip().startswith("{"):
            key = json.loads(key)
        if isinstance(key, Mapping):
            keys = []
            for each in key.get("keys", [key]):
                _check_secret(each)
                keys.append(jwk.import_key(dict(each)))
            if not keys:
                raise ConfigurationError("TENANT_JWT_KEY is a set of no keys")
            return keys
        for kind in (jwk.RSAKey, jwk.ECKey, jwk.OKPKey):
            try:
                return [kind.import_key(key)]
            except (JoseError, ValueError, TypeError):
                continue
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"TENANT_JWT_KEY cannot be read: {error}") from None
    raise ConfigurationError(
        "TENANT_JWT_KEY is no key",
        hint="Give a public key as PEM text, a JWK or a JWK set; an HMAC's secret as a JWK of kty 'oct'",
    )


def _check_secret(key: Mapping[str, Any]) -> None:
    """Look at the length of an HMAC's secret: the library refuses public keys in its place, and only warns of this."""
    if key.get("kty") != "oct":
        return
    secret = base64.urlsafe_b64decode(str(key.get("k", "")) + "==")
    if len(secret) < SHORTEST_SECRET:
        raise ConfigurationError(
            f"TENANT_JWT_KEY has a secret of {len(secret)} bytes", hint=f"Use {SHORTEST_SECRET} or more"
        )


def _check_fit(algorithms: list[str], kinds: set[str]) -> None:
    for algorithm in algorithms:
        if algorithm not in _KINDS:
            raise ConfigurationError(
                f"TENANT_JWT_ALGORITHMS names {algorithm!r}",
                value=algorithm,
                hint=f"Known are: {', '.join(_KINDS)}",
            )
        if _KINDS[algorithm] not in kinds:
            raise ConfigurationError(
                f"TENANT_JWT_ALGORITHMS names {algorithm!r}, which takes a key of kind {_KINDS[algorithm]}, and "
                f"TENANT_JWT_KEY holds {', '.join(sorted(kinds))}",
                value=algorithm,
            )
    if not algorithms:
        raise ConfigurationError(
            "TENANT_JWT_KEY is set without TENANT_JWT_ALGORITHMS", hint="Such as ['RS256']"
        )
