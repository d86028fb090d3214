"""Webhooks on their way: a table from which several workers may deliver, each message at least once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from ....errors import RuleEngineError
from ....transactions import Connect, opened
from ..in_sql import MICRO

PENDING_LIMIT = 1_000
"""How many messages of one tenant may wait; further ones are refused."""

RETRY_SECONDS = (10, 60, 300, 1_800, 7_200, 21_600, 43_200)
"""How long to wait after each failure. After one more, a message is given up: after a day, as it is."""

LEASE_SECONDS = 60
"""For how long a message belongs to the worker that has taken it."""

KEPT_SECONDS = 7 * 86_400
"""For how long messages that were given up can be looked at."""

ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook on its way.

    :param id: in the table
    :param message: random; the same each time that it is sent
    :param body: JSON
    :param attempts: how often it was sent in vain
    :param due_at: when it is sent again, in microseconds since 1970; ``None`` when it was given up
    """

    id: int
    tenant_id: int
    name: str
    message: str
    body: str
    created_at: int
    due_at: int | None
    attempts: int
    error: str | None


class Outbox:
    """The table of webhooks on their way.

    :param connect: opens a transaction on the directory's database
    :param clock: seconds since 1970
    """

    def __init__(self, connect: Connect, webhooks: sa.Table, clock: Callable[[], float] = time.time) -> None:
        self._connect, self._webhooks, self._clock = connect, webhooks, clock

    def put(self, name: str, tenant_id: int, body: str, *, patient: bool = False) -> None:
        """Let a webhook be delivered.

        :param name: what the tenant's configuration calls it
        :param body: JSON
        :raises RuleEngineError: when too many of the tenant's wait already
        :raises BusyError: when the database is locked, perhaps by the caller's own transaction
        """
        table, now = self._webhooks, self._now()
        with opened(self._connect, patient=patient) as connection:
            mine = (table.c.tenant_id == tenant_id, table.c.due_at.is_not(None))
            waiting = connection.scalar(sa.select(sa.func.count()).select_from(table).where(*mine)) or 0
        if waiting >= PENDING_LIMIT:
            raise RuleEngineError(
                f"{waiting} webhooks of the tenant wait already; {name!r} was dropped",
                value=name,
                hint="Does 'flask tenant webhooks deliver' run? 'flask tenant webhooks list' shows what fails",
            )
        row = {
            "tenant_id": tenant_id,
            "name": name,
            "message": secrets.token_hex(12),
            "body": body,
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        with opened(self._connect, patient=patient) as connection:
            connection.execute(table.insert().values(row))

    def take(self) -> Message | None:
        """Take the message that is due first; for a minute, no other worker takes it."""
        table = self._webhooks
        now = self._now()
        # Looking and taking are two transactions: SQLite lets nobody write whose reading is out of date.
        with opened(self._connect, patient=True) as connection:
            due = sa.select(table).where(table.c.due_at <= now).order_by(table.c.due_at).limit(20)
            rows = connection.execute(due).all()
        for row in rows:
            with opened(self._connect, patient=True) as connection:
                mine = table.update().where(table.c.id == row.id, table.c.due_at == row.due_at)
                if connection.execute(mine.values(due_at=now + LEASE_SECONDS * MICRO)).rowcount:
                    return Message(**row._mapping)
        return None

    def delivered(self, message: Message) -> None:
        """Forget a message that was delivered."""
        with opened(self._connect, patient=True) as connection:
            connection.execute(self._webhooks.delete().where(self._webhooks.c.id == message.id))

    def put_back(self, message: Message, seconds: float) -> None:
        """Let a message wait that was not sent."""
        self._set(message, due_at=self._now() + int(seconds * MICRO))

    def failed(self, message: Message, error: str, *, final: bool = False) -> float | None:
        """Note that a message could not be delivered.

        :param final: whether another attempt makes no sense
        :returns: in how many seconds it will be sent again, ``None`` when it is given up
        """
        attempts = message.attempts + 1
        over = final or attempts > len(RETRY_SECONDS)
        wait = None if over else float(RETRY_SECONDS[attempts - 1])
        due = None if wait is None else self._now() + int(wait * MICRO)
        self._set(message, attempts=attempts, error=error[:ERROR_LENGTH], due_at=due)
        return wait

    def tidy(self) -> None:
        """Forget what was given up long ago."""
        table, old = self._webhooks, self._now() - KEPT_SECONDS * MICRO
        with opened(self._connect, patient=True) as connection:
            connection.execute(table.delete().where(table.c.due_at.is_(None), table.c.created_at < old))

    def all(self, tenant_id: int | None = None) -> list[Message]:
        """Return what has not been delivered, of one tenant or of all, in the order in which it came."""
        table = self._webhooks
        wanted = sa.select(table).order_by(table.c.id)
        if tenant_id is not None:
            wanted = wanted.where(table.c.tenant_id == tenant_id)
        with opened(self._connect, patient=True) as connection:
            return [Message(**row._mapping) for row in connection.execute(wanted)]

    def _set(self, message: Message, **values: object) -> None:
        with opened(self._connect, patient=True) as connection:
            connection.execute(
                self._webhooks.update().where(self._webhooks.c.id == message.id).values(**values)
            )

    def _now(self) -> int:
        return int(self._clock() * MICRO)
