"""Who belongs to a tenant: roles, states, the last administrator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from flask_tenant.errors import LastAdministratorError, MemberError
from flask_tenant.identity import ADMINISTRATOR, MemberState, Provider
from flask_tenant.model import Tenant
from tests.login.people.conftest import PASSWORD, Kept, local, oidc, who

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def test_a_person_in_two_tenants_is_somebody_else_in_each(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    ada, people = kept.local("ada"), kept.people
    people.add(acme.id, ada.id, roles=["clerk"])
    people.add(bella.id, ada.id, name="Dr Ada", email="ada@bella.example", roles=["owner"])
    assert [m.name for m in people.members(acme.id)] == ["Ada"]
    found = people.member(bella.id, ada.id)
    assert found is not None
    assert (found.name, found.email, found.roles) == ("Dr Ada", "ada@bella.example", {"owner"})
    assert [m.tenant_id for m in people.memberships(ada.id)] == [acme.id, bella.id]
    people.suspend(acme.id, ada.id)
    assert [m.tenant_id for m in people.memberships(ada.id)] == [bella.id]
    people.remove(bella.id, ada.id)
    assert people.member(bella.id, ada.id) is None
    assert people.memberships(ada.id) == []


def test_what_cannot_be_is_refused(kept: Kept, acme: Tenant) -> None:
    ada, people = kept.local("ada"), kept.people
    people.add(acme.id, ada.id)
    for wrong in (
        lambda: people.add(acme.id, ada.id),
        lambda: people.add(acme.id, 99),
        lambda: people.add(99, ada.id),
        lambda: people.set_roles(acme.id, ada.id, ["Not A Role"]),
        lambda: people.set_roles(acme.id, 99, ["clerk"]),
        lambda: people.suspend(acme.id, 99),
        lambda: people.create("ada@EXAMPLE.com", "Ada", PASSWORD),
        lambda: people.create("no address", "Ada", PASSWORD),
        lambda: people.create("bob@example.com", " ", PASSWORD),
        lambda: people.create("bob@example.com", "Bob", "too short"),
        lambda: people.create("bob.builder.ltd@example.com", "Bob", "Bob.Builder.Ltd"),
        lambda: people.create("bob@example.com", "Bob", "x" * 2000),
        lambda: people.set_password(99, PASSWORD),
        lambda: people.set_operator(99, True),
    ):
        with pytest.raises(MemberError):
            wrong()
    assert len(kept.rows("person")) == 1


REMOVALS: dict[str, Callable[[Any, int, int], Any]] = {
    "roles": lambda people, tenant, person: people.set_roles(tenant, person, ["clerk"]),
    "suspend": lambda people, tenant, person: people.suspend(tenant, person),
    "remove": lambda people, tenant, person: people.remove(tenant, person),
}


@pytest.mark.parametrize("how", REMOVALS)
def test_the_last_administrator_stays(kept: Kept, acme: Tenant, bella: Tenant, how: str) -> None:
    people = kept.people
    ada, bob, eve = (kept.local(name) for name in ("ada", "bob", "eve"))
    people.add(acme.id, ada.id, roles=[ADMINISTRATOR])
    people.add(acme.id, bob.id, roles=[ADMINISTRATOR])
    people.add(bella.id, eve.id, roles=[ADMINISTRATOR])  # another tenant's does not count
    people.suspend(acme.id, bob.id)  # nor one who cannot log in
    secret = kept.sessions.open(people.member(acme.id, ada.id))  # type: ignore[arg-type]
    before = people.members(acme.id)
    with pytest.raises(LastAdministratorError, match="without an administrator"):
        REMOVALS[how](people, acme.id, ada.id)
    assert people.members(acme.id) == before
    assert kept.sessions.find(acme.id, secret) is not None
    people.resume(acme.id, bob.id)
    REMOVALS[how](people, acme.id, ada.id)
    assert [m.person_id for m in people.members(acme.id) if m.is_administrator and m.state == "active"] == [
        bob.id
    ]


WAYS: dict[str, Callable[[Any, Any, int], Any]] = {
    **REMOVALS,
    "groups": lambda people, tenant, person: people.arrive(oidc_of(tenant), who("bob", groups=("staff",))),
    "provider": lambda people, tenant, person: gone(people, oidc_of(tenant)),
}


def oidc_of(tenant_id: int) -> Provider:
    """Bob's provider, whose chiefs are administrators."""
    found = {"roles": {"chiefs": [ADMINISTRATOR]}}
    return Provider(tenant_id, tenant_id, "corp", "oidc", "Corp", "https://idp.example", found, joins=True)


