"""A sign-up whose process is killed, wherever that may be, is gone on with by the next one, and ends as any other."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from tests.extension.notes import Notes
from tests.onboarding.world import PASSWORD, WHOLE_WAY, Box, Site
from tests.services.availability import FULL

pytestmark = [pytest.mark.databases("sqlite"), pytest.mark.once]

MOST = 200
"""Moments at which a process may die, at most: a safeguard against going on for ever."""


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Fuse:
    """Kills the process when it is touched for the nth time."""

    left = 0

    wrote = False

    def look(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self.wrote |= statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))

    def commit(self, *_: Any) -> None:
        """Before a commit: what comes after it is before the next one. Those of readers change nothing."""
        if self.wrote:
            self.wrote = False
            self.touch()

    def touch(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            die()


class FatalBox(Box):
    """A mail server in front of which, and behind which, a process may die."""

    fuse = Fuse()

    def send(self, message: EmailMessage) -> None:
        self.fuse.touch()
        super().send(message)
        self.fuse.touch()


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


def test_killed_at_each_moment(tmp_path: Path) -> None:
    """From the request to the suspension: at each commit, before and after each mail, in the application's seed."""
    path, template, mails = tmp_path / "site.sqlite", tmp_path / "template.sqlite", tmp_path / "mails"
    fuse, box = Fuse(), FatalBox(mails)
    site = Site(Notes(f"sqlite:///{path}"), box=box)
    site.tenancy.seed(fuse.touch)
    (engine,) = site.state.databases.isolations
    sa.event.listen(engine, "before_cursor_execute", fuse.look)
    sa.event.listen(engine, "commit", fuse.commit)
    engine.dispose()  # what was opened here is of no use in other processes
    shutil.copy(path, template)

    moments = range(1, MOST) if FULL else range(1, MOST, 6)
    for killed, moment in enumerate(moments):
        shutil.copy(template, path)
        mails.write_text("")
        box.fuse = fuse

        def until_killed(moment: int = moment) -> None:
            fuse.left = moment
            live(site, mails, site.clock.at)

        if not in_a_process(until_killed):
            assert killed * moments.step >= 30, f"it was killed at {killed} moments only"
            return
        # What a dead process has begun is left alone for a quarter of an hour.
        in_a_process(lambda: live(site, mails, site.clock.at + timedelta(minutes=20)) or whole(site, mails))
    pytest.fail("it goes on for ever")


def live(site: Site, mails: Path, at: datetime) -> None:
    """Do what is left to do, as visitors and the clock would, to the end."""
    book, machine, site.clock.at = site.signups.book, site.signups.machine, at
    if not book.all():
        site.ask()
    machine.run()
    (signup,) = book.all()
    if signup.state == "requested":
        site.signups.verify(secret_of(mails), PASSWORD)
    for days in (0, 23, 7, 7, 1):
        site.clock.move(days=days)
        machine.run()


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
