"""Forged headers, hosts, paths and tokens: none of them reaches another tenant, nor any tenant."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from joserfc import jwk, jwt
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_tenant.errors import ConfigurationError
from flask_tenant.registry import state_of
from tests.edges.site import Asked, ask, make_site

API = "api.example.com"
ISSUER, AUDIENCE = "https://login.example.com", "shop"
KEY = jwk.RSAKey.generate_key(2048)
EC = jwk.ECKey.generate_key("P-256")
STRANGER = jwk.RSAKey.generate_key(2048)
PUBLIC_PEM = KEY.as_pem(private=False).decode()
JWT = {
    "TENANT_STRATEGIES": ["subdomain", "token"],
    "TENANT_CENTRAL_HOSTS": [API],
    "TENANT_JWT_KEY": PUBLIC_PEM,
    "TENANT_JWT_ALGORITHMS": ["RS256"],
    "TENANT_JWT_ISSUER": ISSUER,
    "TENANT_JWT_AUDIENCE": AUDIENCE,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return make_site(
        tmp_path_factory.mktemp("site"),
        TENANT_STRATEGIES=["domain", "subdomain", "path", "token", "header", "session"],
        TENANT_TRUSTED_PROXIES=["10.0.0.0/8"],
        TENANT_CENTRAL_HOSTS=[API],
    )


def assert_nobodys(found: Asked, *status: int) -> None:
    assert found.status in (status or (400, 401, 403, 404)), (found.status, found.text)
    assert "canary" not in found.text


# ---- headers
@pytest.mark.parametrize(
    "name",
    [
        "X_Forwarded_Host",
        "X_Host",
        "X_Original_Host",
        "X_Forwarded_Server",
        "X_HTTP_Host_Override",
        "Forwarded",
        "X_Original_URL",
        "X_Rewrite_URL",
        "X_Forwarded_Prefix",
        "X_Script_Name",
    ],
)
def test_headers_that_claim_an_address(site: Flask, name: str) -> None:
    value = {
        "Forwarded": "host=bella.example.com",
        "X_Original_URL": "/t/bella/",
        "X_Rewrite_URL": "/t/bella/",
    }
    header = {
        name: value.get(name, "/t/bella" if "Prefix" in name or "Script" in name else "bella.example.com")
    }
    assert ask(site, "acme.example.com", **header).json["canary"] == "canary-acme"
    assert_nobodys(ask(site, API, **header))


def test_the_header_from_whom_nobody_trusts(site: Flask) -> None:
    assert ask(site, API, peer="10.9.9.9", X_Tenant="bella").json["canary"] == "canary-bella", "the control"
    for peer in (
        "203.0.113.9",
        "",
        "127.0.0.1",
        "::1",
        "10.0.0.1.evil.test",
        "unix:",
        "10.0.0.1, 203.0.113.9",
        "::10.0.0.1",
    ):
        assert_nobodys(ask(site, API, peer=peer, X_Tenant="bella"), 404)
        assert ask(site, "acme.example.com", peer=peer, X_Tenant="bella").json["canary"] == "canary-acme"
    for name in ("X_Forwarded_For", "X_Real_IP", "Forwarded", "Remote_Addr", "X_Client_IP"):
        assert_nobodys(ask(site, API, X_Tenant="bella", **{name: "10.9.9.9"}), 404)


def test_the_peer_is_whom_the_socket_talks_to(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Werkzeug's ProxyFix writes what a header says over the address; we look at the one before."""
    monkeypatch.setattr(site, "wsgi_app", ProxyFix(site.wsgi_app, x_for=1))
    assert_nobodys(ask(site, API, peer="203.0.113.9", X_Forwarded_For="10.9.9.9", X_Tenant="bella"), 404)
    found = ask(site, API, peer="10.9.9.9", X_Forwarded_For="203.0.113.9", X_Tenant="bella")
    assert found.json["canary"] == "canary-bella"