def gone(people: Any, provider: Provider) -> None:
    """Remove a provider, as those who keep them do: with the tenant's row locked."""
    tenant = people._tables.tenant
    with people._connect() as connection:
        connection.execute(
            tenant.update().where(tenant.c.id == provider.tenant_id).values(name=tenant.c.name)
        )
        people.provider_gone(connection, provider)


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", ["remove", "suspend"])
def test_of_two_last_administrators_who_go_at_once_one_stays(
    kept: Kept, acme: Tenant, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    """Ada has the role by hand, Bob by his groups: whichever way both would lose it, one does not."""
    people = kept.people
    ada = kept.local("ada")
    people.add(acme.id, ada.id, roles=[ADMINISTRATOR])
    bob = people.arrive(oidc_of(acme.id), who("bob", groups=("chiefs",)))
    if second in REMOVALS:
        people.set_roles(acme.id, bob.person_id, [ADMINISTRATOR])
        people.arrive(oidc_of(acme.id), who("bob"))  # by hand alone
    assert len([m for m in people.members(acme.id) if m.is_administrator]) == 2
    start, meeting = threading.Barrier(2), threading.Barrier(2)
    failed: list[Exception] = []
    looks = people._has_administrator

    def look(connection: Any, tenant_id: int) -> bool:
        found = looks(connection, tenant_id)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.1)  # for the other one, who does not come if something keeps them out
        return found

    monkeypatch.setattr(people, "_has_administrator", look)

    def go(how: str, person_id: int) -> None:
        start.wait()
        try:
            WAYS[how](people, acme.id, person_id)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=go, args=pair) for pair in ((first, ada.id), (second, bob.person_id))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A log-in goes through whatever its groups say: the role stays.
    assert [type(error) for error in failed] in ([LastAdministratorError], [] if second == "groups" else None)
    left = [m for m in people.members(acme.id) if m.is_administrator and m.state is MemberState.ACTIVE]
    assert len(left) == 1


