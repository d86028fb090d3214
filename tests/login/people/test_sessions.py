"""Who is logged in: kept on the server, ended everywhere at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flask_tenant.identity import Member
from flask_tenant.login.sessions import KEEP_DAYS
from flask_tenant.login.store import TIDY_EVERY
from flask_tenant.model import Tenant
from tests.login.people.conftest import Clock, Kept, oidc, who

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


@pytest.fixture
def ada(kept: Kept, acme: Tenant) -> Member:
    return kept.people.add(acme.id, kept.local("ada").id)


def test_a_session_is_good_at_its_tenant_only(kept: Kept, acme: Tenant, bella: Tenant, ada: Member) -> None:
    secret = kept.sessions.open(ada, network="192.0.2.1", agent="Browser")
    found = kept.sessions.find(acme.id, secret)
    assert found is not None
    assert (found.person_id, found.network, found.agent) == (ada.person_id, "192.0.2.1", "Browser")
    assert secret not in str(kept.rows("login_session"))
    assert kept.sessions.find(bella.id, secret) is kept.sessions.find(0, secret) is None
    # Whoever reads the table has the digest: that is no secret.
    assert kept.sessions.find(acme.id, found.digest) is kept.sessions.find(acme.id, "") is None


def test_somebody_is_there_with_a_good_session_and_as_an_active_member(
    kept: Kept, acme: Tenant, bella: Tenant, ada: Member
) -> None:
    """Both hold, whatever was forgotten to end: here the database was changed past us."""
    kept.people.set_roles(acme.id, ada.person_id, ["clerk", "chief"])
    secret, people = kept.sessions.open(ada), kept.people
    found = people.present(acme.id, secret)
    assert found is not None
    assert found == (kept.sessions.find(acme.id, secret), people.member(acme.id, ada.person_id))
    assert found[1].roles == {"clerk", "chief"}
    assert people.present(bella.id, secret) is people.present(0, secret) is None
    table = kept.directory.tables.people.membership
    for change in (table.update().values(state="suspended"), table.delete()):
        with kept.engine.begin() as connection:
            connection.execute(change)
        assert kept.sessions.find(acme.id, secret) is not None
        assert people.present(acme.id, secret) is None


def test_what_ends_on_one_server_has_ended_on_all(kept: Kept, acme: Tenant, ada: Member) -> None:
    other = Kept(kept.engine, kept.clock)
    secret = kept.sessions.open(ada)
    found = other.sessions.find(acme.id, secret)
    assert found is not None
    assert other.sessions.end(found.digest) is True
    assert kept.sessions.find(acme.id, secret) is None
    assert kept.sessions.end(found.digest) is False
    # Nothing brings it back: neither using it nor time.
    kept.sessions.touch(found)
    assert kept.sessions.find(acme.id, secret) is None


def test_administrators_end_sessions_of_their_own_tenant(
    kept: Kept, acme: Tenant, bella: Tenant, ada: Member
) -> None:
    secret = kept.sessions.open(ada)
    (shown,) = kept.sessions.of(acme.id)
    assert kept.sessions.of(bella.id) == []
    assert kept.sessions.end(shown.digest, bella.id) is False
    assert kept.sessions.find(acme.id, secret) == shown
    assert kept.sessions.end(shown.digest, acme.id) is True
    assert kept.sessions.of(acme.id) == []


def test_all_sessions_of_a_person_end_in_one_tenant(
    kept: Kept, acme: Tenant, bella: Tenant, ada: Member
) -> None:
    elsewhere = kept.people.add(bella.id, ada.person_id)
    bob = kept.people.add(acme.id, kept.local("bob").id)
    here, other, his = kept.sessions.open(ada), kept.sessions.open(elsewhere), kept.sessions.open(bob)
    kept.sessions.open(ada)
    assert len(kept.sessions.of(acme.id, ada.person_id)) == 2
    assert kept.sessions.end_all(acme.id, ada.person_id) == 2
    assert kept.sessions.find(acme.id, here) is None
    assert kept.sessions.find(bella.id, other) is not None
    assert kept.sessions.find(acme.id, his) is not None


def test_they_end_by_themselves(kept: Kept, acme: Tenant, ada: Member, clock: Clock) -> None:
    secret = kept.sessions.open(ada)
    for _ in range(7):  # used every 100 minutes: for 12 hours, and no longer
        clock.move(minutes=100)
        found = kept.sessions.find(acme.id, secret)
        assert found is not None
        assert kept.sessions.stale(found)
        kept.sessions.touch(found)
    clock.move(minutes=21)
    assert kept.sessions.find(acme.id, secret) is None
    idle = kept.sessions.open(ada)
    clock.move(hours=2)
    assert kept.sessions.find(acme.id, idle) is None
    assert kept.sessions.of(acme.id) == []


def test_an_operator_acts_for_a_while_only(kept: Kept, acme: Tenant, ada: Member, clock: Clock) -> None:
    root = kept.local("root")
    secret = kept.sessions.open(ada, impersonator=root, reason="ticket 7", seconds=1800)
    found = kept.sessions.find(acme.id, secret)
    assert found is not None
    assert (found.impersonator_id, found.reason, found.provider_id) == (root.id, "ticket 7", None)
    clock.move(seconds=1799)
    kept.sessions.touch(found)
    assert kept.sessions.find(acme.id, secret) is not None
    clock.move(seconds=1)
    assert kept.sessions.find(acme.id, secret) is None
    longer = kept.sessions.open(ada, seconds=10**6)
    clock.move(hours=12)
    assert kept.sessions.find(acme.id, longer) is None


def test_who_is_no_operator_any_more_acts_as_nobody(kept: Kept, acme: Tenant, ada: Member) -> None:
    root = kept.local("root")
    kept.people.set_operator(root.id, True)
    theirs, own = kept.sessions.open(ada, impersonator=root), kept.sessions.open(ada)
    kept.people.set_operator(root.id, False)
    assert kept.sessions.find(acme.id, theirs) is None
    assert kept.sessions.find(acme.id, own) is not None


def test_a_provider_ends_its_own_sessions_only(kept: Kept, acme: Tenant, bella: Tenant) -> None:
    provider, other = oidc(acme, joins=True), oidc(bella, joins=True)

    def opened(subject: str, sid: str, through: object = provider) -> str:
        assert through in (provider, other)
        chosen = provider if through is provider else other
        found = who(subject, session=sid)
        return kept.sessions.open(kept.people.arrive(chosen, found), chosen, found)

    one, two, three = opened("ada", "s1"), opened("ada", "s2"), opened("bob", "s3")
    elsewhere = opened("ada", "s1", other)  # the same issuer, for another tenant
    second = replace(provider, id=77, name="second", authority="https://second.example")
    found = who("ada", second.authority, session="s1")
    beside = kept.sessions.open(kept.people.arrive(second, found), second, found)
    assert kept.sessions.ended_by_provider(provider, sid="s1", subject="bob") == 0
    assert kept.sessions.ended_by_provider(provider, sid="s1") == 1
    assert kept.sessions.find(acme.id, one) is None
    assert kept.sessions.find(bella.id, elsewhere) is not None
    assert kept.sessions.ended_by_provider(provider, subject="ada") == 1
    assert kept.sessions.find(acme.id, beside) is not None
    assert kept.sessions.find(acme.id, two) is None
    assert kept.sessions.find(acme.id, three) is not None
    with pytest.raises(ValueError, match="name one"):
        kept.sessions.ended_by_provider(provider)
    assert len(kept.sessions.of(acme.id)) == 2


def test_what_a_provider_wants_to_see_again_is_kept_encrypted(kept: Kept, acme: Tenant) -> None:
    provider, found = oidc(acme, joins=True), who("ada", hint="the ID token")
    kept.sessions.open(kept.people.arrive(provider, found), provider, found)
    (row,) = kept.rows("login_session")
    assert row.hint == f"the session {row.digest[:16]}nekot DI eht"
    assert kept.sessions.hint(row.digest) == "the ID token"
    assert kept.sessions.hint("no such") == ""


def test_old_ones_are_forgotten(kept: Kept, acme: Tenant, ada: Member, clock: Clock) -> None:
    kept.sessions.open(ada)
    clock.move(days=KEEP_DAYS + 1)
    for _ in range(TIDY_EVERY):
        kept.sessions.open(ada)
    assert len(kept.rows("login_session")) == TIDY_EVERY


def test_what_an_operator_does_as_somebody_else_ends_with_their_own_sessions(
    kept: Kept, acme: Tenant, ada: Member
) -> None:
    """A new password, because somebody else may know the old one; and logging out everywhere at the central host."""
    root = kept.local("root")
    kept.people.set_operator(root.id, True)
    for end in (
        lambda: kept.people.set_password(root.id, "another password"),
        lambda: kept.sessions.end_all(0, root.id),
    ):
        theirs, own = kept.sessions.open(ada, impersonator=root), kept.sessions.open(ada)
        kept.sessions.end_all(acme.id, root.id)  # at a tenant they are but a member
        assert kept.sessions.find(acme.id, theirs) is not None
        end()
        assert kept.sessions.find(acme.id, theirs) is None
        assert kept.sessions.find(acme.id, own) is not None