# ---- hosts
@pytest.mark.parametrize(
    "host",
    [
        "x@bella.example.com",
        "acme.example.com@bella.example.com",
        "bella.example.com:80@acme.example.com",
        "bella.example.com\r\nX-Evil: 1",
        "bella.example.com\0",
        "bella.example.com\0.example.com",
        "bella.example.com ",
        "bella.example.com/",
        "bella.example.com#",
        "bella.example.com, acme.example.com",
        "bella.example.com.evil.test",
        "evil.test/bella.example.com",
        "evilexample.com",
        "bella.evilexample.com",
        "b\xc3\xa9lla.example.com",
        "xn--bella.example.com",
        "bella..example.com",
        "bella%2eexample.com",
        "bella.example.com:99999",
        "[bella.example.com]",
        "[::ffff:127.0.0.1]",
        "\udcff.example.com",
        "a" * 70_000 + ".example.com",
    ],
    ids=range(23),
)
def test_hosts(site: Flask, host: str) -> None:
    found = ask(site, host, Accept="text/html")
    assert_nobodys(found, 404)
    bella = state_of(site).directory.get("bella").id
    cookie = forged(site, "a secret", {"tenant_id": bella})
    assert_nobodys(ask(site, host, Cookie=cookie), 404)
    assert len(found.text) < 5000
    assert all("\r" not in value and "\n" not in value for _, value in found.headers)


# ---- paths
@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/t/acme/../bella/", ""),
        ("/t/acme/..", ""),
        ("/t/acme/./x", ""),
        ("/t/acme/x/../../bella/", ""),
        ("/t/acme\\..\\bella/", ""),
        ("/t/acme/..\\bella/", ""),
        ("/t/../bella/", ""),
        ("/t/./bella/", ""),
        ("//t/bella/", ""),
        ("/t//bella/", ""),
        ("///t/bella/", ""),
        ("/./t/bella/", ""),
        ("/x/../t/bella/", ""),
        ("/T/bella/", ""),
        ("/t/Bella/", ""),
        ("/t/bella\0/", ""),
        ("/t/bella;x/", ""),
        ("/t/bella.", ""),
        ("/t/ bella/", ""),
        ("/t/b\xc3\xa9lla/", ""),
        ("/t/bella/x", "/t/bella%2fx"),
        ("/t/acme/bella/", "/t/acme%2Fbella/"),
        ("/t/bella/", "/t/%62ella/"),
        ("/t/bella/", "/%74/bella/"),
        ("/t/bella/", "/t%2fbella/"),
        ("/t/acme/../bella/", "/t/acme/%2e%2e/bella/"),
        ("/t/acme/..", "/t/acme/..%2f"),
        ("/tt/bella/", ""),
        ("t/bella/", ""),
        ("/t/", ""),
        ("/t", ""),
    ],
)
def test_paths(site: Flask, path: str, raw: str) -> None:
    assert_nobodys(ask(site, "example.com", path, raw=raw), 404)


@pytest.mark.parametrize(
    "raw", ["", "/t/bella/%2e?x=/t/acme/", "http://example.com/t/bella/", "/proxy/t/bella/x"]
)
def test_paths_that_are_in_order(site: Flask, raw: str) -> None:
    assert ask(site, "example.com", "/t/bella/x", raw=raw).json["canary"] == "canary-bella"


def test_double_slashes_stay_within_the_tenant(site: Flask) -> None:
    for path in ("/t/bella//evil.test", "/t/bella///x", "/t/bella//t/acme/"):
        found = ask(site, "example.com", path)
        if found.status == 308:
            assert "/t/bella/" in found.headers["Location"]
            assert found.headers["Location"].split("/")[2] in ("example.com", "")
        else:
            assert found.json["canary"] == "canary-bella"


# ---- sessions
def forged(app: Flask, secret: str, session: Any, salt: str | None = None) -> str:
    other = Flask("other")
    other.secret_key = secret
    interface = SecureCookieSessionInterface()
    if salt is not None:
        interface.salt = salt
    serializer = interface.get_signing_serializer(other)
    assert serializer is not None
    return f"session={serializer.dumps(session)}"


def test_forged_sessions(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    bella = state_of(site).directory.get("bella").id
    assert (
        ask(site, API, Cookie=forged(site, "a secret", {"tenant_id": bella})).json["canary"] == "canary-bella"
    )
    for cookie in (
        forged(site, "another secret", {"tenant_id": bella}),
        forged(site, "a secret", {"tenant_id": bella}, salt="other"),
        f"session={bella}",
        "session=",
        f"other={forged(site, 'a secret', {'tenant_id': bella})[8:]}",
        forged(site, "a secret", [bella]),
    ):
        assert_nobodys(ask(site, API, Cookie=cookie), 404)
    for value in (-1, 0, 10**30, "٢", "2 OR 1=1", True, None, [bella], {"a": bella}, 1.5):
        assert_nobodys(ask(site, API, Cookie=forged(site, "a secret", {"tenant_id": value})), 404)
    monkeypatch.setitem(site.config, "PERMANENT_SESSION_LIFETIME", -1)  # seconds: every session is too old
    assert_nobodys(ask(site, API, Cookie=forged(site, "a secret", {"tenant_id": bella})), 404)


# ---- JSON Web Tokens
def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 600, "iat": now, "tenant": "bella", **more}


