"""Leave to become a member: a link that is good once, and for one tenant."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ...errors import LoginRefusedError, MemberError
from ...identity import LOCAL, Identified, Invitation, Member, MemberState, Person, Provider
from ...translations import Message
from ..store import digest_of, new_secret, utc
from .arrivals import Arrivals, checked_vouching, email_of, name_of
from .members import checked_roles
from .persons import SYSTEM, checked_email, checked_name

INVITATION_DAYS = 7
"""For how long an invitation is good."""


class People(Arrivals):
    """Everything that is kept of people: ``accounts.people``."""

    def invite(
        self,
        tenant_id: int,
        email: str,
        roles: Iterable[str] = (),
        by: Person | None = None,
        *,
        actor: str = "",
    ) -> tuple[Invitation, str]:
        """Invite somebody, and return the invitation and the secret of its link, which is to be mailed.

        An earlier invitation of the same address is withdrawn.

        :param by: who invites; ``None`` for the command line and sign-up
        :param actor: who does it, for the audit trail: by default the person
        :raises MemberError: for an address or role that cannot be
        """
        email, wanted, secret, at = checked_email(email), checked_roles(roles), new_secret(), self._clock()
        table = self._people.invitation
        invited_by = by.id if by is not None else None
        row = {
            "tenant_id": tenant_id,
            "email": email,
            "roles": json.dumps(sorted(wanted)),
            "digest": digest_of(secret),
            "invited_by": invited_by,
            "created_at": at,
            "expires_at": at + timedelta(days=INVITATION_DAYS),
        }
        with self._changing(tenant_id) as connection:
            same = table.c.tenant_id == tenant_id, table.c.email == email
            connection.execute(table.update().where(*same, *self._open()).values(revoked_at=at))
            made = cast(Any, connection.execute(table.insert().values(row)).inserted_primary_key)
            self._note(
                "member.invited",
                tenant_id=tenant_id,
                actor=actor or (f"person:{by.id}" if by is not None else SYSTEM),
                connection=connection,
                email=email,
                roles=sorted(wanted),
            )
        given = Invitation(
            int(made[0]),
            tenant_id,
            email,
            wanted,
            at,
            at + timedelta(days=INVITATION_DAYS),
            invited_by,
        )
        return given, secret

    def invitation(self, tenant_id: int, secret: str) -> Invitation | None:
        """Return the invitation of that secret; ``None`` for one that is not good, or not here."""
        with self._connect() as connection:
            return self._invitation(connection, tenant_id, secret)

    def invitations(self, tenant_id: int) -> list[Invitation]:
        """Return a tenant's invitations that nobody has accepted yet, the newest first."""
        table = self._people.invitation
        query = sa.select(table).where(table.c.tenant_id == tenant_id, *self._open())
        with self._connect() as connection:
            return [_invitation(row) for row in connection.execute(query.order_by(table.c.id.desc()))]

    def revoke(self, tenant_id: int, invitation_id: int, *, by: str = SYSTEM) -> None:
        """Withdraw an invitation.

        :raises MemberError: when there is none that is good
        """
        with self._changing(tenant_id) as connection:
            self._spend(connection, tenant_id, invitation_id, "revoked_at")
            self._note(
                "member.uninvited",
                tenant_id=tenant_id,
                actor=by,
                connection=connection,
                invitation=invitation_id,
            )

    def accept(self, tenant_id: int, secret: str, provider: Provider, who: Identified) -> Member:
        """Make somebody a member who has been invited, and for whom one of the tenant's own providers has vouched.

        Whoever shows the secret has been invited; what address the provider has for them decides nothing. A member
        gets the invitation's roles beside their own.

        :raises LoginRefusedError: when the provider cannot vouch for them, or they are suspended
        :raises MemberError: when the invitation is not good
        """
        if provider.tenant_id != tenant_id:
            raise MemberError(
                f"The provider {provider.name!r} is not the tenant's own", value=provider.tenant_id
            )
        checked_vouching(provider, who)
        with self._changing(tenant_id) as connection:
            found = self._accepted(connection, tenant_id, secret)
            person_id = self._known_as(connection, who.identity)
            if person_id is None:
                if provider.kind == LOCAL:
                    raise MemberError("There is no such person", value=who.identity.subject)
                values = {"name": name_of(who), "created_at": self._clock()}
                person_id = self._insert(connection, values, who.identity)
            self._join(connection, found, person_id, name_of(who), email_of(who) or found.email)
        return self.arrive(provider, who)

    def accept_with_password(self, tenant_id: int, secret: str, name: str, password: str) -> Member:
        """Make somebody a member who has been invited, with a password of ours: the link has proven their address.

        :raises MemberError: when the invitation is not good, for a name or password that cannot be, and when
            somebody has a password for the address already: they log in with it, and :meth:`accept`
        """
        name = checked_name(name)
        seen = self.invitation(tenant_id, secret)
        if seen is None:
            raise _bad()
        if self.by_email(seen.email) is not None:
            raise _taken(seen.email)
        kept = self.passwords.hash(password, seen.email)
        with self._changing(tenant_id) as connection:
            found = self._accepted(connection, tenant_id, secret)
            try:
                with connection.begin_nested():
                    person = self._create(connection, found.email, name, kept, "invitation")
            except IntegrityError:
                raise _taken(found.email) from None
            self._join(connection, found, person.id, name, found.email)
            return self._expect(connection, tenant_id, person.id)

    # ---- in a transaction
    def _accepted(self, connection: Connection, tenant_id: int, secret: str) -> Invitation:
        found = self._invitation(connection, tenant_id, secret)
        if found is None:
            raise _bad()
        self._spend(connection, tenant_id, found.id, "accepted_at")
        return found

    def _join(self, connection: Connection, found: Invitation, person_id: int, name: str, email: str) -> None:
        by, tenant_id = f"invitation:{found.id}", found.tenant_id
        member = self._member(connection, tenant_id, person_id)
        if member is None:
            self._add(connection, Member(tenant_id, person_id, name, email, found.roles), by)
            return
        if member.state is not MemberState.ACTIVE:
            raise LoginRefusedError(
                f"The member {person_id} of the tenant {tenant_id} is {member.state}", reason="suspended"
            )
        roles = self._people.member_role
        mine = roles.c.tenant_id == tenant_id, roles.c.person_id == person_id, roles.c.source == ""
        held = frozenset(connection.scalars(sa.select(roles.c.role).where(*mine)))
        self._give(connection, tenant_id, person_id, held | found.roles, "")
        self._note(
            "member.roles",
            tenant_id=tenant_id,
            actor=by,
            connection=connection,
            person=person_id,
            before=sorted(member.roles),
            after=sorted(member.roles | found.roles),
        )

    def _invitation(self, connection: Connection, tenant_id: int, secret: str) -> Invitation | None:
        table = self._people.invitation
        mine = table.c.digest == digest_of(secret), table.c.tenant_id == tenant_id
        row = connection.execute(sa.select(table).where(*mine, *self._open())).one_or_none()
        return None if row is None else _invitation(row)

    def _spend(self, connection: Connection, tenant_id: int, invitation_id: int, column: str) -> None:
        table = self._people.invitation
        mine = table.c.id == invitation_id, table.c.tenant_id == tenant_id
        done = connection.execute(table.update().where(*mine, *self._open()).values({column: self._clock()}))
        if cast("sa.CursorResult[Any]", done).rowcount == 0:
            raise _bad()

    def _open(self) -> tuple[sa.ColumnElement[bool], ...]:
        table = self._people.invitation
        return (
            table.c.accepted_at.is_(None),
            table.c.revoked_at.is_(None),
            table.c.expires_at > self._clock(),
        )


def _bad() -> MemberError:
    return MemberError(Message("The invitation is not good any more"), hint=Message("Ask for another one"))


def _taken(email: str) -> MemberError:
    return MemberError(
        Message("Somebody logs in with %(email)r already", email=email),
        value=email,
        hint=Message("Log in with that password, and accept then"),
    )


def _invitation(row: sa.Row[Any]) -> Invitation:
    return Invitation(
        row.id,
        row.tenant_id,
        row.email,
        frozenset(json.loads(row.roles)),
        cast(datetime, utc(row.created_at)),
        cast(datetime, utc(row.expires_at)),
        row.invited_by,
        utc(row.accepted_at),
        utc(row.revoked_at),
    )
