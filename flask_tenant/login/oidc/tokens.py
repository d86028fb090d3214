"""What a provider's signed tokens prove: ID tokens, and logout tokens.

Authlib checks most claims of an ID token. What it leaves open is checked here, each with its source.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry, Token

from ...errors import LoginRefusedError

LEEWAY_SECONDS = 30
"""How far a provider's clock may be from ours."""

LONGEST_SUBJECT = 255
LOGOUT_SECONDS = 600
"""How old a logout token may be; for so long its number is remembered."""

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_REASONS = {
    "iss": "issuer",
    "aud": "audience",
    "azp": "authorized-party",
    "sub": "subject",
    "exp": "expired",
    "iat": "issued-at",
    "nbf": "issued-at",
    "nonce": "nonce",
    "at_hash": "access-token-hash",
    "auth_time": "authenticated-at",
}


def refused(reason: str, message: str, value: object = None) -> LoginRefusedError:
    """Make the error about a log-in that proves nothing."""
    return LoginRefusedError(message, reason=reason, value=value)


def verified(token: object, keys: Callable[[bool], KeySet], algorithms: Sequence[str]) -> Token:
    """Return a token that the provider has signed.

    :param keys: its keys; asked for them anew when those that are kept do not do
    :raises LoginRefusedError: for anything else
    :raises ProviderUnavailableError: when the keys cannot be had
    """
    if not isinstance(token, str):
        raise refused("token", "There is no token")
    # Header parameters that lead to other keys (jku, jwk, x5u) are never followed, and `crit` is refused.
    registry = JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
    for anew in (False, True):
        try:
            return jwt.decode(token, keys(anew), registry=registry)
        except UnsupportedAlgorithmError as error:
            raise refused(
                "algorithm", f"The token's signature is not accepted: {error.description}"
            ) from None
        except (BadSignatureError, InvalidKeyIdError) as error:
            # The provider may have changed its keys a moment ago; some keep a key's name.
            if anew:
                unknown = isinstance(error, InvalidKeyIdError)
                raise refused(
                    "key" if unknown else "signature", f"The provider has not signed the token: {error}"
                ) from None
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise refused("token", f"The token cannot be read: {error}") from None
    raise AssertionError("unreachable")


def check_id_token(
    token: Token,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
    max_age: int | None,
    now: float,
) -> dict[str, Any]:
    """Return the claims of an ID token that was made for this log-in (OpenID Connect Core 1.0, section 3.1.3.7).

    :param token: whose signature was verified
    :param max_age: seconds since the password was asked for, if that was demanded
    :param now: seconds since 1970
    :raises LoginRefusedError: when it was not
    """
    _typed(token, "jwt")
    claims = CodeIDToken(
        token.claims,
        token.header,
        {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
            "sub": {"essential": True},
            "nonce": {"essential": True},
        },
        {"nonce": nonce, "client_id": client_id, "access_token": access_token, "max_age": max_age},
    )
    _validate(lambda: claims.validate(now=int(now), leeway=LEEWAY_SECONDS))
    _check_audience(claims, client_id)
    # Section 2: at most 255 ASCII characters; an empty one is nobody, or everybody.
    subject = claims["sub"]
    if (
        not subject.strip()
        or len(subject) > LONGEST_SUBJECT
        or not (subject.isascii() and subject.isprintable())
    ):
        raise refused("subject", f"The subject {subject[:300]!r} names nobody", subject)
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(
        claims["nonce"].encode(), nonce.encode()
    ):
        raise refused("nonce", "The ID token was made for another log-in")
    if max_age is not None:
        # Section 3.1.2.1: Authlib sees to it that there is one, and not how long ago it was.
        at = claims.get("auth_time")
        if not _number(at) or at < now - max_age - LEEWAY_SECONDS or at > now + LEEWAY_SECONDS:
            raise refused(
                "authenticated-at", f"The password was asked for at {at!r}, longer ago than {max_age} s", at
            )
    return dict(claims)


def check_logout_token(token: Token, *, issuer: str, client_id: str, now: float) -> dict[str, Any]:
    """Return the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6).

    :param token: whose signature was verified
    :param now: seconds since 1970
    :raises LoginRefusedError: when it is none, or not for us
    """
    _typed(token, "logout+jwt", "jwt")
    claims = token.claims
    registry = JWTClaimsRegistry(
        int(now),
        LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    )
    _validate(lambda: registry.validate(claims))
    _check_audience(claims, client_id)
    if claims["iat"] < now - LOGOUT_SECONDS - LEEWAY_SECONDS:
        raise refused("expired", "The logout token is old", claims["iat"])
    if "nonce" in claims:  # so that it cannot be passed off as an ID token, nor an ID token as one
        raise refused("token-type", "A logout token has no nonce")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise refused(
            "token-type", f"The token does not say that somebody has logged out: {str(events)[:200]}"
        )
    for name in ("sub", "sid", "jti"):
        text = claims.get(name, "")
        if not isinstance(text, str) or not text.isprintable() or len(text) > LONGEST_SUBJECT:
            raise refused("subject", f"{name} of the logout token is {str(text)[:300]!r}", text)
    if not claims.get("sub") and not claims.get("sid"):
        raise refused("subject", "The logout token does not say whose session has ended")
    return claims


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """Refuse a token that was made for others too (Core, section 3.1.3.7, step 3): they could pass it on.

    Authlib lets one pass that is for another client alone when `azp` is ours, or for others besides.
    """
    audience = claims["aud"]
    if audience not in (client_id, [client_id]):
        raise refused("audience", f"The token is for {audience!r}", audience)
    if claims.get("azp", client_id) != client_id:
        raise refused("authorized-party", f"The token was given to {claims['azp']!r}", claims["azp"])


def _typed(token: Token, *types: str) -> None:
    """Refuse a token of another type (RFC 8725, section 3.11); many providers do not say one."""
    found = token.header.get("typ", "jwt")
    if not isinstance(found, str) or found.lower().removeprefix("application/") not in types:
        raise refused("token-type", f"The token's type is {found!r}", found)


def _validate(check: Callable[[], None]) -> None:
    try:
        check()
    except ExpiredTokenError:
        raise refused("expired", "The token has expired") from None
    except ClaimError as error:
        claim = error.claim.partition(",")[0]
        raise refused(
            _REASONS.get(claim, "token"), f"The token's {error.claim}: {error.description}"
        ) from None
    except (JoseError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise refused("token", f"The token's claims make no sense: {error}") from None


def _number(value: object) -> bool:
    """Whether a claim is a time: NaN and Infinity are none in JSON, and compare with nothing (RFC 8259, section 6)."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
