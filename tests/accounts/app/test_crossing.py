"""From one host to another: somebody who belongs to several tenants, and operators who act as somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from flask_tenant.identity import Provider
from flask_tenant.model import Tenant
from tests.accounts.app.conftest import Site, at, me

pytestmark = pytest.mark.databases("sqlite")


def only(site: Site, tenant: Tenant, kind: str) -> Provider:
    """Let a tenant have one provider and nothing else."""
    authority = "local" if kind == "local" else f"https://{tenant.slug}.idp.example"
    found = Provider(tenant.id, tenant.id, kind, kind, kind, authority, joins=True)
    site.ways.rows[tenant.id] = [found]
    return found


def arrive(client: FlaskClient, slug: str, ticket: str) -> int:
    return client.post(at(slug, "/arrive"), data={"ticket": ticket}).status_code


def test_from_one_tenant_to_another(site: Site, browser: FlaskClient) -> None:
    ada = site.member("ada", "acme", "bella")
    site.log_in(browser, "acme", "ada")
    ticket = browser.post(at("acme", "/switch/bella")).text
    other = site.app.test_client()
    assert arrive(other, "acme", ticket) == 410  # it is for bella
    assert arrive(browser, "bella", ticket) == 200
    assert (me(browser, "acme")["person"], me(browser, "bella")["person"]) == (ada, ada)
    assert arrive(other, "bella", ticket) == 410  # once
    browser.post(at("acme", "/out"))
    assert me(browser, "bella") is not None


def test_only_to_where_one_belongs(site: Site, browser: FlaskClient) -> None:
    ada = site.member("ada", "acme", "bella")
    site.member("bob", "acme")
    site.log_in(browser, "acme", "bob")
    ticket = browser.post(at("acme", "/switch/bella")).text
    assert arrive(browser, "bella", ticket) == 403
    site.log_in(browser, "acme", "ada")
    ticket = browser.post(at("acme", "/switch/bella")).text
    site.accounts.people.suspend(site.tenant("bella").id, ada)
    assert arrive(browser, "bella", ticket) == 403
    assert me(browser, "bella") is None


def test_what_a_tenants_provider_says_is_not_enough_elsewhere(site: Site, browser: FlaskClient) -> None:
    """Whoever runs acme's provider could log in as anybody there; that must not lead to bella."""
    acme, bella = site.tenant("acme"), site.tenant("bella")
    corp = only(site, acme, "oidc")
    state = browser.get(at("acme", "/to/oidc")).text
    browser.get(at("acme", "/back/oidc"), query_string={"state": state, "subject": "ada"})
    person = me(browser, "acme")["person"]
    site.accounts.people.add(bella.id, person)
    assert browser.post(at("acme", "/switch/bella")).status_code == 409
    # Even if the session's provider were called like a local one elsewhere.
    site.ways.rows[bella.id] = [Provider(corp.id, bella.id, "local", "local", "Password", "local")]
    assert browser.post(at("acme", "/switch/bella")).status_code == 409


def test_not_to_a_tenant_that_takes_no_passwords_of_ours(site: Site, browser: FlaskClient) -> None:
    site.member("ada", "acme", "bella")
    site.log_in(browser, "acme", "ada")
    ticket = browser.post(at("acme", "/switch/bella")).text
    only(site, site.tenant("bella"), "oidc")
    assert browser.post(at("acme", "/switch/bella")).status_code == 409
    assert arrive(browser, "bella", ticket) == 403
    assert me(browser, "bella") is None


def test_from_the_central_host(site: Site, browser: FlaskClient) -> None:
    ada = site.member("ada", "acme")
    assert site.log_in(browser, "", "ada") == 200
    assert me(browser, "") == {
        "person": ada, "tenant": 0, "roles": [], "actor": f"person:{ada}", "digest": me(browser, "")["digest"],
    }  # fmt: skip
    ticket = browser.post(at("", "/switch/acme")).text
    assert arrive(browser, "acme", ticket) == 200
    assert me(browser, "acme")["tenant"] == site.tenant("acme").id


# ---- operators
@pytest.fixture
def root(site: Site, browser: FlaskClient) -> int:
    """An operator, who is logged in at the central host."""
    found = site.member("root")
    site.accounts.people.set_operator(found, True)
    assert site.log_in(browser, "", "root") == 200
    return found


def act(client: FlaskClient, slug: str, person: int, reason: str = "ticket 7", where: str = "") -> Any:
    return client.post(at(where, f"/act/{slug}/{person}"), data={"reason": reason})


