"""What log-in needs of the directory: its tables, a transaction, the time; and how secrets are made and kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
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