def signed(header: dict[str, Any] | None = None, key: Any = KEY, **more: Any) -> str:
    content = {name: value for name, value in claims(**more).items() if value is not ...}
    return jwt.encode(
        {"alg": "RS256", **(header or {})}, content, key, algorithms=["RS256", "RS512", "PS256", "ES256"]
    )


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], secret: bytes | None, **more: Any) -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims(**more)).encode())}"
    signature = hmac.new(secret, text.encode(), hashlib.sha256).digest() if secret is not None else b""
    return f"{text}.{b64(signature)}"


def bearer(site: Flask, token: str, host: str = API) -> Asked:
    return ask(site, host, Authorization=f"Bearer {token}")


@pytest.fixture(scope="module")
def with_jwt(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return make_site(tmp_path_factory.mktemp("jwt"), **JWT)


def test_good_tokens(with_jwt: Flask) -> None:
    bella = state_of(with_jwt).directory.get("bella")
    for token in (
        signed(),
        signed(aud=["other", AUDIENCE]),
        signed(tenant=bella.id),
        signed(header={"kid": "anything"}),
        signed(nbf=int(time.time()) - 5),
    ):
        assert bearer(with_jwt, token).json["canary"] == "canary-bella"
    assert bearer(with_jwt, signed(), "bella.example.com").json["canary"] == "canary-bella"


def test_a_good_token_at_another_tenants_host(with_jwt: Flask) -> None:
    assert_nobodys(bearer(with_jwt, signed(), "acme.example.com"), 403)


def test_a_good_token_of_nobody(with_jwt: Flask) -> None:
    assert_nobodys(bearer(with_jwt, signed(tenant="nobody")), 404)
    assert_nobodys(bearer(with_jwt, signed(tenant="nobody"), "acme.example.com"), 403)


def test_bad_tokens(with_jwt: Flask) -> None:
    now = int(time.time())
    head, body, signature = signed().split(".")
    other_body = signed(tenant="acme").split(".")[1]
    public = KEY.as_pem(private=False)
    attacks = {
        "expired": signed(exp=now - 3600),
        "without expiry": signed(exp=...),
        "expiry that is no number": signed(exp="tomorrow"),
        "not yet valid": signed(nbf=now + 3600),
        "issued in the future": signed(iat=now + 3600),
        "another issuer": signed(iss="https://evil.test"),
        "without issuer": signed(iss=...),
        "issuers": signed(iss=[ISSUER]),
        "another audience": signed(aud="other"),
        "without audience": signed(aud=...),
        "empty audience": signed(aud=[]),
        "part of the audience": signed(aud="sho"),
        "another key": signed(key=STRANGER),
        "another algorithm of the key": signed(header={"alg": "RS512"}),
        "another padding": signed(header={"alg": "PS256"}),
        "another kind of key": signed(header={"alg": "ES256"}, key=EC),
        "with its own key": signed(header={"jwk": STRANGER.as_dict(private=False)}, key=STRANGER),
        "with a key set": signed(header={"jku": "https://evil.test/keys"}, key=STRANGER),
        "none": by_hand({"alg": "none"}, None),
        "None": by_hand({"alg": "None"}, None),
        "no algorithm": by_hand({"typ": "JWT"}, None),
        "public key as secret": by_hand({"alg": "HS256"}, public),
        "public key as secret, stripped": by_hand({"alg": "HS256"}, public.strip()),
        "empty secret": by_hand({"alg": "HS256"}, b""),
        "secret, said to be RS256": by_hand({"alg": "RS256"}, public),
        "without signature": f"{head}.{body}.",
        "another's body": f"{head}.{other_body}.{signature}",
        "critical header": by_hand({"alg": "RS256", "crit": ["x"], "x": 1}, public),
        "no tenant": signed(tenant=...),
        "empty tenant": signed(tenant=""),
        "true tenant": signed(tenant=True),
        "list of tenants": signed(tenant=["bella"]),
        "fraction": signed(tenant=2.0),
        "dots": "a.b.c",
        "empty": "..",
        "good, but long": signed(note="x" * 9000),
        "long": f"{head}.{body}{'A' * 20_000}.{signature}",
        "null": f"{b64(b'null')}.{b64(b'null')}.",
        "list": f"{b64(b'[]')}.{b64(b'[]')}.x",
        "deep": f"{b64(b'[' * 3000)}.{body}.{signature}",
    }
    for name, token in attacks.items():
        for host in (API, "bella.example.com"):
            found = bearer(with_jwt, token, host)
            assert found.status == 401, (name, found.status, found.text)
            assert "canary" not in found.text, name


def test_hmac_only_where_the_key_is_a_secret(tmp_path: Path) -> None:
    secret = jwk.OctKey.generate_key(256)
    site = make_site(
        tmp_path, **{**JWT, "TENANT_JWT_KEY": secret.as_dict(), "TENANT_JWT_ALGORITHMS": ["HS256"]}
    )
    good = jwt.encode({"alg": "HS256"}, claims(), secret)
    assert bearer(site, good).json["canary"] == "canary-bella"
    assert_nobodys(bearer(site, by_hand({"alg": "HS256"}, b"other")), 401)
    assert_nobodys(bearer(site, signed()), 401)


def test_key_sets(tmp_path: Path) -> None:
    """A set with a secret and a public key: neither stands in for the other."""
    rsa, secret = (
        KEY.as_dict(private=False, kid="rsa"),
        {**jwk.OctKey.generate_key(256).as_dict(), "kid": "oct"},
    )
    keys = {"keys": [{**rsa, "kid": "rsa"}, secret]}
    site = make_site(
        tmp_path, **{**JWT, "TENANT_JWT_KEY": json.dumps(keys), "TENANT_JWT_ALGORITHMS": ["RS256", "HS256"]}
    )
    assert bearer(site, signed(header={"kid": "rsa"})).json["canary"] == "canary-bella"
    modulus = KEY.as_pem(private=False)
    for token in (
        signed(header={"kid": "rsa"}, key=STRANGER),
        signed(header={"kid": "oct"}),
        by_hand({"alg": "HS256", "kid": "rsa"}, modulus),
        by_hand({"alg": "HS256", "kid": "oct"}, modulus),
        by_hand({"alg": "HS256", "kid": "other"}, modulus),
        by_hand({"alg": "HS256"}, modulus),
    ):
        assert_nobodys(bearer(site, token), 401)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"TENANT_JWT_ALGORITHMS": ["none"]}, "none"),
        ({"TENANT_JWT_ALGORITHMS": ["RS256", "none"]}, "none"),
        ({"TENANT_JWT_ALGORITHMS": ["HS256"]}, "kind oct"),
        ({"TENANT_JWT_ALGORITHMS": ["RS256", "HS256"]}, "kind oct"),
        ({"TENANT_JWT_ALGORITHMS": ["ES256"]}, "kind EC"),
        ({"TENANT_JWT_ALGORITHMS": []}, "TENANT_JWT_ALGORITHMS"),
        ({"TENANT_JWT_ISSUER": None}, "TENANT_JWT_ISSUER"),
        ({"TENANT_JWT_AUDIENCE": None}, "TENANT_JWT_AUDIENCE"),
        ({"TENANT_JWT_KEY": "secret"}, "no key"),
        ({"TENANT_JWT_KEY": '{"keys": []}'}, "no keys"),
        ({"TENANT_JWT_KEY": '{"kty": "x"}'}, "cannot be read"),
        ({"TENANT_JWT_KEY": {"kty": "oct", "k": "c2hvcnQ"}, "TENANT_JWT_ALGORITHMS": ["HS256"]}, "5 bytes"),
        (
            {
                "TENANT_JWT_KEY": {"kty": "oct", "k": b64(PUBLIC_PEM.encode())},
                "TENANT_JWT_ALGORITHMS": ["HS256"],
            },
            "public keys must not be used as oct keys",
        ),
    ],
)
def test_settings_that_would_open_a_door(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make_site(tmp_path, **{**JWT, **config})
