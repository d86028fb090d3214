"""Leave to become a member: good once, at one tenant, for a while."""

from __future__ import annotations

import threading

import pytest

from flask_tenant.errors import LoginRefusedError, MemberError
from flask_tenant.identity import ADMINISTRATOR, Identity
from flask_tenant.model import Tenant
from tests.login.people.conftest import PASSWORD, Clock, Kept, local, oidc, who

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def test_accepted_through_the_tenants_own_provider(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    people = kept.people
    given, secret = people.invite(acme.id, "Ada@Acme.Example", ["clerk"])
    assert people.invitation(acme.id, secret) == given
    assert (given.email, given.roles) == ("ada@acme.example", {"clerk"})
    assert secret not in str(kept.rows("invitation"))
    # Not at another tenant, and not through its provider, whatever address that one has verified.
    assert people.invitation(bella.id, secret) is None
    foreign = oidc(bella, "https://evil.example", joins=True)
    mallory = who("ada", "https://evil.example", email="ada@acme.example", email_verified=True)
    for tenant_id in (acme.id, bella.id):
        with pytest.raises(MemberError):
            people.accept(tenant_id, secret, foreign, mallory)
    with pytest.raises(LoginRefusedError):
        people.accept(acme.id, secret, oidc(acme), mallory)
    assert people.members(acme.id) == []

    made = people.accept(acme.id, secret, oidc(acme), who("ada", email="other@acme.example"))
    assert (made.roles, made.email) == ({"clerk"}, "other@acme.example")
    assert people.arrive(oidc(acme), who("ada")).person_id == made.person_id
    with pytest.raises(MemberError, match="not good any more"):
        people.accept(acme.id, secret, oidc(acme), who("bob"))
    assert len(people.members(acme.id)) == 1


def test_a_member_gets_the_roles_beside_their_own(kept: Kept, acme: Tenant) -> None:
    ada = kept.local("ada")
    kept.people.add(acme.id, ada.id, roles=["clerk"])
    _, secret = kept.people.invite(acme.id, "ada@example.com", [ADMINISTRATOR])
    made = kept.people.accept(acme.id, secret, local(acme), who(str(ada.id), "local"))
    assert made.roles == {"clerk", ADMINISTRATOR}


def test_accepted_with_a_password(kept: Kept, acme: Tenant) -> None:
    _, secret = kept.people.invite(acme.id, "ada@example.com", ["clerk"])
    with pytest.raises(MemberError, match="characters"):
        kept.people.accept_with_password(acme.id, secret, "Ada", "short")
    made = kept.people.accept_with_password(acme.id, secret, "Ada", PASSWORD)
    assert made.roles == {"clerk"}
    found = kept.people.matches("ada@example.com", PASSWORD)
    assert found is not None
    assert found.id == made.person_id
    assert kept.people.by_identity(Identity("local", str(found.id))) == found


def test_an_invitation_sets_nobody_elses_password(kept: Kept, acme: Tenant) -> None:
    """Any tenant may invite any address: who has a password there logs in with it."""
    ada = kept.local("ada")
    _, secret = kept.people.invite(acme.id, "ada@example.com", ["clerk"])
    with pytest.raises(MemberError, match="already"):
        kept.people.accept_with_password(acme.id, secret, "Mallory", "the attacker's own")
    assert kept.people.matches("ada@example.com", PASSWORD) == ada
    assert kept.people.invitation(acme.id, secret) is not None
    assert kept.people.accept(acme.id, secret, local(acme), who(str(ada.id), "local")).person_id == ada.id


def test_over_withdrawn_or_replaced(kept: Kept, acme: Tenant, bella: Tenant, clock: Clock) -> None:
    people = kept.people
    first, one = people.invite(acme.id, "ada@example.com")
    _, two = people.invite(acme.id, "ada@example.com")
    _, elsewhere = people.invite(bella.id, "ada@example.com")
    assert people.invitation(acme.id, one) is None
    assert people.invitation(bella.id, elsewhere) is not None
    last = people.invitation(acme.id, two)
    assert last is not None
    assert people.invitations(acme.id) == [last]
    for tenant, number in ((bella, last.id), (acme, first.id)):
        with pytest.raises(MemberError):
            people.revoke(tenant.id, number)
    people.revoke(acme.id, last.id)
    assert people.invitation(acme.id, two) is None
    clock.move(days=6.9)
    assert people.invitation(bella.id, elsewhere) is not None
    clock.move(days=0.2)
    with pytest.raises(MemberError):
        people.accept(bella.id, elsewhere, oidc(bella), who("ada"))


def test_two_who_accept_one_invitation_at_once(kept: Kept, acme: Tenant) -> None:
    _, secret = kept.people.invite(acme.id, "ada@example.com", ["clerk"])
    start, refused = threading.Barrier(2), []

    def go(subject: str) -> None:
        start.wait()
        try:
            kept.people.accept(acme.id, secret, oidc(acme), who(subject))
        except MemberError as error:
            refused.append(error)

    threads = [threading.Thread(target=go, args=(subject,)) for subject in ("ada", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert len(kept.people.members(acme.id)) == 1


def test_an_invitation_lets_in_nobody_who_is_suspended(kept: Kept, acme: Tenant) -> None:
    ada = kept.local("ada")
    kept.people.add(acme.id, ada.id, roles=["clerk"])
    kept.people.suspend(acme.id, ada.id)
    _, secret = kept.people.invite(acme.id, "ada@example.com", [ADMINISTRATOR])
    before = kept.people.members(acme.id)
    with pytest.raises(LoginRefusedError) as caught:
        kept.people.accept(acme.id, secret, local(acme), who(str(ada.id), "local"))
    assert caught.value.reason == "suspended"
    assert kept.people.members(acme.id) == before  # nor do they have its roles when they come back
    assert kept.people.invitation(acme.id, secret) is not None
