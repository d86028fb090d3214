"""Webhooks, from a rule to a receiver on the loopback interface."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flask_tenant.errors import ConfigurationError, WebhookRefusedError
from flask_tenant.rules.events.webhooks import outbox
from flask_tenant.rules.events.webhooks.address import Allowed, target_of
from flask_tenant.rules.events.webhooks.deliver import Attempt, Deliverer
from flask_tenant.rules.model import Webhook
from tests.rules.events.receiver import Receiver, dripping, receiving
from tests.rules.events.world import Clock, Shop, event_rule

pytestmark = pytest.mark.databases("sqlite")
MakeShop = Callable[..., Shop]
QUOTA = event_rule("quota", "usage.changed", Webhook("ops"))
LOOPBACK = Allowed(["127.0.0.0/8"])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def configure(shop: Shop, url: str | None, slug: str = "acme") -> None:
    tenant = shop.state.directory.get(slug)
    shop.state.directory.set_config(tenant, "webhook.ops", url)


def drain(shop: Shop, allowed: Allowed = LOOPBACK, seconds: float = 5) -> list[Attempt]:
    directory = shop.state.directory
    return list(
        Deliverer(
            shop.state.events.outbox, directory.find_id, shop.app.secret_key, allowed, seconds=seconds
        ).drain()
    )


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_delivered_and_signed(make_shop: MakeShop, receiver: Receiver) -> None:
    shop = make_shop(QUOTA)
    configure(shop, receiver.url)
    shop.send("usage.changed", usage__ratio=0.9)
    assert receiver.got == [], "nothing is sent in the request"
    assert [a.error for a in drain(shop)] == [""]
    ((path, headers, body),) = receiver.got
    assert path == "/hook?x=1"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    content = json.loads(body)
    assert content.pop("at").endswith("Z")
    assert content == {
        "event": "usage.changed",
        "rule": "quota",
        "tenant": "acme",
        "facts": {"usage.ratio": 0.9},
    }

    secret = shop.app.test_cli_runner().invoke(args=["tenant", "webhooks", "secret", "acme", "ops"]).output
    # As https://www.standardwebhooks.com has it.
    key = base64.b64decode(secret.strip().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert drain(shop) == []
    assert shop.rows("webhook") == []


def test_each_webhook_has_a_secret_of_its_own(make_shop: MakeShop, receiver: Receiver) -> None:
    shop = make_shop(QUOTA)
    for slug in ("acme", "bella"):
        configure(shop, receiver.url, slug)
    run = shop.app.test_cli_runner().invoke
    found = [run(args=["tenant", "webhooks", "secret", slug, "ops"]).output for slug in ("acme", "bella")]
    assert all(secret.startswith("whsec_") for secret in found)
    assert found[0] != found[1]
    shop.app.secret_key = None
    try:
        with pytest.raises(ConfigurationError, match="SECRET_KEY"):
            drain(shop)
    finally:
        shop.app.secret_key = "a secret"


def test_tried_again_ever_later_and_given_up(make_shop: MakeShop, receiver: Receiver) -> None:
    clock = Clock()
    shop = make_shop(QUOTA, clock=clock)
    configure(shop, receiver.url)
    receiver.answers = [500]
    shop.send("usage.changed", 2)
    waits = []
    for _ in range(len(outbox.RETRY_SECONDS) + 1):
        first, *_ = found = drain(shop)
        assert len(found) == 1 or first.again_in is None, "a receiver that fails is asked once a turn"
        waits.append(first.again_in)
        clock.now += (first.again_in or 0) + 1
    assert waits == [*outbox.RETRY_SECONDS, None]
    messages = {headers["webhook-id"] for _, headers, _ in receiver.got}
    assert len(messages) == 2
    listed = shop.app.test_cli_runner().invoke(args=["tenant", "webhooks", "list", "--json"]).output
    assert "given up" in [row["next"] for row in json.loads(listed)]
    clock.now += outbox.KEPT_SECONDS + 1
    receiver.answers = [200]
    drain(shop)
    assert shop.rows("webhook") == []


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404])
def test_redirects_are_not_followed(make_shop: MakeShop, receiver: Receiver, status: int) -> None:
    shop = make_shop(QUOTA)
    configure(shop, receiver.url)
    with receiving() as inside:
        receiver.answers, receiver.location = [status], inside.url
        shop.send("usage.changed")
        (attempt,) = drain(shop)
    assert attempt.error == f"the receiver has answered {status}"
    assert len(receiver.got) == 1
    assert inside.got == []


@pytest.mark.timed
def test_whoever_answers_in_drips_or_not_at_all(make_shop: MakeShop) -> None:
    shop = make_shop(QUOTA)
    with dripping() as port:
        configure(shop, f"http://127.0.0.1:{port}/")
        shop.send("usage.changed")
        start = time.monotonic()
        (attempt,) = drain(shop, seconds=0.5)
        assert time.monotonic() - start < 3
    assert "took longer than 0.5 s" in attempt.error
    assert attempt.again_in == outbox.RETRY_SECONDS[0]


def test_nobody_there_or_no_url(make_shop: MakeShop) -> None:
    shop = make_shop(QUOTA)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    configure(shop, f"http://127.0.0.1:{port}/")
    shop.send("usage.changed")
    (attempt,) = drain(shop)
    assert "ConnectionRefusedError" in attempt.error
    configure(shop, None)
    shop.send("usage.changed")
    (attempt,) = drain(shop)
    assert "flask tenant config set acme webhook.ops URL" in attempt.error


def test_a_worker_that_died_holds_up_nobody(make_shop: MakeShop, receiver: Receiver) -> None:
    clock = Clock()
    shop = make_shop(QUOTA, clock=clock)
    configure(shop, receiver.url)
    shop.send("usage.changed")
    assert shop.state.events.outbox.take() is not None
    assert drain(shop) == [], "it could still be at work"
    clock.now += outbox.LEASE_SECONDS + 1
    assert [a.error for a in drain(shop)] == [""]


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_two_workers_share_the_work(make_shop: MakeShop, receiver: Receiver) -> None:
    shop = make_shop(QUOTA)
    configure(shop, receiver.url)
    shop.send("usage.changed", 12)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: drain(shop), range(3)))
    assert sorted(len(headers["webhook-id"]) for _, headers, _ in receiver.got) == [24] * 12
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 12
    assert sum(map(len, found)) == 12


def test_what_waits_is_bounded(make_shop: MakeShop, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(outbox, "PENDING_LIMIT", 3)
    shop = make_shop(QUOTA)
    shop.send("usage.changed", 5)
    assert len(shop.rows("webhook")) == 3
    assert "'ops' was dropped" in caplog.text
    shop.send("usage.changed", facts="x" * 20_000)
    assert "longer than 16384 bytes" in caplog.text


# ---- where they may go
PRIVATE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0/",
    "https://localhost/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[ff02::1]/",
]
NO_URL = [
    "",
    "ftp://93.184.215.14/",
    "file:///etc/passwd",
    "https://",
    "https://user@93.184.215.14/",
    "https://user:pass@93.184.215.14/",
    "http://93.184.215.14/",
    "https://93.184.215.14:99999/",
    "https://93.184.215.14/\r\nHost: evil",
    "https://93.184.215.14/ x",
    "https://93.184.215.14/ü",
]


@pytest.mark.parametrize("url", PRIVATE + NO_URL)
def test_where_no_webhook_goes(url: str) -> None:
    with pytest.raises(WebhookRefusedError, match="was not called"):
        target_of(url, Allowed([]))


def test_a_refused_url_is_not_tried_again(make_shop: MakeShop, receiver: Receiver) -> None:
    shop = make_shop(QUOTA)
    configure(shop, receiver.url)
    shop.send("usage.changed")
    (attempt,) = drain(shop, Allowed([]))
    assert "which is not public" in attempt.error
    assert attempt.again_in is None
    assert receiver.got == []


def test_public_addresses_and_named_ones() -> None:
    found = target_of("https://93.184.215.14/x?y=1#z", Allowed([]))
    assert (found.address, found.port, found.path, found.tls) == ("93.184.215.14", 443, "/x?y=1", True)
    assert target_of("http://10.1.2.3:8080", Allowed(["10.1.0.0/16"])).address == "10.1.2.3"
    assert target_of("http://LOCALHOST/", Allowed(["localhost."])).tls is False
    with pytest.raises(WebhookRefusedError):
        target_of("http://10.2.2.3:8080", Allowed(["10.1.0.0/16"]))
    for entry in ("https://x", "x:80", "", "a b"):
        with pytest.raises(ConfigurationError):
            Allowed([entry])


def _names(monkeypatch: Any, *answers: list[str]) -> list[str]:
    """Let names lead somewhere: each look-up gets the next answer."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        found = [host] if _is_address(host) else answers[min(len(asked), len(answers)) - 1]
        family = socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def test_one_private_address_among_public_ones(monkeypatch: Any) -> None:
    _names(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    with pytest.raises(WebhookRefusedError, match=r"evil\.example leads to 127\.0\.0\.1"):
        target_of("https://evil.example/", Allowed([]))


def test_a_name_that_leads_elsewhere_a_moment_later(
    make_shop: MakeShop, receiver: Receiver, monkeypatch: Any
) -> None:
    """The connection goes to the address that was looked at, and no second look-up is made."""
    shop = make_shop(QUOTA)
    configure(shop, f"http://rebind.example:{receiver.port}/")
    shop.send("usage.changed")
    asked = _names(monkeypatch, ["127.0.0.2"], ["127.0.0.1"])
    (attempt,) = drain(shop, Allowed(["127.0.0.2"]))
    assert "ConnectionRefusedError" in attempt.error  # the receiver is not at 127.0.0.2
    assert receiver.got == []
    assert asked.count("rebind.example") == 1


def test_proxies_of_the_environment_are_not_asked(
    make_shop: MakeShop, receiver: Receiver, monkeypatch: Any
) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        shop = make_shop(QUOTA)
        configure(shop, receiver.url)
        shop.send("usage.changed")
        assert [a.error for a in drain(shop)] == [""]
        assert proxy.got == []


# ---- the command
def test_the_command(make_shop: MakeShop, receiver: Receiver) -> None:
    shop = make_shop(QUOTA)
    configure(shop, receiver.url)
    shop.send("usage.changed")
    run = shop.app.test_cli_runner().invoke
    result = run(args=["tenant", "webhooks", "deliver"])
    assert result.exit_code == 1
    assert "which is not public" in result.output
    assert "(given up)" in result.output
    rows = json.loads(run(args=["tenant", "webhooks", "list", "--json"]).output)
    assert [(row["tenant"], row["name"], row["attempts"], row["next"]) for row in rows] == [
        ("acme", "ops", 1, "given up")
    ]
    result = run(args=["tenant", "webhooks", "secret", "bella", "other"])
    assert result.exit_code == 1
    assert "has no webhook 'other'" in result.output
