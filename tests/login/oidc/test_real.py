"""Two certified providers, as they are: tenants log in side by side, and cannot use each other's answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flask_tenant.errors import LoginRefusedError, ProviderUnavailableError
from flask_tenant.identity import Attempt, Ended, Finding, Identified, Identity, Provider
from flask_tenant.login.breaker import REST_SECONDS
from flask_tenant.login.oidc import Oidc, client
from tests.services.oidc import Listener, OidcServer, Visitor

SECRET = "between us: 100 % secret+"


def callback(tenant: str) -> str:
    return f"https://{tenant}.example.com/_tenant/callback/corp"


def row(server: OidcServer, number: int, **more: Any) -> Provider:
    settings = {
        "issuer": server.issuer,
        "client_id": f"app-{number}",
        "scopes": ["openid", "email", "profile", "groups"],
        **more.pop("settings", {}),
    }
    values = {"authority": server.issuer, "settings": settings, "secrets": {"client_secret": SECRET}, **more}
    return Provider(number, number, "corp", "oidc", "Corp", **values)


def answer(visitor: Visitor, server: OidcServer, url: str, who: str = "anna") -> dict[str, str]:
    back = visitor.go(url, server, login=who, password="x")
    return {name: value[0] for name, value in parse_qs(urlsplit(back).query).items()}


class Tenant:
    """A tenant with a provider, and a browser that knows it."""

    def __init__(self, kind: Oidc, server: OidcServer, number: int, slug: str) -> None:
        server.register(
            f"app-{number}",
            SECRET,
            callback(slug),
            post_logout_redirect_uris=[f"https://{slug}.example.com/"],
        )
        self.server = server
        self.row = row(server, number)
        self.client = kind.open(self.row)
        self.callback = callback(slug)

    def begin(self) -> tuple[str, Attempt]:
        to = self.client.begin(Attempt(self.callback))
        return to.url, Attempt(self.callback, to.memory)

    def login(self, visitor: Visitor, who: str = "anna") -> Identified:
        url, attempt = self.begin()
        return self.client.finish(attempt, answer(visitor, self.server, url, who))


@pytest.fixture
def acme(kind: Oidc, oidc_servers: list[OidcServer]) -> Tenant:
    return Tenant(kind, oidc_servers[0], 1, "acme")


@pytest.fixture
def bolt(kind: Oidc, oidc_servers: list[OidcServer]) -> Tenant:
    return Tenant(kind, oidc_servers[1], 2, "bolt")


def test_two_tenants_side_by_side_in_one_browser(acme: Tenant, bolt: Tenant) -> None:
    visitor = Visitor()
    here, there = acme.login(visitor), bolt.login(visitor)
    assert here.identity == Identity(acme.server.issuer, "anna-1")
    assert there.identity == Identity(bolt.server.issuer, "anna-1")
    for found in (here, there):  # the second one says it at userinfo only
        assert (found.name, found.email, found.email_verified) == ("Anna Adler", "anna@example.com", True)
        assert found.groups == ("staff", "bosses")
        assert found.hint.count(".") == 2
    assert acme.login(Visitor(), "bert").email_verified is False


def test_the_answers_of_one_are_worthless_at_the_other(acme: Tenant, bolt: Tenant) -> None:
    visitor = Visitor()
    url, attempt = acme.begin()
    other_url, other = bolt.begin()
    ours, theirs = answer(visitor, acme.server, url), answer(visitor, bolt.server, other_url)
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(attempt, theirs)
    assert refused.value.reason == "state"
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(attempt, {**theirs, "state": ours["state"]})
    assert refused.value.reason == "issuer-parameter"
    # their code with our issuer's name on it: our provider does not know it
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(attempt, {**ours, "code": theirs["code"]})
    assert refused.value.reason == "code"
    with pytest.raises(LoginRefusedError) as refused:
        bolt.client.finish(Attempt(bolt.callback, attempt.memory), ours)
    assert refused.value.reason == "provider"
    # all that has cost nobody their log-in
    assert acme.client.finish(attempt, ours).identity.subject == "anna-1"
    assert bolt.client.finish(other, theirs).identity.subject == "anna-1"


def test_a_code_is_good_once_and_with_its_verifier_only(acme: Tenant) -> None:
    visitor = Visitor()
    url, attempt = acme.begin()
    got = answer(visitor, acme.server, url)
    stolen = Attempt(acme.callback, {**attempt.memory, "verifier": "y" * 64})
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(stolen, got)
    assert refused.value.reason == "code"
    url, attempt = acme.begin()
    got = answer(visitor, acme.server, url)
    acme.client.finish(attempt, got)
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(attempt, got)
    assert refused.value.reason == "code"


def test_another_log_ins_nonce(acme: Tenant) -> None:
    url, attempt = acme.begin()
    got = answer(Visitor(), acme.server, url)
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(Attempt(acme.callback, {**attempt.memory, "nonce": "another"}), got)
    assert refused.value.reason == "nonce"


def test_somebody_whom_the_provider_does_not_know(acme: Tenant) -> None:
    url, attempt = acme.begin()
    with pytest.raises(LoginRefusedError) as refused:
        acme.client.finish(attempt, answer(Visitor(), acme.server, url, "nobody"))
    assert refused.value.reason == "denied"


def test_a_wrong_secret(acme: Tenant, kind: Oidc) -> None:
    url, attempt = acme.begin()
    got = answer(Visitor(), acme.server, url)
    wrong = kind.open(row(acme.server, 1, secrets={"client_secret": "wrong"}))
    with pytest.raises(LoginRefusedError) as refused:
        wrong.finish(attempt, got)
    assert refused.value.reason == "client"


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
def test_other_ways_to_show_the_secret(kind: Oidc, oidc_servers: list[OidcServer], method: str) -> None:
    server = oidc_servers[0]
    server.register("app-5", SECRET, callback("five"), token_endpoint_auth_method=method)
    secrets = {"client_secret": SECRET} if method != "none" else {}
    client = kind.open(row(server, 5, secrets=secrets, settings={"auth_method": method}))
    to = client.begin(Attempt(callback("five")))
    found = client.finish(Attempt(callback("five"), to.memory), answer(Visitor(), server, to.url))
    assert found.identity.subject == "anna-1"


# ---- logging out
@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_logging_out_there_too_and_hearing_of_it(
    kind: Oidc, oidc_servers: list[OidcServer], listener: Listener
) -> None:
    server = oidc_servers[1]
    tenant = Tenant(kind, server, 3, "cork")
    server.register(
        "app-3",
        SECRET,
        tenant.callback,
        post_logout_redirect_uris=["https://cork.example.com/"],
        backchannel_logout_uri=listener.url,
        backchannel_logout_session_required=True,
    )
    visitor = Visitor()
    found = tenant.login(visitor)
    assert found.session
    url, _ = tenant.begin()
    assert "code=" in visitor.go(url, server), "the provider does not ask again"
    out = tenant.client.leave(found.hint, "https://cork.example.com/")
    assert out is not None
    assert visitor.go(out, server, logout="yes").startswith("https://cork.example.com/")
    token = listener.token()
    assert tenant.client.ended({"logout_token": token}) == Ended(found.session, "anna-1")
    with pytest.raises(LoginRefusedError) as refused:
        tenant.client.ended({"logout_token": token})
    assert refused.value.reason == "replayed"
    # for another client of the same provider it is worthless
    other = Tenant(kind, server, 4, "dune")
    with pytest.raises(LoginRefusedError) as refused:
        other.client.ended({"logout_token": token})
    assert refused.value.reason == "audience"
    url, _ = tenant.begin()
    assert "error=access_denied" in visitor.go(url, server), "it does ask again, and nobody answers"


# ---- what may become of it
def test_its_keys_change_and_the_old_ones_are_dropped(acme: Tenant, bolt: Tenant) -> None:
    acme.login(Visitor())
    url, attempt = acme.begin()
    acme.server.change_keys("north-2")
    url, attempt = acme.begin()
    assert acme.client.finish(attempt, answer(Visitor(), acme.server, url)).identity.subject == "anna-1"
    bolt.login(Visitor())


def test_down_hung_and_back_again(
    acme: Tenant, bolt: Tenant, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.5)
    url, attempt = acme.begin()
    got = answer(Visitor(), acme.server, url)

    def fails(match: str | None = None) -> float:
        began = time.monotonic()
        with pytest.raises(ProviderUnavailableError, match=match):
            acme.client.finish(attempt, got)
        return time.monotonic() - began

    acme.server.freeze()
    try:
        assert max(fails() for _ in range(3)) < 2
        fails("tried again in")
        monkeypatch.setattr(client, "SECONDS", 5)
        bolt.login(Visitor())  # another provider's log-ins go on
        monkeypatch.setattr(client, "SECONDS", 0.5)
    finally:
        acme.server.thaw()
    acme.server.stop()
    try:
        clock.ahead += REST_SECONDS + 1
        fails()
    finally:
        acme.server.start()
    clock.ahead += REST_SECONDS + 1
    monkeypatch.setattr(client, "SECONDS", 5)
    assert acme.login(Visitor()).identity.subject == "anna-1"


# ---- trying it out
def found(kind: Oidc, provider: Provider) -> dict[str, Finding]:
    return {finding.what: finding for finding in kind.examine(provider)}


def test_an_examination_of_what_is_well(kind: Oidc, acme: Tenant, bolt: Tenant) -> None:
    for tenant in (acme, bolt):
        findings = found(kind, tenant.row)
        assert [finding for finding in findings.values() if not finding.ok] == []
        assert {"discovery", "clock", "keys", "client", "PKCE"} <= set(findings)


def test_an_examination_says_what_is_wrong(kind: Oidc, acme: Tenant, clock: Any) -> None:
    def wrong(provider: Provider) -> dict[str, str]:
        return {what: finding.detail for what, finding in found(kind, provider).items() if not finding.ok}

    assert "invalid_client" in wrong(row(acme.server, 1, secrets={"client_secret": "wrong"}))["client"]
    assert "invalid_client" in wrong(row(acme.server, 99))["client"]
    assert "typo" in wrong(row(acme.server, 1, settings={"scopes": ["typo"]}))["scopes"]
    slash = row(
        acme.server, 1, authority=f"{acme.server.issuer}/", settings={"issuer": f"{acme.server.issuer}/"}
    )
    assert acme.server.issuer in wrong(slash)["discovery"]
    assert "authority" in wrong(row(acme.server, 1, authority="x"))["settings"]
    clock.ahead += 90
    assert "seconds behind" in wrong(acme.row)["clock"]
