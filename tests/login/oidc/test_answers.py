"""What comes back with the browser: replayed, moved, mixed up."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qs

import pytest

from flask_tenant.login.oidc import Oidc
from tests.login.oidc.hostile import (
    CALLBACK,
    SUBJECT,
    Hostile,
    Login,
    refuse,
    reply,
)


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
