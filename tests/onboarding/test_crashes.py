"""A sign-up whose process is killed, wherever that may be, is gone on with by the next one, and ends as any other."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from flask_tenant.model import Tenant
from tests.extension.notes import Notes
from tests.onboarding.world import PASSWORD, WHOLE_WAY, Box, Clock, Site
from tests.services.availability import FULL

pytestmark = [pytest.mark.databases("sqlite"), pytest.mark.once]

MOST = 80
"""Moments at which a process may die, at most: a safeguard against going on for ever."""


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Fuse:
    """Kills the process when it is touched for the nth time."""

    def __init__(self, number: int) -> None:
        self.left = number

    def touch(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            die()


class FatalBox(Box):
    """A mail server in front of which, and behind which, a process may die."""

    fuse = Fuse(0)

    def send(self, message: EmailMessage) -> None:
        self.fuse.touch()
        super().send(message)
        self.fuse.touch()


def seed(site: Site, fuse: Fuse) -> None:
    @site.tenancy.seed
    def plant(tenant: Tenant) -> None:
        fuse.touch()


def in_a_process(work: Callable[[], None]) -> bool:
    """Run in a process of its own, and return whether it was killed. What it shares with this one is not touched."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def opened(path: Path, mails: Path, clock: Clock, number: int) -> Site:
    """A server that dies at the nth commit, mail or seed, whichever comes first."""
    fuse = Fuse(number)
    box = FatalBox(mails)
    box.fuse = fuse
    site = Site(Notes(f"sqlite:///{path}"), box=box, clock=clock)
    seed(site, fuse)
    (engine,) = site.state.isolations
    sa.event.listen(engine, "commit", fuse.touch)
    return site


def test_killed_at_each_moment(tmp_path: Path) -> None:
    """From the request to the suspension, in three legs; each moment of each leg once."""
    template = tmp_path / "template.sqlite"
    clock = Clock()
    in_a_process(lambda: Site(Notes(f"sqlite:///{template}"), box=Box(), clock=clock) and None)

    killed = 0
    for number in range(1, MOST) if FULL else range(1, MOST, 2):
        path, mails = tmp_path / f"{number}.sqlite", tmp_path / f"{number}.mails"
        shutil.copy(template, path)
        mails.touch()
        if not in_a_process(lambda path=path, mails=mails, n=number: live(path, mails, n)):
            assert killed >= (50 if FULL else 25)
            break
        killed += 1
        in_a_process(lambda path=path, mails=mails: live(path, mails, 0))
    else:
        pytest.fail("it goes on for ever")


def live(path: Path, mails: Path, number: int) -> None:
    """Do what is left to do, as visitors and the clock would; with the fuse at 0, to the end."""
    clock = Clock()
    site = opened(path, mails, clock, number)
    book, machine = site.signups.book, site.signups.machine
    clock.move(
        minutes=0 if number else 20
    )  # what a dead process has begun is left alone for a quarter of an hour
    if not book.all():
        site.ask()
    machine.run()
    (signup,) = book.all()
    if signup.state == "requested":
        site.signups.verify(secret_of(mails), PASSWORD)
    for days in (0, 23, 7, 7, 1):
        clock.at = max(clock.at, signup.created_at) + timedelta(days=days)
        machine.run()
    if not number:
        whole(site, mails)


def secret_of(mails: Path) -> str:
    return mails.read_text().rpartition("/verify/")[2].split()[0]


def whole(site: Site, mails: Path) -> None:
    """What there is in the end, wherever somebody died: all of it, once."""
    (signup,) = site.signups.book.all()
    assert site.states(signup) == WHOLE_WAY
    assert all(step.told == 3 for step in site.signups.book.steps(signup.id))
    (tenant,) = site.state.directory.all()
    assert (tenant.id, tenant.slug, tenant.state) == (signup.tenant_id, "acme", "suspended")
    (member,) = site.accounts.people.members(tenant.id)
    assert member.roles == {"administrator"}
    assert member.person_id == signup.person_id
    subjects = [line.partition(" ")[2] for line in mails.read_text().splitlines() if line.startswith("ada@")]
    kinds = [subject.partition(" on ")[0] for subject in subjects]
    assert set(kinds) == {
        "Confirm your address",
        "Acme is ready",
        "Your trial of Acme ends",
        "Your trial of Acme has ended",
        "Acme is suspended",
    }
    assert len(kinds) <= 6, "one may come twice: it was sent, and its sender died before that was noted"
    site.proven()
