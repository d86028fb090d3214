"""From a request to a tenant, and to the end of its trial."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.errors import SignUpError, TooManyAttemptsError
from flask_tenant.model import Tenant, TenantState
from flask_tenant.onboarding import Overtaken
from tests.extension.notes import Notes
from tests.onboarding.world import PASSWORD, WHOLE_WAY, Site
from tests.statements import statements_of

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")
sqlite_only = pytest.mark.databases("sqlite")


def test_the_whole_way(site: Site) -> None:
    signup = site.ask()
    assert signup.state == "requested"
    assert site.state.directory.all() == []
    assert site.box.subjects() == ["Confirm your address"]
    assert site.box.messages[0]["To"] == "ada@example.org"

    signup = site.confirm()
    assert signup.state == "trial"
    tenant = site.state.directory.get("acme")
    assert (tenant.id, tenant.name, tenant.state) == (signup.tenant_id, "Acme", TenantState.ACTIVE)
    (member,) = site.accounts.people.members(tenant.id)
    assert (member.email, member.roles) == ("ada@example.org", {"administrator"})
    assert "https://acme.shop.example/_tenant/login" in site.box.messages[-1].get_content()

    site.to_the_end()
    assert site.states(signup) == WHOLE_WAY
    assert (
        site.told == [(signup.id, state, None if state in WHOLE_WAY[:3] else "acme") for state in WHOLE_WAY]
        or [state for _, state, _ in site.told] == WHOLE_WAY
    )
    assert [subject.partition(" on ")[0] for subject in site.box.subjects()] == [
        "Confirm your address",
        "Acme is ready",
        "Your trial of Acme ends",
        "Your trial of Acme has ended",
        "Acme is suspended",
    ]
    assert site.state.directory.get("acme").state is TenantState.SUSPENDED
    steps = {step.state.value: step.at for step in site.signups.book.steps(signup.id)}
    assert (steps["reminded"] - steps["trial"]).days == 23
    assert (steps["grace"] - steps["trial"]).days == 30
    assert (steps["suspended"] - steps["grace"]).days == 7
    site.proven()

    kept = site.signups.keep(signup.id, actor="command:root")
    assert kept.state == "kept"
    assert site.state.directory.get("acme").state is TenantState.ACTIVE
    assert site.signups.machine.run() != []
    site.to_the_end()
    assert len(site.box.messages) == 5
    site.proven()


@sqlite_only
def test_an_operator_decides(notes: Notes) -> None:
    site = Site(notes, TENANT_SIGNUP="approval")
    site.ask()
    signup = site.confirm()
    assert (signup.state, site.state.directory.all()) == ("verified", [])
    assert site.box.subjects()[1:] == ["Your sign-up for acme is being looked at"]
    site.to_the_end()
    assert site.signups.book.get(signup.id).state == "verified", "nobody decides, nothing happens"
    with pytest.raises(SignUpError, match="reserved"):
        site.signups.approve(signup.id, actor="command:root", slug="www")
    site.signups.approve(signup.id, actor="command:root", slug="acme-ltd")
    assert site.signups.machine.go_on(signup.id).state == "trial"
    assert [t.slug for t in site.state.directory.all()] == ["acme-ltd"]

    site.ask(slug="bella", email="bob@example.org")
    other = site.confirm()
    site.signups.refuse(other.id, actor="command:root", reason="We know you.")
    site.box.broken = True
    site.signups.machine.go_on(other.id)
    site.box.broken = False
    assert site.signups.machine.go_on(other.id).state == "refused"
    assert "We know you." in site.box.messages[-1].get_content()
    for late in (
        lambda: site.signups.refuse(other.id, actor="x"),
        lambda: site.signups.approve(other.id, actor="x"),
        lambda: site.signups.refuse(signup.id, actor="x"),
        lambda: site.signups.keep(other.id, actor="x"),
        lambda: site.signups.approve(99, actor="x"),
    ):
        with pytest.raises(SignUpError):
            late()
    site.proven()


@sqlite_only
def test_an_address_that_nobody_has_proven_gets_one_mail_without_chosen_words(site: Site) -> None:
    spam = "Visit https://evil.example"
    signup = site.ask(person_name=spam, tenant_name="Cheap pills at evil")
    text = site.box.messages[0].as_string()
    assert "evil" not in text
    assert "pills" not in text
    site.signups.refuse(signup.id, actor="command:root", reason="Spam")
    site.to_the_end()
    assert len(site.box.messages) == 1


@sqlite_only
def test_the_link(site: Site) -> None:
    signup = site.ask()
    secret = site.box.secret()
    with site.signups.book.connect() as connection:
        kept = connection.execute(sa.text("SELECT * FROM tenancy_signup")).one()
    assert secret not in str(kept)
    for wrong in ("", "x", secret[:-1], secret + "x", secret.swapcase()):
        assert site.signups.look(wrong) is None
        with pytest.raises(SignUpError, match="not good"):
            site.signups.verify(wrong, PASSWORD)
    with pytest.raises(SignUpError) as caught:
        site.signups.verify(secret, "short")
    assert caught.value.field == "password"
    assert site.signups.book.get(signup.id).state == "requested"
    assert site.signups.needs_password(signup)
    site.confirm()
    assert site.confirm("another password of somebody").state == "trial", "a second click does no harm"
    person = site.accounts.people.by_email("ada@example.org")
    assert person is not None
    assert site.states(signup) == WHOLE_WAY[:6]


@sqlite_only
def test_the_link_is_good_for_two_days(site: Site) -> None:
    signup = site.ask()
    secret = site.box.secret()
    site.clock.move(hours=47)
    site.signups.machine.run()
    assert site.signups.look(secret) is not None
    site.clock.move(hours=2)
    assert site.signups.look(secret) is None, "also before anybody has looked"
    site.signups.machine.run()
    assert site.states(signup) == ["requested", "expired"]
    assert site.signups.look(secret) is None
    with pytest.raises(SignUpError):
        site.confirm()
    assert site.state.directory.all() == []


@sqlite_only
def test_somebody_who_is_known_keeps_their_password(site: Site) -> None:
    known = site.accounts.people.create("ada@example.org", "Ada", PASSWORD)
    signup = site.ask()
    assert not site.signups.needs_password(signup)
    done = site.confirm("a password that is not theirs")
    assert done.person_id == known.id
    assert site.accounts.people.member(done.tenant_id or 0, known.id) is not None


@sqlite_only
def test_a_request_does_the_same_work_whoever_is_known(site: Site) -> None:
    site.accounts.people.create("known@example.org", "Known", PASSWORD)
    counts = []
    for email in ("known@example.org", "nobody@example.org"):
        (engine,) = site.state.databases.isolations
        with statements_of(engine) as statements:
            site.ask(email=email, slug=f"for-{email.partition('@')[0]}")
        counts.append(statements)
    assert len(counts[0]) > 5
    assert counts[0] == counts[1]
    assert site.box.subjects() == ["Confirm your address"] * 2


@sqlite_only
def test_limits(notes: Notes) -> None:
    limits = {"signup.account": "2 per day", "signup.network": "4 per day"}
    site = Site(notes, TENANT_LOGIN_LIMITS=limits)
    site.state.create("taken", "Taken")
    for slug in ("one", "two"):
        site.ask(slug=slug, network="192.0.2.7")
    with pytest.raises(TooManyAttemptsError):
        site.ask(slug="three", email=" A.DA+3@example.org", network="192.0.2.8")
    with pytest.raises(SignUpError, match="taken"):
        site.ask(slug="taken", email="bob@example.org", network="192.0.2.7")
    site.ask(slug="three", email="bob@example.org", network="192.0.2.7")
    with pytest.raises(TooManyAttemptsError):
        site.ask(slug="taken", email="eve@example.org", network="192.0.2.7")
    assert len(site.box.messages) == 3


@sqlite_only
@pytest.mark.parametrize("field", ["email", "person_name"])
def test_fields(site: Site, field: str) -> None:
    with pytest.raises(SignUpError) as caught:
        site.ask(**{field: ""})
    assert caught.value.field == field


@sqlite_only
def test_without_a_trial(notes: Notes) -> None:
    site = Site(notes, TENANT_SIGNUP_TRIAL_DAYS=0)
    site.ask()
    signup = site.confirm()
    assert site.states(signup)[-2:] == ["administered", "kept"]
    assert site.box.subjects()[-1] == "Acme is ready"
    site.to_the_end()
    assert len(site.box.messages) == 2


@sqlite_only
def test_nobody_is_suspended_without_a_warning_in_time(site: Site) -> None:
    """The machine was not asked for a year."""
    site.ask()
    signup = site.confirm()
    site.clock.move(days=365)
    assert [s.state for s in site.signups.machine.run()] == ["reminded"]
    site.clock.move(days=6)
    assert site.signups.machine.run() == []
    site.clock.move(days=2)
    assert [s.state for s in site.signups.machine.run()] == ["grace"]
    assert site.state.directory.get("acme").state is TenantState.ACTIVE
    ends = site.signups.book.get(signup.id).trial_ends_at
    assert ends is not None
    assert f"ends on {ends:%-d %B %Y}" in site.box.subjects()[2]


@sqlite_only
def test_what_an_operator_has_done_to_the_tenant_stays(site: Site) -> None:
    site.ask()
    site.confirm()
    site.state.directory.set_state(site.state.directory.get("acme"), TenantState.ARCHIVED)
    site.to_the_end()
    assert site.state.directory.get("acme").state is TenantState.ARCHIVED


@sqlite_only
def test_mail_that_is_not_taken_is_sent_later(site: Site) -> None:
    site.box.broken = True
    signup = site.ask()
    assert signup.state == "requested"
    assert "mail server is down" in (signup.error or "")
    site.signups.machine.run()
    assert [state for _, state, _ in site.told] == ["requested"], "events come once"
    site.box.broken = False
    site.signups.machine.run()
    assert site.box.subjects() == ["Confirm your address"]
    assert site.confirm().state == "trial"


@sqlite_only
def test_mail_that_nobody_ever_takes_is_given_up(site: Site) -> None:
    site.ask()
    site.confirm()
    site.box.broken = True
    site.clock.move(days=24)
    site.signups.machine.run()
    for _ in range(5):
        site.clock.move(days=1)
        site.signups.machine.run()
    site.box.broken = False
    site.signups.machine.run()
    assert len(site.box.messages) == 2
    assert all(step.told == 3 for step in site.signups.book.steps(1))


@sqlite_only
def test_seeds_that_fail_leave_no_tenant_and_are_tried_again(site: Site) -> None:
    broken = True

    @site.tenancy.seed
    def plant(tenant: Tenant) -> None:
        assert site.state.directory.get("acme").state is TenantState.MAINTENANCE
        if broken:
            raise LookupError("no template")

    site.ask()
    signup = site.confirm()
    assert (signup.state, signup.attempts) == ("approved", 1)
    assert "no template" in (signup.error or "")
    assert site.state.directory.all() == []
    for _ in range(9):
        site.signups.machine.run()
    assert site.signups.book.get(signup.id).attempts == 5, "not for ever"
    broken = False
    assert site.signups.machine.run() == []
    site.signups.approve(signup.id, actor="command:root")
    assert site.signups.machine.go_on(signup.id).state == "trial"
    site.proven()


@sqlite_only
def test_a_tenant_that_is_being_made_is_left_alone(site: Site) -> None:
    """Another server's machine is asked in the middle: it does not take what is half made for left over."""
    seen: list[str] = []

    @site.tenancy.seed
    def plant(tenant: Tenant) -> None:
        if not seen:
            seen.append("first")
            seen.extend(s.state for s in site.signups.machine.run())
            with pytest.raises(Overtaken):
                site.signups.book.lease(site.signups.book.get(1))
            with pytest.raises(SignUpError):
                site.signups.refuse(1, actor="command:root")

    site.ask()
    assert site.confirm().state == "trial"
    assert set(seen) == {"first", "approved"}, "it has told what had happened, and taken no step"
    assert len(site.state.directory.all()) == 1


