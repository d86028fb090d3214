"""Logging out there too, and hearing that somebody has."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from flask_tenant.errors import LoginRefusedError
from flask_tenant.identity import Ended
from flask_tenant.login.oidc import Oidc
from flask_tenant.protocols import Authenticator, ProviderKind, SingleLogout
from tests.login.oidc.hostile import CLIENT, SECRET, SUBJECT, Hostile, In, Login, said


def refuse(client: Any, token: str, reason: str) -> None:
    with pytest.raises(LoginRefusedError) as refused:
        client.ended({"logout_token": token})
    assert refused.value.reason == reason, str(refused.value)


def test_it_is_what_the_protocols_say(kind: Oidc, hostile: Hostile) -> None:
    checked: ProviderKind = kind
    client: Authenticator = checked.open(hostile.provider())
    assert isinstance(client, SingleLogout)


def test_a_logout_token_is_good_once(kind: Oidc, hostile: Hostile) -> None:
    client = kind.open(hostile.provider())
    token = hostile.logout_token()
    assert client.ended({"logout_token": token}) == Ended("session-1", SUBJECT)
    refuse(client, token, "replayed")
    assert client.ended({"logout_token": hostile.logout_token(sid=None)}) == Ended("", SUBJECT)
    assert client.ended({"logout_token": hostile.logout_token(sub=None)}) == Ended("session-1", "")


EVENT = "http://schemas.openid.net/event/backchannel-logout"
FORGED: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://evil.example"}, "issuer"),
    ({"iss": None}, "issuer"),
    ({"aud": "other-app"}, "audience"),
    ({"aud": [CLIENT, "other-app"]}, "audience"),
    ({"aud": None}, "audience"),
    ({"azp": "other-app"}, "authorized-party"),
    ({"exp": In(-60)}, "expired"),
    ({"exp": None}, "expired"),
    ({"iat": None}, "issued-at"),
    ({"iat": In(300)}, "issued-at"),
    ({"iat": In(-3600), "exp": In(3600)}, "expired"),
    ({"iat": True}, "issued-at"),
    ({"jti": None}, "token"),
    ({"jti": ""}, "token"),
    ({"jti": 1}, "token"),
    ({"events": None}, "token-type"),
    ({"events": {}}, "token-type"),
    ({"events": [EVENT]}, "token-type"),
    ({"events": {EVENT: True}}, "token-type"),
    ({"nonce": "x"}, "token-type"),
    ({"nonce": ""}, "token-type"),
    ({"sub": None, "sid": None}, "subject"),
    ({"sub": "", "sid": ""}, "subject"),
    ({"sub": 1}, "subject"),
    ({"sub": "\ud800"}, "subject"),
    ({"sid": "a\0b"}, "subject"),
    ({"sid": "a" * 256}, "subject"),
    ({"jti": "\ud800"}, "subject"),
    ({"sid": ["a"]}, "subject"),
]


@pytest.mark.parametrize(("claims", "reason"), FORGED, ids=[str(row[0])[:60] for row in FORGED])
def test_a_forged_logout_token(kind: Oidc, hostile: Hostile, claims: dict[str, Any], reason: str) -> None:
    refuse(kind.open(hostile.provider()), hostile.logout_token(**said(claims, hostile)), reason)


def test_a_logout_token_that_nobody_has_signed(kind: Oidc, hostile: Hostile) -> None:
    client = kind.open(hostile.provider())
    key = OctKey.import_key(SECRET)
    hostile.sign = lambda header, claims: jwt.encode({**header, "alg": "HS256"}, claims, key, ["HS256"])
    refuse(client, hostile.logout_token(), "algorithm")
    refuse(client, "", "token")
    with pytest.raises(LoginRefusedError):
        client.ended({})


def test_an_id_token_is_no_logout_token_and_the_other_way_round(login: Login, hostile: Hostile) -> None:
    login.finish()
    refuse(login.client, hostile.id_token(), "token")  # it has no number, and a nonce
    hostile.claims = {"jti": "1"}
    refuse(login.client, hostile.id_token(), "token-type")
    hostile.header = {"typ": "JWT"}
    hostile.tokens = {"id_token": hostile.logout_token(nonce=hostile.nonce)}
    # Only what makes it a logout token differs: `nonce` is the log-in's own, and so it is one that was logged in with.
    assert login.finish().identity.subject == SUBJECT
    hostile.tokens = {"id_token": hostile.logout_token()}
    with pytest.raises(LoginRefusedError) as refused:
        login.finish()
    assert refused.value.reason == "nonce"


def test_the_way_out(kind: Oidc, hostile: Hostile) -> None:
    client = kind.open(hostile.provider())
    url = client.leave("an.id.token", "https://acme.example.com/_tenant/out")
    assert url is not None
    assert url.partition("?")[0] == f"{hostile.issuer}/leave"
    assert parse_qs(urlsplit(url).query) == {
        "client_id": [CLIENT],
        "id_token_hint": ["an.id.token"],
        "post_logout_redirect_uri": ["https://acme.example.com/_tenant/out"],
    }
    hostile.discovery = {"end_session_endpoint": None}
    assert kind.open(hostile.provider(id=9)).leave("", "https://acme.example.com/") is None
