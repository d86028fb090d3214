"""What log-in needs of the directory: its tables, a transaction, the time; and how secrets are made and kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

Connect: TypeAlias = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction on the directory's database, past the wall."""

Clock: TypeAlias = Callable[[], datetime]


class PeopleTables(Protocol):
    """The tables of log-in, of which the directory's migrations take care."""

    provider: sa.Table
    person: sa.Table
    identity: sa.Table
    membership: sa.Table
    member_role: sa.Table
    invitation: sa.Table
    login_session: sa.Table
    ticket: sa.Table
    app_user: sa.Table
    attempt: sa.Table


class Tables(Protocol):
    """The directory's tables, as far as log-in knows them."""

    tenant: sa.Table

    @property
    def people(self) -> PeopleTables:
        """The tables of log-in."""


class Note(Protocol):
    """Writes into the audit trail."""

    def __call__(
        self,
        action: str,
        *,
        tenant_id: int = 0,
        actor: str,
        connection: Connection | None = None,
        **details: Any,
    ) -> object:
        """Write one entry.

        :param action: such as ``member.added``
        :param tenant_id: whose trail; 0 for the central one
        :param actor: who did it, such as ``person:7``
        :param connection: whose transaction it is to be part of, if there is one
        """


TIDY_EVERY = 100
"""After how many new rows of one process old ones are removed."""

TIDY_MOST = 1_000
"""Old rows that are removed at once: ten times as many as have come meanwhile, and not so many that somebody waits."""


class Tidying:
    """Removes old rows of a table, some at a time, beside the work that makes new ones: there is no job to forget.

    :param key: the table's
    :param over: the column that says when a row is over
    """

    def __init__(self, key: sa.Column[Any], over: sa.Column[Any]) -> None:
        self._key, self._over = key, over
        # Not from 0: processes that make few rows each, and end, would never come to it.
        self._made = count(secrets.randbelow(TIDY_EVERY) + 1)

    def now_and_then(self, connection: Connection, until: datetime) -> None:
        """Note that a row was made, and after so many of them remove some that were over then."""
        if next(self._made) % TIDY_EVERY:
            return
        # What somebody else has in hand is left for another time: nobody waits for it.
        old = (
            sa.select(self._key).where(self._over <= until).limit(TIDY_MOST).with_for_update(skip_locked=True)
        )
        connection.execute(sa.delete(self._key.table).where(self._key.in_(old)))


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def utc(at: datetime | None) -> datetime | None:
    """Return a time with its zone, which SQLite does not keep."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return what is kept of a secret of ours. It is random: nobody can guess it, salted or not."""
    return hashlib.sha256(secret.encode()).hexdigest()
