"""The rows of sign-ups. Every step is one transaction, and of two that would take it, one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..errors import SignUpError
from .states import AT_WORK, WAITING, WAYS, SignUp, State

LEASE = timedelta(minutes=15)
"""For how long a tenant that is being made is left alone by everybody else: what its maker has not done by then is
thrown away and done anew. So long, too, a mail is left to the server that is about to send it."""

TRIES = 5
"""How often a step is tried until an operator has to look."""

ERROR_LENGTH = 500


class Overtaken(SignUpError):  # noqa: N818 - nothing went wrong
    """Somebody else has taken the step in between."""

    def __init__(self, signup: SignUp) -> None:
        super().__init__(
            f"Somebody else is at work at the sign-up {signup.id}", value=signup.id, hint="Look again"
        )


class Note(Protocol):
    """Writes into the audit trail."""

    def __call__(
        self, action: str, *, actor: str, connection: Connection | None = None, **details: Any
    ) -> object:
        """Write one entry into the central chain."""


class Step(NamedTuple):
    """A step that a sign-up has taken.

    :param told: bits: 1 when its event was sent, 2 when its mail is on the way
    """

    signup_id: int
    number: int
    state: State
    actor: str
    at: datetime
    told: int


EVENT, MAIL = 1, 2
ALL = EVENT | MAIL


class Book:
    """Keeps sign-ups.

    :param connect: opens a transaction on the directory's database
    :param clock: the present moment, in UTC
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Connection]],
        signup: sa.Table,
        step: sa.Table,
        note: Note,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.connect, self.clock = connect, clock
        self._signup, self._step, self._note = signup, step, note

    # ---- reading
    def get(self, signup_id: int) -> SignUp:
        """Return a sign-up.

        :raises SignUpError: when there is none of that id
        """
        found = self._read(self._signup.c.id == signup_id)
        if not found:
            raise SignUpError(
                f"There is no sign-up {signup_id}",
                value=signup_id,
                hint="'flask tenant signup list' shows them",
            )
        return found[0]

    def by_digest(self, digest: str) -> SignUp | None:
        """Return the sign-up whose newest link has this secret, or ``None``."""
        found = self._read(self._signup.c.digest == digest)
        return found[0] if found else None

    def all(self, states: Iterable[State] = ()) -> list[SignUp]:
        """Return sign-ups, the newest first.

        :param states: only those in one of these states
        """
        wanted = [state.value for state in states]
        return self._read(self._signup.c.state.in_(wanted) if wanted else sa.true())

    def due(self) -> list[int]:
        """Return the ids of those that can go on, or have not been told, the oldest first."""
        table, step, now = self._signup, self._step, self.clock()
        over = table.c.expires_at <= now
        able = sa.and_(
            table.c.attempts < TRIES,
            sa.or_(
                sa.and_(
                    table.c.state.in_([s.value for s in AT_WORK]), sa.or_(table.c.expires_at.is_(None), over)
                ),
                sa.and_(table.c.state.in_([s.value for s in WAITING]), over),
            ),
        )
        untold = table.c.id.in_(sa.select(step.c.signup_id).where(step.c.told < ALL))
        query = sa.select(table.c.id).where(sa.or_(able, untold)).order_by(table.c.id)
        with self.connect() as connection:
            return list(connection.scalars(query))

    def steps(self, signup_id: int) -> list[Step]:
        """Return the steps that a sign-up has taken, in order."""
        step = self._step
        with self.connect() as connection:
            rows = connection.execute(
                sa.select(step).where(step.c.signup_id == signup_id).order_by(step.c.number)
            ).all()
        return [_step(row) for row in rows]

    def _read(self, wanted: sa.ColumnElement[bool]) -> list[SignUp]:
        query = sa.select(self._signup).where(wanted).order_by(self._signup.c.id.desc())
        with self.connect() as connection:
            return [_made(row) for row in connection.execute(query)]

    # ---- writing
    def begin(
        self, values: dict[str, Any], look: Callable[[Connection], None], expires_at: datetime
    ) -> SignUp:
        """Write a new sign-up down.

        :param look: raises when it cannot be
        """
        now = self.clock()
        row = {
            **values,
            "state": State.REQUESTED.value,
            "created_at": now,
            "changed_at": now,
            "expires_at": expires_at,
        }
        with self.connect() as connection:
            key = cast(Any, connection.execute(self._signup.insert().values(row)).inserted_primary_key)
            look(connection)
            self._stepped(connection, int(key[0]), State.REQUESTED, "visitor", values["slug"])
        return self.get(int(key[0]))

    def move(
        self,
        signup: SignUp,
        to: State,
        *,
        actor: str,
        look: Callable[[Connection], None] = lambda connection: None,
        without_tenant: bool = False,
        **values: Any,
    ) -> SignUp:
        """Take a step. It has no time limit then, and no mistakes, unless ``values`` say so.

        :param look: raises when it cannot be taken
        :param without_tenant: only as long as there is no tenant
        :raises SignUpError: for a step that cannot follow
        :raises Overtaken: when somebody else has taken one in between
        """
        if to not in WAYS[signup.state]:
            raise SignUpError(
                f"The sign-up {signup.id} is {signup.state}, and cannot be {to} next",
                value=signup.state.value,
            )
        kept = {"expires_at": None, "error": None, "attempts": 0, **values}
        only = (self._signup.c.tenant_id.is_(None),) if without_tenant else ()
        with self.connect() as connection:
            self._set(connection, signup, *only, state=to.value, changed_at=self.clock(), **kept)
            look(connection)
            self._stepped(connection, signup.id, to, actor, signup.slug)
        return self.get(signup.id)

    def set(self, signup: SignUp, **values: Any) -> None:
        """Set something that is no step.

        :raises Overtaken: when somebody else has taken a step in between
        """
        with self.connect() as connection:
            self._set(connection, signup, **values)

    def lease(self, signup: SignUp) -> SignUp:
        """Let nobody else work at a sign-up for a while.

        :raises Overtaken: when somebody else does
        """
        table, now = self._signup, self.clock()
        free = sa.or_(table.c.expires_at.is_(None), table.c.expires_at <= now)
        with self.connect() as connection:
            self._set(connection, signup, free, expires_at=now + LEASE)
        return self.get(signup.id)

    def claim(self, connection: Connection, signup: SignUp, tenant_id: int) -> None:
        """Note whose tenant it is, in the transaction that makes it.

        :raises Overtaken: when the lease was lost
        """
        mine = self._signup.c.tenant_id.is_(None), self._signup.c.expires_at == signup.expires_at
        self._set(connection, signup, *mine, tenant_id=tenant_id)

    def failed(self, signup_id: int, error: str, *, count: bool = True) -> None:
        """Note that something went wrong.

        :param count: whether that was the next step, which is not tried for ever
        """
        table = self._signup
        made = table.c.state == State.APPROVED.value  # it may be tried again at once
        until = sa.case((made, sa.null()), else_=table.c.expires_at)
        more = {"attempts": table.c.attempts + 1, "expires_at": until} if count else {}
        mine = (
            table.c.id == signup_id,
            table.c.state != State.REFUSED.value,
        )  # that one says why it was refused
        with self.connect() as connection:
            connection.execute(table.update().where(*mine).values(error=error[:ERROR_LENGTH], **more))

    def take(self, step: Step) -> Step | None:
        """Let nobody else tell of a step for a while, and return it as it is now; ``None`` when somebody else does, or
        has done so."""
        table, now = self._step, self.clock()
        mine = table.c.signup_id == step.signup_id, table.c.number == step.number
        free = sa.or_(table.c.telling_until.is_(None), table.c.telling_until <= now)
        taken = table.update().where(*mine, free, table.c.told < ALL).values(telling_until=now + LEASE)
        with self.connect() as connection:
            if cast("sa.CursorResult[Any]", connection.execute(taken)).rowcount == 0:
                return None
            return _step(connection.execute(sa.select(table).where(*mine)).one())

    def give_back(self, step: Step) -> None:
        """Let anybody tell of a step again."""
        table = self._step
        mine = table.c.signup_id == step.signup_id, table.c.number == step.number
        with self.connect() as connection:
            connection.execute(table.update().where(*mine).values(telling_until=None))

    def tell(self, step: Step, bit: int) -> None:
        """Note that somebody was told of a step."""
        table = self._step
        mine = table.c.signup_id == step.signup_id, table.c.number == step.number
        with self.connect() as connection:
            connection.execute(table.update().where(*mine).values(told=table.c.told.op("|")(bit)))

    def _set(self, connection: Connection, signup: SignUp, *also: Any, **values: Any) -> None:
        table = self._signup
        mine = table.c.id == signup.id, table.c.state == signup.state.value, *also
        done = cast("sa.CursorResult[Any]", connection.execute(table.update().where(*mine).values(values)))
        if done.rowcount == 0:
            raise Overtaken(signup)

    def _stepped(self, connection: Connection, signup_id: int, state: State, actor: str, slug: str) -> None:
        step = self._step
        last = connection.scalar(sa.select(sa.func.max(step.c.number)).where(step.c.signup_id == signup_id))
        row = {
            "signup_id": signup_id,
            "number": (last or 0) + 1,
            "state": state.value,
            "actor": actor,
            "at": self.clock(),
            "told": 0,
        }
        connection.execute(step.insert().values(row))
        self._note(f"signup.{state}", actor=actor, connection=connection, signup=signup_id, slug=slug)


def _made(row: sa.Row[Any]) -> SignUp:
    known = dict(row._mapping)
    known.pop("digest")
    known["state"] = State(known["state"])
    for name in ("created_at", "changed_at", "expires_at", "trial_ends_at"):
        known[name] = _utc(known[name]) if known[name] is not None else None
    return SignUp(**known)


def _step(row: sa.Row[Any]) -> Step:
    return Step(row.signup_id, row.number, State(row.state), row.actor, _utc(row.at), row.told)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
