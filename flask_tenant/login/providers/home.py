"""The directory, as far as tenants' providers know it: its tables, a transaction, a change that all servers hear of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy.engine import Connection

from ..store import Tables


class Change(Protocol):
    """A change of the directory in work."""

    connection: Connection
    tenants: set[int]


class Home(Protocol):
    """The directory."""

    @property
    def tables(self) -> Tables:
        """The tables."""

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a transaction past the wall."""

    def change(self) -> AbstractContextManager[Change]:
        """Make a change of which all servers hear."""
