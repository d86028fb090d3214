"""What becomes of somebody for whom a provider has vouched.

Membership of a tenant comes through the tenant's own providers alone. Whatever another tenant's provider says, and
whatever an e-mail address says, makes nobody a member.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ...errors import LoginRefusedError, MemberError
from ...identity import ADMINISTRATOR, LOCAL, Identified, LoginSession, Member, MemberState, Provider
from ..sessions import session_of
from .members import Members, checked_roles
from .persons import LONGEST_EMAIL, checked_name, line_of

log = logging.getLogger("flask_tenant.login")

OPERATOR = "operator"
"""The role at the central host of those who may do central work."""

LONGEST = 255
"""Characters of a subject (OpenID Connect Core 1.0, section 2: at most 255)."""


class Arrivals(Members):
    """Lets people in for whom a provider has vouched."""

    def arrive(self, provider: Provider, who: Identified) -> Member:
        """Return the member that somebody is, having become one where the tenant lets its provider's people join.

        Their name, address and the roles of their groups are what the provider says now.

        :raises LoginRefusedError: when the provider cannot vouch for them, or they are no member, or suspended
        """
        checked_vouching(provider, who)
        if provider.tenant_id == 0:
            return self._central(who)
        try:
            with self._changing(provider.tenant_id) as connection:
                return self._arrived(connection, provider, who)
        except MemberError:
            # Two browsers at once, for the first time: the other one has made the person. Once more, then.
            with self._changing(provider.tenant_id) as connection:
                return self._arrived(connection, provider, who)

    def present(self, tenant_id: int, secret: str) -> tuple[LoginSession, Member] | None:
        """Return the session of that secret, and whose it is; ``None`` when it is not good, or not theirs any more.

        Each request of somebody who is logged in comes by here. Nothing of it is kept: what has ended has ended.
        """
        if not tenant_id:
            session = self._sessions.find(0, secret)
            member = None if session is None else self.at_centre(session.person_id)
            return None if session is None or member is None else (session, member)
        with self._connect() as connection:
            rows = connection.execute(self._present, self._sessions.good_for(tenant_id, secret)).all()
        if not rows or rows[0].member_state != MemberState.ACTIVE.value:
            return None
        first, roles = rows[0], frozenset(row.member_role for row in rows if row.member_role is not None)
        member = Member(tenant_id, first.person_id, first.member_name, first.member_email, roles)
        return session_of(first), member

    @cached_property
    def _present(self) -> sa.Select[Any]:
        """One statement for the session, the member and their roles: as they are together, at one moment."""
        session, member, role = self._people.login_session, self._people.membership, self._people.member_role
        theirs = (member.c.tenant_id == session.c.tenant_id) & (member.c.person_id == session.c.person_id)
        held = (role.c.tenant_id == member.c.tenant_id) & (role.c.person_id == member.c.person_id)
        return (
            sa.select(
                session,
                member.c.name.label("member_name"),
                member.c.email.label("member_email"),
                member.c.state.label("member_state"),
                role.c.role.label("member_role"),
            )
            .select_from(session.join(member, theirs).outerjoin(role, held))
            .where(*self._sessions.good)
        )

    def _central(self, who: Identified) -> Member:
        """Whoever has a password of ours may log in at the central host, to go on to a tenant of theirs."""
        person = self.by_identity(who.identity)
        found = self.at_centre(person.id) if person is not None and who.identity.authority == LOCAL else None
        if found is None:
            raise LoginRefusedError(f"{who.identity} is nobody at the central host", reason="no-person")
        return found

    def at_centre(self, person_id: int) -> Member | None:
        """Return what a person is at the central host: an operator, or somebody on the way to a tenant of theirs."""
        person = self.person(person_id)
        if person is None:
            return None
        roles = frozenset({OPERATOR} if person.operator else ())
        return Member(0, person.id, person.name, person.email or "", roles)

    def _arrived(self, connection: Connection, provider: Provider, who: Identified) -> Member:
        at, people = self._clock(), self._people
        person_id = self._known_as(connection, who.identity)
        member = None if person_id is None else self._member(connection, provider.tenant_id, person_id)
        if member is None:
            if not provider.joins or provider.kind == LOCAL:
                raise LoginRefusedError(
                    f"{who.identity} is no member of the tenant {provider.tenant_id}, and does not become one "
                    f"by logging in through {provider.name!r}",
                    reason="no-member",
                )
            joining = person_id
            if joining is None:
                values: dict[str, Any] = {"name": name_of(who), "created_at": at}
                joining = self._insert(connection, values, who.identity)
            joined = Member(provider.tenant_id, joining, name_of(who), email_of(who))
            member = self._add(connection, joined, f"provider:{provider.name}")
        person_id = member.person_id
        if member.state is not MemberState.ACTIVE:
            raise LoginRefusedError(
                f"The member {person_id} of the tenant {provider.tenant_id} is {member.state}",
                reason="suspended",
            )
        self._follow_groups(connection, provider, who, person_id)
        membership, identity = people.membership, people.identity
        said = {"name": name_of(who), "email": email_of(who)} if provider.kind != LOCAL else {}
        mine = membership.c.tenant_id == provider.tenant_id, membership.c.person_id == person_id
        connection.execute(membership.update().where(*mine).values(last_at=at, **said))
        known = identity.c.authority == who.identity.authority, identity.c.subject == who.identity.subject
        connection.execute(identity.update().where(*known).values(last_at=at))
        return self._expect(connection, provider.tenant_id, person_id)

    def _follow_groups(
        self, connection: Connection, provider: Provider, who: Identified, person_id: int
    ) -> None:
        """Give the roles of somebody's groups, and take those away that rest on groups they have left."""
        if provider.kind == LOCAL:
            return
        tenant_id, before = provider.tenant_id, self._expect(connection, provider.tenant_id, person_id)
        had_one = self._has_administrator(connection, tenant_id)
        roles = roles_of(provider, who)
        self._give(connection, tenant_id, person_id, roles, provider.name)
        if had_one and not self._has_administrator(connection, tenant_id):
            # Locking the tenant out would be worse: somebody has to be there who can name another.
            log.warning(
                "The groups of %s do not make them an administrator of the tenant %s any more; they stay one, "
                "because nobody else is",
                who.identity,
                tenant_id,
            )
            self._give(connection, tenant_id, person_id, roles | {ADMINISTRATOR}, provider.name)
        after = self._expect(connection, tenant_id, person_id)
        if before.roles != after.roles:
            self._note(
                "member.roles",
                tenant_id=tenant_id,
                actor=f"provider:{provider.name}",
                connection=connection,
                person=person_id,
                before=sorted(before.roles),
                after=sorted(after.roles),
            )


