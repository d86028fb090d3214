"""Who is logged in. The server keeps it, so that it can be ended here and is over everywhere at once.

The browser has a secret, of which only the digest is kept: who reads the table cannot be anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..identity import Identified, LoginSession, Member, Person, Provider
from .store import Clock, Connect, Tables, Tidying, digest_of, new_secret, now, utc

TOUCH_SECONDS = 60.0
"""How exactly it is kept when a session was last used."""

KEEP_DAYS = 30
"""For how long sessions that are over are remembered."""


class Sessions:
    """Opens log-in sessions, finds them and ends them.

    :param connect: opens a transaction on the directory's database
    :param seconds: how long one lasts at most
    :param idle: how many seconds one lasts that is not used
    :param seal: encrypts what the provider wants to see again when somebody logs out there, for one session
    :param unseal: its reverse
    """

    def __init__(
        self,
        connect: Connect,
        tables: Tables,
        *,
        seconds: float = 12 * 3600,
        idle: float = 2 * 3600,
        seal: Callable[[str, str], str] | None = None,
        unseal: Callable[[str, str], str] | None = None,
        clock: Clock = now,
    ) -> None:
        self._connect, self._table, self._clock = connect, tables.people.login_session, clock
        self._seconds, self._idle = timedelta(seconds=seconds), timedelta(seconds=idle)
        self._seal, self._unseal = seal, unseal
        self._tidying = Tidying(self._table.c.digest, self._table.c.expires_at)
        table = self._table
        self.good = (
            table.c.digest == sa.bindparam("digest"),
            table.c.tenant_id == sa.bindparam("tenant"),
            table.c.ended_at.is_(None),
            table.c.expires_at > sa.bindparam("now"),
            table.c.seen_at > sa.bindparam("idle"),
        )
        """What holds for a session that is good, with the parameters of :meth:`good_for`. Made once: each request of
        somebody who is logged in asks, and putting such a statement together takes longer than asking."""
        self._find = sa.select(table).where(*self.good)

    # ---- opening and finding
    def open(
        self,
        member: Member,
        provider: Provider | None = None,
        who: Identified | None = None,
        *,
        network: str = "",
        agent: str = "",
        impersonator: Person | None = None,
        reason: str = "",
        seconds: float | None = None,
    ) -> str:
        """Open a session, and return its secret, for the browser alone.

        :param member: who is logged in; of tenant 0 at the central host
        :param provider: through which provider
        :param who: whom it has vouched for
        :param network: where the browser is, for people to recognise
        :param agent: what the browser calls itself
        :param impersonator: the operator who acts as the member
        :param reason: why
        :param seconds: how long it lasts at most, if less than usual
        """
        secret, at, table = new_secret(), self._clock(), self._table
        digest = digest_of(secret)
        lasts = self._seconds if seconds is None else min(self._seconds, timedelta(seconds=seconds))
        hint = who.hint if who is not None and self._seal is not None else ""
        row = {
            "digest": digest,
            "tenant_id": member.tenant_id,
            "person_id": member.person_id,
            "provider_id": provider.id if provider is not None else None,
            "provider_session": who.session if who is not None else "",
            "provider_subject": who.identity.subject if who is not None else "",
            "hint": self._seal(hint, place_of(digest)) if hint and self._seal is not None else None,
            "network": network[:64],
            "agent": agent[:255],
            "impersonator_id": impersonator.id if impersonator is not None else None,
            "reason": reason or None,
            "opened_at": at,
            "seen_at": at,
            "expires_at": at + lasts,
        }
        with self._connect() as connection:
            connection.execute(table.insert().values(row))
            self._tidying.now_and_then(connection, at - timedelta(days=KEEP_DAYS))
        return secret

    def find(self, tenant_id: int, secret: str) -> LoginSession | None:
        """Return the session of that secret; ``None`` for one that is unknown, over, or of another tenant."""
        with self._connect() as connection:
            return self.find_within(connection, tenant_id, secret)

    def find_within(self, connection: Connection, tenant_id: int, secret: str) -> LoginSession | None:
        """Return the session of that secret, in a transaction that is open already."""
        row = connection.execute(self._find, self.good_for(tenant_id, secret)).one_or_none()
        return None if row is None else session_of(row)

    def good_for(self, tenant_id: int, secret: str) -> dict[str, Any]:
        """Return the parameters with which :attr:`good` says whether a session is."""
        at = self._clock()
        return {"digest": digest_of(secret), "tenant": tenant_id, "now": at, "idle": at - self._idle}

    def stale(self, session: LoginSession) -> bool:
        """Whether it is time to :meth:`touch` a session."""
        return self._clock() - session.seen_at >= timedelta(seconds=TOUCH_SECONDS)

    def touch(self, session: LoginSession) -> None:
        """Note that a session was used now."""
        table = self._table
        with self._connect() as connection:
            connection.execute(
                table.update().where(table.c.digest == session.digest).values(seen_at=self._clock())
            )

    def of(self, tenant_id: int, person_id: int | None = None) -> list[LoginSession]:
        """Return a tenant's sessions that are not over, the newest first.

        :param person_id: of this person only
        """
        table = self._table
        query = sa.select(table).where(table.c.tenant_id == tenant_id, *self._live())
        if person_id is not None:
            query = query.where(table.c.person_id == person_id)
        with self._connect() as connection:
            return [session_of(row) for row in connection.execute(query.order_by(table.c.opened_at.desc()))]

    def goes_on(self, digest: str) -> bool:
        """Whether a session is not over: for what was begun with it, and ends elsewhere."""
        query = sa.select(self._table.c.digest).where(self._table.c.digest == digest, *self._live())
        with self._connect() as connection:
            return connection.scalar(query) is not None

    def hint(self, digest: str) -> str:
        """Return what the provider wants to see again when somebody logs out there; ``""`` for nothing."""
        table = self._table
        with self._connect() as connection:
            kept = connection.scalar(sa.select(table.c.hint).where(table.c.digest == digest))
        return self._unseal(kept, place_of(digest)) if kept and self._unseal is not None else ""

    # ---- ending
    def end(self, digest: str, tenant_id: int | None = None) -> bool:
        """End a session, and say whether it was open.

        :param tenant_id: only if it is of this tenant: for administrators, who name it by its digest
        """
        mine = [self._table.c.digest == digest]
        if tenant_id is not None:
            mine.append(self._table.c.tenant_id == tenant_id)
        with self._connect() as connection:
            return self._end(connection, *mine) > 0

    def end_all(self, tenant_id: int, person_id: int) -> int:
        """End all sessions of a person in a tenant, and return how many they were."""
        with self._connect() as connection:
            return self.end_within(connection, person_id, tenant_id)

    def end_within(self, connection: Connection, person_id: int, tenant_id: int | None = None) -> int:
        """End a person's sessions in a transaction that is open already: together with what is the reason for it.

        Those in which they act as somebody else rest on who they are at the central host, and end with that.

        :param tenant_id: in this tenant only; 0 at the central host
        """
        table = self._table
        mine = table.c.person_id == person_id
        if tenant_id is not None:
            mine &= table.c.tenant_id == tenant_id
        if not tenant_id:
            mine |= table.c.impersonator_id == person_id
        return self._end(connection, mine)

    def end_impersonations(self, connection: Connection, operator_id: int) -> int:
        """End the sessions in which an operator acts as somebody else."""
        return self._end(connection, self._table.c.impersonator_id == operator_id)

    def ended_by_provider(self, provider: Provider, sid: str = "", subject: str = "") -> int:
        """End what a provider says has ended, and return how many sessions that were.

        :param sid: its name for one session; without it, all sessions of the subject end
        :raises ValueError: when it names neither
        """
        if not sid and not subject:
            raise ValueError("A provider that ends sessions has to name one, or a subject")
        table = self._table
        mine = [table.c.provider_id == provider.id, table.c.tenant_id == provider.tenant_id]
        if sid:
            mine.append(table.c.provider_session == sid)
        if subject:
            mine.append(table.c.provider_subject == subject)
        with self._connect() as connection:
            return self._end(connection, *mine)

    def provider_gone(self, connection: Connection, provider: Provider) -> int:
        """End all sessions that were opened through a provider which is being removed, and return how many."""
        table = self._table
        return self._end(
            connection, table.c.tenant_id == provider.tenant_id, table.c.provider_id == provider.id
        )

    def _end(self, connection: Connection, *mine: sa.ColumnElement[bool]) -> int:
        table = self._table
        done = connection.execute(table.update().where(*mine, *self._live()).values(ended_at=self._clock()))
        return cast("sa.CursorResult[Any]", done).rowcount

    def _live(self) -> tuple[sa.ColumnElement[bool], ...]:
        at, table = self._clock(), self._table
        return table.c.ended_at.is_(None), table.c.expires_at > at, table.c.seen_at > at - self._idle


def place_of(digest: str) -> str:
    """Return where a session's hint belongs: it is of no use in another one."""
    return f"the session {digest[:16]}"


def session_of(row: sa.Row[Any]) -> LoginSession:
    """Return the session that a row of the table tells of."""
    return LoginSession(
        row.digest,
        row.tenant_id,
        row.person_id,
        cast(datetime, utc(row.opened_at)),
        cast(datetime, utc(row.seen_at)),
        cast(datetime, utc(row.expires_at)),
        row.provider_id,
        row.network,
        row.agent,
        row.impersonator_id,
        row.reason or "",
    )
