"""What becomes of somebody for whom a provider has vouched. Membership comes through a tenant's own providers alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from flask_tenant.errors import LoginRefusedError
from flask_tenant.identity import ADMINISTRATOR, Identified, Identity, Provider
from flask_tenant.model import Tenant
from tests.login.people.conftest import Kept, local, oidc, who

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")

MAP = {"roles": {"staff": ["clerk"], "chiefs": ["clerk", ADMINISTRATOR]}}


def refused(kept: Kept, provider: Provider, whom: Identified) -> str:
    """Why somebody is refused; and nothing is left of them."""
    before = kept.people.members(provider.tenant_id) if provider.tenant_id else []
    with pytest.raises(LoginRefusedError) as caught:
        kept.people.arrive(provider, whom)
    if provider.tenant_id:
        assert kept.people.members(provider.tenant_id) == before
    return caught.value.reason


def test_who_logs_in_becomes_a_member_only_where_the_tenant_lets_them(kept: Kept, acme: Tenant) -> None:
    assert refused(kept, oidc(acme), who("ada")) == "no-member"
    assert kept.people.by_identity(Identity("https://idp.example", "ada")) is None
    made = kept.people.arrive(oidc(acme, joins=True), who("ada", email="ada@acme.example"))
    assert (made.name, made.email, made.roles) == ("Ada", "ada@acme.example", frozenset())
    again = kept.people.arrive(oidc(acme), who("ada", name="Ada Lovelace", email="new@acme.example"))
    assert again.person_id == made.person_id
    assert (again.name, again.email) == ("Ada Lovelace", "new@acme.example")
    assert len(kept.rows("person")) == 1


def test_the_same_address_from_another_provider_is_somebody_else(
    kept: Kept, acme: Tenant, bella: Tenant
) -> None:
    """A verified address at B's own issuer is nobody at A, whatever A's members are called."""
    ada = kept.people.arrive(
        oidc(acme, joins=True), who("ada", email="ada@acme.example", email_verified=True)
    )
    hostile = oidc(bella, "https://evil.example", joins=True)
    mallory = kept.people.arrive(
        hostile, who("ada", "https://evil.example", email="ada@acme.example", email_verified=True)
    )
    assert mallory.person_id != ada.person_id
    assert kept.people.member(acme.id, mallory.person_id) is None
    local_ada = kept.people.create("ada@acme.example", "Ada", "a password of ours")
    assert local_ada.id not in (ada.person_id, mallory.person_id)


def test_a_provider_vouches_for_its_own_people_only(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    kept.people.arrive(oidc(acme, joins=True), who("ada"))
    bob = kept.local("bob")
    kept.people.add(acme.id, bob.id, roles=[ADMINISTRATOR])
    mixed_up = who("ada", "https://evil.example")
    for provider, whom in (
        (oidc(acme, joins=True), mixed_up),
        (oidc(acme, ""), who("ada", "")),
        (oidc(acme), who(str(bob.id), "local")),
        (oidc(acme, "local"), who(str(bob.id), "local")),  # a provider of B's own claims our authority
        (Provider(1, acme.id, "local", "local", "x", "https://idp.example"), who("ada")),
    ):
        assert refused(kept, provider, whom) == "authority"
    assert refused(kept, oidc(acme, enabled=False), who("ada")) == "provider-off"
    for subject in ("", " ", "x" * 256):
        assert refused(kept, oidc(acme, joins=True), who(subject)) == "subject"


def test_a_member_of_one_tenant_is_nobody_at_another(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    """Even through the same issuer: B does not let its people join by themselves."""
    kept.people.arrive(oidc(acme, joins=True), who("ada"))
    assert refused(kept, oidc(bella), who("ada")) == "no-member"
    ada = kept.local("bob")
    kept.people.add(acme.id, ada.id)
    assert refused(kept, local(bella), who(str(ada.id), "local")) == "no-member"


def test_the_same_person_through_the_same_issuer(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    one = kept.people.arrive(oidc(acme, joins=True), who("ada", name="Ada A"))
    two = kept.people.arrive(oidc(bella, joins=True), who("ada", name="Ada B"))
    assert one.person_id == two.person_id
    assert {m.name for m in kept.people.memberships(one.person_id)} == {"Ada A", "Ada B"}


def test_local_people_do_not_join_even_if_a_row_says_so(kept: Kept, acme: Tenant) -> None:
    ada = kept.local("ada")
    joining = Provider(1, acme.id, "local", "local", "Password", "local", joins=True)
    assert refused(kept, joining, who(str(ada.id), "local")) == "no-member"


def test_suspended_members_stay_outside(kept: Kept, acme: Tenant) -> None:
    made = kept.people.arrive(oidc(acme, joins=True), who("ada"))
    kept.people.suspend(acme.id, made.person_id)
    assert refused(kept, oidc(acme, joins=True), who("ada")) == "suspended"
    kept.people.resume(acme.id, made.person_id)
    assert kept.people.arrive(oidc(acme), who("ada")) == made


def test_groups_give_roles_and_take_them_away(kept: Kept, acme: Tenant) -> None:
    provider = oidc(acme, joins=True, settings=MAP)
    kept.people.add(acme.id, kept.local("root").id, roles=[ADMINISTRATOR])
    made = kept.people.arrive(provider, who("ada", groups=("staff", "unknown")))
    assert made.roles == {"clerk"}
    kept.people.set_roles(acme.id, made.person_id, ["auditor"])
    assert kept.people.arrive(provider, who("ada", groups=("chiefs",))).roles == {
        "clerk", ADMINISTRATOR, "auditor",
    }  # fmt: skip
    assert kept.people.arrive(provider, who("ada")).roles == {"auditor"}
    changes = [entry for entry in kept.trail if entry["action"] == "member.roles"]
    assert changes[-1]["actor"] == "provider:corp"
    assert changes[-1]["after"] == ["auditor"]


def test_the_last_administrator_stays_one_whatever_their_groups_say(
    kept: Kept, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    provider = oidc(acme, joins=True, settings=MAP)
    made = kept.people.arrive(provider, who("ada", groups=("chiefs",)))
    assert made.is_administrator
    again = kept.people.arrive(provider, who("ada", groups=("staff",)))
    assert again.roles == {"clerk", ADMINISTRATOR}
    assert "nobody else is" in caplog.text
    kept.people.add(acme.id, kept.local("bob").id, roles=[ADMINISTRATOR])
    assert kept.people.arrive(provider, who("ada", groups=("staff",))).roles == {"clerk"}


def test_two_browsers_at_once_make_one_person(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    start = threading.Barrier(4)
    made: list[Any] = []

    def go(tenant: Tenant) -> None:
        start.wait()
        try:
            made.append(kept.people.arrive(oidc(tenant, joins=True), who("ada")).person_id)
        except Exception as error:
            made.append(error)

    threads = [threading.Thread(target=go, args=(tenant,)) for tenant in (acme, bella) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1, made
    assert len(kept.rows("person")) == 1


def test_only_people_with_a_password_of_ours_log_in_centrally(kept: Kept, acme: Tenant) -> None:
    centre = Provider(0, 0, "local", "local", "Password", "local")
    ada = kept.local("ada")
    kept.people.arrive(oidc(acme, joins=True), who("eve"))
    assert kept.people.arrive(centre, who(str(ada.id), "local")).roles == frozenset()
    kept.people.set_operator(ada.id, True)
    assert kept.people.arrive(centre, who(str(ada.id), "local")).roles == {"operator"}
    foreign = Provider(0, 0, "corp", "oidc", "Corp", "https://idp.example", joins=True)
    for provider, whom in ((centre, who("99", "local")), (foreign, who("eve"))):
        assert refused(kept, provider, whom) == "no-person"


def test_text_that_a_database_or_a_terminal_would_choke_on(kept: Kept, acme: Tenant) -> None:
    """Directories and kinds of one's own hand on what they have: PostgreSQL takes no NUL, a terminal obeys ESC."""
    provider = oidc(acme, joins=True)
    evil = "Ada\0 \x1b[2J\u202eLove\nlace\ud800 \u0631\u200c\u06cc"
    made = kept.people.arrive(provider, who("ada", name=evil, email="a\0da@\u202eacme.example"))
    assert (made.name, made.email) == ("Ada [2JLove lace \u0631\u200c\u06cc", "ada@acme.example")
    assert kept.people.arrive(provider, who("ada", name="\0", email="x" * 300)).name == "x" * 200
    assert kept.people.members(acme.id)[0].email == ""  # a part of an address would be another one
    assert kept.people.arrive(provider, who("ada", name="\x07 \x08", email="\0")).name == "ada"
    for subject in ("a\0da", "ada\n", "\ud800"):
        assert refused(kept, provider, who(subject)) == "subject"