def checked_vouching(provider: Provider, who: Identified) -> None:
    """Refuse an identity for which the provider cannot vouch.

    :raises LoginRefusedError: for another authority's, an empty one, and one from a provider that is switched off
    """
    if not provider.enabled:
        raise LoginRefusedError(f"The provider {provider.name!r} is switched off", reason="provider-off")
    if not provider.authority or who.identity.authority != provider.authority:
        raise LoginRefusedError(
            f"The provider {provider.name!r} vouches for {provider.authority!r}, not for {who.identity.authority!r}",
            reason="authority",
        )
    if (provider.kind == LOCAL) != (provider.authority == LOCAL):
        raise LoginRefusedError(
            f"The provider {provider.name!r} is of the kind {provider.kind!r}, and claims {provider.authority!r}",
            reason="authority",
        )
    subject = who.identity.subject
    if not subject.strip() or len(subject) > LONGEST or not subject.isprintable():
        raise LoginRefusedError(f"The subject {subject!r} names nobody", reason="subject")


def name_of(who: Identified) -> str:
    """Return what somebody is called: by the provider, or after what else it says."""
    return checked_name(next(filter(line_of, (who.name, who.email, who.identity.subject)), "?"))


def email_of(who: Identified) -> str:
    """Return the address that a provider says: to be shown, and nothing else."""
    email = line_of(who.email)
    return email if len(email) <= LONGEST_EMAIL else ""  # a part of an address would be another one


def roles_of(provider: Provider, who: Identified) -> frozenset[str]:
    """Return the roles that a provider's map has for somebody's groups: ``settings["roles"]``, by group."""
    mapped = provider.settings.get("roles") or {}
    found: set[str] = set()
    for group in who.groups:
        roles = mapped.get(group, ())
        found.update([roles] if isinstance(roles, str) else roles)
    return checked_roles(found)