def test_two_servers_at_once(site: Site, notes: Notes) -> None:
    other = Site(notes, box=site.box, clock=site.clock)
    site.ask()
    site.signups.verify(site.box.secret(), PASSWORD)
    threads = [Thread(target=each.signups.machine.run) for each in (site, other, site, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    site.signups.machine.run()
    (signup,) = site.signups.book.all()
    assert site.states(signup) == WHOLE_WAY[:6]
    assert len(site.state.directory.all()) == 1
    assert len(site.accounts.people.members(signup.tenant_id or 0)) == 1
    site.proven()


@sqlite_only
def test_a_slug_that_was_taken_meanwhile_is_an_operators_to_decide(site: Site) -> None:
    site.signups.machine._open = False
    site.ask()
    signup = site.confirm()
    site.signups.approve(signup.id, actor="command:root")
    site.state.create("acme", "Another")
    failed = site.signups.machine.go_on(signup.id)
    assert failed.state == "approved"
    assert "acme" in (failed.error or "")
    site.signups.approve(signup.id, actor="command:root", slug="acme-2024")
    assert site.signups.machine.go_on(signup.id).state == "trial"
    assert [t.slug for t in site.state.directory.all()] == ["acme", "acme-2024"]


@sqlite_only
def test_event_rules_hear_of_steps(site: Site) -> None:
    from flask_tenant import signals

    heard = []

    def hear(sender: object, name: str, tenant: Tenant, **more: Any) -> None:
        heard.append((name, tenant.slug))

    with signals.event_happened.connected_to(hear, site.tenancy):
        site.ask()
        site.confirm()
    assert heard == [
        ("signup.provisioned", "acme"),
        ("signup.administered", "acme"),
        ("signup.trial", "acme"),
    ]
    assert "signup.suspended" in site.tenancy.events


@sqlite_only
def test_a_button_that_is_clicked_twice(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second click comes in between: it is told what has become of the first."""
    site.ask()
    secret, create = site.box.secret(), site.accounts.people.create

    def click(email: str, name: str, password: str) -> Any:
        monkeypatch.undo()
        site.signups.verify(secret, PASSWORD)
        return create(email, name, password)

    monkeypatch.setattr(site.accounts.people, "create", click)
    assert site.signups.verify(secret, PASSWORD).state == "verified"
    assert site.states(site.signups.book.get(1)) == WHOLE_WAY[:2]
