"""The attack matrix, as far as it is about OpenID Connect: each is refused, with its reason for the log.

Each forgery differs from a log-in that works in one thing: `test_it_works_without_an_attack` is the proof that it is
this thing for which it is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from flask_tenant.errors import LoginRefusedError, ProviderError, ProviderUnavailableError
from flask_tenant.identity import Attempt, Identity
from flask_tenant.login.oidc import Oidc
from tests.login.oidc.hostile import CALLBACK, CLIENT, SECRET, SUBJECT, Hostile, Login, half_hash, reply


def refuse(login: Login, reason: str, **how: Any) -> LoginRefusedError:
    with pytest.raises(LoginRefusedError) as refused:
        login.finish(**how)
    assert refused.value.reason == reason, str(refused.value)
    return refused.value


def test_it_works_without_an_attack(login: Login, hostile: Hostile) -> None:
    found = login.finish()
    assert found.identity == Identity(hostile.issuer, SUBJECT)
    assert (found.name, found.email, found.email_verified) == ("Some Body", "somebody@example.com", True)
    assert found.groups == ("staff",)


NOW = int(time.time())
CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("wrong issuer", {"iss": "https://evil.example"}, "issuer"),
    ("issuer with a slash more", {"iss": "{issuer}/"}, "issuer"),
    ("no issuer", {"iss": None}, "issuer"),
    ("issuers", {"iss": ["{issuer}"]}, "issuer"),
    ("wrong audience", {"aud": "other-app"}, "audience"),
    ("no audience", {"aud": None}, "audience"),
    ("empty audience", {"aud": []}, "audience"),
    ("azp trick: another's token, given to us", {"aud": "other-app", "azp": CLIENT}, "audience"),
    ("azp trick: another's token, in a list", {"aud": ["other-app"], "azp": CLIENT}, "audience"),
    ("another audience besides us", {"aud": [CLIENT, "other-app"], "azp": CLIENT}, "audience"),
    ("for us, given to another", {"azp": "other-app"}, "authorized-party"),
    ("azp is empty", {"azp": ""}, "authorized-party"),
    ("expired", {"exp": NOW - 60, "iat": NOW - 360}, "expired"),
    ("never expires", {"exp": None}, "expired"),
    ("expires when it is not a number", {"exp": "tomorrow"}, "expired"),
    ("from the future", {"iat": NOW + 300, "exp": NOW + 900}, "issued-at"),
    ("not yet valid", {"nbf": NOW + 300}, "issued-at"),
    ("no time", {"iat": None}, "issued-at"),
    ("empty subject", {"sub": ""}, "subject"),
    ("blank subject", {"sub": " "}, "subject"),
    ("no subject", {"sub": None}, "subject"),
    ("subjects", {"sub": [SUBJECT]}, "subject"),
    ("subject is a number", {"sub": 1}, "subject"),
    ("subject with a line break", {"sub": "some\nbody"}, "subject"),
    ("subject with a null", {"sub": "some\0body"}, "subject"),
    ("half a character", {"sub": "\ud800"}, "subject"),
    ("half a character as nonce", {"nonce": "\ud800"}, "nonce"),
    ("subject beyond ASCII", {"sub": "sоmebody"}, "subject"),
    ("subject without end", {"sub": "x" * 256}, "subject"),
    ("another log-in's nonce", {"nonce": "another"}, "nonce"),
    ("no nonce", {"nonce": None}, "nonce"),
    ("empty nonce", {"nonce": ""}, "nonce"),
    ("another access token", {"at_hash": half_hash("another")}, "access-token-hash"),
]


@pytest.mark.parametrize(("claims", "reason"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
def test_a_forged_claim(login: Login, hostile: Hostile, claims: dict[str, Any], reason: str) -> None:
    hostile.claims = json.loads(json.dumps(claims).replace("{issuer}", hostile.issuer))
    refuse(login, reason)


def test_the_right_access_token(login: Login, hostile: Hostile) -> None:
    hostile.claims = {"at_hash": half_hash("access")}
    assert login.finish().identity.subject == SUBJECT


@pytest.mark.parametrize(("ahead", "works"), [(-25, True), (25, True), (45, False), (-45, False)])
def test_clocks_may_be_thirty_seconds_apart(login: Login, hostile: Hostile, ahead: int, works: bool) -> None:
    # a token that has just expired there, or was only just made there
    now = int(time.time()) + ahead
    hostile.claims = {"iat": now, "exp": now + 300} if ahead > 0 else {"iat": now - 300, "exp": now}
    if works:
        assert login.finish().identity.subject == SUBJECT
    else:
        refuse(login, "issued-at" if ahead > 0 else "expired")


# ---- signatures
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


# ---- the way back
@pytest.mark.parametrize("state", [None, "", "another"])
def test_a_state_that_this_browser_did_not_begin(login: Login, hostile: Hostile, state: str | None) -> None:
    login.answer.pop("state")
    if state is not None:
        login.answer["state"] = state
    refuse(login, "state")
    login.memory = {}  # nothing is remembered: it was used before, or is of another browser
    refuse(login, "state")
    assert "/token" not in [path for path, _, _ in hostile.asked]


def test_a_callback_moved_to_another_tenant(login: Login, hostile: Hostile, kind: Oidc) -> None:
    refuse(login, "callback", callback="https://other.example.com/_tenant/callback/corp")
    # even with the memory that the other tenant's browser has, to the other tenant's provider
    other = kind.open(hostile.provider(id=8, tenant_id=2))
    refuse(login, "provider", client=other)
    assert "/token" not in [path for path, _, _ in hostile.asked]


def test_mix_up(login: Login, hostile: Hostile) -> None:
    login.answer["iss"] = "https://evil.example"
    refuse(login, "issuer-parameter")
    assert "/token" not in [path for path, _, _ in hostile.asked]
    login.answer.pop("iss")  # whoever mixes providers up leaves it out
    refuse(login, "issuer-parameter")
    assert "/token" not in [path for path, _, _ in hostile.asked]


def test_a_provider_that_never_says_who_it_is(hostile: Hostile, kind: Oidc) -> None:
    hostile.discovery = {"authorization_response_iss_parameter_supported": None}
    login = Login(hostile, kind.open(hostile.provider()))
    login.answer.pop("iss")
    assert login.finish().identity.subject == SUBJECT
    login.answer["iss"] = "https://evil.example"
    refuse(login, "issuer-parameter")


def test_an_error_in_place_of_a_code(login: Login, hostile: Hostile) -> None:
    login.answer = {"error": "access_denied", "error_description": "no\nno", "state": login.sent["state"]}
    assert "\n" not in str(refuse(login, "denied"))
    login.answer["error"] = "server_error"
    refuse(login, "provider-error")
    del login.answer["error"]
    refuse(login, "code")
    login.answer["state"] = "another"  # an error, too, has to be an answer to us
    refuse(login, "state")
    assert "/token" not in [path for path, _, _ in hostile.asked]


def test_the_code_goes_with_its_verifier_and_our_secret(login: Login, hostile: Hostile) -> None:
    assert login.sent["code_challenge_method"] == "S256"
    assert login.sent["redirect_uri"] == CALLBACK
    login.finish()
    _, body, headers = next(asked for asked in hostile.asked if asked[0] == "/token")
    sent = {name: value[0] for name, value in parse_qs(body).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest())
    assert challenge.rstrip(b"=").decode() == login.sent["code_challenge"]
    assert sent["redirect_uri"] == CALLBACK
    assert "client_secret" not in sent
    kind, _, pair = headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(pair)) == ("Basic", b"app:a+secret%3A+with+%25signs%2B")


def test_nothing_is_said_twice(hostile: Hostile, kind: Oidc) -> None:
    client = kind.open(hostile.provider())
    many = [Login(hostile, client) for _ in range(20)]
    for name in ("state", "nonce", "code_challenge"):
        assert len({login.sent[name] for login in many}) == 20
        assert all(len(login.sent[name]) >= 43 for login in many)
    for login in many:
        assert login.memory["verifier"] not in login.url


def test_a_code_that_the_provider_does_not_know(login: Login, hostile: Hostile) -> None:
    for error, reason in (("invalid_grant", "code"), ("invalid_client", "client")):
        body = json.dumps({"error": error, "error_description": "no"}).encode()
        hostile.answers["/token"] = lambda handler, body=body: reply(handler, 400, body)  # type: ignore[misc]
        refuse(login, reason)


def test_somebody_elses_userinfo(login: Login, hostile: Hostile) -> None:
    hostile.claims = {"email": None, "groups": None}
    hostile.userinfo = {"sub": "somebody-else", "email": "boss@example.com", "groups": ["bosses"]}
    refuse(login, "userinfo-subject")
    hostile.userinfo = {"email": "boss@example.com"}
    refuse(login, "userinfo-subject")
    hostile.userinfo = {
        "sub": SUBJECT,
        "email": "me@example.com",
        "groups": ["staff"],
        "email_verified": True,
    }
    found = login.finish()
    assert (found.email, found.email_verified, found.groups) == ("me@example.com", True, ("staff",))


def test_an_address_that_nobody_has_verified(login: Login, hostile: Hostile) -> None:
    for value in (None, False, "false", "true", 1, {}, []):
        hostile.claims = {"email_verified": value}
        assert login.finish().email_verified is False
    # said of another address
    hostile.claims = {"email_verified": None, "groups": None}
    hostile.userinfo = {"sub": SUBJECT, "email": "other@example.com", "email_verified": True, "groups": []}
    found = login.finish()
    assert (found.email, found.email_verified) == ("somebody@example.com", False)


def test_the_same_address_from_another_provider_is_somebody_else(hostile: Hostile, kind: Oidc) -> None:
    here = Login(hostile, kind.open(hostile.provider())).finish()
    other = Hostile()
    try:
        there = Login(other, kind.open(other.provider(id=8, tenant_id=2))).finish()
    finally:
        other.close()
    assert here.email == there.email
    assert here.identity != there.identity


def test_text_that_no_column_would_take(login: Login, hostile: Hostile) -> None:
    hostile.claims = {
        "name": "Some\0\n\ud800Body " + "x" * 500,
        "email": "x" * 300 + "@example.com",
        "sid": "s" * 300,
        "groups": ["staff", "", 1, None, "staff"],
    }
    found = login.finish()
    assert found.name.startswith("SomeBody x")
    assert len(found.name) == 200
    assert (found.email, found.email_verified, found.session) == ("", False, "")
    assert found.groups == ("staff",)


@pytest.mark.parametrize(
    ("claims", "path", "groups"),
    [
        ({"groups": "one"}, "groups", ("one",)),
        ({"groups": {"a": 1}}, "groups", ()),
        ({"realm_access": {"roles": ["a", "b"]}}, "realm_access.roles", ("a", "b")),
        ({"https://example.com/groups": ["a"]}, "https://example.com/groups", ("a",)),
        ({"realm_access": ["a"]}, "realm_access.roles", ()),
        ({"groups": ["a"]}, "", ()),
    ],
)
def test_groups(
    hostile: Hostile, kind: Oidc, claims: dict[str, Any], path: str, groups: tuple[str, ...]
) -> None:
    client = kind.open(hostile.provider(settings={"groups_claim": path}))
    hostile.claims = {"groups": None, **claims}
    assert Login(hostile, client).finish().groups == groups


def test_a_password_that_was_asked_for_too_long_ago(hostile: Hostile, kind: Oidc) -> None:
    login = Login(hostile, kind.open(hostile.provider(settings={"max_age": 60})))
    assert login.sent["max_age"] == "60"
    for auth_time in (None, int(time.time()) - 120, int(time.time()) + 120, "now", True):
        hostile.claims = {"auth_time": auth_time}
        refuse(login, "authenticated-at")
    hostile.claims = {"auth_time": int(time.time()) - 30}
    assert login.finish().identity.subject == SUBJECT


# ---- what the provider says of itself
@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://accounts.example.com"},
        {"issuer": None},
        {"token_endpoint": "http://example.com/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://169.254.169.254/latest"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "ftp://127.0.0.1/"},
        {"end_session_endpoint": "//evil.example"},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ],
)
def test_a_discovery_document_that_leads_astray(
    hostile: Hostile, kind: Oidc, document: dict[str, Any]
) -> None:
    hostile.discovery = document
    with pytest.raises(ProviderUnavailableError, match="discovery document"):
        kind.open(hostile.provider()).begin(Attempt(CALLBACK))
    assert [path for path, _, _ in hostile.asked] == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "issuer",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "https://user:pass@example.com",
        "https://example.com?x=1",
        "https://example.com#x",
        "ftp://127.0.0.1",
        "//example.com",
        "https://",
        "https://[",
        "https://example.com/\n",
        "https://ex ample.com",
        "https://example.com/" + "x" * 255,
        "",
        7,
    ],
)
def test_an_issuer_that_is_no_https_url(kind: Oidc, hostile: Hostile, issuer: Any) -> None:
    with pytest.raises(ProviderError):
        kind.open(hostile.provider(authority=issuer, settings={"issuer": issuer}))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"isuer": "x"}, "isuer"),
        ({"client_id": ""}, "client_id"),
        ({"scopes": [1]}, "scopes"),
        ({"auth_method": "private_key_jwt"}, "auth_method"),
        ({"max_age": "1"}, "max_age"),
        ({"userinfo": "yes"}, "userinfo"),
        ({"ca_file": "/nowhere.pem"}, "ca_file"),
    ],
)
def test_settings_that_make_no_sense(
    kind: Oidc, hostile: Hostile, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ProviderError, match=named):
        kind.open(hostile.provider(settings=settings))


def test_an_identitys_authority_is_the_issuer(kind: Oidc, hostile: Hostile) -> None:
    with pytest.raises(ProviderError, match="authority"):
        kind.open(hostile.provider(authority="https://accounts.example.com"))
