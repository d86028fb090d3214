"""Tokens that the provider has not signed, or not as we accept it; and keys that change."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from flask_tenant.errors import LoginRefusedError
from flask_tenant.login.oidc import Oidc
from tests.login.oidc.hostile import (
    SECRET,
    SUBJECT,
    Hostile,
    Login,
    refuse,
)


def _encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_no_signature(login: Login, hostile: Hostile, alg: str) -> None:
    hostile.sign = lambda header, claims: f"{_encoded({**header, 'alg': alg})}.{_encoded(claims)}."
    hostile.discovery = {"id_token_signing_alg_values_supported": ["none", "ES256"]}
    refuse(login, "algorithm")


def test_hs256_with_the_client_secret(hostile: Hostile, kind: Oidc) -> None:
    hostile.discovery = {"id_token_signing_alg_values_supported": ["HS256", "ES256"]}
    key = OctKey.import_key(SECRET)
    hostile.sign = lambda header, claims: jwt.encode({**header, "alg": "HS256"}, claims, key, ["HS256"])
    refuse(Login(hostile, kind.open(hostile.provider())), "algorithm")


def test_hs256_with_the_public_key(hostile: Hostile, kind: Oidc) -> None:
    hostile.discovery = {"id_token_signing_alg_values_supported": ["HS256", "ES256"]}
    hostile.keys = {"keys": [*hostile.keys["keys"], {"kty": "oct", "kid": "two", "k": "c2VjcmV0" * 8}]}
    key = OctKey.import_key({"kty": "oct", "k": "c2VjcmV0" * 8})
    hostile.sign = lambda header, claims: jwt.encode(
        {**header, "alg": "HS256", "kid": "two"}, claims, key, ["HS256"]
    )
    refuse(Login(hostile, kind.open(hostile.provider())), "algorithm")


def test_an_algorithm_that_the_provider_does_not_use(hostile: Hostile, kind: Oidc) -> None:
    hostile.discovery = {"id_token_signing_alg_values_supported": ["RS256"]}
    refuse(Login(hostile, kind.open(hostile.provider())), "algorithm")


def test_somebody_elses_key_of_the_same_name(login: Login, hostile: Hostile) -> None:
    key = ECKey.generate_key("P-256")
    hostile.sign = lambda header, claims: jwt.encode(header, claims, key, ["ES256"])
    refuse(login, "signature")


def test_a_key_that_the_token_brings_along(login: Login, hostile: Hostile) -> None:
    key = ECKey.generate_key("P-256", {"kid": "mine"})
    for header in (
        {"jwk": key.as_dict(private=False), "kid": "mine"},
        {"jku": f"{hostile.issuer}/mine", "kid": "mine"},
        {"x5u": f"{hostile.issuer}/mine", "kid": "mine"},
    ):
        hostile.header = header
        hostile.sign = lambda header, claims: jwt.encode(header, claims, key, ["ES256"])
        refuse(login, "key")
    assert "/mine" not in [path for path, _, _ in hostile.asked]


def test_an_extension_that_we_do_not_know(login: Login, hostile: Hostile) -> None:
    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        # joserfc refuses to make it: sign the parts by hand
        signed = f"{_encoded({**header, 'crit': ['exp2'], 'exp2': 1})}.{_encoded(claims)}"
        private: Any = hostile.key.private_key
        r, s = utils.decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(32) + s.to_bytes(32)
        return f"{signed}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"

    hostile.sign = sign
    refuse(login, "token")


@pytest.mark.parametrize("token", ["", "x", "x.y", "a.b.c", "a.b.c.d.e", 1, None, [], "é.é.é", "." * 200_000])
def test_what_is_no_token(login: Login, hostile: Hostile, token: Any) -> None:
    hostile.tokens = {"id_token": token}
    refuse(login, "token")


def test_a_token_of_another_type(login: Login, hostile: Hostile) -> None:
    for name in ("at+jwt", "logout+jwt", "application/secevent+jwt"):
        hostile.header = {"typ": name}
        refuse(login, "token-type")


def test_a_weak_key_counts_as_none(hostile: Hostile, kind: Oidc) -> None:
    with pytest.warns(Warning, match="2048"):
        weak = RSAKey.generate_key(1024, {"kid": "weak"})
    hostile.keys = {"keys": [*hostile.keys["keys"], weak.as_dict(private=False)]}
    hostile.header = {"alg": "RS256", "kid": "weak"}
    hostile.sign = lambda header, claims: jwt.encode(header, claims, weak, ["RS256"])
    refuse(Login(hostile, kind.open(hostile.provider())), "key")


# ---- keys
def test_a_dropped_key_is_refused_soon(login: Login, hostile: Hostile, clock: Any) -> None:
    login.finish()
    other = ECKey.generate_key("P-256", {"kid": "two", "use": "sig", "alg": "ES256"})
    hostile.keys = KeySet([other]).as_dict()
    clock.ahead += 61
    refuse(login, "key")
    # and the new one is good at once
    hostile.header = {"kid": "two"}
    hostile.sign = lambda header, claims: jwt.encode(header, claims, other, ["ES256"])
    assert login.finish().identity.subject == SUBJECT


def test_a_new_key_is_good_at_once(login: Login, hostile: Hostile) -> None:
    login.finish()
    other = ECKey.generate_key("P-256", {"kid": "two", "use": "sig", "alg": "ES256"})
    hostile.keys = KeySet([other]).as_dict()
    hostile.header = {"kid": "two"}
    hostile.sign = lambda header, claims: jwt.encode(header, claims, other, ["ES256"])
    assert login.finish().identity.subject == SUBJECT
    # which drops the old one, too
    hostile.header, hostile.sign = {}, hostile.honestly
    refuse(login, "key")


def test_another_key_of_the_same_name_is_good_at_once(login: Login, hostile: Hostile) -> None:
    login.finish()
    other = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
    hostile.keys = KeySet([other]).as_dict()
    hostile.sign = lambda header, claims: jwt.encode(header, claims, other, ["ES256"])
    assert login.finish().identity.subject == SUBJECT


def test_forgeries_do_not_make_us_ask_for_keys_again_and_again(
    hostile: Hostile, kind: Oidc, clock: Any
) -> None:
    client = kind.open(hostile.provider())
    stranger = ECKey.generate_key("P-256", {"kid": "nobody"})
    hostile.header = {"kid": "nobody"}
    hostile.sign = lambda header, claims: jwt.encode(header, claims, stranger, ["ES256"])
    for _ in range(20):
        with pytest.raises(LoginRefusedError, match="key"):
            client.ended({"logout_token": hostile.logout_token()})
    assert [path for path, _, _ in hostile.asked].count("/keys") == 2
    clock.ahead += 10
    with pytest.raises(LoginRefusedError):
        client.ended({"logout_token": hostile.logout_token()})
    assert [path for path, _, _ in hostile.asked].count("/keys") == 3
