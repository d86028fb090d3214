"""What log-in needs of the directory: its tables, a transaction, and a change that all servers hear of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection


class People(Protocol):
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
    realm: sa.Table


class Tables(Protocol):
    """The directory's tables, as far as log-in knows them."""

    @property
    def people(self) -> People:
        """Those of log-in."""


class Change(Protocol):
    """A change of the directory in work."""

    connection: Connection
    tenants: set[int]


class Home(Protocol):
    """The directory, as far as log-in knows it."""

    @property
    def tables(self) -> Tables:
        """The tables."""

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a transaction past the wall."""

    def change(self) -> AbstractContextManager[Change]:
        """Make a change of which all servers hear."""