def test_who_is_suspended_or_removed_is_logged_out_there(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    ada, people, sessions = kept.local("ada"), kept.people, kept.sessions
    for tenant in (acme, bella):
        people.add(tenant.id, ada.id)
    for change in (people.suspend, people.remove):
        secrets = {
            t.id: sessions.open(people.member(t.id, ada.id))  # type: ignore[arg-type]
            for t in (acme, bella)
        }
        change(acme.id, ada.id)
        assert sessions.find(acme.id, secrets[acme.id]) is None
        assert sessions.find(bella.id, secrets[bella.id]) is not None


def test_a_tenant_without_members_needs_no_administrator(kept: Kept, acme: Tenant) -> None:
    ada = kept.local("ada")
    kept.people.add(acme.id, ada.id, roles=["clerk"])
    kept.people.remove(acme.id, ada.id)
    assert kept.people.members(acme.id) == []


def test_every_change_is_written_down_in_its_own_transaction(kept: Kept, acme: Tenant) -> None:
    people = kept.people
    ada, bob = kept.local("ada"), kept.local("bob")
    people.add(acme.id, ada.id, roles=[ADMINISTRATOR], by="cli")
    people.add(acme.id, bob.id)
    people.set_roles(acme.id, bob.id, ["clerk"], by="person:1")
    people.suspend(acme.id, bob.id)
    people.resume(acme.id, bob.id)
    people.remove(acme.id, bob.id)
    people.invite(acme.id, "eve@example.com", ["clerk"], ada)
    people.set_password(ada.id, PASSWORD + "!")
    people.set_operator(ada.id, True)
    people.set_operator(ada.id, False)
    assert kept.trail.actions() == [
        "person.created", "person.created", "member.added", "member.added", "member.roles", "member.suspended",
        "member.resumed", "member.removed", "member.invited", "person.password", "operator.added", "operator.removed",
    ]  # fmt: skip
    assert all(entry["connection"] is not None for entry in kept.trail)
    added, roles = kept.trail[2], kept.trail[4]
    assert (added["tenant"], added["actor"], added["person"]) == (acme.id, "cli", ada.id)
    assert (roles["actor"], roles["before"], roles["after"]) == ("person:1", [], ["clerk"])


def test_what_cannot_be_written_down_does_not_happen(kept: Kept, acme: Tenant) -> None:
    ada = kept.local("ada")
    kept.people.add(acme.id, ada.id)

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("the trail is full")

    kept.people._note = broken
    for change in (
        lambda: kept.people.set_roles(acme.id, ada.id, ["clerk"]),
        lambda: kept.people.suspend(acme.id, ada.id),
        lambda: kept.people.remove(acme.id, ada.id),
        lambda: kept.people.invite(acme.id, "eve@example.com"),
        lambda: kept.people.set_operator(ada.id, True),
    ):
        with pytest.raises(RuntimeError, match="full"):
            change()
    member = kept.people.member(acme.id, ada.id)
    assert member is not None
    assert (member.roles, member.state) == (frozenset(), MemberState.ACTIVE)
    assert kept.people.operators() == []
    assert kept.people.invitations(acme.id) == []


def test_a_new_password_ends_every_session_in_every_tenant(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    ada, people = kept.local("ada"), kept.people
    members = [people.add(tenant.id, ada.id) for tenant in (acme, bella)]
    secrets = [kept.sessions.open(member) for member in members]
    old = kept.rows("person")[0].password
    people.set_password(ada.id, "another password")
    assert [kept.sessions.find(m.tenant_id, s) for m, s in zip(members, secrets, strict=True)] == [None, None]
    assert people.matches("ada@example.com", PASSWORD) is None
    assert people.matches("ADA@example.com ", "another password") == ada
    assert old != kept.rows("person")[0].password


def test_the_same_work_is_done_for_nobody(kept: Kept, acme: Tenant) -> None:
    """Counted, rather than timed: one hash for a right password, a wrong one, and an address that is nobody's."""
    ada, passwords = kept.local("ada"), kept.people.passwords
    for email, password, found in (
        ("ada@example.com", PASSWORD, ada),
        ("ada@example.com", "wrong", None),
        ("nobody@example.com", PASSWORD, None),
        ("no address at all", PASSWORD, None),
    ):
        before = passwords.compared
        assert kept.people.matches(email, password) == found
        assert passwords.compared == before + 1


def test_a_password_is_the_same_one_on_every_keyboard(kept: Kept) -> None:
    ada = kept.people.create("ada@example.com", "Ada", "caf\u00e9 au lait \ufb01n")
    assert kept.people.matches("ada@example.com", "cafe\u0301 au lait fin") == ada
    assert kept.people.matches("ada@example.com", "cafe au lait fin") is None


def test_somebody_without_a_password_has_none_that_matches(kept: Kept, acme: Tenant) -> None:
    """Not even the one whose hash is compared in their place, and no empty one."""
    kept.people.arrive(oidc(acme, joins=True), who("eve", email="eve@example.com"))
    for password in ("nobody", "", "None"):
        assert kept.people.matches("eve@example.com", password) is None
        assert kept.people.matches("", password) is None


def test_local_people_are_no_members_by_logging_in(kept: Kept, acme: Tenant) -> None:
    from flask_tenant.errors import LoginRefusedError

    ada = kept.local("ada")
    found = who(str(ada.id), "local")
    with pytest.raises(LoginRefusedError, match="no member"):
        kept.people.arrive(local(acme), found)
    kept.people.add(acme.id, ada.id)
    assert kept.people.arrive(local(acme), found).person_id == ada.id
