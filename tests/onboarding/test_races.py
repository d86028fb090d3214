"""Sign-ups at the same moment: two servers, two visitors, an operator and the machine."""

from __future__ import annotations

import threading
from contextlib import suppress
from email.message import EmailMessage
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from flask_tenant.errors import SignUpError
from flask_tenant.model import Tenant
from flask_tenant.onboarding import Names, Overtaken
from tests.extension.notes import Notes
from tests.onboarding.world import PASSWORD, Box, Site

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")
sqlite_only = pytest.mark.databases("sqlite")


def test_of_two_that_look_alike_one_gets_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have noted in their transactions that the name is theirs, before either looks whether it is free."""
    secrets = []
    for slug, email in (("paypal", "ada@example.org"), ("paypa1", "eve@example.org")):
        site.ask(slug=slug, email=email)
        secrets.append(site.box.secret())
    meet, calls, free = Barrier(2), threading.local(), Names.free

    def both(names: Names, connection: Connection, slug: str, *, own: int | None = None) -> None:
        calls.n = getattr(calls, "n", 0) + 1
        if calls.n == 2:  # in the transaction of the step
            with suppress(BrokenBarrierError):
                meet.wait(0.3)  # SQLite lets the second one come so far only when the first is done
        free(names, connection, slug, own=own)

    monkeypatch.setattr(Names, "free", both)
    ended: list[str] = []

    def verify(secret: str) -> None:
        try:
            ended.append(site.signups.verify(secret, PASSWORD).state.value)
        except SignUpError as error:
            ended.append(error.field)

    threads = [Thread(target=verify, args=(secret,)) for secret in secrets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["slug", "verified"]
    site.signups.machine.run()
    assert len(site.state.directory.all()) == 1


def test_of_two_servers_one_tells(site: Site, notes: Notes) -> None:
    """The second is asked while the first is sending, as cron does: the first link would be good no more."""
    other = Site(notes, box=site.box, clock=site.clock)
    send, inside = site.box.send, []

    def slowly(message: EmailMessage) -> None:
        if not inside:
            inside.append(message)
            other.signups.machine.run()
            inside.clear()
        send(message)

    site.box.send = slowly  # type: ignore[method-assign]
    site.ask()
    assert site.box.subjects() == ["Confirm your address"]
    site.confirm()
    site.to_the_end()
    assert [subject.partition(" on ")[0] for subject in site.box.subjects()] == [
        "Confirm your address",
        "Acme is ready",
        "Your trial of Acme ends",
        "Your trial of Acme has ended",
        "Acme is suspended",
    ]
    assert [state for _, state, _ in (*site.told, *other.told)].count("reminded") == 1


@sqlite_only
def test_what_a_dead_server_was_about_to_tell_is_told_by_another(site: Site, notes: Notes) -> None:
    class Gone(BaseException):
        pass

    class Fatal(Box):
        def send(self, message: EmailMessage) -> None:
            raise Gone

    good = site.box
    doomed = Site(notes, box=Fatal(), clock=site.clock)
    with pytest.raises(Gone):
        doomed.ask()
    site.signups.machine.run()
    assert good.subjects() == [], "it may be at work still"
    site.clock.move(minutes=16)
    site.signups.machine.run()
    assert good.subjects() == ["Confirm your address"]
    assert site.confirm().state == "trial"


@sqlite_only
def test_what_was_done_meanwhile_is_told_by_whoever_is_telling(site: Site, notes: Notes) -> None:
    other = Site(notes, box=site.box, clock=site.clock)
    send = site.box.send

    def meanwhile(message: EmailMessage) -> None:
        site.box.send = send  # type: ignore[method-assign]
        send(message)
        other.signups.machine.go_on(other.signups.verify(other.box.secret(), PASSWORD).id)

    site.box.send = meanwhile  # type: ignore[method-assign]
    site.ask()
    assert site.box.subjects() == ["Confirm your address", "Acme is ready"]
    assert all(step.told == 3 for step in site.signups.book.steps(1))


@sqlite_only
def test_nobody_is_refused_while_their_tenant_is_made(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's command has looked a moment before the tenant was there."""
    site = Site(notes, TENANT_SIGNUP="approval")
    tried: list[Any] = []

    @site.tenancy.seed
    def plant(tenant: Tenant) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(site.signups.book, "get", lambda number: before)
            with pytest.raises(Overtaken):
                site.signups.refuse(before.id, actor="command:root")
        tried.append(tenant)

    site.ask()
    signup = site.confirm()
    before = site.signups.approve(signup.id, actor="command:root")
    assert site.signups.machine.go_on(signup.id).state == "trial"
    assert tried
    site.proven()
