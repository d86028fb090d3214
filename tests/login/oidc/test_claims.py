"""Forged claims: each is refused, with its reason for the log.

Each forgery differs from a log-in that works in one thing: `test_it_works_without_an_attack` is the proof that it is
this thing for which it is refused.
"""

from __future__ import annotations

import time
from math import inf, nan
from typing import Any

import pytest

from flask_tenant.identity import Identity
from flask_tenant.login.oidc import Oidc
from tests.login.oidc.hostile import (
    CLIENT,
    SUBJECT,
    Hostile,
    In,
    Login,
    half_hash,
    refuse,
    said,
)


def test_it_works_without_an_attack(login: Login, hostile: Hostile) -> None:
    found = login.finish()
    assert found.identity == Identity(hostile.issuer, SUBJECT)
    assert (found.name, found.email, found.email_verified) == ("Some Body", "somebody@example.com", True)
    assert found.groups == ("staff",)


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
    ("expired", {"exp": In(-60), "iat": In(-360)}, "expired"),
    ("never expires", {"exp": None}, "expired"),
    ("expires when it is not a number", {"exp": "tomorrow"}, "expired"),
    ("never expires, by a number that is none", {"exp": nan}, "expired"),
    ("expires at the end of time", {"exp": inf}, "expired"),
    ("made when it is not a number", {"iat": nan}, "issued-at"),
    ("valid when it is not a number", {"nbf": nan}, "issued-at"),
    ("from the future", {"iat": In(300), "exp": In(900)}, "issued-at"),
    ("not yet valid", {"nbf": In(300)}, "issued-at"),
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
    hostile.claims = said(claims, hostile)
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
    for auth_time in (nan, None, int(time.time()) - 120, int(time.time()) + 120, "now", True):
        hostile.claims = {"auth_time": auth_time}
        refuse(login, "authenticated-at")
    hostile.claims = {"auth_time": int(time.time()) - 30}
    assert login.finish().identity.subject == SUBJECT