def test_an_operator_acts_as_a_member(site: Site, browser: FlaskClient, root: int) -> None:
    ada, acme = site.member("ada", "acme", roles=("clerk",)), site.tenant("acme")
    assert arrive(browser, "acme", act(browser, "acme", ada, " ticket \n 7 ").text) == 200
    found = me(browser, "acme")
    assert (found["person"], found["roles"]) == (ada, ["clerk"])
    assert found["actor"] == f"person:{root} as person:{ada}"
    (session,) = site.accounts.sessions.of(acme.id)
    assert (session.impersonator_id, session.reason) == (root, "ticket 7")
    assert (session.expires_at - session.opened_at).total_seconds() == 1800
    began = [entry for entry in site.trail if entry["action"] == "impersonation.began"]
    assert [(e["tenant"], e["actor"], e["person"], e["reason"]) for e in began] == [
        (0, f"person:{root}", ada, "ticket 7"), (acme.id, f"person:{root}", ada, "ticket 7"),
    ]  # fmt: skip
    browser.post(at("acme", "/out"))
    ended = [entry for entry in site.trail if entry["action"] == "impersonation.ended"]
    assert sorted(entry["tenant"] for entry in ended) == [0, acme.id]
    assert all(entry["actor"] == f"person:{root}" for entry in ended)


def test_not_without_a_reason_nor_as_nobody(site: Site, browser: FlaskClient, root: int) -> None:
    ada, bob = site.member("ada", "acme"), site.member("bob", "bella")
    for slug, person, reason in (
        ("acme", ada, "  "),
        ("acme", bob, "x"),
        ("acme", 99, "x"),
        ("acme", root, "x"),
    ):
        assert act(browser, slug, person, reason).status_code == 409
    site.accounts.people.suspend(site.tenant("acme").id, ada)
    assert act(browser, "acme", ada).status_code == 409


def test_not_by_anybody_else(site: Site, root: int) -> None:
    ada = site.member("ada", "acme", roles=("administrator", "operator"))
    for where in ("", "acme"):  # a role of that name in a tenant makes nobody an operator
        client = site.app.test_client()
        assert act(client, "acme", ada, where=where).status_code == 409
        site.log_in(client, where, "ada")
        assert act(client, "acme", ada, where=where).status_code == 409


def test_an_operator_at_a_tenant_is_an_ordinary_member(site: Site, root: int) -> None:
    ada, client = site.member("ada", "acme"), site.app.test_client()
    site.accounts.people.add(site.tenant("acme").id, root)
    assert site.log_in(client, "acme", "root") == 200
    assert act(client, "acme", ada, where="acme").status_code == 409


def test_it_ends_with_the_operator(site: Site, browser: FlaskClient, root: int) -> None:
    ada = site.member("ada", "acme")
    ticket = act(browser, "acme", ada).text
    assert arrive(browser, "acme", act(browser, "acme", ada).text) == 200
    site.accounts.people.set_operator(root, False)
    assert me(browser, "acme") is None
    assert arrive(browser, "acme", ticket) == 403
    assert act(browser, "acme", ada).status_code == 409


def test_it_leads_nowhere_else(site: Site, browser: FlaskClient, root: int) -> None:
    ada = site.member("ada", "acme", "bella")
    arrive(browser, "acme", act(browser, "acme", ada).text)
    assert browser.post(at("acme", "/switch/bella")).status_code == 409
    assert act(browser, "bella", ada, where="acme").status_code == 409


def test_it_does_not_begin_if_it_cannot_be_written_down(site: Site, browser: FlaskClient, root: int) -> None:
    ada = site.member("ada", "acme")
    ticket = act(browser, "acme", ada).text

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("the trail is full")

    site.accounts.audit = broken
    assert browser.post(at("acme", "/arrive"), data={"ticket": ticket}).status_code == 500
    assert me(browser, "acme") is None


# ---- what was begun ends with what it was begun with
@pytest.mark.parametrize("how", ["log out", "new password", "ended by somebody else"])
@pytest.mark.parametrize("what", ["switch", "act"])
def test_a_ticket_ends_with_the_log_in_that_asked_for_it(
    site: Site, browser: FlaskClient, root: int, how: str, what: str
) -> None:
    """Or whoever has a stolen cookie would keep tickets in stock, and outlive a log-out with them."""
    ada = site.member("ada", "acme")
    site.accounts.people.add(site.tenant("bella").id, root)

    def ticket() -> str:
        found = browser.post(at("", "/switch/bella")) if what == "switch" else act(browser, "acme", ada)
        assert found.status_code == 200
        return str(found.text)

    where = "bella" if what == "switch" else "acme"
    thief = site.app.test_client()
    assert arrive(thief, where, ticket()) == 200, "it is good as long as the log-in is"
    stocked = ticket()
    if how == "log out":
        assert browser.post(at("", "/out")).json is True
    elif how == "new password":
        site.accounts.people.set_password(root, "another password")
    else:
        site.accounts.sessions.end(me(browser, "")["digest"])
    late = site.app.test_client()
    assert arrive(late, where, stocked) == 403
    assert me(late, where) is None
    if how == "new password":
        assert me(thief, where) is None
