"""What the provider says of itself, and what we have been told of it."""

from __future__ import annotations

from typing import Any

import pytest

from flask_tenant.errors import ProviderError, ProviderUnavailableError
from flask_tenant.identity import Attempt
from flask_tenant.login.oidc import Oidc
from flask_tenant.login.oidc.issuer import faults
from flask_tenant.login.oidc.settings import OidcSettings
from tests.login.oidc.hostile import CALLBACK, SECRET, Hostile


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


def test_its_secret_is_not_shown(hostile: Hostile) -> None:
    """Reports of errors hold the values of variables."""
    settings = OidcSettings.of(hostile.provider())
    assert settings.client_secret == SECRET
    assert SECRET not in repr(settings)


INSIDE = [
    "https://10.0.0.8/",
    "https://169.254.169.254/",
    "https://[fd00::1]/",
    "https://127.0.0.1/",
    "https://localhost/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_a_provider_outside_does_not_lead_inside(hostile: Hostile, url: str) -> None:
    """Its document says where we ask with the code: not at what only we can reach."""
    names = (
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
    )
    outside = dict.fromkeys(names, "https://login.example.com/x")
    for issuer in ("https://accounts.example.com", "https://203.0.114.7"):
        document = {**hostile.document(), **outside, "issuer": issuer}
        assert faults(document, issuer) == []
        for name in names:
            (fault,) = faults({**document, name: url}, issuer)
            assert fault == f"{name} is {url!r}: It leads to the inside of a network"
    # One that is inside itself may name what is there.
    assert faults({**document, "issuer": "https://10.0.0.7", "jwks_uri": url}, "https://10.0.0.7") == []
