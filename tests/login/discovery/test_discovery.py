"""Mail domains, proven by DNS; and the way from an address, which only its owner is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from flask_tenant.errors import DomainError
from flask_tenant.login.discovery import DnsTexts, Realm
from flask_tenant.model import Tenant, TenantState
from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes
from tests.onboarding.world import PASSWORD, Site
from tests.services.dns import Names, names_running
from tests.statements import statements_of

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")
sqlite_only = pytest.mark.databases("sqlite")


@pytest.fixture
def names() -> Iterator[Names]:
    with names_running() as running:
        yield running


class World:
    """A site with two tenants, and a DNS."""

    def __init__(self, notes: Notes, names: Names) -> None:
        self.site = Site(notes)
        self.acme, self.bella = (self.site.state.create(slug, slug.title()) for slug in ("acme", "bella"))
        self.realms = self.site.accounts.realms
        self.realms.texts = DnsTexts(["127.0.0.1"], names.port, seconds=0.3)
        self.names = names

    def add(self, tenant: Tenant, domain: str) -> Realm:
        return self.realms.add(tenant.id, domain, by="command:root")

    def verify(self, tenant: Tenant, domain: str) -> Realm:
        return self.realms.verify(tenant.id, domain, by="command:root")

    def prove(self, tenant: Tenant, domain: str) -> None:
        name, text = self.add(tenant, domain).record
        self.names.texts.setdefault(name, []).append(text)
        self.verify(tenant, domain)

    def actions(self, tenant: Tenant) -> list[str]:
        return [e.action for e in self.site.state.trail.entries(tenant.id, action="realm.")]


@pytest.fixture
def world(notes: Notes, names: Names) -> World:
    return World(notes, names)


def test_a_domain_counts_once_it_is_proven(world: World) -> None:
    realm = world.add(world.acme, " Corp.Example. ")
    assert realm.domain == "corp.example"
    assert world.add(world.acme, "corp.example") == realm, "once more, it is the same"
    name, text = realm.record
    assert name == "_flask-tenant.corp.example"
    for records in (None, [], ["something else", "v=spf1 -all"], [text + "x"], [text[:-1]], ["x" * 300]):
        if records is not None:
            world.names.texts[name] = records
        with pytest.raises(DomainError, match="none says"):
            world.verify(world.acme, "corp.example")
        assert world.realms.find("ada@corp.example") == []
    world.names.texts["corp.example"] = [text]  # not there: whoever runs a mailing list could have put it
    with pytest.raises(DomainError):
        world.verify(world.acme, "corp.example")
    world.names.texts[name] = ["v=spf1 -all", text]
    assert world.verify(world.acme, "CORP.example").verified_at is not None
    assert world.realms.find("ada@corp.example") == [world.acme.id]
    for other in (
        "ada@sub.corp.example",
        "ada@corp.example.org",
        "ada@xcorp.example",
        "corp.example@x.org",
        "",
        "@",
    ):
        assert world.realms.find(other) == []
    assert world.actions(world.acme) == ["realm.added", "realm.verified"]


def test_what_proves_it_for_one_tenant_does_not_for_another(world: World) -> None:
    world.prove(world.acme, "corp.example")
    world.add(world.bella, "corp.example")
    with pytest.raises(DomainError):
        world.verify(world.bella, "corp.example")
    assert world.realms.find("ada@corp.example") == [world.acme.id]
    world.prove(world.bella, "corp.example")
    assert world.realms.find("ada@corp.example") == [world.acme.id, world.bella.id]
    world.realms.remove(world.acme.id, "corp.example", by="command:root")
    assert world.realms.find("ada@corp.example") == [world.bella.id]
    for gone in (world.realms.remove, world.realms.verify):
        with pytest.raises(DomainError, match="not noted"):
            gone(world.acme.id, "corp.example", by="command:root")


@sqlite_only
def test_a_domain_that_has_changed_hands_counts_no_longer(world: World) -> None:
    for domain in ("corp.example", "other.example"):
        world.prove(world.acme, domain)
    del world.names.texts["_flask-tenant.corp.example"]
    world.names.silent = True
    assert all("could not be looked up" in wrong for _, wrong in world.realms.verify_again(by="cron"))
    assert world.realms.find("ada@corp.example") == [world.acme.id], "that nobody can say proves nothing"
    world.names.silent, world.names.failing = False, True
    with pytest.raises(DomainError, match="could not be looked up"):
        world.verify(world.acme, "corp.example")
    world.names.failing = False
    assert [bool(wrong) for _, wrong in world.realms.verify_again(by="cron")] == [True, False]
    assert world.realms.find("ada@corp.example") == []
    assert world.realms.find("ada@other.example") == [world.acme.id]
    assert world.actions(world.acme)[-1] == "realm.lost"


@sqlite_only
def test_domains_beyond_ascii_and_what_is_none(world: World) -> None:
    world.prove(world.acme, "bücher.example")
    assert world.names.asked[-1] == "_flask-tenant.xn--bcher-kva.example"
    for email in ("ada@bücher.example", "ada@xn--bcher-kva.example", "ada@BÜCHER.example"):
        assert world.realms.find(email) == [world.acme.id]
    for wrong in (
        "",
        "example",
        "192.0.2.1",
        "a b.example",
        "*.example.com",
        "ada@corp.example",
        "x" * 64 + ".example",
    ):
        with pytest.raises(DomainError):
            world.add(world.acme, wrong)


@sqlite_only
def test_only_the_owner_of_an_address_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    site = world.site
    world.prove(world.acme, "corp.example")
    ada = site.accounts.people.create("ada@corp.example", "Ada", PASSWORD)
    bob = site.accounts.people.create("bob@example.org", "Bob", PASSWORD)
    for person in (ada, bob):
        site.accounts.people.add(world.bella.id, person.id, roles=["administrator"])
    told = []
    for email in ("ada@corp.example", "Bob@example.org ", "eve@corp.example", "nobody@example.org"):
        site.accounts.finding.tell(email)
        told.append([line for line in site.box.messages[-1].get_content().splitlines() if "://" in line])
    acme, bella = (f"{name.title()}: https://{name}.shop.example/_tenant/login" for name in ("acme", "bella"))
    assert told == [[acme, bella], [bella], [acme], []]
    assert [str(m["To"]) for m in site.box.messages] == [
        "ada@corp.example", "bob@example.org", "eve@corp.example", "nobody@example.org",
    ]  # fmt: skip
    site.state.directory.set_state(world.acme, TenantState.SUSPENDED)
    site.accounts.finding.tell("eve@corp.example")
    assert "://" not in site.box.messages[-1].get_content()
    with caplog.at_level(logging.ERROR):
        site.accounts.finding.tell("no address")
        assert caplog.text == ""
        site.box.broken = True
        site.accounts.finding.tell("ada@corp.example")
    assert "was not mailed" in caplog.text
    assert len(site.box.messages) == 5


@sqlite_only
def test_a_provider_may_claim_any_address_and_it_leads_nowhere(world: World) -> None:
    """What a tenant's provider says of somebody's address is the tenant's own business."""
    people = world.site.accounts.people
    ada = people.create("ada@example.org", "Ada", PASSWORD)
    people.add(world.acme.id, ada.id, email="victim@example.org", roles=["administrator"])
    assert world.realms.find("victim@example.org") == []
    assert world.realms.find("ada@example.org") == [world.acme.id]
    eve = people.create("eve@example.org", "Eve", PASSWORD)
    people.add(world.acme.id, eve.id)
    people.suspend(world.acme.id, eve.id)
    assert world.realms.find("eve@example.org") == []


