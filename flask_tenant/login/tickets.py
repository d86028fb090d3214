"""What is good once: log-ins that are under way, links in mails, hand-overs from one host to another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from .store import Clock, Connect, Tables, Tidying, digest_of, new_secret, now


class Tickets:
    """Issues tickets, and takes each of them once.

    :param connect: opens a transaction on the directory's database
    """

    def __init__(self, connect: Connect, tables: Tables, clock: Clock = now) -> None:
        self._connect, self._table, self._clock = connect, tables.people.ticket, clock
        self._tidying = Tidying(self._table.c.digest, self._table.c.expires_at)

    def issue(self, purpose: str, tenant_id: int, payload: Mapping[str, Any], seconds: float) -> str:
        """Issue a ticket.

        :param purpose: such as ``reset``; it is good for nothing else
        :param tenant_id: where it is good; 0 at the central host
        :param payload: what JSON can say; it stays on the server
        :param seconds: for how long it is good
        :returns: its secret, which nobody can find out later: only its hash is kept
        """
        secret, at, table = new_secret(), self._clock(), self._table
        row = {
            "digest": digest_of(secret),
            "purpose": purpose,
            "tenant_id": tenant_id,
            "payload": json.dumps(dict(payload)),
            "expires_at": at + timedelta(seconds=seconds),
        }
        with self._connect() as connection:
            connection.execute(table.insert().values(row))
            self._tidying.now_and_then(connection, at)
        return secret

    def redeem(self, purpose: str, tenant_id: int, secret: str) -> dict[str, Any] | None:
        """Take a ticket, and return its payload; ``None`` for one that is unknown, used, expired or meant otherwise.

        One of another purpose or tenant stays good where it belongs. Of two that redeem one at once, one gets it.
        """
        table = self._table
        mine = (
            table.c.digest == digest_of(secret),
            table.c.purpose == purpose,
            table.c.tenant_id == tenant_id,
            table.c.expires_at > self._clock(),
        )
        with self._connect() as connection:
            # The row goes first: whoever has removed it may read on.
            payload = connection.scalar(table.delete().where(*mine).returning(table.c.payload))
        return None if payload is None else dict(json.loads(payload))

    def look(self, purpose: str, tenant_id: int, secret: str) -> dict[str, Any] | None:
        """Return what :meth:`redeem` would, and leave the ticket good: for a page that asks before it is used."""
        table = self._table
        query = sa.select(table.c.payload).where(
            table.c.digest == digest_of(secret),
            table.c.purpose == purpose,
            table.c.tenant_id == tenant_id,
            table.c.expires_at > self._clock(),
        )
        with self._connect() as connection:
            payload = connection.scalar(query)
        return None if payload is None else dict(json.loads(payload))

    def first(self, purpose: str, tenant_id: int, name: str, seconds: float) -> bool:
        """Whether something is seen for the first time: of all servers that ask at once, one hears so.

        :param purpose: what it is, such as ``logout``; nothing can be redeemed for it
        :param name: what it is called by whoever makes it, such as a token's number
        :param seconds: for how long it is remembered
        """
        at, table = self._clock(), self._table
        digest = digest_of(f"{purpose}\0{tenant_id}\0{name}")
        row = {
            "digest": digest,
            "purpose": f"seen:{purpose}",
            "tenant_id": tenant_id,
            "payload": "{}",
            "expires_at": at + timedelta(seconds=seconds),
        }
        try:
            with self._connect() as connection:
                connection.execute(table.delete().where(table.c.digest == digest, table.c.expires_at <= at))
                connection.execute(table.insert().values(row))
                self._tidying.now_and_then(connection, at)
        except IntegrityError:
            return False
        return True
