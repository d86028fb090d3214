"""Writes the trail, and reads it."""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from ..errors import AuditError
from ..transactions import BusyError, Connect, after_commit, opened
from .anchor import Anchor
from .chain import BEGINNING, CENTRAL, PRUNED, Entry, Keys

log = logging.getLogger("flask_tenant.audit")

MICRO = 1_000_000

TRIES = 5
"""How often an entry is written anew when another server has taken its number."""

DETAILS_BYTES = 16_384
"""How long what is known of an entry may be, as JSON."""

PAGE = 1_000
"""How many entries are read at once: no transaction is held for the length of a trail."""

_ACTOR, _ACTION = 255, 63


class Trail:
    """The audit trail of one installation.

    :param connect: opens a transaction on the directory's database, past the wall
    :param entries: the table
    :param anchor: where the ends of chains are noted
    :param put_off: does something when the caller's own transaction is over, or says that it cannot
    :param clock: seconds since 1970
    """

    def __init__(
        self,
        connect: Connect,
        entries: sa.Table,
        keys: Keys,
        anchor: Anchor,
        *,
        put_off: Callable[[Callable[[], None]], bool] = lambda work: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keys, self.anchor = keys, anchor
        self._connect, self._table = connect, entries
        self._put_off, self._clock = put_off, clock
        self._lock = zlib.crc32(entries.name.encode()) - 2**31

    # ---- writing
    def write(
        self,
        action: str,
        *,
        tenant_id: int = CENTRAL,
        actor: str,
        connection: Connection | None = None,
        **details: Any,
    ) -> Entry:
        """Write an entry, for good or together with what it is about.

        :param action: what was done, such as ``member.removed``
        :param tenant_id: whose chain it goes into, 0 for central work
        :param actor: who did it, such as ``person:7``
        :param connection: of the transaction that does it: then there is an entry if and only if it was done. Until
            that transaction ends, other entries of the same chain wait
        :param details: what else is to be known; JSON, no secrets
        :raises AuditError: for what cannot be kept
        :raises ConfigurationError: without a key
        """
        wanted = self._wanted(action, tenant_id, actor, details)
        if connection is None:
            return self._written(wanted, patient=True)
        entry = self._add(connection, wanted)
        after_commit(connection, lambda: self._committed(entry))
        return entry

    def note(self, action: str, *, tenant_id: int = CENTRAL, actor: str, **details: Any) -> None:
        """Write an entry in the middle of whatever the caller is doing.

        Where the database is locked by the caller's own transaction (SQLite), the entry is written when that is over.
        Its time is now.

        :raises AuditError: for what cannot be kept
        :raises ConfigurationError: without a key
        """
        wanted = self._wanted(action, tenant_id, actor, details)

        def later() -> None:
            self._written(wanted, patient=True)

        try:
            self._written(wanted, patient=False)
        except BusyError:
            if not self._put_off(later):
                later()

    def _wanted(self, action: str, tenant_id: int, actor: str, details: Mapping[str, Any]) -> Entry:
        try:
            text = json.dumps(details, sort_keys=True, allow_nan=False, separators=(",", ":"), default=str)
        except (TypeError, ValueError, RecursionError) as error:
            raise AuditError(f"What is known of {action!r} is no JSON: {error}", value=action) from None
        named = 0 < len(action) <= _ACTION and action.isprintable()
        if len(text) > DETAILS_BYTES or not named or not actor:
            raise AuditError(
                f"An entry {action!r} of {len(text)} bytes cannot be kept",
                value=action,
                hint=f"Name an actor, an action of up to {_ACTION} characters, and details of up to "
                f"{DETAILS_BYTES} bytes",
            )
        # Who failed to log in may have typed anything: what no database keeps would leave no entry at all.
        clean = actor.replace("\0", "?").encode("utf-8", "replace").decode()[:_ACTOR]
        return Entry(tenant_id, 0, int(self._clock() * MICRO), clean, action, text)

    def _written(self, wanted: Entry, *, patient: bool) -> Entry:
        for left in reversed(range(TRIES)):
            try:
                with opened(self._connect, patient=patient) as connection:
                    entry = self._add(connection, wanted)
            except DBAPIError as error:
                if not left or not _overtaken(error):
                    raise
            else:
                self.anchor.note(entry)
                return entry
        raise AssertionError("unreachable")

    def _committed(self, entry: Entry) -> None:
        """Note an entry that was written with somebody else's work, unless that part of it was undone."""
        table = self._table
        place = (table.c.tenant_id == entry.tenant_id, table.c.number == entry.number)
        try:
            with self._connect() as connection:
                there = connection.scalar(sa.select(table.c.mac).where(*place)) == entry.mac
        except sa.exc.SQLAlchemyError as error:
            # What the caller wanted is done. The next entry of the chain is noted, and this one with it.
            log.error("The audit entry %s/%s was not noted: %s", entry.tenant_id, entry.number, error)
            return
        if there:
            self.anchor.note(entry)

    def _add(self, connection: Connection, wanted: Entry) -> Entry:
        table = self._table
        self._alone(connection, wanted.tenant_id)
        newest = (
            sa.select(table.c.number, table.c.mac)
            .where(table.c.tenant_id == wanted.tenant_id)
            .order_by(table.c.number.desc())
            .limit(1)
        )
        number, before = connection.execute(newest).one_or_none() or (0, BEGINNING)
        entry = self.keys.seal(wanted._replace(number=number + 1), before)
        connection.execute(table.insert().values(entry._asdict()))
        return entry

    def _alone(self, connection: Connection, tenant_id: int) -> None:
        """Let one writer of a chain follow the other, until the end of their transactions."""
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self._lock, tenant_id)))
        else:
            # SQLite lets nobody write whose reading is out of date: so the lock comes before the reading.
            connection.execute(self._table.update().where(self._table.c.tenant_id < 0).values(number=0))

    # ---- forgetting
    def prune(self, tenant_id: int, before: datetime, *, actor: str) -> int:
        """Remove the oldest entries of a chain for good, and return how many. A new entry, sealed like all, says up to
        where, and with which MAC the rest begins: who removes more than that is noticed.

        Nothing looks here whether they are as they were written: do so before, with :func:`verify`.

        :param tenant_id: whose chain, 0 for central work
        :param before: what was written before that moment is removed, up to the first entry that was not
        :param actor: who does it
        :raises ConfigurationError: without a key
        """
        table = self._table
        mine = table.c.tenant_id == tenant_id
        at = int(before.timestamp() * MICRO)
        with opened(self._connect, patient=True) as connection:
            self._alone(connection, tenant_id)
            kept = connection.scalar(sa.select(sa.func.min(table.c.number)).where(mine, table.c.at >= at))
            old = sa.and_(mine, table.c.number < kept) if kept is not None else mine
            last = connection.execute(
                sa.select(table.c.number, table.c.mac).where(old).order_by(table.c.number.desc()).limit(1)
            ).one_or_none()
            count = connection.scalar(
                sa.select(sa.func.count()).select_from(table).where(old, table.c.action != PRUNED)
            )
            if last is None or not count:
                return 0
            details = {"through": last.number, "mac": last.mac}
            entry = self._add(connection, self._wanted(PRUNED, tenant_id, actor, details))
            gone = connection.execute(table.delete().where(mine, table.c.number <= last.number)).rowcount
        self.anchor.note(entry)
        return gone

    # ---- reading
    def chains(self) -> list[int]:
        """Return the ids of the tenants that have a chain; 0 stands for central work."""
        column = self._table.c.tenant_id
        with self._connect() as connection:
            return list(connection.scalars(sa.select(column).distinct().order_by(column)))

    def entries(
        self,
        tenant_id: int | None = None,
        *,
        action: str = "",
        actor: str = "",
        newest: int | None = None,
    ) -> Iterator[Entry]:
        """Return entries, chain by chain in the order in which they were written.

        :param tenant_id: whose; by default all chains
        :param action: what the action begins with
        :param actor: who
        :param newest: only so many of the newest, the newest first, over all chains
        """
        table = self._table
        query = sa.select(table)
        if tenant_id is not None:
            query = query.where(table.c.tenant_id == tenant_id)
        if action:
            query = query.where(table.c.action.startswith(action, autoescape=True))
        if actor:
            query = query.where(table.c.actor == actor)
        if newest is not None:
            query = query.order_by(table.c.at.desc(), table.c.tenant_id, table.c.number.desc()).limit(newest)
            with self._connect() as connection:
                yield from [Entry(*row) for row in connection.execute(query)]
            return
        place = sa.tuple_(table.c.tenant_id, table.c.number)
        query = query.order_by(table.c.tenant_id, table.c.number).limit(PAGE)
        page, last = query, None
        while True:
            with self._connect() as connection:
                rows = [Entry(*row) for row in connection.execute(page)]
            yield from rows
            if len(rows) < PAGE:
                return
            last = rows[-1]
            page = query.where(place > sa.tuple_(last.tenant_id, last.number))


def _overtaken(error: DBAPIError) -> bool:
    """Whether another writer was faster, so that writing anew makes sense."""
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) == "40001"