@sqlite_only
def test_the_same_work_for_every_address(world: World) -> None:
    world.prove(world.acme, "corp.example")
    (engine,) = world.site.state.databases.isolations
    counts = []
    for email in ("ada@corp.example", "nobody@example.org"):
        with statements_of(engine) as statements:
            world.realms.find(email)
        counts.append(statements)
    assert counts[0]
    assert counts[0] == counts[1]


@sqlite_only
def test_commands(world: World) -> None:
    def typed(*words: str) -> tuple[int, Any]:
        result = world.site.app.test_cli_runner().invoke(args=["tenant", "realm", *words, "--json"])
        return result.exit_code, json.loads(result.stdout or result.stderr)

    code, row = typed("add", "acme", "corp.example")
    assert (code, row["verified_at"]) == (0, None)
    code, error = typed("verify", "acme", "corp.example")
    assert (code, error["error"]) == (1, "domain")
    assert row["text"] in error["hint"]
    world.names.texts[row["record"]] = [row["text"]]
    assert typed("verify", "acme", "corp.example")[1]["verified_at"] is not None
    assert [r["domain"] for r in typed("list", "--tenant", "acme")[1]] == ["corp.example"]
    assert typed("list", "--tenant", "bella")[1] == []
    assert typed("check")[0] == 0
    world.names.texts.clear()
    assert typed("check")[0] == 1
    assert typed("check") == (0, [])
    assert typed("remove", "acme", "corp.example")[0] == 0
    assert typed("remove", "acme", "corp.example")[0] == 1
    assert world.site.app.test_cli_runner().invoke(args=["tenant", "realm", "list"]).exit_code == 0
